//! Case 53: what looks like one of Keycloak's words and is none, with the status that Keycloak expects.

use identity_server::{
    AdminAction, Algorithm, Browser, Endpoint, OldKeys, TokenFault,
    http::{self, Request},
};
use serde_json::{Value, json};

use super::{OLD, act, assert_taken, ids, pass, realm, sid, signed_in, status};
use crate::support::{CLIENT, SECRET, Scene, push, pushed};

const ACTIONS: [AdminAction; 3] = [AdminAction::Logout, AdminAction::PushNotBefore, AdminAction::TestAvailability];

/// A scene with somebody whom each of these words would end, were it taken.
fn scene() -> (Scene, Browser) {
    let scene = realm("cookie").start();
    let browser = signed_in(&scene, "alice");
    pass(&scene, OLD);
    (scene, browser)
}

/// Everybody's logout or not-before.
fn fields(scene: &Scene, action: AdminAction) -> Value {
    if action == AdminAction::PushNotBefore { json!({ "notBefore": scene.clock_secs() }) } else { json!({}) }
}

#[track_caller]
fn assert_refused(scene: &Scene, browser: &mut Browser, action: AdminAction, message: &str, case: (&str, &[u16])) {
    let (name, expected) = case;
    let answer = push(scene.adapter.admin_address, &format!("/{}", action.word()), message);
    assert!(expected.contains(&answer.status), "{action:?}, {name}: {}: {}", answer.status, answer.text());
    assert_eq!(status(scene, browser), 200, "{action:?}, {name}: it had an effect");
}

/// Whether `action` is refused with one of these statuses when it is made with these faults.
#[track_caller]
fn assert_rows(rows: &[(&str, Vec<TokenFault>)], expected: &[u16]) {
    assert_rows_of(&ACTIONS, rows, expected);
}

#[track_caller]
fn assert_rows_of(actions: &[AdminAction], rows: &[(&str, Vec<TokenFault>)], expected: &[u16]) {
    let (scene, mut browser) = scene();
    for action in actions.iter().copied() {
        for (name, faults) in rows {
            let message = scene.server.admin_action(CLIENT, action, fields(&scene, action), faults);
            assert_refused(&scene, &mut browser, action, &message, (name, expected));
        }
    }
}

#[test]
fn a_word_that_the_realm_did_not_sign_is_forbidden() {
    let (scene, _) = scene();
    let confused = TokenFault::Hs256(scene.server.rsa_public_der());
    assert_rows(
        &[
            ("another key", vec![TokenFault::OtherKey]),
            ("a flipped bit", vec![TokenFault::CorruptSignature]),
            ("an unknown key", vec![TokenFault::OtherKey, TokenFault::header("kid", "unknown")]),
            ("no signature", vec![TokenFault::Unsigned]),
            ("the public key as a secret", vec![confused]),
            ("our client secret", vec![TokenFault::Hs256(SECRET.as_bytes().to_vec())]),
            ("another alg in the header", vec![TokenFault::header("alg", "PS256")]),
            ("a critical header", vec![TokenFault::header("crit", json!(["exp"]))]),
        ],
        &[403],
    );
}

