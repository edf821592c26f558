//! Renewal at a realm that revokes refresh tokens with their use, where a spent one that comes back destroys the client session.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    adapter::{Adapter, Place},
    admin::Realm,
    browser::Browser,
    node::Node,
    relay::Relay,
    scene::{self, CLIENT, Person, seen},
    server::Keycloak,
    wait,
};

/// Where sessions can be (`token-store`).
const STORES: [&str; 2] = ["cookie", "session"];
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A realm whose refresh tokens are good once, with access tokens of so many seconds, and a log of what happens.
fn realm(place: Place, access_seconds: u32) -> Realm {
    let mut representation = scene::realm(place);
    representation["accessTokenLifespan"] = json!(access_seconds);
    representation["revokeRefreshToken"] = json!(true);
    representation["refreshTokenMaxReuse"] = json!(0);
    representation["eventsEnabled"] = json!(true);
    representation["enabledEventTypes"] = json!(["LOGIN", "REFRESH_TOKEN", "REFRESH_TOKEN_ERROR"]);
    Realm::create(representation)
}

fn keycloak_json(realm: &Realm, store: &str) -> Value {
    let mut keycloak = scene::keycloak_json(realm);
    keycloak["token-store"] = json!(store);
    keycloak
}

fn start(store: &str, access_seconds: u32, sidecar: &Value) -> (Realm, Node) {
    let place = Place::choose();
    let realm = realm(place, access_seconds);
    let node = Node::start(place, &keycloak_json(&realm, store), sidecar);
    (realm, node)
}

fn signed_in(node: &Node) -> Browser {
    let mut browser = Browser::default();
    seen(&Person::Anna.open(&mut browser, &node.url("/")));
    browser
}

fn status(node: &Node, browser: &mut Browser) -> u16 {
    browser.fetch(node.url("/")).status
}

/// Successful refreshes, failed ones, sign-ins.
fn events(realm: &Realm) -> [usize; 3] {
    ["REFRESH_TOKEN", "REFRESH_TOKEN_ERROR", "LOGIN"].map(|kind| realm.events(kind))
}

#[test]
fn fifty_requests_at_the_end_of_a_token_are_one_refresh_in_the_realms_own_log() {
    for store in STORES {
        for seconds in [4, 60] {
            let (realm, node) = start(store, seconds, &json!({}));
            let before = signed_in(&node);
            node.advance(Duration::from_secs(seconds.into()));
            let mut browsers = vec![before.clone(); 50];
            let statuses: Vec<u16> = thread::scope(|scope| {
                let node = &node;
                let asking: Vec<_> =
                    browsers.iter_mut().map(|browser| scope.spawn(move || status(node, browser))).collect();
                asking.into_iter().map(|asking| asking.join().expect("an answer")).collect()
            });
            assert_eq!((statuses.as_slice(), events(&realm)), (&[200; 50][..], [1, 0, 1]), "{store} {seconds}");

            // The cookie from before, a minute later: the token that it was spent for has ended as well by then.
            node.advance(MINUTE);
            assert_eq!((status(&node, &mut before.clone()), events(&realm)), (200, [2, 0, 1]), "{store} {seconds}");
            assert_eq!(realm.clients_in_sessions_of("anna"), [CLIENT], "{store} {seconds}: the client session is gone");
            node.advance(MINUTE);
            assert_eq!((status(&node, &mut browsers[0]), events(&realm)), (200, [3, 0, 1]), "{store} {seconds}");
        }
    }
}

/// Nobody's clock is moved here, and the adapter is the binary itself.
#[test]
fn tokens_of_four_seconds_are_renewed_as_they_end() {
    for store in STORES {
        let place = Place::choose();
        let realm = realm(place, 4);
        let adapter = Adapter::start(place, &keycloak_json(&realm, store), &json!({}));
        let mut browser = Browser::default();
        seen(&Person::Anna.open(&mut browser, &adapter.url("/")));
        let before = browser.clone();
        for round in 1..=2 {
            let renewed = wait::within(MINUTE, || {
                assert_eq!(browser.fetch(adapter.url("/")).status, 200, "{store}");
                (realm.events("REFRESH_TOKEN") >= round).then_some(())
            });
            renewed.expect("a refresh");
            assert_eq!(before.clone().fetch(adapter.url("/")).status, 200, "{store}");
        }
        assert_eq!(events(&realm)[1..], [0, 1], "{store}");
    }
}

