//! The provider's keys as they change: read at discovery, read again when they grow old, and once per cooldown when a token
//! names a key that is not there (attack case 39).

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use arc_swap::ArcSwap;
use url::Url;

use super::{
    keys::KeySet,
    metadata::{DiscoveryError, fetch_json},
    pinned_key::PinnedKey,
};
use crate::{
    domain::{Clock, Timestamp},
    http_client::HttpClient,
};

/// Keys that renew themselves when asked to, unless one is pinned.
#[derive(Debug)]
pub(super) struct KeySource {
    keys: ArcSwap<KeySet>,
    /// The keys are not the provider's to change.
    pinned: bool,
    /// When a token last made us ask. A failed call counts too, as in Keycloak's adapters (`JWKPublicKeyLocator`).
    asked: AtomicI64,
    /// The same of what the identity server pushes, which comes once: a token may come again.
    asked_for_push: AtomicI64,
    /// One call at a time; who waited looks at what the other brought.
    asking: tokio::sync::Mutex<()>,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    cooldown: std::time::Duration,
}

impl KeySource {
    pub(super) fn new(
        http: HttpClient,
        clock: Arc<dyn Clock>,
        cooldown: std::time::Duration,
        pinned: Option<&PinnedKey>,
    ) -> Self {
        Self {
            keys: ArcSwap::from_pointee(pinned.map(PinnedKey::key_set).unwrap_or_default()),
            pinned: pinned.is_some(),
            asked: AtomicI64::new(i64::MIN),
            asked_for_push: AtomicI64::new(i64::MIN),
            asking: tokio::sync::Mutex::new(()),
            http,
            clock,
            cooldown,
        }
    }

    /// Begins with the keys that `former` has read. One that is pinned stays, and one that was is no key of the provider's.
    pub(super) fn take_over(&self, former: &Self) {
        if !self.pinned && !former.pinned {
            self.keys.store(former.current());
        }
    }

    pub(super) fn current(&self) -> Arc<KeySet> {
        self.keys.load_full()
    }

    /// Reads the keys anew; a pinned one is all there ever is.
    ///
    /// # Errors
    /// When they cannot be had; the old ones stay.
    pub(super) async fn read(&self, jwks_uri: &Url) -> Result<(), DiscoveryError> {
        if self.pinned {
            return Ok(());
        }
        let body = fetch_json(&self.http, jwks_uri).await?;
        let keys = KeySet::parse(&body).map_err(|error| DiscoveryError::malformed(jwks_uri, &error))?;
        tracing::debug!(usable = keys.len(), skipped = keys.skipped(), "the provider's keys were read");
        if keys.is_empty() {
            tracing::warn!(skipped = keys.skipped(), "the provider has no key that could verify a token");
        }
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// Newer keys than `known`, for a token that `known` could not verify; `None` when there are none to be had now.
    pub(super) async fn newer_than(&self, known: &Arc<KeySet>, jwks_uri: &Url, asker: Asker) -> Option<Arc<KeySet>> {
        let _one_at_a_time = self.asking.lock().await;
        let current = self.current();
        if !Arc::ptr_eq(&current, known) {
            return Some(current);
        }
        if self.pinned || !self.may_ask(asker) {
            return None;
        }
        match self.read(jwks_uri).await {
            Ok(()) => Some(self.current()),
            Err(error) => {
                tracing::warn!(%error, "the provider's keys cannot be read");
                None
            }
        }
    }

    fn may_ask(&self, asker: Asker) -> bool {
        let (last_asked, cooldown) = match asker {
            Asker::Push => (&self.asked_for_push, self.cooldown.min(PUSH_COOLDOWN)),
            Asker::Token => (&self.asked, self.cooldown),
        };
        let now = self.clock.now();
        let last = Timestamp::from_millis(last_asked.load(Ordering::Relaxed));
        let may = now.since(last) >= cooldown || now < last;
        if may {
            last_asked.store(now.as_millis(), Ordering::Relaxed);
        }
        may
    }
}

/// On whose behalf keys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// A message that the identity server pushes: refused, it is lost.
    Push,
    /// A token, which may come again.
    Token,
}

/// Shortest time between two readings of keys for what is pushed.
const PUSH_COOLDOWN: std::time::Duration = std::time::Duration::from_secs(1);
