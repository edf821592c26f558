//! The WebSocket through the door: opened like any request, carried byte for byte, and closed with what they were opened for.

use std::{
    net::{SocketAddr, TcpStream},
    thread,
};

use identity_server::http::{self, Request, find};
use serde_json::{Value, json};

use crate::support::{
    proxied::{Door, ORIGIN, Plan, Scripted, Wire},
    until,
    websocket::{ACCEPT, BINARY, CLOSE, KEY, PING, PONG, TEXT, WebSocket, frame, handshake},
};

fn agreed() -> String {
    format!("HTTP/1.1 101 Ok\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n")
}

fn cookie_line(door: &Door) -> String {
    format!("Cookie: {}\r\n", door.sign_in())
}

/// A metric's value.
fn metric(door: &Door, line: &str) -> u64 {
    let text = http::send(door.admin(), &Request::get("/metrics")).unwrap().text();
    let value = text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
    value.unwrap_or(0)
}

fn status(address: SocketAddr, request: &str) -> u16 {
    let mut wire = Wire::connect(address);
    wire.say(request);
    let answer = wire.rest();
    let text = String::from_utf8_lossy(&answer).into_owned();
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
    assert!(text.to_lowercase().contains("connection: close"), "{text}");
    text[9..12].parse().unwrap()
}

#[test]
fn a_websocket_is_opened_for_its_user_and_says_back_what_it_hears() {
    let door = Door::locked();
    let lines =
        format!("{}X-Forwarded-User: root\r\nX_Forwarded_User: root\r\nOrigin: {ORIGIN}\r\n", cookie_line(&door));
    let mut socket = WebSocket::open(door.address(), "/ws", &lines);
    assert_eq!(find(&socket.headers, "sec-websocket-accept"), Some(ACCEPT));
    assert_eq!(find(&socket.headers, "upgrade"), Some("websocket"));
    assert_eq!(find(&socket.headers, "x-from"), Some("application"));
    assert!(find(&socket.headers, "x-request-id").is_some());
    socket.echo("hello");
    let large: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
    for _ in 0..3 {
        socket.say(BINARY, &large);
        assert!(socket.hear() == (BINARY, large.clone()), "1 MiB comes back as it went");
    }
    socket.say(PING, b"are you there");
    assert_eq!(socket.hear(), (PONG, b"are you there".to_vec()));
    socket.say(CLOSE, &1000_u16.to_be_bytes());
    assert_eq!(socket.closed(), Some(1000));
    let heard = door.application.last().unwrap();
    let who: Vec<_> =
        heard.headers.iter().filter(|(name, _)| name.to_lowercase().replace('_', "-") == "x-forwarded-user").collect();
    assert_eq!(who.len(), 1);
    assert_eq!((heard.header("x-forwarded-user"), heard.header("origin")), (Some("subject-of-ada"), Some(ORIGIN)));
    assert_eq!((heard.header("upgrade"), heard.header("connection")), (Some("websocket"), Some("Upgrade")));
    assert_eq!((heard.header("sec-websocket-key"), heard.header("cookie")), (Some(KEY), None));
    until("the tunnel is counted", || (metric(&door, "doorward_tunnels_open ") == 0).then_some(()));
    let left = ["application", "client"]
        .map(|who| metric(&door, &format!("doorward_tunnels_total{{outcome=\"{who}_left\"}} ")));
    assert_eq!(left.iter().sum::<u64>(), 1);
}

#[test]
fn the_answer_to_an_earlier_request_comes_before_the_handshakes_own() {
    let door = Door::open(json!({}));
    let mut client = door.wire();
    client.say(format!("GET /first HTTP/1.1\r\nHost: app.test\r\n\r\n{}", handshake("/ws", "")));
    let first = client.answer();
    assert_eq!((first.status, &first.json()["target"]), (200, &json!("/first")));
    let second = client.answer();
    assert_eq!(second.status, 101);
    let mut socket = WebSocket { wire: client, headers: second.headers };
    socket.echo("after both");
}

#[test]
fn what_comes_at_once_behind_the_handshake_is_not_lost() {
    let door = Door::open(json!({}));
    for size in [1, 70_000] {
        let mut client = door.wire();
        let payload = vec![b'x'; size];
        client.say([handshake("/ws", "").as_bytes(), &frame(TEXT, &payload)].concat());
        let answer = client.answer();
        assert_eq!(answer.status, 101);
        let mut socket = WebSocket { wire: client, headers: answer.headers };
        assert_eq!(socket.hear(), (TEXT, payload));
        socket.echo("more");
    }
}

