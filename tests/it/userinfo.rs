//! UserInfo at sign-in, and `userinfo` of our own.

use identity_server::{Endpoint, Fault, TokenFault, http::Request};
use serde_json::json;

use crate::support::{Options, Scene};

#[test]
fn userinfo_that_may_not_be_believed_signs_nobody_in() {
    let scene = Scene::start();
    let rows = [
        ("another sub", Fault::set("sub", "mallory"), 502),
        ("no sub", Fault::remove("sub"), 502),
        ("sub a number", Fault::set("sub", 7), 502),
        ("401", Fault::status(401), 502),
        ("404", Fault::status(404), 502),
        ("no JSON", Fault::text(200, "application/json", "<html>"), 502),
        ("a list", Fault::text(200, "application/json", "[]"), 502),
        ("signed by another key", Fault::SignedUserInfo(vec![TokenFault::OtherKey]), 502),
        ("signed, unsigned", Fault::SignedUserInfo(vec![TokenFault::Unsigned]), 502),
        ("signed, for another client", Fault::SignedUserInfo(vec![TokenFault::set("aud", "other")]), 502),
        ("signed, by another issuer", Fault::SignedUserInfo(vec![TokenFault::set("iss", "https://evil.example")]), 502),
        ("signed, expired", Fault::SignedUserInfo(vec![TokenFault::set("exp", 1)]), 502),
        ("signed, another sub", Fault::SignedUserInfo(vec![TokenFault::set("sub", "mallory")]), 502),
        ("signed answer by name only", Fault::text(200, "application/jwt", "{\"sub\":\"subject-of-alice\"}"), 502),
        ("503", Fault::status(503), 503),
        ("429", Fault::status(429), 503),
        ("closed", Fault::DropConnection, 503),
        ("huge", Fault::Huge(8 << 20), 503),
    ];
    for (case, fault, status) in rows {
        scene.server.next(Endpoint::UserInfo, fault);
        scene.assert_refused(case, status, 1);
    }
    scene.signed_in();
    scene.server.next(Endpoint::UserInfo, Fault::SignedUserInfo(Vec::new()));
    scene.signed_in();
}

#[test]
fn userinfo_is_asked_with_the_bearer_in_the_header() {
    let scene = Scene::start();
    scene.signed_in();
    let asked = scene.server.last(Endpoint::UserInfo).unwrap();
    assert!(asked.header("authorization").is_some_and(|value| value.starts_with("Bearer ")));
    assert!(asked.query.is_empty() && asked.form.is_empty());
}

#[test]
fn userinfo_can_be_switched_off() {
    let scene = Options::default().with(json!({ "sidecar": { "provider": { "userinfo": false } } })).start();
    scene.signed_in();
    assert_eq!(scene.server.calls(Endpoint::UserInfo), 0);
}

#[test]
fn a_redirecting_userinfo_endpoint_does_not_get_the_token_elsewhere() {
    let scene = Scene::start();
    let trap = identity_server::Application::start().unwrap();
    scene.server.next(Endpoint::UserInfo, Fault::redirect(&trap.upstream()));
    scene.assert_refused("redirect", 502, 1);
    assert_eq!(trap.connections(), 0);
}

#[test]
fn our_own_userinfo_tells_who_it_is_and_no_token() {
    let scene = Options::keycloak().start();
    let mut browser = scene.signed_in();
    let answer = browser.fetch(&scene.url("/oauth2/userinfo"), Request::get("")).unwrap();
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("private, no-store")));
    let about = answer.json();
    assert_eq!(about["sub"], "subject-of-alice");
    assert_eq!(about["preferred_username"], "alice");
    let mut names: Vec<_> = about.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["email", "groups", "preferred_username", "roles", "signed_in_at", "sub"]);
    let stranger = scene.browser().fetch(&scene.url("/oauth2/userinfo"), Request::get("")).unwrap();
    assert_eq!((stranger.status, stranger.header("set-cookie")), (401, None));
    assert_eq!(stranger.header("content-type"), Some("application/problem+json"));
}
