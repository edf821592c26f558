//! The application's awkward answers, as the bare client reads them.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    thread,
};

use identity_server::{
    Application,
    http::{Request, open, send},
};

fn started() -> (Application, SocketAddr) {
    let application = Application::start().unwrap();
    let address = application.address().unwrap();
    (application, address)
}

#[test]
fn it_says_back_what_it_heard_in_order() {
    let (application, address) = started();
    let request = Request::new("PUT", "/a/..%2fb?c#d").header("X_One", "1").header("x-two", "2").body("abc");
    let told = send(address, &request).unwrap().json();
    assert_eq!(told["target"], "/a/..%2fb?c#d");
    assert_eq!(told["headers"][1], serde_json::json!(["X_One", "1"]));
    assert_eq!(told["body_sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(application.last().unwrap().body, b"abc");
}

#[test]
fn bodies_come_in_every_framing() {
    let (_application, address) = started();
    assert_eq!(send(address, &Request::get("/chunked/2")).unwrap().text(), "chunk 0;chunk 1;");
    assert_eq!(send(address, &Request::get("/download/1000000")).unwrap().body.len(), 1_000_000);
    assert_eq!(send(address, &Request::get("/download-eof/70000")).unwrap().body.len(), 70_000);
    assert_eq!(send(address, &Request::get("/status/204")).unwrap().status, 204);
    assert_eq!(send(address, &Request::get("/status/503")).unwrap().status, 503);
    let hinted = send(address, &Request::get("/interim")).unwrap();
    assert_eq!((hinted.interim, hinted.status), (vec![103], 200));
    assert_eq!(send(address, &Request::get("/set-cookie")).unwrap().all("set-cookie").count(), 2);
    assert_eq!(send(address, &Request::get("/hop-by-hop")).unwrap().header("x-private"), Some("1"));
}

#[test]
fn it_can_fail_before_and_within_an_answer() {
    let (_application, address) = started();
    assert!(send(address, &Request::get("/close")).is_err());
    let midway = open(address, &Request::get("/close-midway")).unwrap();
    assert_eq!(midway.status, 200);
    assert!(midway.finish().is_err());
}

#[test]
fn an_event_stream_ticks_when_told() {
    let (application, address) = started();
    let mut stream = open(address, &Request::get("/sse")).unwrap();
    stream.body.read_until_text("data: open\n\n").unwrap();
    assert!(application.wait_for_listeners(1));
    application.tick("one");
    assert_eq!(stream.body.read_until_text("\n\n").unwrap(), "data: one\n\n");
}

#[test]
fn a_slow_answer_waits_for_its_release() {
    let (application, address) = started();
    let waiting = thread::spawn(move || send(address, &Request::get("/slow")).unwrap().text());
    assert!(application.wait_for_requests(1));
    while !waiting.is_finished() {
        application.release();
        thread::yield_now();
    }
    assert_eq!(waiting.join().unwrap(), "at last");
}

#[test]
fn an_upgraded_connection_says_back_every_byte() {
    let (_application, address) = started();
    let request = Request::get("/websocket").header("Connection", "Upgrade").header("Upgrade", "websocket");
    let mut tunnel = open(address, &request).unwrap();
    assert_eq!(tunnel.status, 101);
    tunnel.sender.write_all(b"\x81\x00").unwrap();
    let mut heard = [0; 2];
    tunnel.body.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"\x81\x00");
}
