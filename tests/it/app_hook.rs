//! The application hears of sessions that end from outside (`app-logout-hook`), once of each, and from nobody but us.

use std::net::TcpListener;

use identity_server::{
    AdminAction, Application, Browser, Heard,
    http::{self, Request},
};
use serde_json::{Value, json};

use crate::support::{CLIENT, Options, Scene, until};

const PATH: &str = "/internal/logout";
const MARK: &str = "x-doorward-event";

fn realm(hook: &Value) -> Options {
    Options::keycloak().with(json!({ "sidecar": { "app-logout-hook": hook } }))
}

fn scene() -> Scene {
    realm(&json!({ "path": PATH })).start()
}

/// The session at the identity server that a browser has, as its cookie there tells.
fn sid(browser: &Browser) -> String {
    let cookie = browser.jar().find("IDENTITY_SERVER_SESSION").unwrap();
    cookie.value.split_once('.').unwrap().0.to_owned()
}

/// What we called our own session when its tokens came.
fn adapter_session(scene: &Scene, browser: &Browser) -> String {
    scene.server.client_session(CLIENT, &sid(browser)).unwrap().state
}

/// Pushes a `k_logout` as Keycloak does, and expects it to be taken.
#[track_caller]
fn log_out(scene: &Scene, fields: Value) {
    let action = scene.server.admin_action(CLIENT, AdminAction::Logout, fields, &[]);
    let answer = http::send(scene.adapter.admin_address, &Request::new("POST", "/k_logout").body(action)).unwrap();
    assert!(matches!(answer.status, 200 | 204), "{}: {}", answer.status, answer.text());
}

/// So that the login is older than what is to end it.
fn pass_a_while(scene: &Scene) {
    scene.clock.advance(std::time::Duration::from_secs(10));
}

fn outcomes(scene: &Scene, outcome: &str) -> u64 {
    scene.adapter.metric(&format!("doorward_app_hooks_total{{outcome=\"{outcome}\"}}"))
}

/// All events that the application heard until the adapter had ended, and how it ended what waited.
fn events(scene: Scene) -> Vec<Heard> {
    let application = scene.application;
    drop(scene.adapter);
    application.heard().into_iter().filter(|heard| heard.header(MARK).is_some()).collect()
}

fn said(heard: &Heard) -> Value {
    serde_json::from_slice(&heard.body).unwrap()
}

/// Keycloak names the session by two ids.
#[test]
fn a_logout_that_names_a_session_reaches_the_application_once_with_user_and_session() {
    for store in ["cookie", "session"] {
        let scene = realm(&json!({ "path": PATH })).with(json!({ "token-store": store })).start();
        let (browser, _other) = (scene.signed_in(), scene.signed_in());
        pass_a_while(&scene);
        let (sid, session) = (sid(&browser), adapter_session(&scene, &browser));
        log_out(&scene, json!({ "adapterSessionIds": [session], "keycloakSessionIds": [sid] }));
        until("told", || (outcomes(&scene, "told") == 1).then_some(()));
        let events = events(scene);
        let [heard] = &events[..] else { panic!("{store}: {events:?}") };
        assert_eq!((heard.method.as_str(), heard.target.as_str()), ("POST", PATH), "{store}");
        let expected = json!({
            "reason": "keycloak", "everybody": false, "sub": "subject-of-alice", "sid": sid, "session": session,
        });
        assert_eq!(said(heard), expected, "{store}");
        for (name, value) in [(MARK, "logout"), ("content-type", "application/json"), ("host", "app.test")] {
            assert_eq!(heard.header(name), Some(value), "{store}");
        }
        assert!(heard.header("user-agent").unwrap().starts_with("doorward/"), "{store}");
        assert!(heard.header("cookie").is_none() && heard.header("authorization").is_none(), "{store}");
    }
}

#[test]
fn what_nobody_has_seen_here_is_told_as_it_was_named() {
    let scene = scene();
    log_out(&scene, json!({ "adapterSessionIds": ["one", "two"], "keycloakSessionIds": ["its own"] }));
    log_out(&scene, json!({ "adapterSessionIds": ["three"] }));
    log_out(&scene, json!({ "keycloakSessionIds": [] }));
    until("told", || (outcomes(&scene, "told") == 2).then_some(()));
    let mut said: Vec<Value> = events(scene).iter().map(said).collect();
    said.sort_by_key(Value::to_string);
    let of = |name: &str, id: &str| json!({ "reason": "keycloak", "everybody": false, name: id });
    assert_eq!(said, [of("session", "three"), of("sid", "its own")]);
}

