//! One refresh. However many requests find a session's access token at its end, the provider sees its refresh token once, and all of them
//! get what it was spent for; so does whoever comes later with the session from before (a slow tab, a lost response).
//!
//! * **One in flight per session**, in a task of its own: that a client goes away ends nothing. Who comes meanwhile waits for its outcome.
//! * **What is known** outlives it: the newest state of a session is found by its adapter session id, which is sealed into every state of
//!   it, so that an older one is never spent again. Keycloak destroys the client session of a spent refresh token that comes back.
//! * **A proof** that a session lives flies the same way, so that nobody asks while somebody refreshes; it changes no token. What `UserInfo`
//!   refuses is refreshed once, and only what that says ends the session. A node that starts has to ask for every session: there is a budget.
//! * **What failed** is told apart. Only the provider's `invalid_grant`, or an answer that may not be believed, ends a session. What never
//!   left may be sent again. What left and was not answered is not sent again while the access token lives; then once, when the provider
//!   answers something harmless; then the user is signed in anew, silently, by the session at the provider. So it is at once where the
//!   provider refuses the token by `invalid_request`. A 500 or 503 may hide a refresh that was done: that token, too, rests while the access
//!   token lives.

mod budget;
mod flights;
mod known;
mod proof;
mod troubles;

use std::{sync::Arc, time::Duration};

use crate::{
    audit,
    domain::{Clock, Lifetimes, NodeHost, NodeIncarnation, Session, Timestamp},
    endings::{By, Endings},
    lifecycle::Errands,
    oidc::{ClientSession, Provider, RefreshError, Refreshed},
    revocation,
    session::SessionCodec,
    status::Metrics,
};
use budget::Budget;
use flights::{Boarding, Flights, Kind, Waiting};
use known::{Doubt, Known};
use troubles::Troubles;

/// When tokens are renewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// With every request, not only towards the end of the access token (`always-refresh-token`).
    pub always: bool,
    /// How long before its end an access token is renewed (`token-minimum-time-to-live`). Never more than half of the token's own life: as
    /// much as that would renew it with every request.
    pub minimum_life: Duration,
    /// Most proofs asked for at a time.
    pub proofs_in_flight: usize,
    /// Most proofs asked for in a second.
    pub proofs_per_second: u32,
}

/// What renewal works with.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Who renews.
    pub provider: Arc<Provider>,
    /// What its answers end.
    pub endings: Endings,
    /// How sessions are proved.
    pub prove_by: ProveBy,
    /// This start of this node, for `proved_by`.
    pub incarnation: NodeIncarnation,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How long sessions live.
    pub lifetimes: Lifetimes,
    /// Claims that headers ask for, beyond the usual ones.
    pub wanted_claims: Vec<String>,
    /// Where the identity server reaches this node, told to it with every refresh.
    pub node_host: NodeHost,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where refreshes run, so that no client's going away ends one.
    pub errands: Errands,
}

/// Renews the sessions of one site.
#[derive(Debug)]
pub struct Renewals {
    config: Config,
    parts: Parts,
    ledger: Arc<Ledger>,
}

/// What is in flight, and what came of what flew. It outlives a configuration: a refresh token that was spent under one is not spent again under
/// the next.
#[derive(Debug)]
pub struct Ledger {
    flights: Flights,
    known: Known,
    budget: Budget,
    troubles: Troubles,
}

impl Ledger {
    /// An empty one. What is known of a session is kept as long as somebody may come with an older state of it, which the idle limit of
    /// `lifetimes` says.
    #[must_use]
    pub fn new(config: &Config, incarnation: NodeIncarnation, lifetimes: Lifetimes) -> Self {
        // A session that nobody used for longer than the idle limit is over, whatever state of it turns up.
        let keep = Duration::from_secs(10 * 60).max(lifetimes.idle);
        Self {
            flights: Flights::default(),
            known: Known::new(incarnation, SessionCodec::new(), keep),
            budget: Budget::new(config.proofs_in_flight, config.proofs_per_second),
            troubles: Troubles::default(),
        }
    }
}

/// What somebody wants of a session.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Proof(revocation::Doubt, Spending),
    Renewal,
}

impl Wish {
    fn kind(self) -> Kind {
        match self {
            Self::Proof(..) => Kind::Proof,
            Self::Renewal => Kind::Renewal,
        }
    }
}

/// How the identity server is asked whether a session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProveBy {
    /// By a refresh, which spends a rotating token; by UserInfo where there is no refresh token, and where other nodes are at work that would
    /// spend the same one.
    Refresh,
    /// By UserInfo, which spends nothing; what it refuses is refreshed once.
    UserInfo,
}

/// Whether a refresh token may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spending {
    /// It may.
    Allowed,
    /// The browser would not learn the new one.
    Forbidden,
}

/// What came of a session that was to be renewed.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Too many are asked for at this moment. The session is kept.
    Busy,
    /// The provider says that it is over, or what it sent may not be believed. The session has been ended.
    Ended,
    /// Nobody knows what became of its refresh token. The user signs in anew; the session at the provider is still there.
    Lost,
    /// Its newest state, proved.
    Renewed(Arc<Session>),
    /// Not now. The session is kept.
    Unavailable,
}

