//! The session API: what it tells and to whom, and that what it ends has ended.

mod command;
mod ending;
mod restart;

use std::collections::HashSet;

use identity_server::{
    Browser, Endpoint, User,
    http::{self, Request, Response},
};
use serde_json::{Value, json};

use crate::support::{Adapter, KEY, Options, SECRET, Scene};

/// What opens the API. Of no use outside of these stories.
const TOKEN: &str = "planted-admin-token-5b1e";

/// Two users, and an API.
fn options() -> Options {
    let sidecar = json!({ "sidecar": { "admin": { "token": TOKEN }, "forward-access-token": true } });
    Options::default().with(sidecar).server(|server| {
        server.users.push(User::named("bob"));
        server.auto_login = None;
    })
}

fn both_stores() -> [(&'static str, Options); 2] {
    [("cookie", options()), ("session", options().in_process())]
}

/// A browser in which `user` has signed in.
fn signed_in(scene: &Scene, user: &str) -> Browser {
    let mut browser = scene.browser();
    let login = scene.sign_in(&mut browser);
    let page = browser.log_in(&login, user, user).unwrap();
    assert_eq!(page.response.status, 200, "{}", page.response.text());
    browser
}

fn is_in(scene: &Scene, browser: &Browser) -> bool {
    let answer = browser.clone().navigate_once(&scene.url("/private")).unwrap();
    let is_login =
        answer.header("location").is_some_and(|to| to.starts_with(&scene.server.url(Endpoint::Authorization)));
    assert_eq!((answer.status == 302, answer.status == 200), (is_login, !is_login), "{}", answer.text());
    answer.status == 200
}

/// Asks with these headers besides.
fn ask_with(adapter: &Adapter, method: &str, target: &str, headers: &[(&str, &str)]) -> Response {
    let add = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
    http::send(adapter.admin_address, &headers.iter().fold(Request::new(method, target), add)).unwrap()
}

/// Asks as who may.
fn ask(adapter: &Adapter, method: &str, target: &str) -> Response {
    ask_with(adapter, method, target, &[("Authorization", &format!("Bearer {TOKEN}"))])
}

/// The sessions that are listed for `query`.
fn listed(adapter: &Adapter, query: &str) -> Vec<Value> {
    let answer = ask(adapter, "GET", &format!("/sessions{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["sessions"].as_array().unwrap().clone()
}

/// The one session of `user`.
fn session_of(adapter: &Adapter, user: &str) -> Value {
    let found = listed(adapter, &format!("?user={user}"));
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

fn field<'a>(session: &'a Value, name: &str) -> &'a str {
    session[name].as_str().unwrap_or_else(|| panic!("no {name} in {session}"))
}

/// All that opens something: what browsers hold, and what passed between the others.
fn secrets(scene: &Scene, browsers: &[&Browser]) -> HashSet<String> {
    let cookies = browsers.iter().flat_map(|browser| browser.jar().cookies()).map(|cookie| cookie.value.clone());
    let mut secrets: HashSet<String> = cookies.chain([SECRET, KEY, TOKEN].map(str::to_owned)).collect();
    for endpoint in [Endpoint::Authorization, Endpoint::Token] {
        for call in scene.server.received(endpoint) {
            let names = ["code", "code_verifier", "state", "nonce", "refresh_token"];
            secrets.extend(names.iter().filter_map(|name| call.field(name)).map(str::to_owned));
        }
    }
    let heard = scene.application.heard();
    secrets
        .extend(heard.iter().filter_map(|it| it.header("authorization")?.strip_prefix("Bearer ")).map(str::to_owned));
    secrets
}

#[test]
fn sessions_are_listed_and_shown_with_what_is_known_of_them() {
    for (store, options) in both_stores() {
        let scene = options.start();
        let start = listed(&scene.adapter, "");
        assert!(start.is_empty(), "{start:?}");
        let (_alice, _bob) = (signed_in(&scene, "alice"), signed_in(&scene, "bob"));
        let head = ask(&scene.adapter, "GET", "/sessions").json();
        assert_eq!((&head["store"], &head["truncated"]), (&json!(store), &json!(false)));
        assert_eq!(field(&head, "known_since"), "2030-03-17T17:46:40.000Z");
        assert_eq!(field(&head, "covers").contains("since it started"), store == "cookie");
        let all = listed(&scene.adapter, "");
        let mut names: Vec<&str> = all.iter().map(|one| field(one, "username")).collect();
        names.sort_unstable();
        assert_eq!(names, ["alice", "bob"]);
        let alice = session_of(&scene.adapter, "alice");
        assert_eq!(session_of(&scene.adapter, "subject-of-alice"), alice);
        assert_eq!(listed(&scene.adapter, &format!("?sid={}", field(&alice, "sid"))), std::slice::from_ref(&alice));
        assert!(scene.server.sessions().iter().any(|(sid, _)| sid == field(&alice, "sid")));
        for name in ["established_at", "opened_at", "last_seen", "proved_at"] {
            assert_eq!(field(&alice, name), "2030-03-17T17:46:40.000Z", "{name}");
        }
        assert!(listed(&scene.adapter, &format!("?user=bob&sid={}", field(&alice, "sid"))).is_empty());
        assert!(listed(&scene.adapter, "?user=Alice").is_empty(), "names are compared exactly");
        let shown = ask(&scene.adapter, "GET", &format!("/sessions/{}", field(&alice, "id")));
        assert_eq!((shown.status, &shown.json()["session"]), (200, &alice));
        let unknown = ask(&scene.adapter, "GET", "/sessions/unknown");
        assert_eq!((unknown.status, &unknown.json()["store"]), (404, &json!(store)));
        let cut = ask(&scene.adapter, "GET", "/sessions?limit=1").json();
        assert_eq!((cut["sessions"].as_array().unwrap().len(), &cut["truncated"]), (1, &json!(true)));
    }
}

#[test]
fn no_answer_holds_anything_that_opens_something() {
    for (store, options) in both_stores() {
        let scene = options.start();
        let (alice, bob) = (signed_in(&scene, "alice"), signed_in(&scene, "bob"));
        let known = session_of(&scene.adapter, "alice");
        let targets = ["/sessions", "/nodes", "/readyz", "/metrics"].map(str::to_owned);
        let mut answers: Vec<Response> = targets.iter().map(|target| ask(&scene.adapter, "GET", target)).collect();
        let one = format!("/sessions/{}", field(&known, "id"));
        answers.extend(["GET", "DELETE", "GET"].map(|method| ask(&scene.adapter, method, &one)));
        answers.extend(
            ["/sessions?user=bob", "/sessions?all=true", "/sessions?user=&x=y"]
                .map(|it| ask(&scene.adapter, "DELETE", it)),
        );
        let looked_for: Vec<String> =
            secrets(&scene, &[&alice, &bob]).into_iter().filter(|it| it.len() >= 12).collect();
        assert!(looked_for.len() > 10, "{store}: {}", looked_for.len());
        for answer in &answers {
            let text = answer.text() + &format!("{:?}", answer.headers);
            assert!(!looked_for.iter().any(|secret| text.contains(secret.as_str())), "{store}: {text}");
            assert!(!text.contains(".eyJ"), "{store}: a token in {text}");
        }
    }
}

const PATHS: [&str; 7] =
    ["/sessions", "/sessions/", "/sessions/x", "/sessions/x/y", "/sessions?all=true", "/nodes", "/nodes/x"];

#[test]
fn without_a_token_in_the_configuration_there_is_nothing_there() {
    let scene = Options::default().start();
    let elsewhere = ask(&scene.adapter, "GET", "/elsewhere");
    for path in PATHS {
        for method in ["GET", "DELETE", "POST"] {
            let answer = ask(&scene.adapter, method, path);
            assert_eq!(
                (answer.status, answer.text(), answer.header("www-authenticate")),
                (404, String::new(), None),
                "{path}"
            );
            let names = |answer: &Response| answer.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&answer), names(&elsewhere), "{method} {path}");
        }
    }
    let ready = ask(&scene.adapter, "GET", "/readyz").json();
    assert_eq!(ready, json!({ "ready": true, "identity_server": true, "draining": false }));
}

