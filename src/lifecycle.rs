//! How the process ends, and what is said to it meanwhile: asked once it stops softly, and every loop that it started is known by name and
//! waited for.

use std::{future::Future, thread, time::Duration};

use tokio::{
    runtime::Handle,
    signal::unix::{Signal, SignalKind, signal},
    sync::{oneshot, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

/// Tells everything that was started that it is time to end.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Asks for the end.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Waits until the end is asked for. Cancel-safe.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }
}

/// Starts loops that outlive requests, and waits for them at the end.
#[derive(Debug, Default)]
pub struct Supervisor {
    tasks: TaskTracker,
    shutdown: Shutdown,
}

impl Supervisor {
    /// A supervisor whose tasks end with `shutdown`.
    #[must_use]
    pub fn new(shutdown: Shutdown) -> Self {
        Self { tasks: TaskTracker::new(), shutdown }
    }

    /// Starts a loop. It must end soon after shutdown has begun; ending before that is logged, since nobody asked for it.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + 'static) {
        let shutdown = self.shutdown.clone();
        #[expect(clippy::disallowed_methods, reason = "the one place that starts loops: named, logged, waited for")]
        actix_rt::spawn(self.tasks.track_future(async move {
            task.await;
            if !shutdown.0.is_cancelled() {
                tracing::error!(task = name, "a background loop ended by itself");
            }
        }));
    }

    /// Ends every loop, waiting for `patience` at the longest.
    pub async fn finish(self, patience: Duration) {
        self.shutdown.begin();
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!("background loops did not end in time");
        }
    }
}

/// Short tasks that must not end with the request that began them. They run where the process began, which outlives the workers.
#[derive(Clone, Debug)]
pub struct Errands {
    tasks: TaskTracker,
    runtime: Handle,
}

impl Errands {
    /// Errands that run here.
    ///
    /// # Panics
    /// Outside of a runtime.
    #[must_use]
    pub fn here() -> Self {
        Self { tasks: TaskTracker::new(), runtime: Handle::current() }
    }

    /// Runs one, whatever becomes of the caller. What it logs bears the caller's request.
    pub fn run(&self, errand: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(errand.in_current_span(), &self.runtime);
    }

    /// Waits for those that are under way, for `patience` at the longest.
    pub async fn finish(&self, patience: Duration) {
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!("what was begun with the identity server did not end in time");
        }
    }
}

/// Asks for everything that was read from files to be read again. Clones ask the same.
#[derive(Clone, Debug, Default)]
pub struct Nudge(watch::Sender<()>);

/// Hears of nudges since it was made; of several that were not heard yet, as of one.
#[derive(Debug)]
pub struct Nudged(watch::Receiver<()>);

impl Nudge {
    /// Asks.
    pub fn give(&self) {
        self.0.send_replace(());
    }

    /// Hears from now on.
    #[must_use]
    pub fn listen(&self) -> Nudged {
        Nudged(self.0.subscribe())
    }
}

impl Nudged {
    /// Waits for the next. Cancel-safe: one that comes meanwhile is not lost.
    pub async fn again(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody is left who could ask.
            std::future::pending::<()>().await;
        }
    }
}

/// Does what may wait for a file system, on a thread of its own: others wait for what runs here, and what is waited for there must not keep the
/// process from its end. `None` when it was not done. Nobody is told how long it takes.
pub async fn aside<T: Send + 'static>(name: &'static str, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = oneshot::channel();
    let begun = thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody waits any more: the process is about to end.
        let _ = tell.send(work());
    });
    if let Err(error) = begun {
        tracing::error!(%error, name, "no thread can be begun");
        return None;
    }
    told.await.ok()
}

/// SIGHUP, listened for since this was made.
#[derive(Debug)]
pub struct ReloadSignal(Signal);

impl ReloadSignal {
    /// Listens from now on: it does not kill the process any more.
    ///
    /// # Errors
    /// When signals cannot be listened for.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Gives a nudge for each, for ever. Cancel-safe.
    pub async fn pass_on(mut self, nudge: &Nudge) {
        while self.0.recv().await.is_some() {
            nudge.give();
        }
        std::future::pending::<()>().await;
    }
}

/// SIGTERM and SIGINT, listened for since this was made: one that comes before anybody waits is not lost, and does not
/// kill the process.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When signals cannot be listened for.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one of them.
    pub async fn received(&mut self) {
        // Both arms are cancel-safe: a signal that is not received here is received by nobody else.
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
