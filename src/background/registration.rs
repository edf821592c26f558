//! Keeps this node among its client's nodes at Keycloak, so that admin URLs with `${application.session.host}` reach it: as
//! soon as the provider is reachable, again on the period, and off the list at the end. Keycloak's own adapters do this with
//! their first request and forget what failed (keycloak-adapter: `NodesRegistrationManagement`).

use std::{sync::Arc, time::Duration};

use super::backoff::Backoff;
use crate::{
    audit::{self, Event},
    current::Current,
    domain::{Clock, Random, Timestamp},
    lifecycle::Shutdown,
    oidc::{Provider, RegistrationError},
    status::{Metrics, Readiness, RegistrationStatus},
};

/// How this node is to be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How often it says so again (`register-node-period`), at most [`LONGEST_PERIOD`]; `None`: never. Keycloak forgets a
    /// node after `nodeReRegistrationTimeout`, which must be longer.
    pub period: Option<Duration>,
}

/// The loop. To be run after [`Readiness::await_registration`].
#[derive(Debug)]
pub struct Registration {
    /// What was configured.
    pub config: Config,
    /// Where to register.
    pub provider: Current<Provider>,
    /// Holds the node's name; told of every outcome.
    pub status: Arc<RegistrationStatus>,
    /// Told when the registration is waited for no longer.
    pub readiness: Arc<Readiness>,
    /// Told of every outcome.
    pub metrics: Arc<Metrics>,
    /// When things happened.
    pub clock: Arc<dyn Clock>,
    /// So that not all nodes ask at once.
    pub random: Arc<dyn Random>,
}

/// Longest `register-node-period`.
pub const LONGEST_PERIOD: Duration = Duration::from_secs(30 * 86_400);
/// How long the node stays out of service for its first registration, from when the provider was first reached.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest time of one attempt, whatever calls to the provider may take otherwise.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(10);
/// Longest time at the end for an attempt that is under way, so that it does not come in after what undoes it.
const LAST_ATTEMPT_WITHIN: Duration = Duration::from_millis(500);
/// Longest time at the end to take the node off the list.
const LEAVE_WITHIN: Duration = Duration::from_millis(2400);
const LEAST_DELAY: Duration = Duration::from_millis(250);
const MOST_DELAY: Duration = Duration::from_secs(60);
/// Delays after a refusal: somebody has to change something first.
const LEAST_DELAY_REFUSED: Duration = Duration::from_secs(60);
const MOST_DELAY_REFUSED: Duration = Duration::from_secs(600);

/// Longest time that [`Registration::run`] takes to end.
pub const ENDS_WITHIN: Duration = Duration::from_secs(3);

type Outcome = Result<(), RegistrationError>;

impl Registration {
    /// Runs until `shutdown` begins, then takes the node off the list, which ends within [`ENDS_WITHIN`]. So `shutdown` is
    /// begun when nothing is served any more.
    pub async fn run(self, shutdown: Shutdown) {
        // Both arms are cancel-safe.
        tokio::select! {
            () = self.readiness.until_provider_reached() => {}
            () = shutdown.begun() => return self.status.left(),
        }
        let mut pace = Pace::new(self.config.period, self.clock.now());
        loop {
            let Some(outcome) = self.attempt(&shutdown).await else {
                pace.may_be_listed = true;
                break;
            };
            let now = self.clock.now();
            self.tell(&outcome, now);
            self.settle(&outcome, pace.patience_left(now));
            let delay = pace.next_delay(&outcome, now, self.random.as_ref());
            // Cancel-safe: a timer loses nothing.
            tokio::select! {
                () = pause(delay) => {}
                () = shutdown.begun() => break,
            }
        }
        self.leave(pace.may_be_listed).await;
    }

