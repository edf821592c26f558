//! The back channel: what the identity server says ended is not served again, in either store, and nobody else can say
//! so (attack cases 50 to 59).

mod actions;
mod asking;
mod bearers;
mod front_channel;
mod listeners;
mod logout_tokens;
mod not_before;
mod refused_actions;
mod refused_tokens;
mod restarts;
mod streams;
mod third_party;
mod transport;

use std::time::Duration;

use identity_server::{AdminAction, Browser, Endpoint, User, http::Request, http::Response};
use serde_json::{Value, json};

use crate::support::{CLIENT, Options, Scene, push, push_logout_token};

/// Where sessions can be (`token-store`).
const STORES: [&str; 2] = ["cookie", "session"];
/// So old that no difference of clocks leaves a doubt, in seconds.
const OLD: u64 = 10;

/// A realm with two users, whose access tokens outlive every story.
fn realm(store: &str) -> Options {
    two_users(Options::keycloak(), store)
}

/// A plain provider with the same.
fn plain(store: &str) -> Options {
    two_users(Options::default(), store)
}

/// UserInfo is asked for nothing but proofs, so that these can be counted. What is believed, and for how long, is what it is when
/// nobody configures it.
fn two_users(options: Options, store: &str) -> Options {
    let sidecar = json!({ "provider": { "userinfo": false }, "settle": "15s", "proof-life": "10m" });
    let keys = json!({ "token-store": store, "sidecar": sidecar });
    options.with(keys).server(|server| {
        server.users.push(User::named("bob"));
        (server.access_lifetime, server.refresh_lifetime) = (86_400, 86_400);
    })
}

/// Both kinds of provider, in both stores, as it says in a failure.
fn everywhere() -> Vec<(String, Options)> {
    let both = |store: &str| [(format!("realm, {store}"), realm(store)), (format!("plain, {store}"), plain(store))];
    STORES.into_iter().flat_map(both).collect()
}

/// A browser in which this user is signed in, in a session of their own.
fn signed_in(scene: &Scene, username: &str) -> Browser {
    scene.server.configure(|options| options.auto_login = Some(username.to_owned()));
    scene.signed_in()
}

/// The session at the identity server that a browser has, as its cookie there tells.
fn sid(browser: &Browser) -> String {
    let cookie = browser.jar().find("IDENTITY_SERVER_SESSION").unwrap();
    cookie.value.split_once('.').unwrap().0.to_owned()
}

/// What we called our own session at the latest code or refresh.
fn adapter_session(scene: &Scene, browser: &Browser) -> String {
    scene.server.client_session(CLIENT, &sid(browser)).unwrap().state
}

/// The ids with which Keycloak names the session of a browser.
fn ids(scene: &Scene, browser: &Browser) -> Value {
    let ids = [[adapter_session(scene, browser)], [sid(browser)]];
    json!({ "adapterSessionIds": ids[0], "keycloakSessionIds": ids[1], "notBefore": 0 })
}

/// Pushes an admin action as Keycloak does, and expects it to be taken.
#[track_caller]
fn act(scene: &Scene, action: AdminAction, fields: Value) {
    assert_taken(scene, action, &scene.server.admin_action(CLIENT, action, fields, &[]));
}

/// Pushes this admin action, and expects it to be taken.
#[track_caller]
fn assert_taken(scene: &Scene, action: AdminAction, message: &str) {
    let answer = push(scene.adapter.admin_address, &format!("/app/{}", action.word()), message);
    assert!(matches!(answer.status, 200 | 204), "{action:?}: {}: {}", answer.status, answer.text());
}

/// Posts a logout token to the public listener, and expects it to be taken.
#[track_caller]
fn log_out(scene: &Scene, sid: Option<&str>, subject: Option<&str>) {
    assert_logged_out(scene, &scene.server.logout_token(CLIENT, sid, subject, &[]));
}

#[track_caller]
fn assert_logged_out(scene: &Scene, token: &str) {
    let answer = push_logout_token(scene.adapter.public_address, "/oauth2/backchannel-logout", token);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("cache-control").unwrap_or_default().contains("no-store"), "{:?}", answer.headers);
}

fn get(scene: &Scene, browser: &mut Browser) -> Response {
    browser.fetch(&scene.url("/private"), Request::get("")).unwrap()
}

/// What a script of the site gets.
fn status(scene: &Scene, browser: &mut Browser) -> u16 {
    get(scene, browser).status
}

fn statuses<const N: usize>(scene: &Scene, browsers: [&mut Browser; N]) -> [u16; N] {
    browsers.map(|browser| status(scene, browser))
}

/// So many seconds pass.
fn pass(scene: &Scene, seconds: u64) {
    scene.clock.advance(Duration::from_secs(seconds));
}

/// How often the identity server was asked whether somebody's session lives.
fn asked(scene: &Scene, browser: &Browser) -> usize {
    scene.server.userinfo_calls(&sid(browser))
}

fn refreshes(scene: &Scene) -> usize {
    let received = scene.server.received(Endpoint::Token);
    received.iter().filter(|call| call.field("grant_type") == Some("refresh_token")).count()
}

/// Opens a page after a session ended: led to the login and in again, without a loop.
#[track_caller]
fn assert_signs_in_again(scene: &Scene, browser: &mut Browser, case: &str) {
    let page = scene.sign_in(browser);
    assert_eq!(page.response.status, 200, "{case}: {}", page.response.text());
    // The page, the identity server, the callback, the page.
    assert_eq!(page.trail.len(), 4, "{case}: {:?}", page.trail);
    assert_eq!(status(scene, browser), 200, "{case}: not in after all");
}
