//! The configuration read again while it is served. One that is faultless is swapped in as one snapshot: what is under way ends with the old
//! one, what comes begins with the new. One that is not leaves everything as it is, is told, and is tried again until it is mended.
//!
//! It is read when somebody asks (SIGHUP), and when a file that it was read from holds something else than before and has held that for one
//! interval: what is half written is not taken for the whole.

use std::{error::Error as _, fmt, path::PathBuf, sync::Arc, time::Duration};

use thiserror::Error;
use tokio::time::sleep;

use super::{
    StartError, World, logout_hook,
    site::{Lasting, Made, make},
};
use crate::{
    admin::Access,
    config::{Config, Contents, Environment, Faults, Next, Provenance},
    current::Current,
    lifecycle::{Nudge, Shutdown},
    renewal::Renewals,
    site::Site,
    status::Metrics,
};

/// Where the configuration is, and who asks for it to be read again.
#[derive(Clone)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// What is laid over it.
    pub environment: Arc<dyn Environment + Send + Sync>,
    /// Asks.
    pub nudge: Nudge,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.path.display())
    }
}

/// What is served, for whoever serves it.
#[derive(Clone, Debug)]
pub(super) struct Serving {
    pub(super) site: Current<Site>,
    pub(super) renewals: Current<Renewals>,
    pub(super) access: Current<Access>,
    pub(super) hook: Option<Current<logout_hook::Target>>,
}

impl Serving {
    /// The first.
    pub(super) fn new(made: Made) -> Self {
        Self {
            site: Current::new(made.site),
            renewals: Current::new(made.renewals),
            access: Current::new(made.access),
            hook: made.hook.map(Current::new),
        }
    }

    fn put(&self, made: Made, lasting: &Lasting) {
        lasting.provider.put(made.provider);
        self.renewals.put(made.renewals);
        if let (Some(hook), Some(target)) = (&self.hook, made.hook) {
            hook.put(target);
        }
        self.access.put(made.access);
        self.site.put(made.site);
    }
}

/// The loop.
pub(super) struct Reload {
    pub(super) source: Source,
    pub(super) serving: Serving,
    pub(super) lasting: Arc<Lasting>,
    pub(super) world: World,
    pub(super) metrics: Arc<Metrics>,
    pub(super) watched: Watched,
}

/// What is known of the files.
#[derive(Debug)]
pub(super) struct Watched {
    /// How often they are looked at; zero: never.
    interval: Duration,
    /// What is served was read from these.
    provenance: Provenance,
    /// What they held when they were last read.
    read: Contents,
    /// What they held at the last look, if that was something else.
    changed: Option<Contents>,
    /// Why what was last read is not served.
    fault: Option<String>,
}

