//! What a real Keycloak ends, ends here: its admin messages, logout tokens and front-channel sign-outs, in both stores; and what it knows
//! of our nodes. `pushes` shows what Keycloak sends without any adapter; when that fails, look there first.

mod addresses;
mod again;
mod endings;
mod latency;
mod not_before;
mod pushes;
mod registration;
mod restarts;
mod signatures;
mod standard;

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use identity_server::Application;
use serde_json::{Value, json};

use crate::{
    actions,
    adapter::{Adapter, Place},
    admin::Realm,
    browser::Browser,
    party::{NEIGHBOUR, Party},
    scene::{self, Person},
    streams::Stream,
    tap::{Push, Tap},
    wait,
};

/// Where sessions can be (`token-store`).
const STORES: [&str; 2] = ["cookie", "session"];
/// How soon after a push everything that it ends is over.
const AT_ONCE: Duration = Duration::from_secs(1);
/// For what comes in its own time; nothing depends on how long that is.
const PATIENCE: Duration = Duration::from_secs(60);
/// One cookie key for all: cookies outlive a restart of the node.
const COOKIE_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// A realm, an adapter with an admin URL, what is between the two, an application behind it, and a neighbour.
struct Scene {
    realm: Realm,
    /// What Keycloak takes for the client's admin URL.
    tap: Tap,
    adapter: Adapter,
    neighbour: Party,
    _application: Application,
}

/// How a scene differs from the usual one.
#[derive(Clone, Default)]
struct Plan {
    /// `token-store`.
    store: &'static str,
    /// Further top-level keys of the adapter's file.
    keycloak: Value,
    /// Further keys of `sidecar`.
    sidecar: Value,
}

impl Plan {
    fn new(store: &'static str) -> Self {
        Self { store, keycloak: json!({}), sidecar: json!({}) }
    }

    fn start(self) -> Scene {
        self.changed(|_, _, _| ())
    }

    /// The scene of this plan. The closure may change the realm before it is made; it is told the tap's origin and the adapter's place.
    fn changed(self, change: impl FnOnce(&mut Value, &str, Place)) -> Scene {
        let place = Place::with_admin();
        let tap = Tap::before(&place.admin_origin());
        let neighbour = Party::new(NEIGHBOUR);
        let mut representation = realm(place, &neighbour);
        representation["clients"][0]["adminUrl"] = json!(tap.url());
        change(&mut representation, &tap.url(), place);
        let realm = Realm::create(representation);
        let application = Application::start().expect("an application");
        let adapter = self.adapter(place, &realm, &application);
        Scene { realm, tap, adapter, neighbour, _application: application }
    }

    /// An adapter of this plan.
    fn adapter(&self, place: Place, realm: &Realm, application: &Application) -> Adapter {
        let mut keycloak = scene::keycloak_json(realm);
        keycloak["token-store"] = json!(self.store);
        merge(&mut keycloak, &self.keycloak);
        let mut sidecar = json!({ "upstream": application.upstream(), "cookie": { "keys": [COOKIE_KEY] } });
        merge(&mut sidecar, &self.sidecar);
        Adapter::start(place, &keycloak, &sidecar)
    }
}

fn merge(into: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        into[key] = value.clone();
    }
}

/// The usual realm, with access tokens that outlive any story, a neighbour, and an account that its user may look after.
fn realm(place: Place, neighbour: &Party) -> Value {
    let mut realm = scene::realm(place);
    realm["components"] = json!({ "org.keycloak.keys.KeyProvider": [given_key()] });
    realm["accessTokenLifespan"] = json!(900);
    realm["eventsEnabled"] = json!(true);
    realm["enabledEventTypes"] = json!(["LOGIN", "USER_INFO_REQUEST", "REFRESH_TOKEN", "REFRESH_TOKEN_ERROR"]);
    realm["users"][0]["clientRoles"]["account"] = json!(["manage-account"]);
    let clients = realm["clients"].as_array_mut().expect("a list");
    clients.extend([neighbour.representation(), actions::account_program()]);
    realm
}

/// The key that these realms sign with unless a story says otherwise: given, since Keycloak needs longer to find two new ones than for most
/// of what a story does.
fn given_key() -> Value {
    let key = BASE64_STANDARD.encode(identity_server::CLIENT_RSA_PKCS8);
    json!({ "name": "given", "providerId": "rsa", "config": { "privateKey": [key], "priority": ["100"] } })
}

impl Scene {
    /// Somebody in a browser of their own, signed in here.
    fn signed_in(&self, person: Person) -> Visit {
        let mut browser = Browser::default();
        assert!(enters(person, &mut browser, &self.adapter.url("/")), "{} cannot sign in", person.name());
        Visit { browser, url: self.adapter.url("/") }
    }

    /// The WebSocket and the event stream of somebody who is signed in.
    fn streams(&self, visit: &Visit) -> [Stream; 2] {
        [
            Stream::websocket(&visit.browser, &self.adapter.url("/ws")),
            Stream::events(&visit.browser, &self.adapter.url("/sse")),
        ]
    }
}

/// Somebody who was signed in, and what their browser holds.
#[derive(Clone)]
struct Visit {
    browser: Browser,
    url: String,
}

impl Visit {
    /// Whether the adapter lets a script of theirs in.
    fn is_let_in(&mut self) -> bool {
        self.browser.fetch(&self.url).status == 200
    }

    /// Their cookies of the adapter's as a thief has them: without Keycloak's.
    fn copy(&self) -> Self {
        let mut copy = self.clone();
        copy.browser.forget_all_but("/");
        copy
    }

    /// Panics unless a copy of the cookies opens nothing: a script is refused, a person meets Keycloak's form.
    fn assert_refused(&self, story: &str) {
        let mut copy = self.copy();
        assert_eq!(copy.browser.fetch(&self.url).status, 401, "{story}: what a script gets for the old cookie");
        let page = self.copy().browser.open(&self.url);
        assert!(
            page.find_form("password").is_some(),
            "{story}: {} at {:#?}\n{}",
            page.response.status,
            page.trail,
            page.response.text()
        );
    }
}

/// Opens a page, through Keycloak's form if that is shown. Whether the application answered.
fn enters(person: Person, browser: &mut Browser, url: &str) -> bool {
    let page = browser.open(url);
    let page = if page.find_form("password").is_some() { person.sign_in(browser, &page) } else { page };
    page.response.status == 200 && page.url.as_str() == url
}

/// The same, tried until it is so: after a not-before, nobody enters within the same second.
fn enters_at_last(person: Person, browser: &mut Browser, url: &str) -> bool {
    wait::within(PATIENCE, || enters(person, browser, url).then_some(())).is_some()
}

/// Panics unless those streams ended by themselves within a second of that push, a WebSocket with a close frame that says 1008.
fn assert_closed(streams: &[Stream; 2], push: &Push, story: &str) {
    let [websocket, events] = streams.each_ref().map(|stream| stream.ended(PATIENCE));
    for (name, ended) in [("WebSocket", websocket), ("event stream", events)] {
        let after = ended.at.saturating_duration_since(push.at);
        assert!(after <= AT_ONCE, "{story}: the {name} ended {after:?} after {push:?}");
    }
    assert_eq!(websocket.code, Some(1008), "{story}: the WebSocket's close frame");
}
