//! An identity server that is not there yet when the adapter starts.

use std::time::Duration;

use serde_json::json;

use crate::{
    adapter::{Adapter, Place},
    admin::Realm,
    browser::Browser,
    relay::Relay,
    scene::{self, Person, seen},
    server::Keycloak,
    wait,
};

/// The adapter may pause between two attempts; nobody should wait longer than this after the server came back.
const RECOVERY: Duration = Duration::from_secs(60);

#[test]
fn an_identity_server_that_comes_late_is_found_without_a_restart() {
    let place = Place::choose();
    let realm = Realm::create(scene::realm(place));
    let mut relay = Relay::closed();
    let mut keycloak = scene::keycloak_json(&realm);
    keycloak["auth-server-url"] = json!(relay.url().as_str());
    let adapter = Adapter::start(place, &keycloak, &json!({}));

    let mut browser = Browser::default();
    let page = browser.open(adapter.url("/"));
    assert!((500..600).contains(&page.response.status), "{} at {:#?}", page.response.status, page.trail);

    relay.open(Keycloak::get().url());
    let page = wait::within(RECOVERY, || {
        Some(browser.open(adapter.url("/"))).filter(|page| page.find_form("password").is_some())
    });
    let page = page.expect("the login page after the server came back");
    let page = Person::Anna.sign_in(&mut browser, &page);
    assert_eq!(seen(&page)["headers"]["x-forwarded-preferred-username"], "anna");
}
