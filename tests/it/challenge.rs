//! Nobody is signed in: a page is sent to sign in, everything else is told where that would be.

use identity_server::http::{Request, Response};
use serde_json::json;

use crate::support::proxied::Door;

/// What browsers and programs send when they do not go to a page.
fn not_navigations() -> Vec<Request> {
    let html = "text/html,application/xhtml+xml,*/*;q=0.8";
    let fetch = |mode: &str, dest: &str| {
        Request::get("/x").header("Accept", html).header("Sec-Fetch-Mode", mode).header("Sec-Fetch-Dest", dest)
    };
    vec![
        Request::get("/x"),
        Request::get("/x").header("Accept", "application/json"),
        Request::get("/x").header("Accept", "*/*"),
        Request::get("/x").header("Accept", html).header("X-Requested-With", "XMLHttpRequest"),
        fetch("cors", "empty"),
        fetch("same-origin", "empty"),
        fetch("no-cors", "image"),
        fetch("no-cors", "script"),
        fetch("cors", "eventsource"),
        fetch("websocket", "websocket"),
        fetch("navigate", "object"),
        fetch("navigate", "embed"),
        Request::new("POST", "/x").header("Accept", html).header("Sec-Fetch-Mode", "navigate").body("a=b"),
        Request::new("PUT", "/x").header("Accept", html).body("a"),
        Request::new("OPTIONS", "/x").header("Origin", "http://evil.test"),
        Request::new("HEAD", "/x").header("Accept", html).header("Sec-Fetch-Mode", "navigate"),
        Request::get("/x").header("Accept", html).header("Upgrade", "h2c").header("Connection", "Upgrade"),
        Request::new("POST", "/x").header("Content-Type", "application/grpc").header("TE", "trailers"),
    ]
}

fn assert_problem(request: &Request, answer: &Response) {
    assert_eq!(answer.status, 401, "{request:?}");
    for absent in ["set-cookie", "location"] {
        assert_eq!(answer.header(absent), None, "{request:?}");
    }
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{request:?}");
}

#[test]
fn what_cannot_follow_a_sign_in_gets_a_401_and_no_cookie() {
    let door = Door::locked();
    for mut request in not_navigations() {
        let answer = door.send(&request);
        assert_problem(&request, &answer);
        if request.method == "HEAD" {
            assert_eq!(answer.body, b"");
            continue;
        }
        request.headers.retain(|(name, _)| name != "Accept");
        let problem = door.send(&request);
        assert_problem(&request, &problem);
        assert_eq!(problem.header("content-type"), Some("application/problem+json"));
        let told = problem.json();
        assert_eq!(told["status"], 401);
        assert_eq!(told["login_url"], "/oauth2/start?rd=%2F");
        assert_eq!(told["request_id"], *problem.header("x-request-id").unwrap());
    }
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_page_is_sent_to_sign_in_with_one_attempt_in_a_cookie() {
    let door = Door::locked();
    let html = "text/html,application/xhtml+xml,*/*;q=0.8";
    let navigate =
        |dest: &str| Request::get("/x?a=b").header("Sec-Fetch-Mode", "navigate").header("Sec-Fetch-Dest", dest);
    for request in [
        navigate("document").header("Accept", html),
        navigate("iframe").header("Accept", html),
        Request::get("/x?a=b").header("Accept", html),
    ] {
        let answer = door.send(&request);
        assert_eq!(answer.status, 302, "{request:?}");
        let cookies: Vec<_> = answer.all("set-cookie").collect();
        assert_eq!(cookies.len(), 1, "{cookies:?}");
        assert!(cookies[0].starts_with("KEYCLOAK_ADAPTER_STATE.login."), "{cookies:?}");
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookies[0].contains(attribute), "{cookies:?}");
        }
        assert_eq!(answer.header("cache-control"), Some("private, no-store"));
        let to = answer.header("location").unwrap();
        assert!(to.contains("redirect_uri=http%3A%2F%2Fapp.test%2Foauth2%2Fcallback"), "{to}");
    }
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_browser_that_asks_for_many_pages_holds_few_attempts() {
    let door = Door::locked();
    let mut browser = door.browser();
    for page in 0..12 {
        let answer = browser.navigate_once(&format!("http://app.test/page/{page}")).unwrap();
        assert_eq!(answer.status, 302);
    }
    let attempts = browser.jar().cookies().iter().filter(|cookie| cookie.name.contains(".login.")).count();
    assert_eq!(attempts, 5);
    assert_eq!(browser.jar().refused(), &[] as &[String]);
}

#[test]
fn a_host_that_a_client_makes_up_leads_nobody_away() {
    let door = Door::locked();
    let forged = Request::get("/x")
        .header("Accept", "text/html")
        .header("Host", "evil.test")
        .header("X-Forwarded-Host", "evil.test")
        .header("X-Forwarded-Proto", "https")
        .header("Forwarded", "host=evil.test;proto=https");
    let answer = door.send(&forged);
    let to = answer.header("location").unwrap();
    assert!(to.contains("redirect_uri=http%3A%2F%2Fapp.test%2Foauth2%2Fcallback") && !to.contains("evil"), "{to}");
}

#[test]
fn a_session_cookie_that_does_not_open_is_as_good_as_none() {
    let door = Door::locked();
    let none = door.send(&Request::get("/x"));
    for value in ["", "x", "AAAA", "\"quoted\"", "%00", "a=b", "v1.AAAA.BBBB"] {
        for name in ["KEYCLOAK_ADAPTER_STATE", "__Host-KEYCLOAK_ADAPTER_STATE", "KEYCLOAK_ADAPTER_STATE.1"] {
            let answer = door.send(&Request::get("/x").header("Cookie", &format!("{name}={value}")));
            assert_eq!((answer.status, answer.header("set-cookie")), (none.status, None), "{name}={value}");
        }
    }
    let cookie = door.sign_in();
    assert_eq!(door.send(&Request::get("/x").header("Cookie", &cookie)).status, 200);
    let twice = format!("{cookie}; {cookie}");
    assert_eq!(door.send(&Request::get("/x").header("Cookie", &twice)).status, 401);
}

#[test]
fn a_request_without_a_session_is_not_read_to_its_end() {
    let door = Door::with(json!({ "limits": { "body-bytes": "1m" } }));
    let mut wire = door.wire();
    wire.say("POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000000\r\n\r\nthe beginning");
    assert_eq!(wire.answer().status, 401);
}
