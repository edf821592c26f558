//! Where a message ends: one reading of it, or none.

use identity_server::http::Request;
use serde_json::json;

use crate::support::proxied::{Door, Scripted};

/// What would be a second request if the first one's end were read in another way.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n";

/// Asserts that the head `lines` get one 400 and nothing after it.
fn assert_refused(door: &Door, lines: &str, body: &str) {
    let answer = door.raw(format!("POST /x HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n\r\n{body}{SMUGGLED}").as_bytes());
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{lines:?}: {answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{lines:?}: {answer}");
    assert!(door.application.heard().iter().all(|heard| heard.target != "/smuggled"), "{lines:?}");
}

#[test]
fn a_body_with_two_lengths_is_refused_and_the_connection_closed() {
    let door = Door::open(json!({}));
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: 5, 6",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
    ] {
        assert_refused(&door, lines, "0\r\n\r\n");
    }
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_transfer_coding_or_length_that_is_not_plain_is_refused() {
    let door = Door::open(json!({}));
    for lines in [
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
        "Content-Length : 5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5a",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 99999999999999999999999",
    ] {
        assert_refused(&door, lines, "0\r\n\r\n");
    }
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_head_that_is_not_line_by_line_is_refused() {
    let door = Door::open(json!({}));
    for lines in [
        "X-Folded: a\r\n b",
        "X-Folded: a\r\n\tX-Forwarded-User: b",
        "X-Bare: a\rX-Forwarded-User: b",
        "X-Nul: a\0b",
        "X-No-Colon",
        "X-Control: a\x01b",
    ] {
        assert_refused(&door, lines, "");
    }
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_bare_line_feed_ends_a_line_for_us_as_it_may_for_the_application() {
    // RFC 9112, section 2.2, allows that; what must not be is that it hides a header from us.
    let door = Door::open(json!({}));
    let answer = door.raw(
        b"POST /x HTTP/1.1\nHost: app.test\r\nX-A: b\nX-Forwarded-User: root\nConnection: close\nContent-Length: 5\n\nhello",
    );
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    let heard = door.application.last().unwrap();
    assert_eq!((heard.header("x-a"), heard.header("x-forwarded-user")), (Some("b"), None));
    assert_eq!(heard.body, b"hello");
}

#[test]
fn a_broken_chunk_never_becomes_a_whole_body_or_another_request() {
    let door = Door::open(json!({}));
    let broken = [
        "g\r\nx\r\n0\r\n\r\n",
        "-1\r\nx\r\n0\r\n\r\n",
        "1\r\nxx\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nx\r\n0\r\n\r\n",
        "1\nx\n0\n\n",
        "1;a\nb\r\nx\r\n0\r\n\r\n",
        "\r\n",
    ];
    for body in broken {
        let head = "POST /x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = String::from_utf8_lossy(&door.raw(format!("{head}{body}{SMUGGLED}").as_bytes())).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{body:?}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() < 2, "{body:?}: {answer}");
    }
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_trailer_is_nobodys_header() {
    let door = Door::open(json!({}));
    let answer = door.raw(
        b"POST /x HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\nTrailer: X-Forwarded-User\r\n\
          Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Forwarded-User: root\r\n\r\n",
    );
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    let heard = door.application.last().unwrap();
    assert_eq!((heard.body.as_slice(), heard.header("x-forwarded-user")), (&b"x"[..], None));
}

#[test]
fn another_protocol_is_no_request() {
    let door = Door::open(json!({}));
    for bytes in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /x HTTP/2.0\r\nHost: app.test\r\n\r\n",
        "GET /x\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\u{7f}\x03\x03 hello over TLS\r\n\r\n",
        "GET  /x  HTTP/1.1\r\nHost: app.test\r\n\r\n",
    ] {
        let answer = door.raw(bytes.as_bytes());
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{bytes:?}: {}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_client_that_asks_whether_to_continue_is_told_to() {
    let door = Door::open(json!({}));
    let mut client = door.wire();
    client.say("POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.status().0, 100);
    client.say("body");
    let answer = client.answer();
    assert_eq!((answer.status, &answer.json()["body_length"]), (200, &json!(4)));
    assert_eq!(door.application.last().unwrap().header("expect"), None);
}

#[test]
fn any_other_expectation_fails() {
    let door = Door::open(json!({}));
    for expectation in ["200-ok", "100-continue, 200-ok", "x"] {
        let answer = door.send(&Request::new("POST", "/x").header("Expect", expectation));
        assert_eq!(answer.status, 417, "{expectation}");
    }
    assert_eq!(door.application.heard(), []);
}

#[test]
fn an_answer_to_head_has_the_length_but_no_body() {
    let door = Door::open(json!({}));
    let mut client = door.wire();
    for (path, length) in [("/download/100", Some("100")), ("/chunked/3", None), ("/status/404", Some("0"))] {
        client.say(format!("HEAD {path} HTTP/1.1\r\nHost: app.test\r\n\r\n"));
        let (_, headers) = client.status();
        let found = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        assert_eq!(found.map(|(_, value)| value.as_str()), length, "{path}");
    }
    client.say("GET /status/200 HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
    assert!(client.rest().starts_with(b"HTTP/1.1 200 "));
}

#[test]
fn a_connection_that_has_answered_head_is_not_used_again() {
    let upstream = Scripted::start();
    let door = Door::open(json!({ "upstream": upstream.upstream() }));
    let mut client = door.wire();
    client.say("HEAD /x HTTP/1.1\r\nHost: app.test\r\n\r\n");
    let mut first = upstream.accept();
    assert!(first.head().is_some());
    first.say("HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n");
    assert_eq!(client.status().0, 200);
    // Else an application that sends the body all the same, which others may have chosen, would answer the next request with it.
    assert_eq!(first.rest(), b"");
    client.say("GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n");
    let mut second = upstream.accept();
    assert!(second.head().is_some());
    second.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(client.answer().body, b"ok");
}

#[test]
fn an_answer_without_a_body_has_none_whatever_its_head_says() {
    let upstream = Scripted::start();
    let door = Door::open(json!({ "upstream": upstream.upstream() }));
    let mut client = door.wire();
    let ask = "GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n";
    client.say(ask);
    let mut application = upstream.accept();
    for (head, status) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n", 304),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
    ] {
        assert!(application.head().is_some());
        application.say(head);
        assert_eq!(client.status().0, status);
        client.say(ask);
    }
    assert!(application.head().is_some());
    application.say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend");
    assert_eq!(client.answer().body, b"end");
}

#[test]
fn what_the_application_says_before_its_answer_does_not_replace_it() {
    let door = Door::open(json!({}));
    let answer = door.send(&Request::get("/interim"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "after the hints"));
    let upstream = Scripted::start();
    let door = Door::open(json!({ "upstream": upstream.upstream() }));
    let mut client = door.wire();
    client.say("POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
    let mut application = upstream.accept();
    assert!(application.head().is_some());
    application.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n");
    application.say("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok");
    let answer = client.answer();
    assert_eq!((answer.status, answer.text().as_str()), (201, "ok"));
}

#[test]
fn a_body_passes_whole_however_its_end_is_told() {
    let door = Door::open(json!({}));
    let counted = door.send(&Request::get("/download/70000"));
    assert_eq!((counted.header("content-length"), counted.body.len()), (Some("70000"), 70_000));
    let chunked = door.send(&Request::get("/chunked/3"));
    assert_eq!(
        (chunked.header("transfer-encoding"), chunked.text().as_str()),
        (Some("chunked"), "chunk 0;chunk 1;chunk 2;")
    );
    let until_close = door.send(&Request::get("/download-eof/70000"));
    assert_eq!((until_close.header("content-length"), until_close.body.len()), (None, 70_000));
    // Who speaks HTTP/1.0 knows no chunks.
    let old = door.raw(b"GET /chunked/3 HTTP/1.0\r\nHost: app.test\r\n\r\n");
    let old = String::from_utf8_lossy(&old).into_owned();
    assert!(old.ends_with("\r\n\r\nchunk 0;chunk 1;chunk 2;"), "{old}");
}

#[test]
fn what_ends_at_a_hop_does_not_pass() {
    let door = Door::open(json!({}));
    let answer = door.send(
        &Request::get("/hop-by-hop")
            .header("Connection", "close, X-Mine")
            .header("X-Mine", "1")
            .header("Keep-Alive", "timeout=5")
            .header("Proxy-Connection", "keep-alive")
            .header("Proxy-Authorization", "Basic x")
            .header("TE", "trailers")
            .header("Trailer", "X-Sum"),
    );
    assert_eq!(answer.header("x-kept"), Some("yes"));
    for name in ["x-private", "keep-alive", "te", "upgrade", "proxy-connection"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    let heard = door.application.last().unwrap();
    for name in ["connection", "x-mine", "keep-alive", "proxy-connection", "proxy-authorization", "te", "trailer"] {
        assert_eq!(heard.header(name), None, "{name}");
    }
}

#[test]
fn an_upgrade_to_anything_but_a_websocket_is_not_asked_of_the_application() {
    let door = Door::open(json!({}));
    for upgrade in ["h2c", "anything", "websockets", "websocket/13"] {
        let mut client = door.wire();
        client.say(format!(
            "GET /x HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n\r\n"
        ));
        assert_eq!(client.answer().status, 200, "{upgrade}");
        let heard = door.application.last().unwrap();
        assert_eq!(heard.target, "/x");
        for name in ["upgrade", "connection", "http2-settings", "sec-websocket-key", "sec-websocket-version"] {
            assert_eq!(heard.header(name), None, "{upgrade}");
        }
    }
    let head = "POST /x HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    assert!(door.raw(format!("{head}Content-Length: 2\r\n\r\nhi").as_bytes()).starts_with(b"HTTP/1.1 400 "));
    let chunked = door.raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n").as_bytes());
    assert!(chunked.starts_with(b"HTTP/1.1 400 "));
    assert_eq!(door.application.heard().len(), 4);
}

/// What a server like CGI's takes for a name that ends at a hop, or that says where a body ends.
#[test]
fn respelt_names_of_framing_do_not_pass() {
    let door = Door::open(json!({}));
    let names = [
        "Transfer_Encoding",
        "transfer_encoding",
        "Transfer.Encoding",
        "CONTENT_LENGTH",
        "content~length",
        "Keep_Alive",
        "Proxy_Connection",
        "HTTP2_Settings",
        "Proxy_Authorization",
    ];
    let lines = names.map(|name| [name, ": chunked\r\n"].concat()).concat();
    let mut client = door.wire();
    client.say(format!("POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n{lines}\r\nhi"));
    assert_eq!(client.answer().status, 200);
    let heard = door.application.last().unwrap();
    let passed: Vec<_> = heard.headers.iter().filter(|(_, value)| value == "chunked").collect();
    assert_eq!(passed, Vec::<&(String, String)>::new());
    assert_eq!(heard.header("content-length"), Some("2"));
}
