//! Bodies pass as they come, both ways, and what breaks off on one side breaks off on the other.

use identity_server::http::{self, Request};
use serde_json::json;

use crate::support::proxied::{Door, Scripted};

fn scripted() -> (Scripted, Door) {
    let upstream = Scripted::start();
    let door = Door::open(json!({ "upstream": upstream.upstream() }));
    (upstream, door)
}

#[test]
fn each_event_of_a_stream_arrives_before_the_next_one_is_sent() {
    let door = Door::open(json!({}));
    let mut stream = http::open(door.address(), &Request::get("/sse").header("Accept", "text/event-stream")).unwrap();
    assert_eq!((stream.status, http::find(&stream.headers, "content-type")), (200, Some("text/event-stream")));
    assert_eq!(stream.body.read_until_text("\n\n").unwrap(), "data: open\n\n");
    for n in 0..5 {
        door.application.tick(&n.to_string());
        assert_eq!(stream.body.read_until_text("\n\n").unwrap(), format!("data: {n}\n\n"));
    }
}

#[test]
fn an_upload_in_chunks_reaches_the_application_piece_by_piece() {
    let (upstream, door) = scripted();
    let mut client = door.wire();
    client.say("POST /x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.say("5\r\nfirst\r\n");
    let mut application = upstream.accept();
    let (line, headers) = application.head().unwrap();
    assert_eq!(line, "POST /x HTTP/1.1");
    assert_eq!(http::find(&headers, "transfer-encoding"), Some("chunked"));
    assert_eq!(http::find(&headers, "content-length"), None);
    assert_eq!(application.chunk(), b"first");
    for piece in ["second", "third"] {
        client.say(format!("{:x}\r\n{piece}\r\n", piece.len()));
        assert_eq!(application.chunk(), piece.as_bytes());
    }
    client.say("0\r\n\r\n");
    assert_eq!(application.chunk(), b"");
    application.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(client.answer().body, b"ok");
}

#[test]
fn an_upload_of_known_length_keeps_its_length_and_is_not_gathered() {
    let (upstream, door) = scripted();
    let mut client = door.wire();
    client.say("PUT /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nfirst");
    let mut application = upstream.accept();
    let (_, headers) = application.head().unwrap();
    assert_eq!(http::find(&headers, "content-length"), Some("10"));
    assert_eq!(http::find(&headers, "transfer-encoding"), None);
    assert_eq!(application.exactly(5), b"first");
    client.say("other");
    assert_eq!(application.exactly(5), b"other");
}

#[test]
fn a_download_begins_before_the_upload_has_ended() {
    let (upstream, door) = scripted();
    let mut client = door.wire();
    client.say("POST /x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    let mut application = upstream.accept();
    application.head().unwrap();
    assert_eq!(application.chunk(), b"one");
    application.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nONE\r\n");
    assert_eq!(client.status().0, 200);
    assert_eq!(client.chunk(), b"ONE");
    client.say("3\r\ntwo\r\n0\r\n\r\n");
    assert_eq!(application.chunk(), b"two");
    assert_eq!(application.chunk(), b"");
    application.say("3\r\nTWO\r\n0\r\n\r\n");
    assert_eq!(client.chunk(), b"TWO");
    assert_eq!(client.chunk(), b"");
}

#[test]
fn a_client_that_leaves_a_stream_closes_it_at_the_application() {
    let (upstream, door) = scripted();
    let mut client = door.wire();
    client.say("GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n");
    let mut application = upstream.accept();
    application.head().unwrap();
    application
        .say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    client.status();
    assert_eq!(client.chunk(), b"one");
    client.close();
    assert_eq!(application.rest(), b"");
}

#[test]
fn a_client_that_does_not_wait_for_the_answer_ends_the_request_at_the_application() {
    let (upstream, door) = scripted();
    let mut client = door.wire();
    client.say("GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n");
    let mut application = upstream.accept();
    application.head().unwrap();
    client.close();
    assert_eq!(application.rest(), b"");
}

#[test]
fn an_upload_that_breaks_off_does_not_look_whole_to_the_application() {
    let (upstream, door) = scripted();
    for framing in ["Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n", "Content-Length: 10\r\n\r\nfirst"] {
        let mut client = door.wire();
        client.say(format!("POST /x HTTP/1.1\r\nHost: app.test\r\n{framing}"));
        let mut application = upstream.accept();
        application.head().unwrap();
        client.close();
        let rest = String::from_utf8_lossy(&application.rest()).into_owned();
        assert!(rest.is_empty() || rest.ends_with("first") || rest.ends_with("first\r\n"), "{rest}");
    }
}

#[test]
fn an_answer_that_breaks_off_does_not_look_whole_to_the_client() {
    let (upstream, door) = scripted();
    for (framing, begun) in [
        ("Content-Length: 1000\r\n\r\nnot much", "not much"),
        ("Transfer-Encoding: chunked\r\n\r\n8\r\nnot much\r\n", "8\r\nnot much\r\n"),
    ] {
        let mut client = door.wire();
        client.say("GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n");
        let mut application = upstream.accept();
        application.head().unwrap();
        application.say(format!("HTTP/1.1 200 OK\r\n{framing}"));
        application.close();
        assert_eq!(client.status().0, 200);
        assert_eq!(String::from_utf8_lossy(&client.rest()), begun);
    }
    let door = Door::open(json!({}));
    let exchange = http::open(door.address(), &Request::get("/close-midway")).unwrap();
    assert_eq!(http::find(&exchange.headers, "content-length"), Some("1000"));
    assert!(exchange.finish().is_err());
}

#[test]
fn an_application_that_answers_before_it_has_read_the_body_is_heard() {
    let (upstream, door) = scripted();
    let mut client = door.wire();
    client.say("POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000000\r\n\r\nbeginning");
    let mut application = upstream.accept();
    application.head().unwrap();
    application.say("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!");
    let answer = client.answer();
    assert_eq!((answer.status, answer.text().as_str()), (413, "no!"));
}
