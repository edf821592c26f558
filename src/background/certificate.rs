//! Looks whether a served certificate's files have changed, so that it is renewed without a restart.

use std::{sync::Arc, time::Duration};

use crate::{
    lifecycle::{Nudged, Shutdown},
    status::Metrics,
    tls::{Looked, Watch},
};

/// The loop for one listener's certificate.
#[derive(Debug)]
pub struct CertificateWatch {
    /// Which listener, for the log and the metric.
    pub listener: &'static str,
    /// What is looked at.
    pub watch: Watch,
    /// How often.
    pub interval: Duration,
    /// Told of every change.
    pub metrics: Arc<Metrics>,
}

impl CertificateWatch {
    /// Runs until `shutdown` begins. Looks at once when nudged.
    pub async fn run(mut self, mut nudged: Nudged, shutdown: Shutdown) {
        loop {
            // Cancel-safe: a timer loses nothing.
            tokio::select! {
                () = tokio::time::sleep(self.interval) => self.look(),
                () = nudged.again() => self.look(),
                () = shutdown.begun() => return,
            }
        }
    }

    /// Two small files: reading them takes less time than handing them to another thread.
    fn look(&mut self) {
        let looked = self.watch.look();
        let (listener, files) = (self.listener, self.watch.files());
        let (certificate, key) = (files.certificate.display(), files.key.display());
        match looked {
            Looked::Unchanged => {}
            Looked::Replaced => {
                tracing::info!(listener, %certificate, "a new certificate is served");
                self.metrics.certificate(listener, "replaced");
            }
            Looked::Kept(error) => {
                tracing::error!(listener, %certificate, %key, %error, "the new certificate cannot be served; the old one stays");
                self.metrics.certificate(listener, "kept");
            }
        }
    }
}
