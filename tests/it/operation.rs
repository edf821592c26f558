//! What operators see: health, readiness, metrics, an orderly end, and logs that keep their secrets.

use std::thread;

use identity_server::{Application, Endpoint, Fault, TokenFault, http, http::Request};
use serde_json::json;

use crate::support::{KEY, Options, Program, SECRET, Scene, proxied::Wire, until};

#[test]
fn the_admin_listener_tells_health_readiness_and_metrics() {
    let scene = Scene::start();
    let health = scene.adapter.admin("/healthz");
    assert_eq!((health.status, health.text().as_str()), (200, "ok\n"));
    let ready = scene.adapter.admin("/readyz");
    assert_eq!((ready.status, ready.header("cache-control")), (200, Some("no-store")));
    assert_eq!(ready.json(), json!({ "ready": true, "identity_server": true, "draining": false }));
    let mut browser = scene.signed_in();
    scene.sign_out(&mut browser);
    assert_eq!(scene.adapter.metric("doorward_sign_ins_total{outcome=\"ok\"}"), 1);
    assert_eq!(scene.adapter.metric("doorward_sign_outs_total"), 1);
    assert_eq!(scene.adapter.metric("doorward_revocations"), 1);
    assert_eq!(scene.adapter.metric("doorward_ready"), 1);
    assert_eq!(scene.adapter.admin("/other").status, 404);
}

/// Case 54 as far as there is an admin listener, and case 10.
#[test]
fn the_admin_words_are_not_answered_on_the_public_listener() {
    let scene = Scene::start();
    for path in ["/healthz", "/readyz", "/metrics", "/oauth2/healthz", "/oauth2/ping/../private", "/k_logout"] {
        let request = Request::get(path).header("User-Agent", "kube-probe/1.30").header("Host", "app.test");
        let answer = http::send(scene.adapter.public_address, &request).unwrap();
        assert!(matches!(answer.status, 400 | 401 | 404), "{path}: {}", answer.status);
    }
    assert_eq!(scene.application.heard(), []);
}

#[test]
fn a_stop_makes_the_node_not_ready_and_finishes_what_is_in_flight() {
    let scene =
        Options::default().with(json!({ "sidecar": { "rules": [{ "path": "/*", "access": "public" }] } })).start();
    thread::scope(|scope| {
        let slow =
            scope.spawn(|| http::send(scene.adapter.public_address, &Request::get("/slow").header("Host", "app.test")));
        assert!(scene.application.wait_for_requests(1));
        scene.adapter.begin_to_stop();
        until("not ready", || (scene.adapter.admin("/readyz").json()["draining"] == true).then_some(()));
        assert_eq!(scene.adapter.admin("/readyz").status, 503);
        scene.application.release();
        assert_eq!(slow.join().unwrap().unwrap().status, 200);
    });
}

/// Asks the program to stop while the application still works on a request. That request's answer is what the thread yields.
fn stopping_with_a_slow_request() -> (Program, Application, thread::JoinHandle<Result<http::Response, http::Error>>) {
    let (_clock, _server, application, _, mut config) = Options::default().prepare();
    config["sidecar"]["rules"] = json!([{ "path": "/*", "access": "public" }]);
    config["sidecar"]["limits"] = json!({ "drain": "60s" });
    let program = Program::serve(&config);
    let address = program.address("public");
    let slow = thread::spawn(move || http::send(address, &Request::get("/slow").header("Host", "app.test")));
    assert!(application.wait_for_requests(1));
    program.terminate();
    until("it is stopping", || program.printed().contains("stopping").then_some(()));
    (program, application, slow)
}

#[test]
fn sigterm_ends_the_program_with_0_after_the_slow_request() {
    let (program, application, slow) = stopping_with_a_slow_request();
    application.release();
    assert_eq!(slow.join().unwrap().unwrap().status, 200);
    assert_eq!(program.wait(), Some(0));
}

/// As a load balancer does that asks for health all the time on one connection.
#[test]
fn an_admin_connection_that_is_kept_in_use_holds_up_no_end() {
    let (_clock, _server, _application, _, config) = Options::default().prepare();
    let program = Program::serve(&config);
    let mut wire = Wire::connect(program.address("admin"));
    let mut ask = move || {
        wire.say("GET /healthz HTTP/1.1\r\nHost: admin\r\n\r\n");
        wire.head().map(|_| wire.exactly(3))
    };
    assert_eq!(ask().as_deref(), Some(&b"ok\n"[..]));
    let asking = thread::spawn(move || while ask().is_some() {});
    program.terminate();
    // Within the patience of these stories, which is as long as actix waits by itself.
    assert_eq!(program.wait(), Some(0));
    // However the connection ended.
    drop(asking.join());
}

/// Who asks twice does not want to wait.
#[test]
fn a_second_signal_ends_what_is_in_flight() {
    let (program, _application, slow) = stopping_with_a_slow_request();
    program.terminate();
    assert_eq!(program.wait(), Some(1));
    assert!(slow.join().unwrap().is_err());
}