#[test]
fn what_is_not_a_whole_handshake_is_refused_and_nothing_behind_it_is_read() {
    let door = Door::open(json!({}));
    let whole = handshake("/ws", "");
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n";
    for (from, to, expected) in [
        ("GET", "POST", 400),
        ("GET", "PUT", 400),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("Connection: keep-alive, Upgrade\r\n", "", 400),
        ("keep-alive, Upgrade", "keep-alive", 400),
        ("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\n", 400),
        ("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (KEY, "c2hvcnQ=", 400),
        (KEY, "", 400),
        ("Version: 13", "Version: 8", 426),
        ("Host: app.test\r\n", "", 400),
        ("/ws", "/../ws", 400),
        ("GET", "CONNECT", 405),
    ] {
        let request = whole.replacen(from, to, 1);
        assert_ne!(request, whole);
        let more = if to.contains("chunked") { "" } else { smuggled };
        if to.contains("chunked") {
            let mut wire = door.wire();
            wire.say(&request);
            assert_eq!(wire.answer().status, 400);
            continue;
        }
        assert_eq!(status(door.address(), &format!("{request}{more}")), expected, "{from:?} -> {to:?}");
    }
    assert_eq!(door.application.heard(), Vec::new());
    let answer = WebSocket::ask(door.address(), "/ws", "").err();
    assert!(answer.is_none());
    let other = String::from_utf8(door.raw(whole.replace("Version: 13", "Version: 8").as_bytes())).unwrap();
    assert!(other.contains("sec-websocket-version: 13\r\n") && other.contains("upgrade: websocket\r\n"), "{other}");
}

#[test]
fn a_handshake_without_a_session_gets_a_401_and_never_a_redirect() {
    let door = Door::locked();
    let page = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    for lines in ["", page, "Cookie: KEYCLOAK_ADAPTER_STATE=forged\r\n"] {
        let answer = WebSocket::ask(door.address(), "/ws", lines).err().expect("no tunnel");
        assert_eq!(
            (answer.status, answer.header("location"), answer.header("set-cookie")),
            (401, None, None),
            "{lines}"
        );
        assert_eq!(answer.header("connection"), Some("close"));
    }
    assert_eq!(door.application.heard(), Vec::new());
}

#[test]
fn rules_hold_for_a_websocket_as_for_any_request() {
    let rules = json!([{ "path": "/ws", "roles": ["admin"] }, { "path": "/open/*", "access": "public" }]);
    let door = Door::with(json!({ "rules": rules }));
    let lines = cookie_line(&door);
    let asked = |path: &str, lines: &str| WebSocket::ask(door.address(), path, lines).err().map(|answer| answer.status);
    assert_eq!(asked("/ws", &lines), Some(403));
    assert_eq!(asked("/other", &lines), Some(200), "an application that does not switch");
    assert_eq!(asked("/open/x", ""), Some(200));
}

#[test]
fn a_page_of_another_site_cannot_open_a_websocket_with_the_users_cookie() {
    let door = Door::with(json!({ "websocket-origins": ["https://Partner.test:443"] }));
    let cookie = cookie_line(&door);
    let asked = |origin: &str| {
        WebSocket::ask(door.address(), "/ws", &format!("{cookie}{origin}")).err().map(|answer| answer.status)
    };
    for foreign in [
        "http://evil.test",
        "https://app.test",
        "http://app.test:8080",
        "http://app.test.evil.test",
        "http://partner.test",
        "null",
        "",
        "http://app.test\r\nOrigin: http://evil.test",
    ] {
        assert_eq!(asked(&format!("Origin: {foreign}\r\n")), Some(403), "{foreign}");
    }
    assert_eq!(door.application.heard().iter().filter(|heard| heard.target == "/ws").count(), 0);
    for admitted in ["", "Origin: http://app.test\r\n", "Origin: https://partner.test\r\n"] {
        assert_eq!(asked(admitted), None, "{admitted}");
    }
}

#[test]
fn an_application_may_refuse_in_its_own_words() {
    let door = Door::open(json!({}));
    for (path, expected) in [("/status/403", 403), ("/x", 200), ("/chunked/3", 200), ("/status/204", 204)] {
        let answer = door.raw(handshake(path, "").as_bytes());
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        if path.starts_with("/chunked") {
            assert!(answer.ends_with("chunk 2;\r\n0\r\n\r\n"), "{answer}");
        }
    }
    assert_eq!(door.application.heard().len(), 4);
}

#[test]
fn a_101_that_is_not_the_answer_to_this_handshake_is_a_bad_gateway() {
    let door = Door::open(json!({}));
    assert_eq!(WebSocket::ask(door.address(), "/ws/wrong", "").err().map(|answer| answer.status), Some(502));
    let upstream = Scripted::start();
    let door = Door::open(json!({ "upstream": upstream.upstream() }));
    for (from, to) in [
        ("Upgrade: websocket\r\n", "Upgrade: h2c\r\n"),
        ("Upgrade: websocket\r\n", ""),
        ("Connection: Upgrade\r\n", ""),
        (ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOp="),
    ] {
        let mut client = door.wire();
        client.say(handshake("/ws", ""));
        let mut application = upstream.accept();
        application.head().unwrap();
        application.say(agreed().replacen(from, to, 1));
        assert_eq!(client.answer().status, 502, "{from} -> {to}");
        assert_eq!(application.rest(), b"");
    }
}

/// An open tunnel whose application the story plays.
struct Played {
    door: Door,
    client: WebSocket,
    application: Wire<TcpStream>,
    cookie: String,
    _upstream: Scripted,
}

impl Played {
    fn open(sidecar: &Value) -> Self {
        let upstream = Scripted::start();
        let mut plan = Plan { sidecar: sidecar.clone(), ..Plan::default() };
        plan.sidecar["upstream"] = json!(upstream.upstream());
        let door = Door::start(plan);
        let cookie = sign_in(&door, &upstream);
        let mut wire = door.wire();
        wire.say(handshake("/ws", &format!("Cookie: {cookie}\r\n")));
        let mut application = upstream.accept();
        application.head().unwrap();
        application.say(agreed());
        let (status, headers) = wire.status();
        assert_eq!(status, 101);
        Self { door, client: WebSocket { wire, headers }, application, cookie, _upstream: upstream }
    }
}

/// Signs in, where the story plays the application that is come back to.
fn sign_in(door: &Door, upstream: &Scripted) -> String {
    thread::scope(|scope| {
        let browser = scope.spawn(|| door.sign_in());
        let mut application = upstream.accept();
        application.head().unwrap();
        application.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        application.close();
        browser.join().unwrap()
    })
}

fn sign_out(door: &Door, cookie: &str) {
    let request = Request::new("POST", "/oauth2/sign_out").header("Cookie", cookie).header("Origin", ORIGIN);
    assert_eq!(door.send(&request).status, 303);
}

#[test]
fn a_client_that_vanishes_closes_the_tunnel_at_the_application() {
    let Played { door, client, mut application, .. } = Played::open(&json!({}));
    client.wire.close();
    assert_eq!(application.rest(), b"");
    let word = "doorward_tunnels_total{outcome=\"client_left\"} ";
    until("the tunnel is closed", || (metric(&door, word) == 1).then_some(()));
    assert_eq!(metric(&door, "doorward_tunnels_open "), 0);
}

#[test]
fn an_application_that_vanishes_closes_the_tunnel_at_the_client() {
    let Played { door, mut client, mut application, .. } = Played::open(&json!({}));
    application.say(b"\x81\x04last");
    application.close();
    assert_eq!(client.hear(), (TEXT, b"last".to_vec()));
    assert_eq!(client.closed(), None);
    let word = "doorward_tunnels_total{outcome=\"application_left\"} ";
    until("the tunnel is closed", || (metric(&door, word) == 1).then_some(()));
}

#[test]
fn a_tunnel_on_which_both_are_silent_ends() {
    let limits = json!({ "limits": { "idle-timeout": "200ms" } });
    let Played { door, mut client, mut application, .. } = Played::open(&limits);
    assert_eq!(client.closed(), Some(1001));
    assert_eq!(application.rest(), b"");
    let word = "doorward_tunnels_total{outcome=\"idle\"} ";
    until("the tunnel is closed", || (metric(&door, word) == 1).then_some(()));
}

#[test]
fn a_tunnel_ends_at_its_limit_however_busy_it_is() {
    let limits = json!({ "limits": { "tunnel-max": "300ms" } });
    let Played { door: _door, mut client, mut application, .. } = Played::open(&limits);
    let end = loop {
        application.say(b"\x89\x00");
        match client.hear() {
            (PING, _) => {}
            end => break end,
        }
    };
    assert_eq!(end, (CLOSE, 1008_u16.to_be_bytes().to_vec()));
    assert_eq!(application.rest(), b"");
}

#[test]
fn a_sign_out_closes_the_tunnels_of_its_session_and_no_other() {
    let door = Door::locked();
    let (mine, other) = (door.sign_in(), door.sign_in());
    let open = |cookie: &str| WebSocket::open(door.address(), "/ws", &format!("Cookie: {cookie}\r\n"));
    let (mut first, mut second, mut others) = (open(&mine), open(&mine), open(&other));
    for socket in [&mut first, &mut second, &mut others] {
        socket.echo("before");
    }
    sign_out(&door, &mine);
    assert_eq!((first.closed(), second.closed()), (Some(1008), Some(1008)));
    others.echo("after");
    let again = WebSocket::ask(door.address(), "/ws", &format!("Cookie: {mine}\r\n"));
    assert_eq!(again.err().map(|answer| answer.status), Some(401));
    let word = "doorward_tunnels_total{outcome=\"session_ended\"} ";
    until("both are counted", || (metric(&door, word) == 2).then_some(()));
}

#[test]
fn no_close_frame_is_put_into_the_middle_of_the_applications() {
    let Played { door, mut client, mut application, cookie, .. } = Played::open(&json!({}));
    application.say(b"\x82\x7e\x10\x00only the beginning");
    assert_eq!(client.wire.exactly(22), b"\x82\x7e\x10\x00only the beginning");
    let signing_out = thread::spawn(move || {
        sign_out(&door, &cookie);
        door
    });
    assert_eq!(client.closed(), None);
    assert_eq!(application.rest(), b"");
    drop(signing_out.join().unwrap());
}

/// Case 58.
#[test]
fn a_sign_out_breaks_off_an_event_stream_and_a_long_download_of_its_session() {
    const LENGTH: usize = 32 << 20;
    let door = Door::locked();
    let cookie = door.sign_in();
    let ask = |path: &str| {
        let mut client = door.wire();
        client.say(plain(path, &format!("Cookie: {cookie}\r\n")));
        assert_eq!(client.status().0, 200);
        client
    };
    let (mut events, mut download) = (ask("/sse"), ask(&format!("/download/{LENGTH}")));
    assert_eq!(events.chunk(), b"data: open\n\n");
    assert_eq!(download.exactly(3), b"xxx");
    sign_out(&door, &cookie);
    assert_eq!(events.rest(), b"", "it ends, and does not look whole");
    let rest = download.rest().len();
    assert!(rest < LENGTH - 3, "{rest}");
}

/// A session is ended between the question whether it counts and the application's consent.
#[test]
fn a_sign_out_while_a_tunnel_or_a_stream_is_being_opened_is_not_missed() {
    let upstream = Scripted::start();
    let door = Door::with(json!({ "upstream": upstream.upstream() }));
    let stream = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n".to_owned();
    for (ask, consent) in [(handshake as fn(&str, &str) -> String, agreed()), (plain, stream)] {
        let cookie = sign_in(&door, &upstream);
        let mut client = door.wire();
        client.say(ask("/ws", &format!("Cookie: {cookie}\r\n")));
        let mut application = upstream.accept();
        application.head().unwrap();
        sign_out(&door, &cookie);
        application.say(consent);
        assert_eq!(client.answer().status, 401);
        assert_eq!(application.rest(), b"");
    }
}

fn plain(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n")
}

#[test]
fn a_client_that_does_not_wait_for_its_tunnel_ends_the_request_at_the_application() {
    let upstream = Scripted::start();
    let door = Door::open(json!({ "upstream": upstream.upstream() }));
    let mut client = door.wire();
    client.say(handshake("/ws", ""));
    let mut application = upstream.accept();
    application.head().unwrap();
    client.close();
    assert_eq!(application.rest(), b"");
}

#[test]
fn two_hundred_tunnels_are_open_at_once_and_a_stop_ends_them_politely() {
    let mut door = Door::open(json!({}));
    let mut sockets: Vec<_> = (0..200).map(|_| WebSocket::open(door.address(), "/ws", "")).collect();
    for (n, socket) in sockets.iter_mut().enumerate() {
        socket.echo(&format!("I am {n}"));
    }
    assert_eq!(metric(&door, "doorward_tunnels_open "), 200);
    door.stop();
    for socket in &mut sockets {
        assert_eq!(socket.closed(), Some(1001));
    }
}