#[test]
fn nobody_without_the_token_gets_past_the_door_of_any_path() {
    let scene = options().start();
    let alice = signed_in(&scene, "alice");
    let (longer, shorter) = (format!("Bearer {TOKEN}x"), format!("Bearer {}", &TOKEN[..TOKEN.len() - 1]));
    let (basic, bare) = (format!("Basic {TOKEN}"), TOKEN.to_owned());
    let right = format!("Bearer {TOKEN}");
    let none: &[(&str, &str)] = &[];
    let one = |value| vec![("Authorization", value)];
    let rows = [
        none.to_vec(),
        one(longer.as_str()),
        one(&shorter),
        one(&basic),
        one(&bare),
        one("Bearer"),
        one("Bearer "),
        vec![("Authorization", &right), ("Authorization", &right)],
        vec![("Cookie", &bare)],
    ];
    for headers in &rows {
        for path in PATHS {
            for method in ["GET", "DELETE", "POST", "HEAD"] {
                let answer = ask_with(&scene.adapter, method, path, headers);
                assert_eq!(answer.status, 401, "{method} {path} {headers:?}");
                assert_eq!(
                    (answer.header("www-authenticate"), answer.header("cache-control")),
                    (Some("Bearer"), Some("no-store"))
                );
                assert_eq!(answer.text(), "", "{method} {path}");
            }
        }
        let ready = ask_with(&scene.adapter, "GET", "/readyz", headers).json();
        assert_eq!(ready, json!({ "ready": true, "identity_server": true, "draining": false }));
    }
    assert!(is_in(&scene, &alice), "somebody without the token ended it");
    for path in ["/sessions/", "/sessions/x/y", "/nodes/x"] {
        assert_eq!(ask(&scene.adapter, "GET", path).status, 404, "{path}");
    }
    let listed = ask(&scene.adapter, "GET", "/sessions");
    assert_eq!((listed.status, listed.header("cache-control")), (200, Some("no-store")));
    assert_eq!(ask(&scene.adapter, "POST", "/sessions").status, 405);
}