/// A signal that comes while the listeners are still being set up must not kill the process. The warning is the first
/// thing that it prints, well before.
#[test]
fn sigterm_right_at_the_start_is_an_orderly_end_too() {
    let (_clock, _server, _application, _, mut config) = Options::keycloak().prepare();
    config["turn-off-change-session-id-on-login"] = json!(true);
    let program = Program::serve(&config);
    until("it starts", || program.printed().contains("turn-off-change-session-id-on-login").then_some(()));
    program.terminate();
    assert_eq!(program.wait(), Some(0), "{}", program.printed());
}

/// Case 66: the values that must not be told are known, and looked for in everything that was printed.
#[test]
fn the_log_tells_what_happened_and_no_secret_at_any_level() {
    let (_clock, server, application, origin, mut config) = Options::keycloak().prepare();
    // The program has the system's clock.
    server.configure(|options| options.now = identity_server::Options::default().now);
    config["sidecar"]["log"] = json!({ "filter": "doorward=trace", "format": "json" });
    config["sidecar"]["forward-access-token"] = json!(true);
    let program = Program::serve(&config);
    until("ready", || program.printed().contains("the identity server is reached").then_some(()));
    let mut secrets = vec![SECRET.to_owned(), KEY.to_owned()];
    let mut browser = identity_server::Browser::new();
    browser.serve_origin(origin, program.address("public"), &[]);
    let url = |path: &str| format!("{origin}{path}");
    let mut remember = |browser: &identity_server::Browser| {
        secrets.extend(browser.jar().cookies().iter().map(|cookie| cookie.value.clone()));
        for call in server.received(Endpoint::Token).iter().chain(&server.received(Endpoint::Authorization)) {
            let names = ["code", "code_verifier", "state", "nonce"];
            secrets.extend(names.iter().filter_map(|name| call.field(name)).map(str::to_owned));
        }
        let refresh = server.last(Endpoint::Revocation).and_then(|call| call.field("token").map(str::to_owned));
        let access = application.last().and_then(|heard| heard.header("authorization").map(str::to_owned));
        let access = access.map(|value| value.trim_start_matches("Bearer ").to_owned());
        secrets.extend(refresh.into_iter().chain(access));
    };
    browser.navigate_once(&url("/private")).unwrap();
    remember(&browser);
    assert_eq!(browser.navigate(&url("/private?token=planted-in-a-query")).unwrap().response.status, 200);
    remember(&browser);
    let stale = browser.clone();
    let out = Request::new("POST", "").header("Sec-Fetch-Site", "same-origin");
    let left = browser.fetch(&url("/oauth2/sign_out"), out).unwrap();
    let hint = url::Url::parse(left.header("location").unwrap()).unwrap();
    remember(&browser);
    for fault in [
        Fault::IdToken(vec![TokenFault::set("nonce", "another")]),
        Fault::IdToken(vec![TokenFault::OtherKey]),
        Fault::text(
            400,
            "application/json",
            &json!({ "error": "invalid_grant", "error_description": SECRET }).to_string(),
        ),
        Fault::text(200, "application/json", &format!("{{\"access_token\":\"{SECRET}\"")),
        Fault::set("refresh_token", "planted-refresh-token.".repeat(20_000)),
        Fault::status(503),
    ] {
        server.next(Endpoint::Token, fault);
        let mut browser = identity_server::Browser::new();
        browser.serve_origin(origin, program.address("public"), &[]);
        assert!(browser.navigate(&url("/private")).unwrap().response.status >= 400);
        remember(&browser);
    }
    let mut stale = stale;
    stale.navigate_once(&url("/private")).unwrap();
    stale.navigate_once(&url("/oauth2/callback?code=planted-code&state=planted-state")).unwrap();
    program.terminate();
    assert_eq!(program.wait(), Some(0));
    secrets.extend(["planted-in-a-query", "planted-code", "planted-state", "planted-refresh-token"].map(str::to_owned));
    secrets.push(hint.query_pairs().find(|(name, _)| name == "id_token_hint").unwrap().1.into_owned());
    let printed = program.printed();
    for told in [
        "signed in",
        "signed out",
        "a code became no login",
        "belongs to no attempt",
        "a session cannot be kept",
        "claim `nonce`",
        "\"level\":\"DEBUG\"",
    ] {
        assert!(printed.contains(told), "the log says nothing of: {told}\n{printed}");
    }
    let mut looked_for = 0;
    for secret in secrets.iter().filter(|secret| secret.len() >= 12) {
        looked_for += 1;
        assert!(!printed.contains(secret.as_str()), "the log tells {secret}");
        // A token's signature is no secret without the rest, but its payload is one without the signature.
        for part in secret.split('.').filter(|part| part.len() > 60) {
            assert!(!printed.contains(part), "the log tells a part of {secret}");
        }
    }
    assert!(looked_for > 20, "only {looked_for} values were looked for");
}
