//! The adapter in this process, on a clock that a story can put forward: nobody waits for tokens to end.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use doorward::{
    app::{App, World},
    config::Config,
    domain::{Clock, SystemClock, SystemRandom, Timestamp},
    lifecycle::Shutdown,
};
use serde_json::Value;
use url::Url;

use crate::{
    adapter::{Place, configuration},
    http::Request,
    wait,
};

/// A running adapter. Stopped, and waited for, when dropped.
pub(crate) struct Node {
    place: Place,
    admin: Url,
    clock: Arc<Ahead>,
    stop: Shutdown,
    thread: Option<JoinHandle<()>>,
}

/// The machine's clock, put forward.
#[derive(Debug, Default)]
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(Duration::from_millis(self.0.load(Ordering::SeqCst).unsigned_abs()))
    }
}

impl Node {
    /// Starts the adapter for an application that echoes, as [`Adapter::start`](crate::adapter::Adapter::start) does, and waits until it
    /// is ready. The identity server's clock stays behind, by no more than five minutes.
    pub(crate) fn start(place: Place, keycloak: &Value, sidecar: &Value) -> Self {
        let mut configuration = configuration(place, keycloak, sidecar);
        configuration["sidecar"]["provider"]["clock-skew"] = "5m".into();
        configuration["sidecar"]["limits"]["drain"] = "1s".into();
        let config = Config::from_json(&configuration.to_string(), &BTreeMap::new());
        let config = config.unwrap_or_else(|faults| panic!("{faults}"));
        let clock = Arc::new(Ahead::default());
        let world = World { clock: clock.clone(), random: Arc::new(SystemRandom) };
        let stop = Shutdown::default();
        let stopped = stop.clone();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let app = App::build(config, &world).expect("the adapter can be built");
                tell.send(app.admin_address()).expect("the story waits");
                app.run(async move { stopped.begun().await }).await.expect("the adapter runs");
            });
        });
        let admin = told.recv().expect("the adapter starts").expect("it has an admin listener on TCP");
        let admin = Url::parse(&format!("http://{admin}/")).expect("a socket address makes an address");
        let node = Self { place, admin, clock, stop, thread: Some(thread) };
        let ready = wait::within(Duration::from_secs(60), || (node.ask("readyz").0 == 200).then_some(()));
        ready.expect("the adapter becomes ready");
        node
    }

    /// An address on the public listener.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.place.origin())
    }

    /// Puts its clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).expect("stories are short");
        self.clock.0.fetch_add(by, Ordering::SeqCst);
    }

    /// The value of a counter, written as Prometheus writes its name and labels; 0 when it is not there.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.ask("metrics");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().expect("counters are whole numbers"))
    }

    fn ask(&self, path: &str) -> (u16, String) {
        let url = self.admin.join(path).expect("a well-formed path");
        let answer = Request::new("GET", url).send().expect("the admin listener answers");
        (answer.status, answer.text())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.begin();
        if let Some(thread) = self.thread.take() {
            let outcome = thread.join();
            assert!(outcome.is_ok() || thread::panicking(), "the adapter's thread panicked");
        }
    }
}