/// Why a configuration is not served.
#[derive(Debug, Error)]
enum Refused {
    #[error(transparent)]
    Faults(#[from] Faults),
    #[error("{0}{cause}", cause = .0.source().map(|cause| format!(": {cause}")).unwrap_or_default())]
    Start(#[from] StartError),
    #[error("it could not be read to the end")]
    Interrupted,
}

impl Reload {
    /// Runs until `shutdown` begins.
    pub(super) async fn run(mut self, shutdown: Shutdown) {
        let mut nudged = self.source.nudge.listen();
        loop {
            // Cancel-safe: a timer loses nothing, and a nudge is not lost.
            tokio::select! {
                () = shutdown.begun() => return,
                () = nudged.again() => self.read(Asked::Yes).await,
                () = self.watched.pause() => self.look().await,
            }
        }
    }

    async fn look(&mut self) {
        let held = self.held().await;
        if self.watched.is_time(held) {
            self.read(Asked::No).await;
        }
    }

    /// What the files hold now. Looked at aside: a mounted one may keep waiting.
    async fn held(&self) -> Contents {
        let provenance = self.watched.provenance.clone();
        let looked = tokio::task::spawn_blocking(move || provenance.contents_now()).await;
        looked.unwrap_or_else(|_| self.watched.read.clone())
    }

    async fn read(&mut self, asked: Asked) {
        let held = self.held().await;
        match self.next().await {
            Ok((made, next)) => {
                self.serving.put(made, &self.lasting);
                self.served(next);
            }
            Err(refused) => self.refused(&refused, held, asked),
        }
    }

    /// Read and made aside, since both take time that whoever waits for the identity server has not.
    async fn next(&self) -> Result<(Made, Told), Refused> {
        let (source, lasting, world) = (self.source.clone(), self.lasting.clone(), self.world.clone());
        let provenance = self.watched.provenance.clone();
        let made = tokio::task::spawn_blocking(move || {
            let next = Config::reload(&source.path, source.environment.as_ref(), &provenance)?;
            let Next { config, wait_for_restart } = next;
            let told =
                Told { warnings: config.warnings.clone(), provenance: config.provenance.clone(), wait_for_restart };
            let provider = lasting.provider.get().succeeding(config.oidc.clone()).map_err(StartError::from)?;
            Ok((make(config, Arc::new(provider), &lasting, &world)?, told))
        });
        made.await.unwrap_or(Err(Refused::Interrupted))
    }

    fn served(&mut self, told: Told) {
        for warning in &told.warnings {
            tracing::warn!("{warning}");
        }
        if !told.wait_for_restart.is_empty() {
            let keys = told.wait_for_restart.join(", ");
            tracing::warn!(keys, "these keys count from the next start on; until then what they said at this one");
        }
        tracing::info!("the configuration was read again and is served");
        self.metrics.config_reload("served");
        self.metrics.config_loaded(self.world.clock.now().as_secs(), told.wait_for_restart.len());
        self.watched.served(told);
    }

    /// Told when it is news, or when somebody asked.
    fn refused(&mut self, refused: &Refused, held: Contents, asked: Asked) {
        let fault = refused.to_string();
        if asked == Asked::Yes || self.watched.fault.as_ref() != Some(&fault) {
            for fault in fault.lines() {
                tracing::error!("the configuration is not served, the one from before is: {fault}");
            }
            self.metrics.config_reload("refused");
        }
        self.metrics.config_refused();
        self.watched.refused(fault, held);
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reload({:?})", self.source)
    }
}

/// Whether somebody waits for an answer in the log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    No,
    Yes,
}

/// What is said of a configuration that is served.
struct Told {
    warnings: Vec<String>,
    provenance: Provenance,
    wait_for_restart: Vec<&'static str>,
}

impl Watched {
    /// The files that `config` was read from.
    pub(super) fn new(config: &Config) -> Self {
        let (interval, provenance) = (config.reload_interval, config.provenance.clone());
        Self { interval, read: provenance.contents(), provenance, changed: None, fault: None }
    }

    async fn pause(&self) {
        if self.interval.is_zero() { std::future::pending().await } else { sleep(self.interval).await }
    }

    /// Whether it is time to read them, now that they hold this. What had a fault is read again at every look: what mends it may be a file that nobody knows of yet.
    fn is_time(&mut self, held: Contents) -> bool {
        let is_settled = self.changed.as_ref() == Some(&held);
        let is_new = held != self.read;
        self.changed = is_new.then_some(held);
        self.fault.is_some() || (is_new && is_settled)
    }

    fn served(&mut self, told: Told) {
        self.read = told.provenance.contents();
        self.provenance = told.provenance;
        (self.changed, self.fault) = (None, None);
    }

    fn refused(&mut self, fault: String, held: Contents) {
        self.read = held;
        (self.changed, self.fault) = (None, Some(fault));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[derive(Debug)]
    struct NoEnvironment;

    impl Environment for NoEnvironment {
        fn variable(&self, _name: &str) -> Option<String> {
            None
        }

        fn variables(&self) -> Vec<(String, String)> {
            Vec::new()
        }
    }

    #[test]
    fn what_is_still_being_written_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (file, secret) = (folder.path().join("adapter.json"), folder.path().join("secret"));
        fs::write(&secret, "one").unwrap();
        let named = secret.display();
        let text = format!(
            r#"{{"provider-url": "https://sso.test", "client-id": "shop", "credentials": {{"secret": "${{file:{named}}}"}},
            "sidecar": {{"upstream": "http://127.0.0.1:1", "public-url": "https://app.test"}}}}"#
        );
        fs::write(&file, text).unwrap();
        let look = |watched: &mut Watched| watched.is_time(watched.provenance.contents_now());
        let mut watched = Watched::new(&Config::load(&file, &NoEnvironment).unwrap());
        assert!(!look(&mut watched));
        for half in ["tw", "two and m"] {
            fs::write(&secret, half).unwrap();
            assert!(!look(&mut watched), "{half}");
        }
        fs::write(&secret, "two and more").unwrap();
        assert_eq!([look(&mut watched), look(&mut watched)], [false, true]);
        // Something else, and back before the next look but one: nothing has happened.
        fs::write(&secret, "three").unwrap();
        assert!(!look(&mut watched));
        fs::write(&secret, "one").unwrap();
        assert_eq!([look(&mut watched), look(&mut watched)], [false, false]);
    }
}
