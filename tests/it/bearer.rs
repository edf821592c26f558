//! Bearer tokens, Basic, and who is told what when they are wrong.

use base64::{Engine, engine::general_purpose::STANDARD};
use identity_server::{
    Endpoint, Fault, TokenFault,
    http::{self, Request, Response},
};
use serde_json::{Value, json};

use crate::support::{
    CLIENT, Options, Scene,
    websocket::{CLOSE, TEXT, WebSocket},
};

/// A realm, an application that takes tokens below `/api`, and these further keys.
fn scene(more: Value) -> Scene {
    let rules = json!({ "sidecar": { "rules": [
        { "path": "/open/*", "access": "public" },
        { "path": "/api/staff", "access": "bearer", "roles": ["staff"] },
        { "path": "/api/*", "access": "bearer" },
    ] } });
    Options::keycloak().with(rules).with(more).start()
}

/// The claims of a good access token that was issued to us.
fn claims(scene: &Scene) -> Value {
    let now = scene.clock_secs();
    json!({
        "iss": scene.server.issuer(), "sub": "subject-of-robot", "aud": "account", "azp": CLIENT, "typ": "Bearer",
        "iat": now, "exp": now + 300, "preferred_username": "robot", "realm_access": { "roles": ["staff"] },
    })
}

fn token(scene: &Scene, claims: &Value) -> String {
    scene.server.sign("JWT", claims.clone(), &[])
}

fn changed(scene: &Scene, claim: &str, value: Value) -> String {
    let mut claims = claims(scene);
    claims[claim] = value;
    token(scene, &claims)
}

fn ask(scene: &Scene, request: &Request) -> Response {
    http::send(scene.adapter.public_address, request).unwrap()
}

fn with_token(path: &str, token: &str) -> Request {
    Request::get(path).header("Authorization", &format!("Bearer {token}"))
}

fn challenge(answer: &Response) -> &str {
    answer.header("www-authenticate").unwrap_or_default()
}

#[track_caller]
fn assert_invalid(scene: &Scene, token: &str, why: &str) {
    let heard = scene.application.heard().len();
    for path in ["/api/x", "/page"] {
        let answer = ask(scene, &with_token(path, token));
        assert_eq!(answer.status, 401, "{path}: {}", answer.text());
        let said = challenge(&answer);
        assert!(said.starts_with("Bearer realm=\"shop\", error=\"invalid_token\", error_description=\""), "{said}");
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(scene.application.heard().len(), heard);
}

#[test]
fn a_good_token_passes_on_bearer_and_login_routes_and_says_who_calls() {
    let scene = scene(json!({}));
    let good = token(&scene, &claims(&scene));
    for path in ["/api/x", "/api/staff", "/page"] {
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let request = Request::get(path).header("Authorization", &format!("{scheme} {good}"));
            let answer = ask(&scene, &request);
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            assert_eq!(answer.header("set-cookie"), None);
        }
    }
    for heard in scene.application.heard() {
        assert_eq!(heard.header("x-forwarded-user"), Some("subject-of-robot"));
        assert_eq!(heard.header("x-forwarded-roles"), Some("staff"));
    }
}

#[test]
fn a_token_without_the_role_is_forbidden() {
    let scene = scene(json!({}));
    let token = changed(&scene, "realm_access", json!({}));
    assert_eq!(ask(&scene, &with_token("/api/staff", &token)).status, 403);
    assert_eq!(ask(&scene, &with_token("/api/x", &token)).status, 200);
}

#[test]
fn without_a_token_a_bearer_route_says_what_it_needs_and_a_session_does_not_count() {
    let scene = scene(json!({}));
    let mut browser = scene.signed_in();
    let anonymous = ask(&scene, &Request::get("/api/x").header("Accept", "text/html"));
    assert_eq!((anonymous.status, challenge(&anonymous)), (401, "Bearer realm=\"shop\""));
    assert_eq!(anonymous.header("location"), None);
    let signed_in = browser.navigate_once(&scene.url("/api/x")).unwrap();
    assert_eq!((signed_in.status, challenge(&signed_in)), (401, "Bearer realm=\"shop\""));
    assert_eq!(browser.navigate_once(&scene.url("/page")).unwrap().status, 200);
}

