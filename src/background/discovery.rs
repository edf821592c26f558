//! Asks the provider who it is: at start until it answers, then again while its keys are still good. A provider that is away
//! keeps nobody from starting; the node is only not ready.

use std::{sync::Arc, time::Duration};

use super::backoff::Backoff;
use crate::{
    current::Current,
    domain::Random,
    lifecycle::Shutdown,
    oidc::{DiscoveryError, Metadata, Provider},
    status::{Metrics, Readiness},
};

/// The loop.
#[derive(Debug)]
pub struct Discovery {
    /// Whom to ask.
    pub provider: Current<Provider>,
    /// Told of the first success.
    pub readiness: Arc<Readiness>,
    /// Told of every outcome.
    pub metrics: Arc<Metrics>,
    /// For the backoff.
    pub random: Arc<dyn Random>,
}

const LEAST_DELAY: Duration = Duration::from_millis(250);
const MOST_DELAY: Duration = Duration::from_secs(15);
/// Shortest time between two readings that succeed.
const LEAST_REREAD: Duration = Duration::from_secs(10);

impl Discovery {
    /// Runs until `shutdown` begins.
    pub async fn run(self, shutdown: Shutdown) {
        let mut backoff = Backoff::new(LEAST_DELAY, MOST_DELAY);
        loop {
            // Cancel-safe: a reading that is given up leaves what was known.
            let provider = self.provider.get();
            let outcome = tokio::select! {
                outcome = provider.discover() => outcome,
                () = shutdown.begun() => return,
            };
            self.tell(&outcome);
            if !Arc::ptr_eq(&provider, &self.provider.get()) {
                // Another stands in its place, which was made before this one knew anything.
                continue;
            }
            let delay = self.delay(&mut backoff, outcome.is_ok());
            // Cancel-safe: a timer loses nothing.
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = shutdown.begun() => return,
            }
        }
    }

    fn tell(&self, outcome: &Result<Metadata, DiscoveryError>) {
        match outcome {
            Ok(metadata) => {
                if !self.readiness.report().identity_server {
                    tracing::info!(issuer = %metadata.issuer, "the identity server is reached");
                }
                self.readiness.provider_reached();
                self.metrics.discovery("ok");
            }
            Err(error) => {
                tracing::warn!(%error, "the identity server cannot be asked who it is");
                self.metrics.discovery("failed");
            }
        }
    }

    fn delay(&self, backoff: &mut Backoff, succeeded: bool) -> Duration {
        if !succeeded {
            return backoff.delay(self.random.as_ref());
        }
        backoff.reset();
        reread_after(self.provider.get().keys_ttl())
    }
}

/// Well before the keys grow too old.
fn reread_after(ttl: Duration) -> Duration {
    (ttl * 7 / 10).max(LEAST_REREAD)
}
