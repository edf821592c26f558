//! The application behind the door: kept connections, and every way in which it can fail to answer.

use std::{net::TcpListener, os::unix::net::UnixStream, time::Duration};

use doorward::domain::{Clock, SystemClock};
use identity_server::{Application, http::Request};
use serde_json::json;

use crate::support::proxied::{Door, Scripted, Wire, get};

const ASK: &str = "GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn before(upstream: &str, limits: &serde_json::Value) -> Door {
    Door::open(json!({ "upstream": upstream, "limits": limits }))
}

/// An address at which nobody listens.
fn nowhere() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn a_connection_to_the_application_is_used_again() {
    let door = Door::open(json!({}));
    let mut client = door.wire();
    for _ in 0..20 {
        for path in ["/x", "/chunked/3", "/status/204", "/status/404", "/download/100000"] {
            client.say(format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n"));
            assert!(client.answer().status >= 200);
        }
    }
    assert_eq!((door.application.heard().len(), door.application.connections()), (100, 1));
}

#[test]
fn a_connection_whose_answer_was_not_read_to_its_end_is_not_used_again() {
    let upstream = Scripted::start();
    let door = before(&upstream.upstream(), &json!({}));
    let mut client = door.wire();
    client.say(ASK);
    let mut first = upstream.accept();
    first.head().unwrap();
    first.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning");
    client.status();
    client.close();
    assert_eq!(first.rest(), b"");
    let mut client = door.wire();
    client.say(ASK);
    let mut second = upstream.accept();
    second.head().unwrap();
    second.say(OK);
    assert_eq!(client.answer().body, b"ok");
}

#[test]
fn bytes_that_the_application_sends_after_its_answer_are_nobodys_answer() {
    let upstream = Scripted::start();
    let door = before(&upstream.upstream(), &json!({}));
    let mut client = door.wire();
    client.say(ASK);
    let mut first = upstream.accept();
    first.head().unwrap();
    first.say(format!("{OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"));
    assert_eq!(client.answer().body, b"ok");
    assert_eq!(first.rest(), b"");
    client.say(ASK);
    let mut second = upstream.accept();
    second.head().unwrap();
    second.say(OK);
    assert_eq!(client.answer().body, b"ok");
}

#[test]
fn a_kept_connection_that_the_application_closed_meanwhile_harms_no_request() {
    let upstream = Scripted::start();
    let door = before(&upstream.upstream(), &json!({}));
    let mut client = door.wire();
    client.say(ASK);
    let mut connection = upstream.accept();
    connection.head().unwrap();
    connection.say(OK);
    assert_eq!(client.answer().status, 200);
    for method in ["GET", "POST", "GET", "DELETE"] {
        connection.close();
        client.say(format!("{method} /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n"));
        connection = upstream.accept();
        assert!(connection.head().unwrap().0.starts_with(method));
        connection.say(OK);
        assert_eq!(client.answer().status, 200, "{method}");
    }
    assert!(upstream.is_idle());
}

#[test]
fn a_request_that_the_application_may_have_done_is_not_sent_twice() {
    let upstream = Scripted::start();
    let door = before(&upstream.upstream(), &json!({}));
    let mut client = door.wire();
    client.say(ASK);
    let mut connection = upstream.accept();
    connection.head().unwrap();
    connection.say(OK);
    assert_eq!(client.answer().status, 200);
    client.say("POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nbuy");
    connection.head().unwrap();
    assert_eq!(connection.exactly(3), b"buy");
    connection.close();
    assert_eq!(client.answer().status, 502);
    assert!(upstream.is_idle());
}

#[test]
fn an_application_that_is_not_there_is_told_of_at_once() {
    let door = before(&nowhere(), &json!({}));
    for accept in ["text/html", "application/json"] {
        let start = SystemClock.now();
        let answer = door.send(&Request::get("/x").header("Accept", accept));
        assert!(SystemClock.now().since(start) < Duration::from_secs(1));
        assert_eq!(answer.status, 502);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.text().contains(answer.header("x-request-id").unwrap()), "{}", answer.text());
        // What it says tells nobody where the application is.
        assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
    }
    assert_eq!(door.send(&Request::new("POST", "/x").body("hello")).status, 502);
    let gone = before("unix:/nowhere/app.sock", &json!({}));
    assert_eq!(gone.send(&Request::get("/x")).status, 502);
}