#[test]
fn a_token_of_another_client_of_the_realm_is_refused_unless_it_names_us() {
    let scene = scene(json!({}));
    assert_invalid(&scene, &changed(&scene, "azp", json!("other")), "another client");
    let mut named = claims(&scene);
    named["azp"] = json!("other");
    named["aud"] = json!(["account", CLIENT]);
    assert_eq!(ask(&scene, &with_token("/api/x", &token(&scene, &named))).status, 200);
}

#[test]
fn verify_token_audience_asks_for_our_name_or_for_none() {
    let strict = scene(json!({ "verify-token-audience": true }));
    assert_invalid(&strict, &token(&strict, &claims(&strict)), "another client");
    assert_eq!(ask(&strict, &with_token("/api/x", &changed(&strict, "aud", json!(CLIENT)))).status, 200);
    let lax = scene(json!({ "verify-token-audience": false }));
    assert_eq!(ask(&lax, &with_token("/api/x", &changed(&lax, "azp", json!("other")))).status, 200);
}

#[test]
fn whatever_is_wrong_with_a_token_is_said_and_nothing_passes() {
    let scene = scene(json!({}));
    let now = scene.clock_secs();
    let good = claims(&scene);
    let faulty = |faults: &[TokenFault]| scene.server.sign("JWT", good.clone(), faults);
    assert_invalid(&scene, &changed(&scene, "exp", json!(now - 60)), "expired");
    assert_invalid(&scene, &changed(&scene, "nbf", json!(now + 600)), "`nbf`");
    assert_invalid(&scene, &changed(&scene, "iss", json!("http://evil.test")), "`iss`");
    assert_invalid(&scene, &changed(&scene, "typ", json!("ID")), "another type");
    assert_invalid(&scene, &changed(&scene, "typ", json!("Refresh")), "another type");
    assert_invalid(&scene, &changed(&scene, "sub", json!(null)), "`sub`");
    assert_invalid(&scene, &changed(&scene, "cnf", json!({ "jkt": "x" })), "bound to a key");
    assert_invalid(&scene, &faulty(&[TokenFault::OtherKey]), "does not verify");
    assert_invalid(&scene, &faulty(&[TokenFault::CorruptSignature]), "does not verify");
    assert_invalid(&scene, &faulty(&[TokenFault::Unsigned]), "`none`");
    assert_invalid(&scene, &faulty(&[TokenFault::Hs256(scene.server.rsa_public_der())]), "HS256");
    assert_invalid(&scene, "null", "opaque");
    assert_invalid(&scene, "a.b", "three parts");
    let logout = scene.server.logout_claims(CLIENT, Some("sid"), Some("subject-of-robot"));
    assert_invalid(&scene, &scene.server.sign("logout+jwt", logout, &[]), "another type");
}

#[test]
fn a_bad_token_is_final_beside_a_good_session() {
    let scene = scene(json!({}));
    let mut browser = scene.signed_in();
    let request = Request::get("").header("Authorization", "Bearer x.y.z");
    assert_eq!(browser.fetch(&scene.url("/page"), request).unwrap().status, 401);
    let request = Request::get("").header("Authorization", "Bearer");
    assert_eq!(browser.fetch(&scene.url("/page"), request).unwrap().status, 401);
    assert_eq!(browser.fetch(&scene.url("/page"), Request::get("")).unwrap().status, 200);
}

#[test]
fn more_than_one_credential_is_ambiguous() {
    let scene = scene(json!({ "ignore-oauth-query-parameter": false }));
    let good = token(&scene, &claims(&scene));
    let twice = with_token("/api/x", &good).header("authorization", &format!("Bearer {good}"));
    let answer = ask(&scene, &twice);
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("Authorization"), "{}", answer.text());
    let both = with_token(&format!("/api/x?access_token={good}"), &good);
    assert_eq!(ask(&scene, &both).status, 400);
    assert_eq!(scene.application.heard(), []);
}

