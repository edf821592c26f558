//! The real adapter, in this process: its own thread, its own runtime, its own ports.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use doorward::{
    app::{App, Source, World},
    config::{Config, Environment},
    domain::{Clock, SystemRandom},
    lifecycle::{Nudge, Shutdown},
};
use identity_server::http::{self, Request, Response};
use serde_json::Value;

use super::until;

/// A running adapter. Stopped, and waited for, when dropped.
pub(crate) struct Adapter {
    /// The public listener.
    pub(crate) public_address: SocketAddr,
    /// The admin listener.
    pub(crate) admin_address: SocketAddr,
    stop: Shutdown,
    nudge: Nudge,
    thread: Option<JoinHandle<()>>,
}

/// Nothing of the environment of this process changes a story.
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

impl Adapter {
    /// Starts and waits until it is ready.
    pub(crate) fn start(config: &Value, clock: Arc<dyn Clock>) -> Self {
        let adapter = Self::launch(config, clock);
        until("the adapter is ready", || (adapter.admin("/readyz").status == 200).then_some(()));
        adapter
    }

    /// Starts, and does not wait for the identity server.
    pub(crate) fn launch(config: &Value, clock: Arc<dyn Clock>) -> Self {
        let config = Config::from_json(&config.to_string(), &NoEnvironment).unwrap_or_else(|faults| panic!("{faults}"));
        Self::run(config, clock, None)
    }

    /// Starts from a file, which is read again when asked for, and waits until it is ready.
    pub(crate) fn start_from(file: &Path, clock: Arc<dyn Clock>) -> Self {
        let adapter = Self::launch_from(file, clock);
        until("the adapter is ready", || (adapter.admin("/readyz").status == 200).then_some(()));
        adapter
    }

    /// Starts from a file, and does not wait for the identity server.
    pub(crate) fn launch_from(file: &Path, clock: Arc<dyn Clock>) -> Self {
        let config = Config::load(file, &NoEnvironment).unwrap_or_else(|faults| panic!("{faults}"));
        Self::run(config, clock, Some(file.to_owned()))
    }

    /// Asks for its files to be read again, as SIGHUP does.
    pub(crate) fn nudge(&self) {
        self.nudge.give();
    }

    fn run(config: Config, clock: Arc<dyn Clock>, file: Option<PathBuf>) -> Self {
        let nudge = Nudge::default();
        let source = file.map(|path| Source { path, environment: Arc::new(NoEnvironment), nudge: nudge.clone() });
        let world = World { clock, random: Arc::new(SystemRandom) };
        let (tell, told) = mpsc::channel();
        let stop = Shutdown::default();
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let mut app = App::build(config, &world).unwrap();
                if let Some(source) = source {
                    app = app.reloading(source);
                }
                tell.send((app.public_address().unwrap(), app.admin_address().unwrap())).unwrap();
                app.run(async move { stopped.begun().await }).await.unwrap();
            });
        });
        let (public_address, admin_address) = told.recv().expect("the adapter starts");
        Self { public_address, admin_address, stop, nudge, thread: Some(thread) }
    }

    /// Asks the admin listener.
    pub(crate) fn admin(&self, path: &str) -> Response {
        http::send(self.admin_address, &Request::get(path)).unwrap()
    }

    /// The value of a counter or gauge, written as Prometheus writes its name and labels; 0 when it is not there.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.admin("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// Asks it to stop, and does not wait.
    pub(crate) fn begin_to_stop(&self) {
        self.stop.begin();
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        self.stop.begin();
        if let Some(thread) = self.thread.take() {
            let outcome = thread.join();
            assert!(outcome.is_ok() || thread::panicking(), "the adapter's thread panicked");
        }
    }
}
