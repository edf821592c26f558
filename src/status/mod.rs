//! What others may read and touch while we serve: whether this node is ready, what it counts, and the streams that are open.

mod metrics;
mod streams;

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

pub use metrics::Metrics;
pub use streams::{Ending, Registration, StreamKey, Streams};

/// Whether this node should be sent traffic. Ready when nothing is waited for and it is not on its way out.
#[derive(Debug, Default)]
pub struct Readiness {
    provider: AtomicBool,
    draining: AtomicBool,
}

/// What `/readyz` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// All of the below is as it should be.
    pub ready: bool,
    /// Discovery has succeeded.
    pub identity_server: bool,
    /// The process was asked to stop.
    pub draining: bool,
}

impl Readiness {
    /// The provider has been reached.
    pub fn provider_reached(&self) {
        self.provider.store(true, Ordering::Relaxed);
    }

    /// The process was asked to stop.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// How things stand.
    #[must_use]
    pub fn report(&self) -> Report {
        let identity_server = self.provider.load(Ordering::Relaxed);
        let draining = self.draining.load(Ordering::Relaxed);
        Report { ready: identity_server && !draining, identity_server, draining }
    }
}
