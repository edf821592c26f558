//! Whether this node should be sent traffic.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use tokio::sync::watch;

/// Whether this node should be sent traffic. Ready when nothing is waited for and it is not on its way out.
#[derive(Debug, Default)]
pub struct Readiness {
    provider: watch::Sender<bool>,
    /// Whether the node's registration is waited for at all.
    registers: AtomicBool,
    /// Latched: a later failure does not take the node out of service.
    registration_settled: AtomicBool,
    draining: AtomicBool,
}

/// What `/readyz` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// All of the below is as it should be.
    pub ready: bool,
    /// Discovery has succeeded.
    pub identity_server: bool,
    /// Where the node's registration was asked for: it has come about, or is waited for no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration: Option<bool>,
    /// The process was asked to stop.
    pub draining: bool,
}

impl Readiness {
    /// The provider has been reached.
    pub fn provider_reached(&self) {
        self.provider.send_replace(true);
    }

    /// Waits until the provider has been reached. Cancel-safe.
    pub async fn until_provider_reached(&self) {
        // Fails only when the sender is gone, which is `self`.
        let _ = self.provider.subscribe().wait_for(|reached| *reached).await;
    }

    /// From now on the node is not ready before its registration is settled.
    pub fn await_registration(&self) {
        self.registers.store(true, Ordering::Relaxed);
    }

    /// The node is registered, or goes on without: this is latched.
    pub fn registration_settled(&self) {
        self.registration_settled.store(true, Ordering::Relaxed);
    }

    /// The process was asked to stop.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// How things stand.
    #[must_use]
    pub fn report(&self) -> Report {
        let identity_server = *self.provider.borrow();
        let settled = || self.registration_settled.load(Ordering::Relaxed);
        let registration = self.registers.load(Ordering::Relaxed).then(settled);
        let draining = self.draining.load(Ordering::Relaxed);
        let ready = identity_server && registration.unwrap_or(true) && !draining;
        Report { ready, identity_server, registration, draining }
    }
}
