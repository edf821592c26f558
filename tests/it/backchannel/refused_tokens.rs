//! Case 50: what is no logout token. Exactly 400, nothing ends, nothing is stored.

use identity_server::{
    AdminAction, Browser, TokenFault,
    http::{self, Request},
};
use serde_json::{Value, json};

use super::{OLD, pass, plain, realm, sid, signed_in, status};
use crate::support::{CLIENT, SECRET, Scene, push_logout_token};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const PATH: &str = "/oauth2/backchannel-logout";

fn scene() -> (Scene, Browser) {
    let scene = plain("cookie").start();
    let browser = signed_in(&scene, "alice");
    pass(&scene, OLD);
    (scene, browser)
}

#[track_caller]
fn assert_refused(scene: &Scene, browser: &mut Browser, case: &str, answer: &http::Response) {
    assert_eq!(answer.status, 400, "{case}: {}", answer.text());
    let cached = answer.header("cache-control").unwrap_or_default();
    assert!(cached.contains("no-store"), "{case}: {cached}");
    assert_eq!(status(scene, browser), 200, "{case}: it had an effect");
}

/// Each of these faults makes a good logout token none.
#[track_caller]
fn assert_rows<const N: usize>(rows: [(&str, TokenFault); N]) {
    let (scene, mut browser) = scene();
    for (case, fault) in rows {
        let token = scene.server.logout_token(CLIENT, Some(&sid(&browser)), Some("subject-of-alice"), &[fault]);
        let answer = push_logout_token(scene.adapter.public_address, PATH, &token);
        assert_refused(&scene, &mut browser, case, &answer);
    }
}

#[test]
fn a_logout_token_names_the_event_and_is_nobodys_login() {
    let event = |value: Value| TokenFault::set("events", value);
    assert_rows([
        ("no events", TokenFault::remove("events")),
        ("no event", event(json!({}))),
        ("another event", event(json!({ "http://schemas.openid.net/event/other": {} }))),
        ("a list of events", event(json!([EVENT]))),
        ("an event as text", event(json!(EVENT))),
        ("events that are null", event(Value::Null)),
        ("a nonce", TokenFault::set("nonce", "n")),
        ("an empty nonce", TokenFault::set("nonce", "")),
    ]);
}

#[test]
fn a_logout_token_says_who_made_it_for_whom_and_when() {
    let now = scene().0.clock_secs();
    assert_rows([
        ("another issuer", TokenFault::set("iss", "http://elsewhere")),
        ("no issuer", TokenFault::remove("iss")),
        ("another client's", TokenFault::set("aud", "another")),
        ("nobody's", TokenFault::remove("aud")),
        ("among strangers", TokenFault::set("aud", json!([CLIENT, "another"]))),
        ("no iat", TokenFault::remove("iat")),
        ("too old", TokenFault::set("iat", now - 121)),
        ("too new", TokenFault::set("iat", now + 121)),
        ("an iat that is no number", TokenFault::set("iat", "now")),
        ("expired", TokenFault::set("exp", now - 31)),
        ("an exp that is no number", TokenFault::set("exp", "later")),
        ("no jti", TokenFault::remove("jti")),
    ]);
}

#[test]
fn a_logout_token_names_a_session_or_a_user() {
    let (scene, mut browser) = scene();
    let neither = scene.server.logout_token(CLIENT, None, None, &[]);
    let refused = |token: &str| push_logout_token(scene.adapter.public_address, PATH, token);
    assert_refused(&scene, &mut browser, "neither", &refused(&neither));
    for (name, value) in
        [("sid", json!(7)), ("sub", json!(["subject-of-alice"])), ("sid", json!({})), ("sub", json!(""))]
    {
        let faults = [TokenFault::set(name, value.clone())];
        let token = scene.server.logout_token(CLIENT, None, None, &faults);
        assert_refused(&scene, &mut browser, &format!("{name}: {value}"), &refused(&token));
    }
}

#[test]
fn a_logout_token_is_signed_by_the_providers_own_key() {
    let public = scene().0.server.rsa_public_der();
    assert_rows([
        ("none", TokenFault::Unsigned),
        ("another key", TokenFault::OtherKey),
        ("a flipped bit", TokenFault::CorruptSignature),
        ("the public key as a secret", TokenFault::Hs256(public)),
        ("our client secret", TokenFault::Hs256(SECRET.as_bytes().to_vec())),
        ("another alg", TokenFault::header("alg", "PS256")),
        ("another typ", TokenFault::header("typ", "at+jwt")),
        ("an assertion's typ", TokenFault::header("typ", "client-authentication+jwt")),
        ("a critical header", TokenFault::header("crit", json!(["x"]))),
        ("not JSON", TokenFault::payload(|text| text.trim_end_matches('}').to_owned())),
        ("a member twice", TokenFault::payload(|text| format!("{}, \"sid\": \"x\"}}", text.trim_end_matches('}')))),
    ]);
}

/// The same key signs them.
#[test]
fn another_token_of_the_provider_is_no_logout_token() {
    let scene = realm("cookie").start();
    let mut browser = signed_in(&scene, "alice");
    pass(&scene, OLD);
    let now = scene.clock_secs();
    let claims = json!({
        "iss": scene.server.issuer(), "aud": CLIENT, "azp": CLIENT, "iat": now, "exp": now + 300, "jti": "j",
        "sub": "subject-of-alice", "sid": sid(&browser),
    });
    let with = |typ: &str| {
        let mut claims = claims.clone();
        claims["typ"] = json!(typ);
        scene.server.sign("JWT", claims, &[])
    };
    let fields = json!({ "keycloakSessionIds": [sid(&browser)] });
    let word = scene.server.admin_action(CLIENT, AdminAction::Logout, fields, &[]);
    for (case, token) in [("access", with("Bearer")), ("ID", with("ID")), ("admin action", word)] {
        let answer = push_logout_token(scene.adapter.public_address, PATH, &token);
        assert_refused(&scene, &mut browser, case, &answer);
    }
}

#[test]
fn what_carries_no_logout_token_is_a_bad_request() {
    let (scene, mut browser) = scene();
    let token = scene.server.logout_token(CLIENT, Some(&sid(&browser)), None, &[]);
    let send = |request: &Request| {
        http::send(scene.adapter.public_address, &request.clone().header("Host", "app.test")).unwrap()
    };
    let form = |fields: &[(&str, &str)]| Request::form(PATH, fields);
    let rows = [
        ("nothing", Request::new("POST", PATH)),
        ("an empty form", form(&[])),
        ("an empty token", form(&[("logout_token", "")])),
        ("twice", form(&[("logout_token", &token), ("logout_token", &token)])),
        ("in the query", Request::new("POST", &format!("{PATH}?logout_token={token}"))),
        ("as a text", Request::new("POST", PATH).header("Content-Type", "text/plain").body(token.clone())),
        ("nonsense", form(&[("logout_token", "a.b.c")])),
    ];
    for (case, request) in rows {
        assert_refused(&scene, &mut browser, case, &send(&request));
    }
    let large = send(&form(&[("padding", &"x".repeat(2 << 20)), ("logout_token", &token)]));
    assert!(matches!(large.status, 400 | 413), "{}", large.status);
    let asked = send(&Request::get(&format!("{PATH}?logout_token={token}")));
    assert_eq!((asked.status, status(&scene, &mut browser)), (405, 200));
}
