//! The configuration read again while it is served. One that is faultless is swapped in as one snapshot: what is under way ends with the old
//! one, what comes begins with the new. One that is not leaves everything as it is, is told, and is tried again until it is mended.
//!
//! It is read when somebody asks (SIGHUP), and when a file that it was read from holds something else than before and has held that for one
//! interval: what is half written is not taken for the whole.

use std::{error::Error as _, fmt, future::Future, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use thiserror::Error;
use tokio::time::{sleep, timeout};

use super::{
    StartError, World, logout_hook,
    site::{Lasting, Made, make},
};
use crate::{
    admin::Access,
    config::{Config, Contents, Environment, Faults, Next, Provenance, Reread},
    current::Current,
    lifecycle::{Nudge, Nudged, Shutdown, aside},
    renewal::Renewals,
    site::Site,
    status::Metrics,
};

/// How long files are waited for without a word.
const PATIENCE: Duration = Duration::from_secs(30);

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

    /// Puts another in its place. Nothing waits in here, so that discovery, which runs on the same thread, is before it or after it.
    fn put(&self, made: Made, lasting: &Lasting) {
        made.provider.take_over(&lasting.provider.get());
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
    pub(super) nudged: Nudged,
}

/// What is known of the files.
#[derive(Debug)]
pub(super) struct Watched {
    /// How often they are looked at; zero: never.
    interval: Duration,
    /// What is served was read from these.
    running: Provenance,
    /// What was last read, served or not.
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
}

impl Reload {
    /// Runs until `shutdown` begins.
    pub(super) async fn run(mut self, shutdown: Shutdown) {
        loop {
            // What is under way is given up: nothing has been swapped then.
            tokio::select! {
                () = shutdown.begun() => return,
                () = self.turn() => {}
            }
        }
    }

    async fn turn(&mut self) {
        // Cancel-safe: a timer loses nothing, and a nudge is not lost.
        let asked = tokio::select! {
            () = self.nudged.again() => Asked::Yes,
            () = self.watched.pause() => Asked::No,
        };
        if !self.watched.running.is_from(&self.source.path) {
            if asked == Asked::Yes {
                tracing::warn!("the configuration was read from no regular file, and so is not read again");
            }
            return;
        }
        let Some(held) = self.held().await else { return };
        if asked == Asked::Yes || self.watched.is_time(&held) {
            self.read(asked).await;
        }
    }

    /// What the files hold now.
    async fn held(&self) -> Option<Contents> {
        let provenance = self.watched.provenance.clone();
        self.patiently(aside("reload", move || provenance.contents_now())).await
    }

    /// Waits, and tells when that takes long: meanwhile nothing else is read.
    async fn patiently<T>(&self, work: impl Future<Output = Option<T>>) -> Option<T> {
        let mut work = pin!(work);
        if let Ok(done) = timeout(PATIENCE, &mut work).await {
            return done;
        }
        tracing::error!("a file of the configuration is waited for: until it answers, no change is served");
        self.metrics.config_refused();
        let done = work.await;
        if self.watched.fault.is_none() {
            self.metrics.config_current();
        }
        done
    }

    async fn read(&mut self, asked: Asked) {
        let (source, lasting, world) = (self.source.clone(), self.lasting.clone(), self.world.clone());
        let running = self.watched.running.clone();
        let read = aside("reload", move || {
            let Reread { outcome, provenance } = Config::reload(&source.path, source.environment.as_ref(), &running);
            (outcome.map_err(Refused::from).and_then(|next| made(next, &lasting, &world)), provenance)
        });
        match self.patiently(read).await {
            Some((Ok((made, told)), _)) => {
                self.serving.put(made, &self.lasting);
                self.served(told);
            }
            Some((Err(refused), provenance)) => self.refused(&refused, provenance, asked),
            None => tracing::error!("the configuration could not be read to the end"),
        }
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
    fn refused(&mut self, refused: &Refused, provenance: Provenance, asked: Asked) {
        let fault = refused.to_string();
        if asked == Asked::Yes || self.watched.fault.as_ref() != Some(&fault) {
            for fault in fault.lines() {
                tracing::error!("the configuration is not served, the one from before is: {fault}");
            }
            self.metrics.config_reload("refused");
        }
        self.metrics.config_refused();
        self.watched.refused(fault, provenance);
    }
}

fn made(next: Next, lasting: &Lasting, world: &World) -> Result<(Made, Told), Refused> {
    let Next { config, wait_for_restart } = next;
    let told = Told { warnings: config.warnings.clone(), provenance: config.provenance.clone(), wait_for_restart };
    let provider = lasting.provider.get().succeeding(config.oidc.clone()).map_err(StartError::from)?;
    Ok((make(config, Arc::new(provider), lasting, world)?, told))
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
        Self {
            interval,
            read: provenance.contents(),
            running: provenance.clone(),
            provenance,
            changed: None,
            fault: None,
        }
    }

    async fn pause(&self) {
        if self.interval.is_zero() { std::future::pending().await } else { sleep(self.interval).await }
    }

    /// Whether it is time to read them, now that they hold this. What had a fault is read again at every look: not all that mends it is a file.
    fn is_time(&mut self, held: &Contents) -> bool {
        let is_settled = self.changed.as_ref() == Some(held);
        let is_new = *held != self.read;
        self.changed = is_new.then(|| held.clone());
        if is_new { is_settled } else { self.fault.is_some() }
    }

    fn served(&mut self, told: Told) {
        self.read = told.provenance.contents();
        (self.running, self.provenance) = (told.provenance.clone(), told.provenance);
        (self.changed, self.fault) = (None, None);
    }

    fn refused(&mut self, fault: String, provenance: Provenance) {
        self.read = provenance.contents();
        self.provenance = provenance;
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
        let look = |watched: &mut Watched| {
            let held = watched.provenance.contents_now();
            watched.is_time(&held)
        };
        let mut watched = Watched::new(&Config::load(&file, &NoEnvironment).unwrap());
        assert!(!look(&mut watched));
        for half in ["tw", "two and m"] {
            fs::write(&secret, half).unwrap();
            assert!(!look(&mut watched), "{half}");
        }
        fs::write(&secret, "two and more").unwrap();
        assert_eq!([look(&mut watched), look(&mut watched)], [false, true]);
        // Nor while a fault stands, which is looked at every time as long as nothing changes.
        watched.refused("a fault".to_owned(), watched.provenance.clone());
        assert_eq!([look(&mut watched), look(&mut watched)], [false, true]);
        watched.read = watched.provenance.contents_now();
        assert!(look(&mut watched));
        fs::write(&secret, "thr").unwrap();
        assert!(!look(&mut watched));
        fs::write(&secret, "one").unwrap();
        watched.fault = None;
        watched.read = watched.provenance.contents_now();
        // Something else, and back before the next look but one: nothing has happened.
        fs::write(&secret, "three").unwrap();
        assert!(!look(&mut watched));
        fs::write(&secret, "one").unwrap();
        assert_eq!([look(&mut watched), look(&mut watched)], [false, false]);
    }
}