#[test]
fn the_token_is_not_taken_in_clear_where_ssl_is_required() {
    let scene = options().https().with(json!({ "ssl-required": "all" })).start();
    let alice = signed_in(&scene, "alice");
    let right = format!("Bearer {TOKEN}");
    let by = |method, target, proto| {
        ask_with(
            &scene.adapter,
            method,
            target,
            &[("Authorization", &right), ("X-Forwarded-Proto", proto), ("X-Forwarded-For", "192.0.2.7")],
        )
    };
    for (method, target) in [("GET", "/sessions"), ("DELETE", "/sessions?all=true"), ("GET", "/nodes")] {
        assert_eq!(by(method, target, "http").status, 403, "{method} {target}");
    }
    assert!(by("GET", "/readyz", "http").json().get("deaf").is_none());
    assert!(is_in(&scene, &alice));
    assert_eq!(by("GET", "/sessions", "https").status, 200);
}

#[test]
fn what_is_meant_by_no_more_than_a_slip_ends_nobody() {
    let scene = options().start();
    let alice = signed_in(&scene, "alice");
    let too_long = format!("/sessions/{}", "x".repeat(2000));
    for target in [
        "/sessions",
        "/sessions?",
        "/sessions?user=",
        "/sessions?all=false",
        "/sessions?all=1",
        "/sessions?user=alice&all=true",
        "/sessions?user=alice&sid=x",
        "/sessions?user=alice&user=bob",
        "/sessions?username=alice",
        too_long.as_str(),
    ] {
        let answer = ask(&scene.adapter, "DELETE", target);
        assert_eq!((answer.status, answer.json()["error"].is_string()), (400, true), "{target}");
    }
    for query in ["?limit=0", "?limit=10001", "?limit=x", "?usr=alice", "?all=true"] {
        assert_eq!(ask(&scene.adapter, "GET", &format!("/sessions{query}")).status, 400, "{query}");
    }
    assert!(is_in(&scene, &alice));
}

/// An application may be mounted at `/sessions`, and its admin URL with it.
#[test]
fn the_words_of_the_back_channel_are_heard_below_these_paths_too() {
    let scene = options().start();
    for path in ["/sessions/k_version", "/nodes/k_version", "/sessions/x/k_version"] {
        assert_eq!(scene.adapter.admin(path).json()["version"], env!("CARGO_PKG_VERSION"), "{path}");
    }
    let push =
        http::send(scene.adapter.admin_address, &Request::new("POST", "/sessions/k_logout").body("no-jws")).unwrap();
    assert_eq!((push.status, push.text().as_str()), (403, "token failed verification"));
}

/// A node that has just started has not heard for long: `outage-proof`, `settle` and `skew`.
#[test]
fn who_has_the_token_sees_how_the_node_stands() {
    let scene = options().with(json!({ "sidecar": { "node-host": "node-1.test" } })).start();
    let registration = json!({
        "host": "node-1.test", "state": "off", "registered_at": null, "failing_since": null, "reason": null,
    });
    let nodes = ask(&scene.adapter, "GET", "/nodes").json();
    assert_eq!(
        nodes,
        json!({ "nodes": [{
        "host": "node-1.test", "self": true, "started": "2030-03-17T17:46:40.000Z", "deaf": false, "bound": 35.0,
        "registration": registration,
    }] })
    );
    let ready = ask(&scene.adapter, "GET", "/readyz").json();
    assert_eq!(
        ready,
        json!({
            "ready": true, "identity_server": true, "draining": false, "registration_detail": registration, "deaf": false, "bound": 35.0,
        })
    );
}