#[test]
fn what_is_no_credential_of_ours_is_the_applications() {
    let scene = scene(json!({}));
    for (path, value) in [("/open/x", "Bearer x.y.z"), ("/open/x", "Basic YTpi")] {
        assert_eq!(ask(&scene, &Request::get(path).header("Authorization", value)).status, 200, "{path} {value}");
        assert_eq!(scene.application.heard().last().unwrap().header("authorization"), Some(value));
    }
    let mut browser = scene.signed_in();
    let request = Request::get("").header("Authorization", "Digest username=x");
    assert_eq!(browser.fetch(&scene.url("/page"), request).unwrap().status, 200);
    assert_eq!(scene.application.heard().last().unwrap().header("authorization"), Some("Digest username=x"));
}

#[test]
fn a_token_in_the_query_counts_only_where_it_is_wanted_and_goes_no_further() {
    let usual = scene(json!({}));
    let good = token(&usual, &claims(&usual));
    assert_eq!(ask(&usual, &Request::get(&format!("/api/x?access_token={good}"))).status, 401);
    let wanted = scene(json!({ "ignore-oauth-query-parameter": false }));
    let good = token(&wanted, &claims(&wanted));
    let answer = ask(&wanted, &Request::get(&format!("/api/x?a=1&access_token={good}&b=%zz")));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    assert_eq!(wanted.application.heard().last().unwrap().target, "/api/x?a=1&b=%zz");
    assert_eq!(ask(&wanted, &Request::get("/api/x?access_token=")).status, 401);
    // On a public route it is the application's own.
    ask(&wanted, &Request::get("/open/x?access_token=own"));
    assert_eq!(wanted.application.heard().last().unwrap().target, "/open/x?access_token=own");
}

#[test]
fn a_token_is_remembered_but_its_end_and_its_revocation_are_asked_each_time() {
    let scene = scene(json!({}));
    let old = changed(&scene, "sub", json!("subject-of-alice"));
    assert_eq!(ask(&scene, &with_token("/api/x", &old)).status, 200);
    // Who signs in tells which of the user's tokens count no more.
    scene.clock.advance(std::time::Duration::from_secs(10));
    let now = scene.clock_secs();
    scene.server.configure(|options| options.not_before = now);
    scene.signed_in();
    assert_invalid(&scene, &old, "Stale token");
    let other = token(&scene, &claims(&scene));
    assert_eq!(ask(&scene, &with_token("/api/x", &other)).status, 200);
    scene.clock.advance(std::time::Duration::from_secs(331));
    assert_invalid(&scene, &other, "expired");
}

/// Nothing is asked of a token while a WebSocket is open: its own end is the last moment.
#[test]
fn a_websocket_opened_with_a_token_ends_with_it() {
    let scene = scene(json!({ "sidecar": { "provider": { "clock-skew": "0s" } } }));
    let lines = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let short = changed(&scene, "exp", json!(scene.clock_secs() + 1));
    let mut ending = WebSocket::open(scene.adapter.public_address, "/ws", &lines(&short));
    let mut lasting = WebSocket::open(scene.adapter.public_address, "/ws", &lines(&token(&scene, &claims(&scene))));
    ending.say(TEXT, b"still there");
    assert_eq!(ending.hear(), (TEXT, b"still there".to_vec()));
    assert_eq!(ending.hear().0, CLOSE);
    lasting.say(TEXT, b"still there");
    assert_eq!(lasting.hear(), (TEXT, b"still there".to_vec()));
}

#[test]
fn an_unknown_key_is_asked_for_once_per_cooldown() {
    let scene = scene(json!({}));
    scene.clock.advance(std::time::Duration::from_secs(60));
    let before = scene.server.calls(Endpoint::Jwks);
    for _ in 0..5 {
        let forged = scene.server.sign("JWT", claims(&scene), &[TokenFault::header("kid", "unknown")]);
        assert_eq!(ask(&scene, &with_token("/api/x", &forged)).status, 401);
    }
    assert_eq!(scene.server.calls(Endpoint::Jwks) - before, 1);
}