    /// One attempt; `None` when `shutdown` begins meanwhile.
    async fn attempt(&self, shutdown: &Shutdown) -> Option<Outcome> {
        let provider = self.provider.get();
        let attempt = tokio::time::timeout(ATTEMPT_WITHIN, provider.register_node(self.status.host()));
        let mut attempt = std::pin::pin!(attempt);
        // The attempt is polled again where it was.
        tokio::select! {
            outcome = &mut attempt => Some(outcome.unwrap_or_else(|_| Err(too_slow()))),
            () = shutdown.begun() => {
                let _ = tokio::time::timeout(LAST_ATTEMPT_WITHIN, attempt).await;
                None
            }
        }
    }

    fn tell(&self, outcome: &Outcome, now: Timestamp) {
        let host = self.status.host();
        match outcome {
            Ok(()) if self.status.is_registered() => tracing::debug!(%host, "this node is registered anew"),
            Ok(()) => tracing::info!(%host, "this node is registered at the identity server"),
            Err(error) if error.is_refusal() => {
                tracing::warn!(%host, %error, "this node is not registered, and asking again will hardly help: the client or the realm must be changed");
            }
            Err(error) => tracing::warn!(%host, %error, "this node cannot be registered now"),
        }
        match outcome {
            Ok(()) => self.status.registered(now),
            Err(error) if error.is_refusal() => self.status.refused(now, error.kind()),
            Err(error) => self.status.failed(now, error.kind()),
        }
        let word = outcome.as_ref().map_or_else(RegistrationError::kind, |()| "ok");
        self.note("register", word);
    }

    fn note(&self, action: &'static str, outcome: &'static str) {
        self.metrics.registration(outcome);
        let host = self.status.host().as_str();
        audit::record(&Event::Registered { action, host, outcome }, self.clock.now());
    }

    /// Lets the node be sent traffic: by a success, and without one by a refusal or after [`PATIENCE`], since an identity
    /// server that does not register nodes must not take the application down.
    fn settle(&self, outcome: &Outcome, patience_left: Duration) {
        let is_open = self.readiness.report().registration == Some(false);
        let given_up = outcome.as_ref().is_err_and(|error| error.is_refusal() || patience_left.is_zero());
        if is_open && given_up {
            tracing::warn!(host = %self.status.host(), "goes into service without being registered: what is ended at the identity server may not reach this node");
        }
        if outcome.is_ok() || given_up {
            self.readiness.registration_settled();
        }
    }

    async fn leave(&self, may_be_listed: bool) {
        self.status.left();
        if !may_be_listed {
            return;
        }
        let host = self.status.host();
        let provider = self.provider.get();
        let unregistered = tokio::time::timeout(LEAVE_WITHIN, provider.unregister_node(host)).await;
        match unregistered.unwrap_or_else(|_| Err(too_slow())) {
            Ok(()) => {
                tracing::info!(%host, "this node is no longer registered");
                self.note("unregister", "left");
            }
            Err(error) => {
                tracing::warn!(%host, %error, "this node may still be registered; it is forgotten after the client's re-registration timeout");
                self.note("unregister", "left_behind");
            }
        }
    }
}

fn too_slow() -> RegistrationError {
    RegistrationError::Unavailable("it took too long".to_owned())
}

/// As long as `delay`; without one for ever.
async fn pause(delay: Option<Duration>) {
    match delay {
        Some(delay) => tokio::time::sleep(delay).await,
        None => std::future::pending().await,
    }
}

/// When to ask again.
#[derive(Debug)]
struct Pace {
    period: Option<Duration>,
    began_at: Timestamp,
    trouble: Backoff,
    refusals: Backoff,
    /// Whether there is something to undo at the end. Undoing what never was does no harm.
    may_be_listed: bool,
}

impl Pace {
    fn new(period: Option<Duration>, began_at: Timestamp) -> Self {
        Self {
            period,
            began_at,
            trouble: Backoff::new(LEAST_DELAY, MOST_DELAY),
            refusals: Backoff::new(LEAST_DELAY_REFUSED, MOST_DELAY_REFUSED),
            may_be_listed: false,
        }
    }

