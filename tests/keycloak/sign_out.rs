//! Signing out here ends the single sign-on session there.

use serde_json::json;

use crate::{
    browser::Browser,
    scene::{self, Person, seen},
};

#[test]
fn after_sign_out_the_next_visit_asks_for_the_password() {
    let (realm, adapter) = scene::usual(&json!({}));
    let mut browser = Browser::default();
    let page = Person::Anna.open(&mut browser, &adapter.url("/"));
    seen(&page);
    assert_eq!(realm.session_count(scene::CLIENT), 1);

    let page = scene::sign_out(&mut browser, &page);
    let signed_out = format!("{}?state=", adapter.url("/oauth2/signed_out"));
    assert!(page.url.as_str().starts_with(&signed_out), "{:#?}", page.trail);
    assert_eq!(realm.session_count(scene::CLIENT), 0);

    let page = browser.open(adapter.url("/"));
    assert!(page.find_form("password").is_some(), "single sign-on still lives: {:#?}", page.trail);
}

#[test]
fn without_sign_out_single_sign_on_lets_a_second_application_in() {
    let (realm, adapter) = scene::usual(&json!({}));
    let mut browser = Browser::default();
    Person::Anna.open(&mut browser, &adapter.url("/"));
    browser.forget_all_but(&format!("/realms/{}/", realm.name()));
    let page = browser.open(adapter.url("/"));
    assert_eq!(seen(&page)["headers"]["x-forwarded-preferred-username"], "anna");
    assert!(page.trail.len() > 1, "the adapter's cookie was forgotten: {:#?}", page.trail);
}
