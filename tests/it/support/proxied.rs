//! A door before an application: the adapter as it is built for serving, on a thread and an async runtime of its own.

mod scripted;
mod wire;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use doorward::{
    app::{App, World},
    config::Config,
    domain::{Clock, ManualClock, SystemClock, SystemRandom},
};
use identity_server::{
    Application, Browser, Client, IdentityServer, Options, User,
    http::{self, PATIENCE, Request, Response},
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

pub(crate) use scripted::Scripted;
pub(crate) use wire::Wire;

/// The origin that users see.
pub(crate) const ORIGIN: &str = "http://app.test";
/// Our client at the identity server.
const CLIENT: (&str, &str) = ("shop", "a secret");

/// What a story wants of its door, where that differs from the least.
pub(crate) struct Plan {
    /// Keys of `sidecar`.
    pub(crate) sidecar: Value,
    /// Keys beside `sidecar`.
    pub(crate) root: Value,
    /// Who signs in.
    pub(crate) user: User,
}

impl Default for Plan {
    fn default() -> Self {
        Self { sidecar: json!({}), root: json!({}), user: User::named("ada") }
    }
}

/// A running adapter with everything around it. Ends when dropped.
pub(crate) struct Door {
    /// What stands behind it, unless the plan names another upstream.
    pub(crate) application: Application,
    /// The time inside.
    pub(crate) clock: Arc<ManualClock>,
    public: Option<SocketAddr>,
    admin: SocketAddr,
    _identity_server: IdentityServer,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    /// A door that needs a login for everything.
    pub(crate) fn locked() -> Self {
        Self::with(json!({}))
    }

    /// A door that is open to everybody: for stories about what passes, not who.
    pub(crate) fn open(sidecar: Value) -> Self {
        let mut plan = Plan { sidecar, ..Plan::default() };
        plan.sidecar["rules"] = json!([{ "path": "/*", "access": "public" }]);
        Self::start(plan)
    }

    /// A door with these keys under `sidecar`.
    pub(crate) fn with(sidecar: Value) -> Self {
        Self::start(Plan { sidecar, ..Plan::default() })
    }

    /// Starts as planned and waits until it is ready.
    pub(crate) fn start(plan: Plan) -> Self {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let client = Client::confidential(CLIENT.0, CLIENT.1, &format!("{ORIGIN}/oauth2/callback"));
        let their_clock = clock.clone();
        let options = Options::new(client, plan.user).now(move || their_clock.now().as_secs());
        let identity_server = IdentityServer::start(options).expect("an identity server");
        let application = Application::start().expect("an application");
        let config = configuration(&identity_server, &application, &plan.sidecar, &plan.root);
        let (stop, stopped) = oneshot::channel();
        let (told, hear) = mpsc::channel();
        let world = World { clock: clock.clone(), random: Arc::new(SystemRandom) };
        let thread = thread::spawn(move || serve(&config, &world, &told, stopped));
        let (public, admin) = hear.recv_timeout(PATIENCE).expect("the adapter starts");
        wait_until_ready(admin);
        let (stop, thread) = (Some(stop), Some(thread));
        Self { application, clock, public, admin, _identity_server: identity_server, stop, thread }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.public.expect("a TCP listener")
    }

    /// Where its admin listener listens.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Asks it to stop, and does not wait until it has.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Sends a request on a connection of its own.
    pub(crate) fn send(&self, request: &Request) -> Response {
        http::send(self.address(), request).expect("an answer")
    }

    /// Sends these bytes on a connection of their own and reads until it is closed.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut wire = self.wire();
        wire.say(bytes);
        wire.rest()
    }

    /// A connection to it.
    pub(crate) fn wire(&self) -> Wire<std::net::TcpStream> {
        Wire::connect(self.address())
    }

    /// A browser that knows the way to it.
    pub(crate) fn browser(&self) -> Browser {
        let clock = self.clock.clone();
        let mut browser = Browser::with_clock(Arc::new(move || clock.now().as_secs()));
        browser.serve_origin(ORIGIN, self.address(), &[]);
        browser
    }

    /// The `Cookie` header of a browser that has just signed in.
    pub(crate) fn sign_in(&self) -> String {
        let mut browser = self.browser();
        let page = browser.navigate(&format!("{ORIGIN}/oauth2/start?rd=/after-sign-in")).expect("a page");
        assert_eq!(page.url.path(), "/after-sign-in", "{}", page.response.text());
        let url = page.url;
        browser.jar_mut().header(&url, self.clock.now().as_secs()).expect("a session cookie")
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            ended.expect("was started").expect("the adapter ends in good order");
        }
    }
}

/// A GET that says whose session it comes with.
pub(crate) fn get(path: &str, cookie: &str) -> Request {
    Request::get(path).header("Cookie", cookie)
}

fn configuration(identity_server: &IdentityServer, application: &Application, sidecar: &Value, root: &Value) -> String {
    let mut all = json!({
        "provider-url": identity_server.issuer(),
        "client-id": CLIENT.0,
        "credentials": { "secret": CLIENT.1 },
        "ssl-required": "none",
        "sidecar": {
            "listen": "127.0.0.1:0",
            "admin": { "listen": "127.0.0.1:0" },
            "public-url": ORIGIN,
            "upstream": application.upstream(),
        },
    });
    merge(&mut all, root);
    merge(&mut all["sidecar"], sidecar);
    // A story ends with whatever it left open.
    all["sidecar"]["limits"]["drain"] = json!("1ms");
    all.to_string()
}

fn merge(into: &mut Value, from: &Value) {
    for (key, value) in from.as_object().expect("an object") {
        match value {
            Value::Null => drop(into.as_object_mut().expect("an object").remove(key)),
            value => into[key] = value.clone(),
        }
    }
}

type Addresses = (Option<SocketAddr>, SocketAddr);

fn serve(config: &str, world: &World, told: &mpsc::Sender<Addresses>, stopped: oneshot::Receiver<()>) {
    let config = Config::from_json(config, &BTreeMap::new()).expect("a configuration without faults");
    actix_rt::System::new().block_on(async {
        let app = App::build(config, world).expect("an adapter");
        told.send((app.public_address(), app.admin_address().expect("TCP"))).expect("the story waits");
        app.run(async { drop(stopped.await) }).await.expect("listeners that work");
    });
}

/// Asks again and again; how often makes no difference to any story.
fn wait_until_ready(admin: SocketAddr) {
    const PAUSE: Duration = Duration::from_millis(2);
    let most = PATIENCE.as_millis() / PAUSE.as_millis();
    let ready = || http::send(admin, &Request::get("/readyz")).is_ok_and(|answer| answer.status == 200);
    for _ in 0..most {
        if ready() {
            return;
        }
        thread::sleep(PAUSE);
    }
    panic!("the adapter does not become ready");
}
