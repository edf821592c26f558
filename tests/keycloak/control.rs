//! The stage without the play: server, admin client and browser do what the other stories take for granted. When these
//! fail, look here first and not at the adapter.

use serde_json::json;

use crate::{
    adapter::Place,
    admin::Realm,
    browser::Browser,
    party::{self, Party},
    scene::{self, Person},
};

#[test]
fn the_browser_passes_keycloaks_login_form_and_comes_back_with_a_code() {
    let (realm, client) = realm_for_an_application();
    let mut browser = Browser::default();
    let page = browser.open(client.authorization(&realm));
    let back = Person::Anna.sign_in(&mut browser, &page);
    assert!(party::code(&back).is_some(), "{:#?}", back.trail);
    assert_eq!(realm.session_count(scene::CLIENT), 1);
    let again = browser.open(client.authorization(&realm));
    assert!(party::code(&again).is_some(), "single sign-on needs no form: {:#?}", again.trail);
}

#[test]
fn a_wrong_password_meets_the_form_again() {
    let (realm, client) = realm_for_an_application();
    let mut browser = Browser::default();
    let page = browser.open(client.authorization(&realm));
    let page = browser.submit(&page, &page.form("password"), &[("username", "anna"), ("password", "guess")]);
    assert!(page.find_form("password").is_some());
    assert_eq!(realm.session_count(scene::CLIENT), 0);
}

#[test]
fn a_replaced_key_signs_and_the_old_one_is_gone() {
    let (realm, _client) = realm_for_an_application();
    let before = realm.active_key("RS256");
    realm.add_key("rsa-generated", json!({ "algorithm": ["RS256"] }));
    realm.disable_older_keys("rsa-generated");
    let after = realm.active_key("RS256");
    let published = Browser::default().fetch(party::address(&realm, "certs")).text();
    assert!(published.contains(&after) && !published.contains(&before), "{before} {after} {published}");
}

#[test]
fn keycloak_makes_a_key_for_a_client() {
    let (realm, _client) = realm_for_an_application();
    assert!(realm.generate_client_key(scene::CLIENT).starts_with("MII"));
}

/// A realm whose client is the echoing application itself.
fn realm_for_an_application() -> (Realm, Party) {
    let party = Party::new(scene::CLIENT);
    let mut representation = scene::realm(Place::choose());
    representation["clients"][0]["redirectUris"] = json!([party.callback()]);
    (Realm::create(representation), party)
}
