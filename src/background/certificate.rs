//! Looks whether a served certificate's files have changed, so that it is renewed without a restart.

use std::{sync::Arc, time::Duration};

use crate::{
    lifecycle::{Nudged, Shutdown, aside},
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
            // Cancel-safe: a timer loses nothing, and a look that is given up changes nothing here.
            tokio::select! {
                () = shutdown.begun() => return,
                () = self.turn(&mut nudged) => {}
            }
        }
    }

    async fn turn(&mut self, nudged: &mut Nudged) {
        tokio::select! {
            () = tokio::time::sleep(self.interval) => {}
            () = nudged.again() => {}
        }
        let mut watch = self.watch.clone();
        let looked = aside("certificate", move || (watch.look(), watch)).await;
        if let Some((looked, watch)) = looked {
            self.watch = watch;
            self.tell(looked);
        }
    }

    fn tell(&self, looked: Looked) {
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