#[test]
fn bearer_only_knows_neither_sessions_nor_sign_in() {
    let usual = scene(json!({}));
    let mut browser = usual.signed_in();
    let cookie = browser.jar_mut().header(&usual.url("/").parse().unwrap(), usual.clock_secs()).unwrap();
    let only = scene(json!({ "bearer-only": true, "credentials": null }));
    let html = Request::get("/page").header("Accept", "text/html").header("Cookie", &cookie);
    let answer = ask(&only, &html);
    assert_eq!((answer.status, challenge(&answer)), (401, "Bearer realm=\"shop\""));
    assert_eq!((answer.header("location"), answer.header("set-cookie")), (None, None));
    for path in ["/oauth2/start", "/oauth2/callback?code=x&state=y", "/oauth2/userinfo", "/oauth2/signed_out"] {
        assert_eq!(ask(&only, &Request::get(path)).status, 404, "{path}");
    }
    ask(&only, &Request::get("/open/x").header("Cookie", &cookie));
    assert_eq!(only.application.heard().last().unwrap().header("x-forwarded-user"), None);
    assert_eq!(ask(&only, &with_token("/page", &token(&only, &claims(&only)))).status, 200);
}

#[test]
fn autodetection_challenges_programs_asks_browsers_to_sign_in_and_lets_sessions_be() {
    let scene = scene(json!({ "autodetect-bearer-only": true }));
    let html = || Request::get("/page").header("Accept", "text/html");
    for program in [
        Request::get("/page"),
        Request::get("/page").header("Accept", "application/json"),
        html().header("X-Requested-With", "xmlhttprequest"),
        html().header("Faces-Request", "partial/ajax"),
        html().header("SOAPAction", ""),
    ] {
        let answer = ask(&scene, &program);
        assert_eq!((answer.status, challenge(&answer)), (401, "Bearer realm=\"shop\""), "{program:?}");
    }
    assert_eq!(ask(&scene, &html()).status, 302);
    let mut browser = scene.signed_in();
    let request = Request::get("").header("X-Requested-With", "XMLHttpRequest");
    assert_eq!(browser.fetch(&scene.url("/page"), request).unwrap().status, 200);
}

fn basic(path: &str, pair: &str) -> Request {
    Request::get(path).header("Authorization", &format!("Basic {}", STANDARD.encode(pair)))
}

#[test]
fn a_user_and_a_password_are_asked_about_at_each_request() {
    let scene = scene(json!({ "enable-basic-auth": true }));
    let before = scene.token_calls();
    for _ in 0..2 {
        let answer = ask(&scene, &basic("/api/x", "alice:alice"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let heard = scene.application.heard().pop().unwrap();
        assert_eq!(heard.header("x-forwarded-preferred-username"), Some("alice"));
        assert_eq!(heard.header("authorization"), None, "the password goes no further");
    }
    assert_eq!(scene.token_calls() - before, 2);
    let mut browser = scene.signed_in();
    for pair in ["alice:wrong", "nobody:alice", "alice:", "alice"] {
        let request = basic("", pair);
        let answer = browser.fetch(&scene.url("/page"), request).unwrap();
        assert_eq!(answer.status, 401, "{pair}");
        assert!(challenge(&answer).starts_with("Bearer realm=\"shop\", error=\"no_token\""), "{}", challenge(&answer));
    }
}

#[test]
fn passwords_without_an_identity_server_are_no_refusal() {
    let mut scene = scene(json!({ "enable-basic-auth": true }));
    scene.server.stop();
    let answer = ask(&scene, &basic("/api/x", "alice:alice"));
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    scene.server.restart().unwrap();
    scene.server.next(Endpoint::Token, Fault::AccessToken(vec![TokenFault::OtherKey]));
    assert_eq!(ask(&scene, &basic("/api/x", "alice:alice")).status, 401);
}

#[test]
fn a_plain_provider_is_named_by_its_host_and_its_tokens_by_their_type() {
    let rules = json!({ "sidecar": { "rules": [{ "path": "/api/*", "access": "bearer" }] } });
    let scene = Options::default().with(rules).start();
    let answer = ask(&scene, &Request::get("/api/x"));
    assert_eq!(challenge(&answer), "Bearer realm=\"127.0.0.1\"");
    let mut claims = claims(&scene);
    claims.as_object_mut().unwrap().retain(|name, _| !["typ", "azp"].contains(&name.as_str()));
    claims["client_id"] = json!(CLIENT);
    let by_type = |typ: &str| ask(&scene, &with_token("/api/x", &scene.server.sign(typ, claims.clone(), &[]))).status;
    assert_eq!([by_type("at+jwt"), by_type("JWT")], [200, 401]);
}
