//! A whole scene: identity server, application, adapter, and one clock for all of them.

use std::sync::Arc;

use doorward::domain::{Clock, ManualClock, Timestamp};
use identity_server::{
    Application, Browser, Client, Endpoint, IdentityServer, Page, User,
    http::{Request, Response},
};
use serde_json::{Value, json};
use url::Url;

use super::Adapter;

/// Our name at the identity server.
pub(crate) const CLIENT: &str = "shop";
/// What it is proved with. Of no use outside of these stories.
pub(crate) const SECRET: &str = "planted-client-secret-1f7c";
/// 32 bytes as `doorward keygen` prints them.
pub(crate) const KEY: &str = "cGxhbnRlZC1jb29raWUta2V5LTAxMjM0NTY3ODlhYmM";
/// The session cookie at a plain-http origin.
const COOKIE: &str = "KEYCLOAK_ADAPTER_STATE";
/// Some day.
const START: i64 = 1_900_000_000;

/// How a scene differs from the usual one.
pub(crate) struct Options {
    /// The identity server.
    pub(crate) server: identity_server::Options,
    /// The origin that users see. No port of this machine is in it: browsers are told where it is served.
    pub(crate) origin: &'static str,
    /// What is laid over the configuration, member by member.
    pub(crate) config: Value,
}

/// Everything that plays.
pub(crate) struct Scene {
    pub(crate) adapter: Adapter,
    pub(crate) server: IdentityServer,
    pub(crate) application: Application,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) origin: &'static str,
}

impl Default for Options {
    /// A plain provider, a confidential client, one user.
    fn default() -> Self {
        let user = User::named("alice").role("buyer").group("/staff");
        let client = Client::confidential(CLIENT, SECRET, "");
        Self { server: identity_server::Options::new(client, user), origin: "http://app.test", config: json!({}) }
    }
}

impl Options {
    /// A Keycloak realm.
    pub(crate) fn keycloak() -> Self {
        let mut options = Self::default();
        options.server = options.server.realm("shop");
        options
    }

    /// Behind something that ends TLS.
    pub(crate) fn https(mut self) -> Self {
        self.origin = "https://app.test";
        self.with(json!({ "sidecar": { "trusted-proxies": ["127.0.0.1"] } }))
    }

    /// With sessions kept in the adapter's process.
    pub(crate) fn in_process(self) -> Self {
        self.with(json!({ "token-store": "session" }))
    }

    /// With this laid over the configuration.
    pub(crate) fn with(mut self, config: Value) -> Self {
        merge(&mut self.config, config);
        self
    }

    /// With the identity server changed.
    pub(crate) fn server(mut self, change: impl FnOnce(&mut identity_server::Options)) -> Self {
        change(&mut self.server);
        self
    }

    /// Sets the scene, and waits until the adapter is ready.
    pub(crate) fn start(self) -> Scene {
        let (clock, server, application, origin, config) = self.prepare();
        let adapter = Adapter::start(&config, clock.clone());
        Scene { adapter, server, application, clock, origin }
    }

    /// Sets the scene with an identity server that is down.
    pub(crate) fn start_without_server(self) -> Scene {
        let (clock, mut server, application, origin, config) = self.prepare();
        server.stop();
        let adapter = Adapter::launch(&config, clock.clone());
        Scene { adapter, server, application, clock, origin }
    }

    /// Everything but the adapter.
    pub(crate) fn prepare(mut self) -> (Arc<ManualClock>, IdentityServer, Application, &'static str, Value) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(START)));
        let now = clock.clone();
        self.server = self.server.now(move || now.now().as_secs());
        for client in &mut self.server.clients {
            client.redirect_uris = vec![format!("{}/oauth2/callback", self.origin)];
            client.post_logout_redirect_uris = vec![format!("{}/oauth2/signed_out", self.origin)];
        }
        let server = IdentityServer::start(self.server).unwrap();
        let application = Application::start().unwrap();
        let mut config = base(&server, self.origin, &application.upstream());
        merge(&mut config, self.config);
        (clock, server, application, self.origin, config)
    }
}

fn base(server: &IdentityServer, origin: &str, upstream: &str) -> Value {
    let is_realm = server.issuer().contains("/realms/");
    let mut config = if is_realm {
        json!({
            "realm": "shop", "auth-server-url": server.origin(), "resource": CLIENT,
            "credentials": { "secret": SECRET },
        })
    } else {
        json!({
            "provider-url": server.issuer(), "client-id": CLIENT,
            "sidecar": { "provider": { "client-secret": SECRET } },
        })
    };
    let sidecar = json!({ "sidecar": {
        "listen": "127.0.0.1:0", "admin": { "listen": "127.0.0.1:0" }, "public-url": origin, "upstream": upstream,
        "cookie": { "keys": [KEY] }, "limits": { "drain": "2s" },
        // So that no story but those of proofs meets one: the login is the start, and the clock is moved by hours.
        "settle": "0s", "proof-life": "24h",
    } });
    merge(&mut config, sidecar);
    config
}

