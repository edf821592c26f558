//! What the token endpoint and its tokens may say, and what they may not: each row is one fault of an identity server that
//! is right in everything else.

use doorward::domain::Clock as _;
use identity_server::{Algorithm, Endpoint, Fault, IdentityServer, OldKeys, TokenFault, http};
use serde_json::{Value, json};

use crate::support::{CLIENT, Options, SECRET, Scene};

/// Case 38 and the checklist's "ID token".
fn id_token_faults(scene: &Scene) -> Vec<(&'static str, Vec<TokenFault>)> {
    let now = scene.clock.now().as_secs();
    vec![
        ("alg none", vec![TokenFault::Unsigned]),
        ("alg None in the header, signature kept", vec![TokenFault::header("alg", "None")]),
        ("HS256 by the public key", vec![TokenFault::Hs256(scene.server.rsa_public_der())]),
        ("HS256 by the client secret, not configured", vec![TokenFault::Hs256(SECRET.as_bytes().to_vec())]),
        ("another key", vec![TokenFault::OtherKey]),
        ("a flipped bit", vec![TokenFault::CorruptSignature]),
        ("unknown kid", vec![TokenFault::header("kid", "nobody"), TokenFault::OtherKey]),
        ("no kid, another key", vec![TokenFault::no_kid(), TokenFault::OtherKey]),
        ("crit", vec![TokenFault::header("crit", json!(["b64"])), TokenFault::header("b64", true)]),
        ("crit empty", vec![TokenFault::header("crit", json!([]))]),
        ("typ of an access token", vec![TokenFault::header("typ", "at+jwt")]),
        ("typ of a logout token", vec![TokenFault::header("typ", "logout+jwt")]),
        ("iss of another", vec![TokenFault::set("iss", "https://evil.example")]),
        ("iss with a slash more", vec![TokenFault::set("iss", format!("{}/", scene.server.issuer()))]),
        ("no iss", vec![TokenFault::remove("iss")]),
        ("aud of another", vec![TokenFault::set("aud", "other")]),
        ("aud that begins like ours", vec![TokenFault::set("aud", "shop2")]),
        ("no aud", vec![TokenFault::remove("aud")]),
        ("aud empty", vec![TokenFault::set("aud", json!([]))]),
        ("aud untrusted beside ours", vec![TokenFault::set("aud", json!([CLIENT, "other"]))]),
        ("azp of another", vec![TokenFault::set("azp", "other")]),
        ("no exp", vec![TokenFault::remove("exp")]),
        ("exp passed", vec![TokenFault::set("exp", now - 31)]),
        ("exp as text", vec![TokenFault::set("exp", (now + 300).to_string())]),
        ("exp 1e300", vec![TokenFault::payload(rewrite_exp("1e300"))]),
        ("exp 2^63", vec![TokenFault::payload(rewrite_exp("9223372036854775808"))]),
        ("exp 1e999", vec![TokenFault::payload(rewrite_exp("1e999"))]),
        ("no iat", vec![TokenFault::remove("iat")]),
        ("iat ahead", vec![TokenFault::set("iat", now + 31)]),
        ("nbf ahead", vec![TokenFault::set("nbf", now + 31)]),
        ("nonce of another", vec![TokenFault::set("nonce", "another")]),
        ("no nonce", vec![TokenFault::remove("nonce")]),
        ("nonce empty", vec![TokenFault::set("nonce", "")]),
        ("no sub", vec![TokenFault::remove("sub")]),
        ("sub empty", vec![TokenFault::set("sub", "")]),
        ("sub of 256 characters", vec![TokenFault::set("sub", "s".repeat(256))]),
        ("sub a number", vec![TokenFault::set("sub", 7)]),
        ("at_hash of another", vec![TokenFault::set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")]),
        ("a claim twice", vec![TokenFault::payload(|text| text.replacen('{', "{\"sub\":\"mallory\",", 1))]),
        ("not an object", vec![TokenFault::payload(|text| format!("[{text}]"))]),
    ]
}

fn rewrite_exp(value: &'static str) -> impl Fn(&str) -> String + Send + Sync + 'static {
    move |text| {
        let start = text.find("\"exp\":").unwrap() + 6;
        let length = text[start..].find([',', '}']).unwrap();
        format!("{}{value}{}", &text[..start], &text[start + length..])
    }
}

#[test]
fn an_id_token_with_any_fault_signs_nobody_in() {
    let scene = Scene::start();
    for (case, faults) in id_token_faults(&scene) {
        scene.server.next(Endpoint::Token, Fault::IdToken(faults));
        scene.assert_refused(case, 502, 1);
    }
    assert_eq!(scene.server.calls(Endpoint::UserInfo), 0, "an unverified token was used");
    assert_eq!(scene.adapter.metric("doorward_sign_ins_total{outcome=\"token\"}"), 40);
    scene.signed_in();
}

#[test]
fn an_id_token_at_the_edge_of_what_is_allowed_signs_in() {
    let scene = Options::default().with(json!({ "sidecar": { "provider": { "trusted-audiences": ["api"] } } })).start();
    let now = scene.clock.now().as_secs();
    let good = [
        ("no kid", TokenFault::no_kid()),
        ("exp within the skew", TokenFault::set("exp", now - 29)),
        ("iat within the skew", TokenFault::set("iat", now + 29)),
        ("nbf within the skew", TokenFault::set("nbf", now + 29)),
        ("aud with a trusted one", TokenFault::set("aud", json!([CLIENT, "api"]))),
        ("aud a list of one", TokenFault::set("aud", json!([CLIENT]))),
        ("no at_hash", TokenFault::remove("at_hash")),
        ("no typ", TokenFault::Header(identity_server::Patch::remove("typ"))),
        ("an unknown claim", TokenFault::set("x", json!({ "y": [1] }))),
    ];
    for (case, fault) in good {
        scene.server.next(Endpoint::Token, Fault::IdToken(vec![fault]));
        assert_eq!(scene.sign_in(&mut scene.browser()).response.status, 200, "{case}");
    }
    let several = vec![TokenFault::set("aud", json!([CLIENT, "api"])), TokenFault::remove("azp")];
    scene.server.next(Endpoint::Token, Fault::IdToken(several));
    scene.assert_refused("several aud without azp", 502, 1);
}

/// Case 38: nothing in a token's header says where keys come from.
#[test]
fn a_key_or_an_address_in_a_tokens_header_is_never_used() {
    let scene = Scene::start();
    let trap = identity_server::Application::start().unwrap();
    let (keys, asked) = (format!("{}/jwks", trap.upstream()), scene.server.calls(Endpoint::Jwks));
    for name in ["jku", "x5u"] {
        let header = TokenFault::header(name, keys.as_str());
        scene.server.next(Endpoint::Token, Fault::IdToken(vec![header.clone(), TokenFault::OtherKey]));
        scene.assert_refused(name, 502, 1);
    }
    let own = vec![TokenFault::header("jwk", key_of_another_generation()), TokenFault::OtherKey];
    scene.server.next(Endpoint::Token, Fault::IdToken(own));
    scene.assert_refused("jwk", 502, 1);
    // Our own provider was asked once, as for any signature that no known key made.
    assert_eq!((trap.connections(), scene.server.calls(Endpoint::Jwks)), (0, asked + 1));
}

/// The very key that [`TokenFault::OtherKey`] signs by.
fn key_of_another_generation() -> Value {
    let other = IdentityServer::start(identity_server::Options::default()).unwrap();
    other.rotate_keys(OldKeys::Forget).unwrap();
    let keys = http::send(other.address(), &http::Request::get("/jwks")).unwrap().json();
    keys["keys"].as_array().unwrap().iter().find(|key| key["kty"] == "RSA").unwrap().clone()
}

#[test]
fn an_access_token_of_the_realm_is_verified_too() {
    let scene = Options::keycloak().start();
    let faults = [
        ("another key", vec![TokenFault::OtherKey]),
        ("alg none", vec![TokenFault::Unsigned]),
        ("iss of another", vec![TokenFault::set("iss", "https://evil.example")]),
        ("another subject", vec![TokenFault::set("sub", "mallory")]),
        ("exp passed", vec![TokenFault::set("exp", 1)]),
    ];
    for (case, faults) in faults {
        // The ID token's `at_hash` is made from the very token, so that it is not what refuses.
        scene.server.next(Endpoint::Token, Fault::AccessToken(faults));
        scene.assert_refused(case, 502, 1);
    }
    scene.signed_in();
}

#[test]
fn a_token_response_with_a_fault_signs_nobody_in() {
    let scene = Scene::start();
    let rows = [
        ("no id_token", Fault::remove("id_token"), 502),
        ("id_token null", Fault::set("id_token", Value::Null), 502),
        ("id_token empty", Fault::set("id_token", ""), 502),
        ("id_token no JWS", Fault::set("id_token", "a.b"), 502),
        ("an encrypted id_token", Fault::set("id_token", "e30.a.b.c.d"), 502),
        ("no access_token", Fault::remove("access_token"), 502),
        ("no token_type", Fault::remove("token_type"), 502),
        ("token_type mac", Fault::set("token_type", "mac"), 502),
        ("no JSON", Fault::text(200, "application/json", "<html>"), 502),
        ("empty", Fault::status(200), 502),
        ("a list", Fault::text(200, "application/json", "[]"), 502),
        ("an access token that breaks a header", Fault::set("access_token", "a\r\nb"), 502),
        ("invalid_grant", Fault::error(400, "invalid_grant"), 403),
        ("invalid_client", Fault::error(401, "invalid_client"), 403),
        ("503", Fault::status(503), 503),
        ("500 that says invalid_grant", Fault::error(500, "invalid_grant"), 503),
        ("429", Fault::status(429), 503),
        ("a redirect", Fault::redirect("http://127.0.0.1:1/"), 502),
        ("closed", Fault::DropConnection, 503),
        ("lost", Fault::LoseAnswer, 503),
        ("huge", Fault::Huge(8 << 20), 503),
    ];
    for (case, fault, status) in rows {
        scene.server.next(Endpoint::Token, fault);
        let answer = scene.assert_refused(case, status, 1);
        assert_eq!(answer.header("retry-after").is_some(), status == 503, "{case}");
    }
    scene.signed_in();
}

#[test]
fn a_token_endpoint_that_redirects_is_not_followed() {
    let scene = Scene::start();
    let trap = identity_server::Application::start().unwrap();
    for status in [302, 307, 308] {
        let headers = vec![("Location".to_owned(), trap.upstream())];
        scene.server.next(Endpoint::Token, Fault::Answer { status, headers, body: Vec::new() });
        scene.assert_refused("redirect", 502, 1);
    }
    assert_eq!(trap.connections(), 0, "a code and a secret went where the token endpoint pointed");
}

#[test]
fn a_token_endpoint_that_never_answers_is_given_up() {
    let scene = Options::default().with(json!({ "socket-timeout-millis": 300 })).start();
    scene.server.next(Endpoint::Token, Fault::Hang);
    scene.assert_refused("hang", 503, 1);
    scene.server.release();
    scene.signed_in();
}

#[test]
fn what_a_token_response_may_leave_open_does_not_matter() {
    let scene = Scene::start();
    let rows = [
        ("token_type in capitals", Fault::set("token_type", "BEARER")),
        ("no expires_in", Fault::remove("expires_in")),
        ("another scope", Fault::set("scope", "openid other")),
        ("no scope", Fault::remove("scope")),
        ("no refresh token", Fault::remove("refresh_token")),
        ("more members", Fault::set("foo", json!({ "bar": 1 }))),
    ];
    for (case, fault) in rows {
        scene.server.next(Endpoint::Token, fault);
        assert_eq!(scene.sign_in(&mut scene.browser()).response.status, 200, "{case}");
    }
}

#[test]
fn every_algorithm_of_the_default_list_signs_in() {
    let scene = Scene::start();
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.name().starts_with("HS")) {
        scene.server.set_algorithm(algorithm);
        scene.clock.advance(std::time::Duration::from_secs(60));
        let page = scene.sign_in(&mut scene.browser());
        assert_eq!(page.response.status, 200, "{}", algorithm.name());
    }
    scene.server.set_algorithm(Algorithm::Hs256);
    scene.assert_refused("HS256", 502, 1);
}

#[test]
fn a_pinned_algorithm_is_the_only_one_believed() {
    let scene = Options::default().with(json!({ "sidecar": { "provider": { "algorithms": ["RS256"] } } })).start();
    scene.signed_in();
    for algorithm in [Algorithm::Es256, Algorithm::Rs512, Algorithm::Ps256] {
        scene.server.next(Endpoint::Token, Fault::IdToken(vec![TokenFault::Algorithm(algorithm)]));
        scene.assert_refused(algorithm.name(), 502, 1);
    }
    // The same tokens are good where nothing is pinned: the keys are in the set.
    let open = Scene::start();
    open.server.next(Endpoint::Token, Fault::IdToken(vec![TokenFault::Algorithm(Algorithm::Es256)]));
    open.signed_in();
}

#[test]
fn hs256_is_believed_when_configured_and_only_by_the_client_secret() {
    let scene = Options::default()
        .with(json!({ "sidecar": { "provider": { "algorithms": ["HS256"] } } }))
        .server(|server| server.algorithm = Algorithm::Hs256)
        .start();
    scene.signed_in();
    let faults = [
        ("another secret", TokenFault::OtherKey),
        ("an empty secret", TokenFault::Hs256(Vec::new())),
        ("the public key", TokenFault::Hs256(scene.server.rsa_public_der())),
        ("RS256 where HS256 is pinned", TokenFault::Algorithm(Algorithm::Rs256)),
    ];
    for (case, fault) in faults {
        scene.server.next(Endpoint::Token, Fault::IdToken(vec![fault]));
        scene.assert_refused(case, 502, 1);
    }
}

#[test]
fn auth_time_is_required_and_recent_when_max_age_was_sent() {
    let scene = Options::default().with(json!({ "sidecar": { "provider": { "max-age": "1h" } } })).start();
    let now = scene.clock.now().as_secs();
    scene.signed_in();
    assert_eq!(asked(&scene, "max_age"), Some("3600".to_owned()));
    let faults = [
        ("no auth_time", TokenFault::remove("auth_time")),
        ("long ago", TokenFault::set("auth_time", now - 3600 - 31)),
        ("ahead", TokenFault::set("auth_time", now + 31)),
        ("text", TokenFault::set("auth_time", now.to_string())),
    ];
    for (case, fault) in faults {
        scene.server.next(Endpoint::Token, Fault::IdToken(vec![fault]));
        scene.assert_refused(case, 502, 1);
    }
}

#[test]
fn acr_is_one_of_those_demanded() {
    let scene =
        Options::default().with(json!({ "sidecar": { "provider": { "acr-values": ["gold", "silver"] } } })).start();
    for (case, fault) in [("no acr", TokenFault::remove("acr")), ("bronze", TokenFault::set("acr", "bronze"))] {
        scene.server.next(Endpoint::Token, Fault::IdToken(vec![fault]));
        scene.assert_refused(case, 502, 1);
    }
    scene.server.next(Endpoint::Token, Fault::IdToken(vec![TokenFault::set("acr", "silver")]));
    scene.signed_in();
    assert_eq!(asked(&scene, "acr_values"), Some("gold silver".to_owned()));
}

fn asked(scene: &Scene, parameter: &str) -> Option<String> {
    scene.server.last(Endpoint::Authorization)?.field(parameter).map(str::to_owned)
}
