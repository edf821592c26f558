//! Renewal: one call for all who come, the newest state for all who come later, and nobody signed out by an outage
//! (attack cases 43 to 49).

mod changes;
mod early;
mod ends;
mod lost;
mod outages;
mod shared;
mod untrusted;

use std::time::Duration;

use identity_server::{Browser, Endpoint, http::Request, http::Response};
use serde_json::json;

use crate::support::{Options, Scene};

/// Where sessions can be (`token-store`).
const STORES: [&str; 2] = ["cookie", "session"];
/// Life of an access token of the identity server here, in seconds.
const LIFE: u64 = 300;

/// A plain provider that gives a new refresh token each time, and ends the session of a spent one that comes back.
fn rotating(store: &str) -> Options {
    with_store(Options::default(), store)
}

/// The same as a realm of Keycloak.
fn realm(store: &str) -> Options {
    with_store(Options::keycloak(), store)
}

fn with_store(options: Options, store: &str) -> Options {
    let tells_tokens = json!({ "token-store": store, "sidecar": { "forward-access-token": true } });
    options.with(tells_tokens).server(|server| server.rotate_refresh = true)
}

/// A browser whose access token has ended.
fn stale(scene: &Scene) -> Browser {
    let browser = scene.signed_in();
    pass(scene, LIFE);
    browser
}

/// So many seconds pass.
fn pass(scene: &Scene, seconds: u64) {
    scene.clock.advance(Duration::from_secs(seconds));
}

/// What a script of the site gets.
fn get(scene: &Scene, browser: &mut Browser, path: &str) -> Response {
    browser.fetch(&scene.url(path), Request::get("")).unwrap()
}

fn status(scene: &Scene, browser: &mut Browser) -> u16 {
    get(scene, browser, "/private").status
}

/// The refresh tokens that the identity server was sent, oldest first.
fn spent(scene: &Scene) -> Vec<String> {
    let received = scene.server.received(Endpoint::Token);
    let refreshes = received.iter().filter(|call| call.field("grant_type") == Some("refresh_token"));
    refreshes.map(|call| call.field("refresh_token").unwrap().to_owned()).collect()
}

fn refreshes(scene: &Scene) -> usize {
    spent(scene).len()
}

/// What became of refresh tokens, as an operator sees it.
fn counted(scene: &Scene, outcome: &str) -> u64 {
    scene.adapter.metric(&format!("doorward_refreshes_total{{outcome=\"{outcome}\"}}"))
}

/// How often somebody was sent to sign in.
fn sign_ins(scene: &Scene) -> usize {
    scene.server.calls(Endpoint::Authorization)
}

/// The header with which the application heard its latest request.
fn told(scene: &Scene, header: &str) -> Option<String> {
    scene.application.last().unwrap().header(header).map(str::to_owned)
}

/// The identity server ends a session by the name that it was told with the code: the session has to bear that very name, and keep it.
#[test]
fn a_realm_hears_one_name_of_a_session_from_sign_in_to_its_last_refresh() {
    for store in STORES {
        let scene = realm(store).start();
        let (mut browser, _other) = (stale(&scene), scene.signed_in());
        assert_eq!(status(&scene, &mut browser), 200);
        let asked = scene.server.received(Endpoint::Token);
        let named = |name: &str| asked.iter().map(|call| call.field(name).unwrap().to_owned()).collect::<Vec<_>>();
        let states = named("client_session_state");
        assert_eq!((states.len(), states[0].len()), (3, 43), "{store}: {states:?}");
        assert_eq!(states[0], states[2], "{store}: the refresh names another session");
        assert_ne!(states[0], states[1], "{store}: two sessions have one name");
        let hosts = named("client_session_host");
        assert!(!hosts[0].is_empty() && hosts.iter().all(|host| *host == hosts[0]), "{store}: {hosts:?}");
        let cookie = &browser.jar().find(&scene.session_cookie()).unwrap().value;
        assert!(!cookie.contains(&states[0]), "{store}: the cookie shows the name");
    }
}