/// Lays `over` over `base`. `null` takes a member out.
fn merge(base: &mut Value, over: Value) {
    match (base.as_object_mut(), over) {
        (Some(members), Value::Object(over)) => {
            for (name, value) in over {
                if value.is_null() {
                    members.remove(&name);
                } else {
                    merge(members.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (_, over) => *base = over,
    }
}

impl Scene {
    /// The usual scene.
    pub(crate) fn start() -> Self {
        Options::default().start()
    }

    /// A fresh browser that knows where the site is.
    pub(crate) fn browser(&self) -> Browser {
        let clock = self.clock.clone();
        let mut browser = Browser::with_clock(Arc::new(move || clock.now().as_secs()));
        let proto = self.origin.split(':').next().unwrap_or_default();
        browser.serve_origin(self.origin, self.adapter.public_address, &[("X-Forwarded-Proto", proto)]);
        browser
    }

    /// A browser that is signed in.
    pub(crate) fn signed_in(&self) -> Browser {
        let mut browser = self.browser();
        let page = self.sign_in(&mut browser);
        assert_eq!(page.response.status, 200, "{}", page.response.text());
        browser
    }

    /// Opens a page that needs a sign-in, and follows wherever that leads.
    pub(crate) fn sign_in(&self, browser: &mut Browser) -> Page {
        browser.navigate(&self.url("/private")).unwrap()
    }

    /// Signs out as a button of the site does; the answer, not followed.
    pub(crate) fn sign_out(&self, browser: &mut Browser) -> Response {
        let request = Request::new("POST", "").header("Sec-Fetch-Site", "same-origin");
        browser.fetch(&self.url("/oauth2/sign_out"), request).unwrap()
    }

    /// An address of the site.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Begins a sign-in as a user does who opens `path`: the address that the browser is sent to.
    pub(crate) fn begin(&self, browser: &mut Browser, path: &str) -> Url {
        let answer = browser.navigate_once(&self.url(path)).unwrap();
        assert_eq!(answer.status, 302, "{}", answer.text());
        Url::parse(answer.header("location").unwrap()).unwrap()
    }

    /// Has the identity server sign the user in; the callback's address, not yet opened.
    pub(crate) fn callback(&self, browser: &mut Browser, authorization: &Url) -> Url {
        assert!(authorization.as_str().starts_with(&self.server.url(Endpoint::Authorization)));
        let answer = browser.navigate_once(authorization.as_str()).unwrap();
        assert_eq!(answer.status, 302, "{}", answer.text());
        Url::parse(answer.header("location").unwrap()).unwrap()
    }

    /// The time inside, in seconds.
    pub(crate) fn clock_secs(&self) -> i64 {
        self.clock.now().as_secs()
    }

    /// How often the token endpoint was called.
    pub(crate) fn token_calls(&self) -> usize {
        self.server.calls(Endpoint::Token)
    }

    /// The session cookie's name here.
    pub(crate) fn session_cookie(&self) -> String {
        let prefix = if self.origin.starts_with("https") { "__Host-" } else { "" };
        format!("{prefix}{COOKIE}")
    }

    /// Whether this browser holds a session cookie, good or not.
    pub(crate) fn holds_session(&self, browser: &Browser) -> bool {
        browser.jar().find(&self.session_cookie()).is_some()
    }

    /// The names of the attempt cookies that this browser holds.
    pub(crate) fn attempts(&self, browser: &Browser) -> Vec<String> {
        let start = format!("{}.login.", self.session_cookie());
        let names = browser.jar().cookies().iter().map(|cookie| cookie.name.clone());
        names.filter(|name| name.starts_with(&start)).collect()
    }

    /// A sign-in that must come to nothing: `status` is what its last page has, after `token_calls` calls of the token
    /// endpoint. There is no session, the application heard nothing, the page offers a way on, and the attempt is used up
    /// even for someone who kept its cookie.
    pub(crate) fn assert_refused(&self, case: &str, status: u16, token_calls: usize) -> Response {
        let mut browser = self.browser();
        let (before, heard) = (self.token_calls(), self.application.heard().len());
        let authorization = self.begin(&mut browser, "/private");
        let kept = browser.clone();
        let callback = self.callback(&mut browser, &authorization);
        let answer = browser.navigate_once(callback.as_str()).unwrap();
        assert_eq!(answer.status, status, "{case}: {}", answer.text());
        assert!(!self.holds_session(&browser), "{case}: there is a session");
        assert!(!answer.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("set-cookie") && value.starts_with(&format!("{}=", self.session_cookie()))
        }));
        assert_eq!(self.token_calls() - before, token_calls, "{case}: calls of the token endpoint");
        assert!(answer.text().contains("/oauth2/start?rd="), "{case}: no way on");
        self.assert_used_up(case, kept, &callback);
        assert_eq!(self.application.heard().len(), heard, "{case}: the application heard of it");
        answer
    }

    /// Playing `callback` again, the server behaving by now, with the attempt's cookie still there, comes to nothing.
    pub(crate) fn assert_used_up(&self, case: &str, mut kept: Browser, callback: &Url) {
        let before = self.token_calls();
        let again = kept.navigate_once(callback.as_str()).unwrap();
        assert_eq!(again.status, 400, "{case}: {}", again.text());
        assert_eq!(self.token_calls(), before, "{case}: the attempt was redeemed twice");
        assert!(!self.holds_session(&kept), "{case}: a session by a used attempt");
    }
}
