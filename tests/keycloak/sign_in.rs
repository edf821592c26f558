//! Signing in through Keycloak's own login form.

use serde_json::json;

use crate::{
    browser::Browser,
    scene::{self, Person, seen},
};

#[test]
fn a_user_signs_in_and_the_application_is_told_who_it_is() {
    let (_realm, adapter) = scene::usual(&json!({}));
    let page = Person::Anna.open(&mut Browser::default(), &adapter.url("/reports?year=2026"));
    let seen = seen(&page);
    assert_eq!(seen["target"], "/reports?year=2026");
    let headers = &seen["headers"];
    assert_eq!(headers["x-forwarded-preferred-username"], "anna");
    assert_eq!(headers["x-forwarded-email"], "anna@example.com");
    assert_eq!(headers["x-forwarded-groups"], "engineering");
    assert!(headers["x-forwarded-user"].as_str().is_some_and(|subject| subject.len() == 36), "{headers}");
    let roles: Vec<&str> = headers["x-forwarded-roles"].as_str().unwrap_or_default().split(',').collect();
    assert!(roles.contains(&"staff") && roles.contains(&"app:editor"), "{roles:?}");
}

#[test]
fn a_wrong_password_leaves_the_user_outside() {
    let (realm, adapter) = scene::usual(&json!({}));
    let mut browser = Browser::default();
    let page = browser.open(adapter.url("/"));
    let page = browser.submit(&page, &page.form("password"), &[("username", "anna"), ("password", "guess")]);
    assert!(page.find_form("password").is_some(), "Keycloak asks again");
    assert_eq!(browser.fetch(adapter.url("/")).status, 401);
    assert_eq!(realm.session_count(scene::CLIENT), 0);
}

#[test]
fn the_next_request_needs_no_login() {
    let (_realm, adapter) = scene::usual(&json!({}));
    let mut browser = Browser::default();
    Person::Anna.open(&mut browser, &adapter.url("/"));
    let page = browser.open(adapter.url("/again"));
    assert_eq!(page.trail.len(), 1, "{:#?}", page.trail);
    assert_eq!(seen(&page)["headers"]["x-forwarded-preferred-username"], "anna");
}

#[test]
fn the_session_is_one_cookie_below_two_kilobytes() {
    let (_realm, adapter) = scene::usual(&json!({}));
    let mut browser = Browser::default();
    Person::Anna.open(&mut browser, &adapter.url("/"));
    let ours: Vec<(&str, &str)> = browser.cookies_at("/").filter(|(name, _)| name.contains("ADAPTER_STATE")).collect();
    let [(name, value)] = ours[..] else { panic!("{} cookies", ours.len()) };
    let size = name.len() + 1 + value.len();
    assert!(size < 2048, "{size} bytes");
}

#[test]
fn a_script_without_a_session_is_refused_and_not_redirected() {
    let (_realm, adapter) = scene::usual(&json!({}));
    let answer = Browser::default().fetch(adapter.url("/api"));
    assert_eq!((answer.status, answer.header("location")), (401, None));
}