#[test]
fn the_end_of_everybodys_sessions_is_one_event() {
    let scene = scene();
    let _both = (scene.signed_in(), scene.signed_in());
    pass_a_while(&scene);
    log_out(&scene, json!({}));
    until("told", || (outcomes(&scene, "told") == 1).then_some(()));
    let said: Vec<Value> = events(scene).iter().map(said).collect();
    assert_eq!(said, [json!({ "reason": "keycloak", "everybody": true })]);
}

#[test]
fn a_logout_token_is_told_to_an_application_on_a_unix_socket_by_the_method_it_wants() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("application");
    let application = Application::start_unix(&socket).unwrap();
    let upstream = json!({ "sidecar": { "upstream": application.upstream() } });
    let mut scene = realm(&json!({ "path": PATH, "method": "PUT" })).with(upstream).start();
    scene.application = application;
    let browser = scene.signed_in();
    pass_a_while(&scene);
    let token = scene.server.logout_token(CLIENT, Some(&sid(&browser)), None, &[]);
    let request = Request::form("/oauth2/backchannel-logout", &[("logout_token", &token)]).header("Host", "app.test");
    assert_eq!(http::send(scene.adapter.public_address, &request).unwrap().status, 200);
    until("told", || (outcomes(&scene, "told") == 1).then_some(()));
    let events = events(scene);
    let [heard] = &events[..] else { panic!("{events:?}") };
    assert_eq!((heard.method.as_str(), heard.target.as_str()), ("PUT", PATH));
    assert_eq!(
        (&said(heard)["reason"], &said(heard)["sub"]),
        (&json!("backchannel_logout"), &json!("subject-of-alice"))
    );
}

#[test]
fn what_users_end_themselves_is_no_event() {
    let scene = scene();
    let mut browser = scene.signed_in();
    scene.sign_out(&mut browser);
    assert_eq!(events(scene), []);
}

/// It is not waited for, and neither are the users.
#[test]
fn an_application_that_does_not_answer_costs_the_push_nothing() {
    let scene = realm(&json!({ "path": "/slow" })).start();
    let before = scene.application.heard().len();
    for sid in ["one", "two", "three", "four", "five", "six"] {
        log_out(&scene, json!({ "keycloakSessionIds": [sid] }));
    }
    // As many as may be under way; none is answered.
    assert!(scene.application.wait_for_requests(before + 4));
    assert_eq!((outcomes(&scene, "told"), outcomes(&scene, "untold")), (0, 0));
    scene.signed_in();
    scene.application.release();
    until("told", || (outcomes(&scene, "told") >= 4).then_some(()));
}

#[test]
fn an_application_that_does_not_take_an_event_is_told_three_times_and_no_more() {
    let scene = realm(&json!({ "path": "/status/503" })).start();
    log_out(&scene, json!({ "keycloakSessionIds": ["one"] }));
    until("given up", || (outcomes(&scene, "untold") == 1).then_some(()));
    let events = events(scene);
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|heard| said(heard) == said(&events[0])));
}

#[test]
fn an_application_that_is_away_is_given_up_in_the_end() {
    let nowhere = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let upstream = json!({ "sidecar": { "upstream": format!("http://{nowhere}") } });
    let scene = realm(&json!({ "path": PATH })).with(upstream).start();
    log_out(&scene, json!({ "keycloakSessionIds": ["one"] }));
    until("given up", || (outcomes(&scene, "untold") == 1).then_some(()));
}

/// Who could send it would log others out of the application.
#[test]
fn no_client_can_say_that_it_speaks_for_us_on_any_path_in_any_spelling() {
    let public = json!({ "sidecar": { "rules": [{ "path": "/internal/*", "access": "public" }] } });
    let scene = realm(&json!({ "path": PATH })).with(public).start();
    let mut browser = scene.signed_in();
    let spellings =
        ["X-Doorward-Event", "X_Doorward_Event", "X-Doorward_Event", "X.Doorward.Event", "x~doorward-EVENT"];
    for path in [PATH, "/internal/logout;x", "/private"] {
        let forged = spellings.iter().fold(Request::new("POST", ""), |request, name| request.header(name, "logout"));
        let forged = forged.header("Content-Type", "application/json").body(r#"{"everybody":true}"#);
        let before = scene.application.heard().len();
        browser.fetch(&scene.url(path), forged).unwrap();
        assert_eq!(scene.application.heard().len(), before + 1, "{path} did not pass");
        let heard = scene.application.last().unwrap();
        let forged: Vec<_> =
            heard.headers.iter().filter(|(name, _)| name.to_ascii_lowercase().contains("event")).collect();
        assert!(forged.is_empty(), "{path}: {forged:?}");
    }
}