    /// How long to wait after `outcome`; `None`: until the end.
    fn next_delay(&mut self, outcome: &Outcome, now: Timestamp, random: &dyn Random) -> Option<Duration> {
        match outcome {
            Ok(()) => {
                self.may_be_listed = true;
                self.trouble.reset();
                self.refusals.reset();
                self.period.map(|period| a_little_early(period, random))
            }
            Err(error) if error.is_refusal() => Some(self.refusals.delay(random)),
            Err(_) => {
                self.may_be_listed = true;
                let (delay, left) = (self.trouble.delay(random), self.patience_left(now));
                Some(if left.is_zero() { delay } else { delay.min(left) })
            }
        }
    }

    /// How long readiness may still wait.
    fn patience_left(&self, now: Timestamp) -> Duration {
        PATIENCE.saturating_sub(now.since(self.began_at))
    }
}

/// Up to a twentieth earlier, so that nodes that began together do not go on together.
fn a_little_early(period: Duration, random: &dyn Random) -> Duration {
    let mut byte = [0];
    random.fill(&mut byte);
    period.saturating_sub((period / 20) * u32::from(byte[0]) / 255)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::domain::SystemRandom;

    const START: Timestamp = Timestamp::from_secs(1000);

    fn refused() -> Outcome {
        Err(RegistrationError::Refused { status: StatusCode::UNAUTHORIZED, name: "invalid_client".to_owned() })
    }

    fn between(delay: Option<Duration>, least: u64, most: u64) {
        let millis = delay.unwrap().as_millis();
        assert!((u128::from(least)..=u128::from(most)).contains(&millis), "{millis} ms");
    }

    #[test]
    fn a_renewal_comes_a_little_early_and_without_a_period_never() {
        let mut pace = Pace::new(Some(Duration::from_secs(600)), START);
        for _ in 0..50 {
            between(pace.next_delay(&Ok(()), START, &SystemRandom), 570_000, 600_000);
        }
        assert_eq!(Pace::new(None, START).next_delay(&Ok(()), START, &SystemRandom), None);
    }

    #[test]
    fn trouble_is_waited_out_longer_each_time_up_to_a_minute_and_a_success_begins_anew() {
        let mut pace = Pace::new(None, START);
        let late = START.plus(2 * PATIENCE);
        for full in [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000] {
            between(pace.next_delay(&Err(too_slow()), late, &SystemRandom), full / 2, full);
        }
        let _ = pace.next_delay(&Ok(()), late, &SystemRandom);
        between(pace.next_delay(&Err(too_slow()), late, &SystemRandom), 125, 250);
    }

    #[test]
    fn a_refusal_is_asked_again_slowly() {
        let mut pace = Pace::new(None, START);
        for full in [60_000, 120_000, 240_000, 480_000, 600_000, 600_000] {
            between(pace.next_delay(&refused(), START, &SystemRandom), full / 2, full);
        }
    }

    #[test]
    fn no_delay_outlasts_the_patience_of_readiness() {
        let mut pace = Pace::new(None, START);
        let nearly = START.plus(PATIENCE).minus(Duration::from_millis(100));
        for _ in 0..10 {
            between(pace.next_delay(&Err(too_slow()), nearly, &SystemRandom), 100, 100);
        }
        assert!(pace.patience_left(START.plus(PATIENCE)).is_zero());
    }

    /// What is sure to have left nothing behind needs no call at the end.
    #[test]
    fn only_what_may_be_listed_is_undone() {
        let mut pace = Pace::new(None, START);
        let _ = pace.next_delay(&refused(), START, &SystemRandom);
        assert!(!pace.may_be_listed);
        let _ = pace.next_delay(&Err(too_slow()), START, &SystemRandom);
        assert!(pace.may_be_listed);
        let _ = pace.next_delay(&refused(), START, &SystemRandom);
        assert!(pace.may_be_listed);
    }
}