#[test]
fn an_application_that_comes_back_is_served_again() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("app.sock");
    let door = before(&format!("unix:{}", socket.display()), &json!({}));
    assert_eq!(door.send(&Request::get("/x")).status, 502);
    let _application = Application::start_unix(&socket).unwrap();
    assert_eq!(door.send(&Request::get("/x")).status, 200);
}

#[test]
fn an_application_that_is_silent_is_given_up() {
    let upstream = Scripted::start();
    let door = before(&upstream.upstream(), &json!({ "response-timeout": "50ms" }));
    let mut client = door.wire();
    client.say(ASK);
    let mut silent = upstream.accept();
    silent.head().unwrap();
    assert_eq!(client.answer().status, 504);
    assert_eq!(silent.rest(), b"");
    // Interim answers and half a head are no answer.
    client.say(ASK);
    let mut slow = upstream.accept();
    slow.head().unwrap();
    slow.say("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Le");
    assert_eq!(client.answer().status, 504);
}

#[test]
fn an_upload_that_moves_is_not_given_up_while_a_stalled_download_is() {
    let upstream = Scripted::start();
    let door = before(&upstream.upstream(), &json!({ "idle-timeout": "100ms" }));
    let mut client = door.wire();
    client.say(ASK);
    let mut application = upstream.accept();
    application.head().unwrap();
    application.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning");
    assert_eq!(client.status().0, 200);
    assert_eq!(client.rest(), b"beginning");
}

#[test]
fn an_answer_that_is_none_is_a_bad_gateway() {
    let upstream = Scripted::start();
    let door = before(&upstream.upstream(), &json!({}));
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(300_000));
    for said in [
        "",
        "hello\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 abc Eh\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nX-Folded\0: a\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        &long,
    ] {
        let mut client = door.wire();
        client.say(ASK);
        let mut application = upstream.accept();
        application.head().unwrap();
        application.say(said);
        application.close();
        let answer = client.answer();
        assert_eq!(answer.status, 502, "{said:.60}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
}

#[test]
fn an_answer_with_two_framings_does_not_pass_with_two() {
    let upstream = Scripted::start();
    let door = before(&upstream.upstream(), &json!({}));
    let mut client = door.wire();
    client.say(ASK);
    let mut application = upstream.accept();
    application.head().unwrap();
    application.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
    let (status, headers) = client.status();
    let framings = headers.iter().filter(|(name, _)| {
        name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
    });
    assert_eq!(framings.count(), 1, "{status} {headers:?}");
}

#[test]
fn the_application_may_be_behind_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let application = Application::start_unix(&folder.path().join("app.sock")).unwrap();
    let door = Door::with(json!({ "upstream": application.upstream() }));
    let cookie = door.sign_in();
    let answer = door.send(&get("/x?a=b", &cookie).body("hello"));
    assert_eq!((answer.status, &answer.json()["body_length"]), (200, &json!(5)));
    let heard = application.last().unwrap();
    assert_eq!(heard.header("x-forwarded-user"), Some("subject-of-ada"));
    assert_eq!(heard.header("host"), Some(door.address().to_string().as_str()));
    assert!(application.connections() <= 2);
}

#[test]
fn the_door_may_be_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("door.sock");
    let door = Door::open(json!({ "listen": format!("unix:{}", socket.display()), "trusted-proxies": ["127.0.0.1"] }));
    let mut client = Wire::over(UnixStream::connect(&socket).unwrap());
    client.say("GET /x HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-User: root\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.status, 200);
    let heard = door.application.last().unwrap();
    assert_eq!((heard.header("x-forwarded-for"), heard.header("x-forwarded-user")), (None, None));
    client.say("GET /../x HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
    assert!(client.rest().starts_with(b"HTTP/1.1 400 "));
}
