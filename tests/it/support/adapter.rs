//! The real adapter, in this process: its own thread, its own runtime, its own ports.

use std::{
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use doorward::{
    app::{App, World},
    config::{Config, Environment},
    domain::{Clock, SystemRandom},
    lifecycle::Shutdown,
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
        let world = World { clock, random: Arc::new(SystemRandom) };
        let (tell, told) = mpsc::channel();
        let stop = Shutdown::default();
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let app = App::build(config, &world).unwrap();
                tell.send((app.public_address().unwrap(), app.admin_address().unwrap())).unwrap();
                app.run(async move { stopped.begun().await }).await.unwrap();
            });
        });
        let (public_address, admin_address) = told.recv().expect("the adapter starts");
        Self { public_address, admin_address, stop, thread: Some(thread) }
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