#[test]
fn a_role_that_was_taken_away_stops_working_at_the_next_refresh() {
    let rules = json!({ "rules": [{ "path": "/staff/*", "access": "login", "roles": ["staff"] }] });
    for store in STORES {
        let (realm, node) = start(store, 60, &rules);
        let mut browser = signed_in(&node);
        assert_eq!(browser.fetch(node.url("/staff/rota")).status, 200, "{store}");
        realm.take_role("anna", "staff");
        node.advance(MINUTE);
        assert_eq!(browser.fetch(node.url("/staff/rota")).status, 403, "{store}");
        let told = seen(&browser.open(node.url("/")))["headers"]["x-forwarded-roles"].clone();
        assert!(told.as_str().is_some_and(|told| told.contains("app:editor") && !told.contains("staff")), "{told}");
        assert_eq!(events(&realm), [1, 0, 1], "{store}");
    }
}

#[test]
fn a_session_that_was_ended_at_keycloak_ends_here_at_the_next_refresh() {
    for store in STORES {
        let (realm, node) = start(store, 60, &json!({}));
        let mut browser = signed_in(&node);
        let copy = browser.clone();
        realm.log_out("anna");
        assert_eq!(status(&node, &mut browser), 200, "{store}: nobody has told us yet");
        node.advance(MINUTE);
        assert_eq!((status(&node, &mut browser), status(&node, &mut copy.clone())), (401, 401), "{store}");
        assert_eq!(node.metric("doorward_refreshes_total{outcome=\"ended\"}"), 1, "{store}");
        let page = browser.open(node.url("/"));
        assert!(page.find_form("password").is_some(), "{store}: {:#?}", page.trail);
    }
}

/// A node that reaches Keycloak through a relay, which is open.
fn behind_a_relay(store: &str) -> (Realm, Relay, Node) {
    let place = Place::choose();
    let realm = realm(place, 60);
    let mut relay = Relay::closed();
    relay.open(Keycloak::get().url());
    let mut keycloak = keycloak_json(&realm, store);
    keycloak["auth-server-url"] = json!(relay.url().as_str());
    keycloak["socket-timeout-millis"] = json!(4000);
    let node = Node::start(place, &keycloak, &json!({}));
    (realm, relay, node)
}

fn unavailable(node: &Node) -> u64 {
    node.metric("doorward_sessions_lapsed_total{reason=\"unavailable\"}")
}

/// An outage ends for a session whose access token has ended too, and everything is as before it, without any sign-in.
fn assert_outlives(store: &str, outage: impl Fn(&mut Relay)) {
    let (realm, mut relay, node) = behind_a_relay(store);
    let mut browser = signed_in(&node);
    outage(&mut relay);
    assert_eq!(status(&node, &mut browser), 200, "{store}: its access token lives");
    node.advance(MINUTE);
    for round in 1..=3 {
        let answer = browser.fetch(node.url("/"));
        assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true), "{store}");
        assert_eq!(browser.open(node.url("/")).response.status, 503, "{store}");
        assert_eq!(unavailable(&node), 2 * round, "{store}");
        node.advance(2 * SECOND);
    }
    relay.open(Keycloak::get().url());
    node.advance(2 * SECOND);
    assert_eq!((status(&node, &mut browser), events(&realm)), (200, [1, 0, 1]), "{store}");
    assert_eq!(realm.clients_in_sessions_of("anna"), [CLIENT], "{store}");
}

#[test]
fn a_keycloak_that_nobody_reaches_signs_nobody_out() {
    for store in STORES {
        assert_outlives(store, Relay::close);
    }
}

#[test]
fn a_keycloak_that_hangs_signs_nobody_out() {
    for store in STORES {
        assert_outlives(store, |relay| relay.hang());
    }
}

#[test]
fn answers_that_are_lost_after_keycloak_has_committed_cost_one_silent_sign_in() {
    for store in STORES {
        let (realm, mut relay, node) = behind_a_relay(store);
        let mut browser = signed_in(&node);
        relay.lose_tokens();
        node.advance(MINUTE);
        assert_eq!((status(&node, &mut browser), relay.lost()), (503, 1), "{store}");
        assert_eq!((events(&realm), unavailable(&node)), ([1, 0, 1], 1), "{store}: it was spent");
        relay.open(Keycloak::get().url());
        // Sent once more, since nobody can know; Keycloak says that it is spent.
        let page = browser.open(node.url("/again"));
        assert_eq!(seen(&page)["target"], "/again", "{store}");
        assert!(page.trail.len() > 1, "{store}: {:#?}", page.trail);
        assert_eq!(events(&realm), [1, 1, 2], "{store}");
        node.advance(MINUTE);
        assert_eq!((status(&node, &mut browser), events(&realm)), (200, [2, 1, 2]), "{store}");
    }
}
