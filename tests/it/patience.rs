//! Who is waited for, and who is not: clients that stall, and answers that come after their session has ended.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    thread,
    time::Duration,
};

use identity_server::http::{self, Request};
use serde_json::json;

use crate::support::{
    Options, Program, Scene,
    proxied::{Door, Scripted},
    until,
};

const ASK: &str = "GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n";

/// The parser's own limit holds for the first head of a connection alone (case 68).
#[test]
fn a_head_that_never_ends_loses_its_connection_after_an_answer_too() {
    let door = Door::open(json!({ "limits": { "client-header-timeout": "300ms", "keep-alive": "30s" } }));
    let mut client = door.wire();
    for _ in 0..2 {
        client.say(ASK);
        assert_eq!(client.answer().status, 200, "a connection is kept for whoever asks again");
    }
    client.say("GET /y HTTP/1.1\r\nHost: ap");
    assert_eq!(client.rest(), b"", "closed, and nothing said");
    assert!(door.application.heard().iter().all(|heard| heard.target == "/x"));
}

#[test]
fn a_head_that_began_with_the_request_before_loses_its_connection_too() {
    let door = Door::open(json!({ "limits": { "client-header-timeout": "300ms", "keep-alive": "300ms" } }));
    let mut client = door.wire();
    client.say(format!("{ASK}GET /y HTTP/1.1\r\nHost: ap"));
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.rest(), b"");
}

/// The application is not blamed for a client that stalls.
#[test]
fn an_upload_that_stalls_ends_by_the_idle_limit_and_is_the_clients_fault() {
    let door = Door::open(json!({ "limits": { "response-timeout": "200ms", "idle-timeout": "700ms" } }));
    let mut client = door.wire();
    client.say("POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100\r\n\r\nabc");
    assert_eq!(client.answer().status, 400);
}

/// Nor is the client blamed, or anybody kept, for an application that takes no more of an upload.
#[test]
fn an_application_that_stops_reading_an_upload_is_given_up() {
    let upstream = Scripted::start();
    let rules = json!([{ "path": "/*", "access": "public" }]);
    let limits = json!({ "response-timeout": "300ms" });
    let door = Door::with(json!({ "upstream": upstream.upstream(), "rules": rules, "limits": limits }));
    let mut client = std::net::TcpStream::connect(door.address()).unwrap();
    let mut sender = client.try_clone().unwrap();
    let upload = thread::spawn(move || {
        let head = "POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000000000\r\n\r\n";
        sender.write_all(head.as_bytes()).unwrap();
        while sender.write_all(&[0; 8_192]).is_ok() {}
    });
    let silent = upstream.accept();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let end = client.read_to_end(&mut Vec::new());
    let waited = end.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    assert!(!waited, "the connection is still held");
    drop(client);
    upload.join().unwrap();
    drop(silent);
}

#[test]
fn a_form_that_stalls_at_the_callback_is_given_up() {
    let limits = json!({ "sidecar": { "response-mode": "form_post", "limits": { "idle-timeout": "300ms" } } });
    let scene = Options::default().https().with(limits).start();
    let head =
        "POST /oauth2/callback HTTP/1.1\r\nHost: app.test\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let mut client = crate::support::proxied::Wire::connect(scene.adapter.public_address);
    client.say(format!("{head}Content-Length: 100\r\n\r\nstate="));
    assert_eq!(client.answer().status, 400);
}

/// A late answer must not sign anybody in again: its session was due to be written when it was ended.
#[test]
fn an_answer_that_comes_after_the_sign_out_brings_no_session_back() {
    let scene = Options::default().server(|server| server.access_lifetime = 7 * 86_400).start();
    let mut browser = scene.signed_in();
    let cookie = browser.jar().find(&scene.session_cookie()).unwrap().value.clone();
    scene.clock.advance(Duration::from_secs(10 * 60));
    let (address, header) = (scene.adapter.public_address, format!("{}={cookie}", scene.session_cookie()));
    let request = Request::get("/slow").header("Host", "app.test").header("Cookie", &header);
    let before = scene.application.heard().len();
    let slow = thread::spawn(move || http::send(address, &request).unwrap());
    assert!(scene.application.wait_for_requests(before + 1));
    assert_eq!(scene.sign_out(&mut browser).status, 303);
    scene.application.release();
    let answer = slow.join().unwrap();
    assert_eq!((answer.status, answer.header("set-cookie")), (200, None));
}

/// Case 35: whoever kept the cookie from before has nothing.
#[test]
fn a_new_sign_in_ends_the_session_that_it_replaces() {
    let scene = Scene::start();
    let mut browser = scene.signed_in();
    let cookie = browser.jar().find(&scene.session_cookie()).unwrap().value.clone();
    let copy = Request::get("/private")
        .header("Host", "app.test")
        .header("Cookie", &format!("{}={cookie}", scene.session_cookie()));
    let status = || http::send(scene.adapter.public_address, &copy).unwrap().status;
    assert_eq!(status(), 200);
    let page = browser.navigate(&scene.url("/oauth2/start?rd=/private")).unwrap();
    assert_eq!(page.response.status, 200);
    assert_eq!(status(), 401);
}