#[test]
fn a_word_that_says_something_else_is_a_bad_request() {
    let (scene, mut browser) = scene();
    let now = scene.clock_secs();
    assert_rows(
        &[
            ("another client's", vec![TokenFault::set("resource", "another")]),
            ("nobody's", vec![TokenFault::remove("resource")]),
            ("expired", vec![TokenFault::set("expiration", now - 1)]),
            ("another action", vec![TokenFault::set("action", "FORGET")]),
            ("no action", vec![TokenFault::remove("action")]),
        ],
        &[400],
    );
    assert_rows(
        &[
            ("no expiration", vec![TokenFault::remove("expiration")]),
            ("an expiration that is no number", vec![TokenFault::set("expiration", "soon")]),
            ("a life of a day", vec![TokenFault::set("expiration", now + 86_400)]),
        ],
        &[400, 403],
    );
    assert_rows_of(
        &[AdminAction::Logout],
        &[
            ("ids that are no array", vec![TokenFault::set("adapterSessionIds", "all")]),
            ("ids that are no texts", vec![TokenFault::set("keycloakSessionIds", json!([null]))]),
        ],
        &[400, 403],
    );
    assert_rows_of(
        &[AdminAction::PushNotBefore],
        &[
            ("no instant", vec![TokenFault::remove("notBefore")]),
            ("an instant that is no number", vec![TokenFault::set("notBefore", "now")]),
        ],
        &[400, 403],
    );
    for (action, other) in [(ACTIONS[0], ACTIONS[1]), (ACTIONS[1], ACTIONS[0]), (ACTIONS[2], ACTIONS[0])] {
        let message = scene.server.admin_action(CLIENT, other, fields(&scene, other), &[]);
        assert_refused(&scene, &mut browser, action, &message, ("the word of another", &[400]));
    }
}

/// In its last second it still counts: Keycloak's own comparison is strict.
#[test]
fn a_word_is_good_in_its_last_second() {
    let (scene, _) = scene();
    let faults = [TokenFault::set("expiration", scene.clock_secs())];
    let message = scene.server.admin_action(CLIENT, AdminAction::TestAvailability, json!({}), &faults);
    assert_taken(&scene, AdminAction::TestAvailability, &message);
}

/// The same key signs access tokens, ID tokens and logout tokens.
#[test]
fn a_token_of_the_realm_is_no_word() {
    let claims = [
        ("iss", json!("http://x")),
        ("aud", json!(CLIENT)),
        ("exp", json!(2_000_000_000)),
        ("sub", json!("subject-of-alice")),
        ("typ", json!("Bearer")),
    ];
    let rows: Vec<_> = claims.map(|(name, value)| (name, vec![TokenFault::set(name, value)])).into();
    assert_rows(&rows, &[400, 403]);
    let (scene, mut browser) = scene();
    let now = scene.clock_secs();
    let token = json!({
        "iss": scene.server.issuer(), "sub": "subject-of-alice", "aud": CLIENT, "azp": CLIENT, "iat": now, "exp": now + 300,
    });
    let with_typ = |typ: &str| {
        let mut token = token.clone();
        token["typ"] = json!(typ);
        scene.server.sign("JWT", token, &[])
    };
    let logout = scene.server.logout_token(CLIENT, Some(&sid(&browser)), None, &[]);
    for action in ACTIONS {
        for (name, token) in [("access", with_typ("Bearer")), ("ID", with_typ("ID")), ("logout", logout.clone())] {
            assert_refused(&scene, &mut browser, action, &token, (name, &[400, 403]));
        }
    }
}

#[test]
fn what_is_no_signed_message_is_forbidden() {
    let (scene, mut browser) = scene();
    let good = scene.server.admin_action(CLIENT, AdminAction::Logout, json!({}), &[]);
    let twice = format!("{good}.{good}");
    let not_json = scene.server.sign("JWT", json!({}), &[TokenFault::payload(|_| "{".to_owned())]);
    let list = scene.server.sign("JWT", json!({}), &[TokenFault::payload(|_| "[]".to_owned())]);
    let repeated = TokenFault::payload(|text| format!("{}, \"action\": \"LOGOUT\"}}", text.trim_end_matches('}')));
    let repeated = scene.server.admin_action(CLIENT, AdminAction::Logout, json!({}), &[repeated]);
    for (name, body) in [("empty", ""), ("blank", " \r\n"), ("words", "log out"), ("parts", "a.b.c"), ("twice", &twice)]
    {
        assert_refused(&scene, &mut browser, AdminAction::Logout, body, (name, &[403]));
    }
    for (name, body) in [("not JSON", not_json), ("a list", list), ("a member twice", repeated)] {
        assert_refused(&scene, &mut browser, AdminAction::Logout, &body, (name, &[400, 403]));
    }
}

