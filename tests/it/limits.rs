//! Bounds on what a client may send.

use identity_server::http::{self, Request};
use serde_json::json;

use crate::support::proxied::{Door, Scripted, get};

#[test]
fn a_head_that_is_too_large_is_refused_and_our_cookies_are_cleared_with_it() {
    let door = Door::with(json!({ "limits": { "header-bytes": "4k" } }));
    let own = "KEYCLOAK_ADAPTER_STATE=x; KEYCLOAK_ADAPTER_STATE.1=y; KEYCLOAK_ADAPTER_STATE.login.abc=z";
    let cookie = format!("theme=dark; {own}; big={}", "x".repeat(5000));
    let answer = door.send(&get("/x", &cookie));
    assert_eq!(answer.status, 431);
    let cleared: Vec<_> = answer.all("set-cookie").map(|line| line.split(';').next().unwrap()).collect();
    for name in own.split("; ").map(|pair| pair.split('=').next().unwrap()) {
        assert!(cleared.contains(&format!("{name}=").as_str()), "{name}: {cleared:?}");
    }
    assert_eq!(cleared.len(), 3);
    assert!(answer.all("set-cookie").all(|line| line.contains("Max-Age=0")));
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_head_that_is_too_large_is_refused_on_public_paths_and_at_our_own_endpoints() {
    let door = Door::open(json!({ "limits": { "header-bytes": "2k" } }));
    let large = "x".repeat(3000);
    for path in ["/x", "/oauth2/start", "/oauth2/callback"] {
        assert_eq!(door.send(&Request::get(path).header("X-Large", &large)).status, 431, "{path}");
    }
    assert_eq!(door.send(&Request::get(&format!("/x?{large}"))).status, 431);
    assert_eq!(door.application.heard(), []);
    assert_eq!(door.send(&Request::get("/x").header("X-Fits", &large[..1500])).status, 200);
}

#[test]
fn more_headers_than_allowed_are_too_many() {
    let door = Door::open(json!({ "limits": { "header-count": 20 } }));
    // `Host` and `Connection` count.
    let with = |count: usize| (2..count).fold(Request::get("/x"), |request, n| request.header(&format!("X-{n}"), "1"));
    assert_eq!(door.send(&with(20)).status, 200);
    assert_eq!(door.send(&with(21)).status, 431);
    assert_eq!(door.application.heard().len(), 1);
}

#[test]
fn a_head_beyond_every_limit_is_refused_without_being_kept() {
    let door = Door::open(json!({}));
    let mut wire = door.wire();
    wire.say("GET /x HTTP/1.1\r\nHost: app.test\r\n");
    for _ in 0..3000 {
        wire.say(format!("X-Large: {}\r\n", "x".repeat(1000)));
    }
    let answer = String::from_utf8_lossy(&wire.rest()).into_owned();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert_eq!(door.application.heard(), []);
    assert_eq!(door.send(&Request::get("/x")).status, 200);
}

#[test]
fn a_body_that_says_it_is_too_large_is_refused_before_the_application_hears_of_it() {
    let door = Door::open(json!({ "limits": { "body-bytes": "1k" } }));
    let answer = door.send(&Request::new("POST", "/x").body(vec![b'x'; 1025]));
    assert_eq!(answer.status, 413);
    assert_eq!(door.application.connections(), 0);
    assert_eq!(door.send(&Request::new("POST", "/x").body(vec![b'x'; 1024])).json()["body_length"], 1024);
}

#[test]
fn a_body_of_unknown_length_is_cut_off_at_the_limit() {
    let upstream = Scripted::start();
    let door = Door::open(json!({ "upstream": upstream.upstream(), "limits": { "body-bytes": "1k" } }));
    let mut client = door.wire();
    client.say("POST /x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.say(format!("400\r\n{}\r\n", "x".repeat(1024)));
    let mut application = upstream.accept();
    assert!(application.head().is_some());
    assert_eq!(application.chunk().len(), 1024);
    client.say("1\r\nx\r\n0\r\n\r\n");
    assert_eq!(client.answer().status, 413);
    // The application sees a body that broke off, not one that ended.
    assert_eq!(application.rest(), b"");
}

#[test]
fn a_client_that_does_not_finish_its_head_is_let_go() {
    let door = Door::open(json!({ "limits": { "client-header-timeout": "100ms" } }));
    let mut slow = door.wire();
    slow.say("GET /x HTTP/1.1\r\nHost: app");
    let answer = slow.rest();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_client_that_stalls_in_its_body_is_let_go() {
    let upstream = Scripted::start();
    let door = Door::open(json!({ "upstream": upstream.upstream(), "limits": { "idle-timeout": "100ms" } }));
    let mut slow = door.wire();
    slow.say("POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nhalf");
    let mut application = upstream.accept();
    assert!(application.head().is_some());
    assert_eq!(slow.answer().status, 400);
    assert_eq!(application.rest(), b"half");
}

#[test]
fn slow_clients_do_not_keep_others_waiting() {
    let door = Door::open(json!({}));
    let slow: Vec<_> = (0..50)
        .map(|n| {
            let mut wire = door.wire();
            wire.say(if n % 2 == 0 {
                "GET /x HTTP/1.1\r\nHos"
            } else {
                "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
            });
            wire
        })
        .collect();
    assert_eq!(http::send(door.address(), &Request::get("/y")).unwrap().status, 200);
    drop(slow);
}

#[test]
fn an_idle_connection_is_closed_in_time() {
    let door = Door::open(json!({ "limits": { "keep-alive": "100ms" } }));
    let mut wire = door.wire();
    wire.say("GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(wire.answer().status, 200);
    assert_eq!(wire.rest(), b"");
}