/// Longest time during which nothing is sent after a refresh failed that never left: an outage costs one attempt, not one per request.
const PAUSE: Duration = Duration::from_secs(1);

impl Config {
    /// Whether the access token has ended, or is about to.
    fn is_time_for(&self, session: &Session, now: Timestamp) -> bool {
        let Some(end) = session.tokens.access_expires else { return false };
        let early = self.minimum_life.min(end.since(session.renewed_at) / 2);
        now.plus(early) >= end
    }
}

impl Renewals {
    /// Renewal as configured, of sessions of which `ledger` tells.
    #[must_use]
    pub fn new(config: Config, parts: Parts, ledger: Arc<Ledger>) -> Self {
        Self { config, parts, ledger }
    }

    /// What the refresh token of `session` was spent for, with the latest use of the two; `None` when `session` is as new as is known.
    #[must_use]
    pub fn newer(&self, session: &Session, now: Timestamp) -> Option<Arc<Session>> {
        self.ledger.known.newer(session, now)
    }

    /// Whether `session` should be renewed before it is used, and can be.
    #[must_use]
    pub fn is_due(&self, session: &Session, now: Timestamp) -> bool {
        session.tokens.refresh.is_some() && (self.config.always || self.config.is_time_for(session, now))
    }

    /// Renews `session`, or waits for whoever is at it. Dropping the future stops only the waiting.
    pub async fn renew(self: &Arc<Self>, session: Arc<Session>) -> Outcome {
        match self.go(session.clone(), Wish::Renewal).await {
            // Whoever was at it only wanted to know whether it lives, and may not have been allowed to renew it.
            (Outcome::Renewed(proved), Kind::Proof) if self.is_due(&proved, self.now()) => {
                self.go(proved, Wish::Renewal).await.0
            }
            (Outcome::Busy | Outcome::Lost | Outcome::Unavailable, Kind::Proof) => {
                self.go(session, Wish::Renewal).await.0
            }
            (outcome, _) => outcome,
        }
    }