/// Our name is our own, both ways.
#[test]
fn the_application_sets_any_cookie_but_ours() {
    let upstream = Scripted::start();
    let rules = json!([{ "path": "/*", "access": "public" }]);
    let door = Door::with(json!({ "upstream": upstream.upstream(), "rules": rules }));
    let mut client = door.wire();
    client.say(ASK);
    let mut application = upstream.accept();
    application.head().unwrap();
    application.say(
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: KEYCLOAK_ADAPTER_STATE=evil\r\n\
         Set-Cookie: __Host-KEYCLOAK_ADAPTER_STATE.1=; Max-Age=0\r\nSet-Cookie: b=2\r\n\r\n",
    );
    let (_, headers) = client.status();
    let set: Vec<&str> = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(set, ["a=1; Path=/", "b=2"]);
}

#[test]
fn a_request_to_upgrade_to_something_else_passes_with_its_body() {
    let door = Door::open(json!({}));
    let mut client = door.wire();
    client.say("POST /x HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n");
    client.say("HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 3\r\n\r\na=b");
    let answer = client.answer();
    assert_eq!((answer.status, &answer.json()["body_length"]), (200, &json!(3)));
    let heard = door.application.last().unwrap();
    assert_eq!((heard.header("upgrade"), heard.header("http2-settings")), (None, None));
}

/// Scripts ask for pages too; what they get is for them.
#[test]
fn a_script_gets_a_problem_whatever_it_accepts() {
    let door = Door::locked();
    let request = Request::get("/x").header("Host", "app.test").header("Accept", "text/html, */*");
    let answer = door.send(&request.header("X-Requested-With", "XMLHttpRequest"));
    assert_eq!((answer.status, answer.header("content-type")), (401, Some("application/problem+json")));
    assert!(answer.header("www-authenticate").is_some(), "RFC 9110, section 15.5.2");
}

/// With `no-referrer` the button's own post would say `Origin: null`, and lead back to the same page for ever.
#[test]
fn the_page_that_asks_before_sign_out_lets_its_button_prove_its_origin() {
    let scene = Scene::start();
    let mut browser = scene.signed_in();
    let page = browser.fetch(&scene.url("/oauth2/sign_out"), Request::get("")).unwrap();
    assert!(page.text().contains("Sign out?"));
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    let press = Request::new("POST", "").header("Origin", scene.origin);
    assert_eq!(browser.fetch(&scene.url("/oauth2/sign_out"), press).unwrap().status, 303);
}

/// A prefetch is nobody's wish.
#[test]
fn a_prefetched_link_signs_nobody_out() {
    let scene = Scene::start();
    let mut browser = scene.signed_in();
    let prefetch = Request::get("").header("Sec-Fetch-Site", "same-origin").header("Sec-Fetch-Mode", "navigate");
    let prefetch = prefetch.header("Sec-Fetch-Dest", "document").header("Sec-Purpose", "prefetch;prerender");
    assert_eq!(browser.fetch(&scene.url("/oauth2/sign_out"), prefetch).unwrap().status, 200);
    assert!(scene.holds_session(&browser));
}

/// A session that would not be sent with the page would be fetched again and again.
#[test]
fn a_page_outside_the_cookies_path_begins_no_sign_in() {
    let path = json!({ "adapter-state-cookie-path": "/app", "sidecar": { "path-prefix": "/app/oauth2" } });
    let scene = Options::default()
        .with(path)
        .server(|server| server.clients[0].redirect_uris = vec!["http://app.test/app/oauth2/callback".to_owned()])
        .start();
    let mut browser = scene.browser();
    assert_eq!(browser.navigate_once(&scene.url("/elsewhere")).unwrap().status, 403);
    assert_eq!(browser.navigate_once(&scene.url("/app/page")).unwrap().status, 302);
}

#[test]
fn the_log_names_a_request_as_a_trusted_proxy_did() {
    let (_clock, _server, _application, _, mut config) = Options::default().prepare();
    config["sidecar"]["trusted-proxies"] = json!(["127.0.0.1"]);
    let program = Program::serve(&config);
    let request = Request::get("/oauth2/callback?state=unknown&code=x").header("Host", "app.test");
    let answer = http::send(program.address("public"), &request.header("X-Request-Id", "trace-42")).unwrap();
    assert_eq!((answer.status, answer.header("x-request-id")), (400, Some("trace-42")));
    until("the refusal is logged", || program.printed().contains("belongs to no attempt").then_some(()));
    let printed = program.printed();
    let line = printed.lines().find(|line| line.contains("belongs to no attempt")).unwrap();
    assert!(line.contains("trace-42"), "{line}");
}