#[test]
fn a_body_beyond_the_cap_is_not_read_to_its_end() {
    let (scene, mut browser) = scene();
    let padding = TokenFault::set("padding", "x".repeat(2 << 20));
    let message = scene.server.admin_action(CLIENT, AdminAction::Logout, json!({}), &[padding]);
    assert_refused(&scene, &mut browser, AdminAction::Logout, &message, ("too large", &[403, 413]));
}

#[test]
fn words_are_posted() {
    let (scene, mut browser) = scene();
    for action in ACTIONS {
        let message = scene.server.admin_action(CLIENT, action, fields(&scene, action), &[]);
        for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
            let target = format!("/{}", action.word());
            let mut request = pushed(&target, &message);
            request.method = method.to_owned();
            let answer = http::send(scene.adapter.admin_address, &request).unwrap();
            assert_eq!(answer.status, 405, "{method} {target}");
        }
        let query = Request::get(&format!("/?{}", action.word()));
        assert_eq!(http::send(scene.adapter.admin_address, &query).unwrap().status, 404);
    }
    assert_eq!(status(&scene, &mut browser), 200);
}

#[test]
fn every_signature_algorithm_of_a_realm_is_verified_and_no_other() {
    for algorithm in Algorithm::ALL {
        let scene = realm("cookie").server(|server| server.algorithm = algorithm_of_tokens(algorithm)).start();
        let mut browser = signed_in(&scene, "alice");
        let fields = ids(&scene, &browser);
        let faults = [TokenFault::Algorithm(algorithm)];
        let message = scene.server.admin_action(CLIENT, AdminAction::Logout, fields, &faults);
        let answer = push(scene.adapter.admin_address, "/k_logout", &message);
        let symmetric = algorithm.name().starts_with("HS");
        let expected = if symmetric { [403, 200] } else { [200, 401] };
        assert_eq!([answer.status, status(&scene, &mut browser)], expected, "{algorithm:?}");
    }
}

/// Logins need an algorithm of public keys; admin actions may come signed by any.
fn algorithm_of_tokens(algorithm: Algorithm) -> Algorithm {
    if algorithm.name().starts_with("HS") { Algorithm::Rs256 } else { algorithm }
}

#[test]
fn a_word_is_verified_by_the_keys_that_hold_after_a_rotation() {
    let (scene, mut browser) = scene();
    let old = scene.server.admin_action(CLIENT, AdminAction::TestAvailability, json!({}), &[]);
    assert_taken(&scene, AdminAction::TestAvailability, &old);
    pass(&scene, 15);
    scene.server.rotate_keys(OldKeys::Forget).unwrap();
    act(&scene, AdminAction::Logout, ids(&scene, &browser));
    assert_eq!(status(&scene, &mut browser), 401);
}

/// A token of a key that came a moment ago has made us ask already; what is pushed comes once, and does not wait for that to be long ago.
#[test]
fn a_word_of_a_newer_key_is_verified_right_after_a_token_of_an_unknown_one() {
    let (scene, mut browser) = scene();
    scene.server.rotate_keys(OldKeys::Forget).unwrap();
    let second = scene.signed_in();
    scene.server.rotate_keys(OldKeys::Forget).unwrap();
    act(&scene, AdminAction::Logout, ids(&scene, &browser));
    assert_eq!(status(&scene, &mut browser), 401);
    assert_eq!(status(&scene, &mut second.clone()), 200);
}

#[test]
fn a_flood_of_forged_words_makes_the_realm_send_its_keys_once() {
    let (scene, mut browser) = scene();
    let before = scene.server.calls(Endpoint::Jwks);
    for n in 0..50 {
        let faults = [TokenFault::OtherKey, TokenFault::header("kid", format!("unknown-{n}"))];
        let forged = scene.server.admin_action(CLIENT, AdminAction::Logout, json!({}), &faults);
        assert_eq!(push(scene.adapter.admin_address, "/k_logout", &forged).status, 403);
    }
    assert!(scene.server.calls(Endpoint::Jwks) <= before + 1, "{}", scene.server.calls(Endpoint::Jwks) - before);
    assert_eq!(status(&scene, &mut browser), 200);
}