    /// What came of it, and for what whoever was at it had set out.
    async fn go(self: &Arc<Self>, session: Arc<Session>, wish: Wish) -> (Outcome, Kind) {
        let (mut waiting, kind) = match self.take_off(session, wish) {
            Ok(aloft) => aloft,
            Err(outcome) => return (outcome, wish.kind()),
        };
        let landed = waiting.wait_for(Option::is_some).await;
        // A task that is gone without a word: the process is about to end.
        (landed.ok().and_then(|outcome| outcome.clone()).unwrap_or(Outcome::Unavailable), kind)
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Joins the flight of this session, or begins one. What is known is looked at while nobody can land or take off, since a flight
    /// writes down what it brought before it lands.
    fn take_off(self: &Arc<Self>, session: Arc<Session>, wish: Wish) -> Result<(Waiting, Kind), Outcome> {
        let id = session.adapter_session_id.clone();
        let now = self.now();
        let (seat, waiting) =
            match self.ledger.flights.board(&id, wish.kind(), || self.known_outcome(&session, wish, now)) {
                Boarding::Joined(waiting, kind) => return Ok((waiting, kind)),
                Boarding::Needless(outcome) => return Err(outcome),
                Boarding::Full => {
                    self.parts.metrics.refresh("no_room");
                    audit::refreshed("no_room", &session, now);
                    return Err(Outcome::Busy);
                }
                Boarding::First(seat, waiting) => (seat, waiting),
            };
        let renewals = self.clone();
        self.parts.errands.run(async move {
            let outcome = match wish {
                Wish::Renewal => renewals.fly(session).await,
                Wish::Proof(doubt, spending) => renewals.fly_for_proof(session, doubt, spending).await,
            };
            seat.land(outcome);
        });
        Ok((waiting, wish.kind()))
    }

    /// What can be said without asking the provider.
    fn known_outcome(&self, session: &Arc<Session>, wish: Wish, now: Timestamp) -> Option<Outcome> {
        let newer = self.ledger.known.newer(session, now);
        if let Wish::Proof(..) = wish {
            // Somebody asked since this request looked.
            return newer.map(Outcome::Renewed).or(self.ledger.troubles.is_pausing().then_some(Outcome::Unavailable));
        }
        let renewed = newer.as_ref().filter(|newer| newer.renewed_at > session.renewed_at);
        if let Some(renewed) = renewed.filter(|renewed| !self.config.is_time_for(renewed, now)) {
            return Some(Outcome::Renewed(renewed.clone()));
        }
        let newest = newer.as_ref().unwrap_or(session);
        let lives = newest.tokens.access_expires.is_none_or(|end| now < end);
        match self.ledger.known.doubt(newest, now) {
            Doubt::Pausing => Some(Outcome::Unavailable),
            Doubt::Once if lives => Some(Outcome::Unavailable),
            Doubt::None | Doubt::Once => None,
            Doubt::Twice => Some(Outcome::Lost),
        }
    }

    fn see(&self, session: &Session, now: Timestamp) {
        self.parts.endings.active.see(session, session.ends_at(self.parts.lifetimes), now);
    }

    async fn fly(&self, session: Arc<Session>) -> Outcome {
        let now = self.now();
        let session = self.newer(&session, now).unwrap_or(session);
        let Some(refresh) = &session.tokens.refresh else { return Outcome::Lost };
        let in_doubt = self.ledger.known.doubt(&session, now) == Doubt::Once;
        if in_doubt && !self.parts.provider.answers().await {
            return self.failed(&session, &RefreshError::Unavailable("it does not answer at all".to_owned())).await;
        }
        let here = ClientSession { state: &session.adapter_session_id, host: &self.parts.node_host };
        match self.parts.provider.refresh(&session, refresh, &self.parts.wanted_claims, Some(here)).await {
            Ok(refreshed) if self.is_ended(&session) => self.let_go(&session, refreshed).await,
            Ok(refreshed) => self.renewed(&session, refreshed),
            Err(error) => self.failed(&session, &error).await,
        }
    }

    fn is_ended(&self, session: &Session) -> bool {
        self.parts.endings.revocations.check(session, self.now()).is_err()
    }

    /// The session was ended while its tokens were renewed: what came is worth nothing here, and is not left alive at the provider either.
    async fn let_go(&self, session: &Session, refreshed: Refreshed) -> Outcome {
        self.parts.metrics.refresh("too_late");
        audit::refreshed("too_late", session, self.parts.clock.now());
        if let Some(refresh) = &refreshed.tokens.refresh
            && let Err(error) = self.parts.provider.revoke(refresh).await
        {
            tracing::warn!(%error, "the refresh token of a session that was ended is not known to be revoked");
        }
        Outcome::Ended
    }

    fn renewed(&self, session: &Session, refreshed: Refreshed) -> Outcome {
        let now = self.parts.clock.now();
        self.parts.metrics.refresh("ok");
        audit::refreshed("ok", session, now);
        if let Some(value) = refreshed.not_before {
            // One that lies ahead may be taken back, which nobody says for one user: here it ends what is older than these tokens.
            let cut = refreshed.token_iat.map_or(value, |issued| value.min(issued));
            self.parts.endings.raise_not_before(&refreshed.principal.subject, cut, now);
        }
        let renewed = Arc::new(Session {
            principal: refreshed.principal,
            tokens: refreshed.tokens,
            token_iat: refreshed.token_iat.unwrap_or(session.token_iat),
            // Of two states of a session the one that was renewed later is the newer, also when a clock stands still.
            renewed_at: refreshed.asked_at.max(session.renewed_at.plus(Duration::from_millis(1))),
            proved_at: refreshed.asked_at,
            proved_by: self.parts.incarnation.clone(),
            last_seen: now,
            ..session.clone()
        });
        self.ledger.known.learn(&renewed, now);
        self.see(&renewed, now);
        Outcome::Renewed(renewed)
    }

    async fn failed(&self, session: &Session, error: &RefreshError) -> Outcome {
        let now = self.parts.clock.now();
        self.parts.metrics.refresh(error.kind());
        audit::refreshed(error.kind(), session, now);
        let subject = &session.principal.subject;
        match error {
            RefreshError::Ended => {
                tracing::info!(%subject, "the identity server ended a session");
                self.end(session, By::Provider).await
            }
            RefreshError::Untrusted { .. } => {
                tracing::error!(%subject, %error, "a session is ended: what a refresh brought may not be believed");
                self.end(session, By::Untrusted).await
            }
            RefreshError::Refused(_) => {
                // It ends nothing: what the access token is still good for, the session has. After that its user is asked to sign in, since a
                // 503 would be for as long as the session.
                tracing::warn!(%subject, %error, "a session cannot be renewed any more");
                self.ledger.known.give_up(session, now);
                Outcome::Lost
            }
            RefreshError::Unavailable(_) => {
                tracing::warn!(%error, "a session cannot be renewed now");
                self.ledger.known.pause(session, now.plus(PAUSE), now);
                Outcome::Unavailable
            }
            RefreshError::Trouble(_) => {
                tracing::warn!(%error, "a session cannot be renewed now");
                // As long as the session lives without it, nothing is risked.
                let lives_until = session.tokens.access_expires.filter(|end| now < *end);
                self.ledger.known.pause(session, lives_until.unwrap_or(now.plus(PAUSE)), now);
                Outcome::Unavailable
            }
            RefreshError::Uncertain(_) => {
                tracing::warn!(%error, "a session's refresh token may be spent");
                self.ledger.known.doubt_more(session, now);
                Outcome::Unavailable
            }
        }
    }

    async fn end(&self, session: &Session, by: By) -> Outcome {
        self.parts.endings.end_session(session, by).await;
        Outcome::Ended
    }
}

impl Outcome {
    /// A word for metrics.
    fn word(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Ended => "ended",
            Self::Lost => "lost",
            Self::Renewed(_) => "alive",
            Self::Unavailable => "unavailable",
        }
    }
}

#[cfg(test)]
mod tests;
