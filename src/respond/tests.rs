//! Who is sent to sign in and who is told 401; who gets a page and who gets JSON.

use http::{HeaderName, Method};

use super::*;
use crate::{
    domain::SystemRandom,
    message::{Body, Transport},
    target::Target,
};

const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

fn request(method: Method, headers: &[(&str, &str)]) -> Request {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    let id = RequestId::random(&SystemRandom);
    Request {
        method,
        target: Target::parse("/").unwrap(),
        headers: map,
        peer: None,
        transport: Transport::Plain,
        id,
        body: Body::Empty,
        handshake: None,
    }
}

fn navigates(headers: &[(&str, &str)]) -> bool {
    is_navigation(&request(Method::GET, headers))
}

#[test]
fn by_fetch_metadata_only_a_document_is_navigated_to() {
    for (mode, dest, expected) in [
        ("navigate", Some("document"), true),
        ("navigate", Some("iframe"), true),
        ("navigate", Some("frame"), true),
        ("navigate", None, true),
        ("navigate", Some("object"), false),
        ("navigate", Some("embed"), false),
        ("navigate", Some("empty"), false),
        ("cors", Some("empty"), false),
        ("same-origin", Some("empty"), false),
        ("no-cors", Some("image"), false),
        ("no-cors", Some("document"), false),
        ("websocket", Some("empty"), false),
        ("", Some("document"), false),
    ] {
        let headers = [Some(PAGE), Some(("sec-fetch-mode", mode)), dest.map(|dest| ("sec-fetch-dest", dest))];
        let headers: Vec<_> = headers.into_iter().flatten().collect();
        assert_eq!(navigates(&headers), expected, "{mode} {dest:?}");
    }
    let metadata = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("accept", "application/json")];
    assert!(navigates(&metadata), "fetch metadata, which no script can set, goes before Accept");
}

#[test]
fn without_fetch_metadata_whoever_asks_for_a_page_navigates() {
    for (accept, expected) in [
        ("text/html", true),
        ("application/xhtml+xml", true),
        (PAGE.1, true),
        ("*/*", false),
        ("text/*", false),
        ("application/json", false),
        ("text/event-stream", false),
        ("image/avif,image/webp,*/*", false),
        ("", false),
    ] {
        assert_eq!(navigates(&[("accept", accept)]), expected, "{accept}");
    }
    assert!(!navigates(&[]));
    assert!(navigates(&[("accept", "application/json"), ("accept", "text/html")]));
}

#[test]
fn a_script_that_says_so_does_not_navigate() {
    for (with, expected) in
        [("XMLHttpRequest", false), ("xmlhttprequest", false), ("com.example.browser", true), ("", true)]
    {
        assert_eq!(navigates(&[PAGE, ("x-requested-with", with)]), expected, "{with}");
    }
}

#[test]
fn only_a_get_that_stays_http_navigates() {
    let metadata = [PAGE, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    for method in [Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        assert!(!is_navigation(&request(method.clone(), &metadata)), "{method}");
        assert!(!is_navigation(&request(method, &[PAGE])));
    }
    assert!(!navigates(&[&metadata[..], &[("upgrade", "websocket")]].concat()));
}

#[test]
fn a_page_is_for_whoever_asks_for_one() {
    let audience = |accept: &'static str| Audience::of(&request(Method::POST, &[("accept", accept)]).headers);
    assert_eq!(audience(PAGE.1), Audience::Person);
    assert_eq!(audience("application/json, text/plain, */*"), Audience::Program);
    assert_eq!(Audience::of(&HeaderMap::new()), Audience::Program);
}

fn answer(refusal: Refusal, audience: Audience) -> (Response, String) {
    let response = refusal.into_response(audience, &RequestId::accept(&HeaderValue::from_static("id-1")).unwrap());
    let Body::Full(body) = &response.body else { panic!("a refusal has a body") };
    let body = String::from_utf8(body.to_vec()).unwrap();
    (response, body)
}

#[test]
fn a_program_is_told_where_to_sign_in() {
    let refusal = Refusal::SignInNeeded { login_url: "/oauth2/start?rd=%2Fa".into() };
    let (response, body) = answer(refusal, Audience::Program);
    let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(response.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(problem["login_url"], "/oauth2/start?rd=%2Fa");
    assert_eq!((&problem["status"], &problem["request_id"]), (&json!(401), &json!("id-1")));
}

#[test]
fn what_a_stranger_wrote_is_escaped_on_a_page() {
    let failed = SignInFailed {
        blame: Blame::Denied,
        message: "<script>alert(1)</script>".into(),
        retry_url: "/oauth2/start?rd=%2F&x=\"><img>".into(),
    };
    let (response, body) = answer(Refusal::SignInFailed(failed), Audience::Person);
    assert_eq!(response.status, StatusCode::FORBIDDEN);
    assert!(body.contains("&lt;script&gt;") && body.contains("id-1"));
    assert!(!body.contains("<script>") && !body.contains("\"><img>"));
}

#[test]
fn refusals_carry_the_headers_that_their_status_asks_for() {
    let (response, _) = answer(Refusal::MethodNotAllowed("GET, POST"), Audience::Program);
    assert_eq!(response.headers[header::ALLOW], "GET, POST");
    let (response, _) = answer(Refusal::NotReady, Audience::Person);
    assert_eq!(response.headers[header::RETRY_AFTER], "5");
    let (response, _) = answer(Refusal::Internal, Audience::Person);
    assert!(!response.headers.contains_key(header::RETRY_AFTER));
}

#[test]
fn a_challenge_says_the_realm_and_why_in_quotes_that_nothing_breaks() {
    let challenge = |realm: &str, error| {
        let refusal = Refusal::TokenNeeded(Challenge { realm: realm.to_owned(), error });
        let answer = refusal.into_response(Audience::Program, &RequestId::random(&SystemRandom));
        assert_eq!(answer.status, 401);
        answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned()
    };
    assert_eq!(challenge("shop", None), r#"Bearer realm="shop""#);
    let error = Some(("invalid_token", r#"say "no" \"#.to_owned()));
    let expected = r#"Bearer realm="a\"b?", error="invalid_token", error_description="say \"no\" \\""#;
    assert_eq!(challenge("a\"b\u{e4}", error), expected);
}

/// One of each kind: the first, and whichever comes after `refusal`. Whoever adds a kind is sent here, to link it in.
fn after(refusal: Option<&Refusal>) -> Option<Refusal> {
    let failed = |blame| {
        Refusal::SignInFailed(SignInFailed { blame, message: String::new(), retry_url: "/oauth2/start".to_owned() })
    };
    Some(match refusal {
        None => Refusal::BadRequest("".into()),
        Some(Refusal::BadRequest(_)) => Refusal::BodyTooLarge,
        Some(Refusal::BodyTooLarge) => Refusal::Busy,
        Some(Refusal::Busy) => Refusal::ExpectationFailed,
        // Before what any sentence may stand in.
        Some(Refusal::ExpectationFailed) => Refusal::NotPermitted { sign_out_url: None },
        Some(Refusal::NotPermitted { .. }) => Refusal::Forbidden("".into()),
        Some(Refusal::Forbidden(_)) => Refusal::HeadTooLarge,
        Some(Refusal::HeadTooLarge) => Refusal::HttpsNeeded { location: "https://app.test/".to_owned() },
        Some(Refusal::HttpsNeeded { .. }) => Refusal::Internal,
        Some(Refusal::Internal) => Refusal::MethodNotAllowed("…"),
        Some(Refusal::MethodNotAllowed(_)) => Refusal::NotFound,
        Some(Refusal::NotFound) => Refusal::NotImplemented,
        Some(Refusal::NotImplemented) => Refusal::NotReady,
        Some(Refusal::NotReady) => failed(Blame::Browser),
        Some(Refusal::SignInFailed(SignInFailed { blame, .. })) => match blame {
            Blame::Browser => failed(Blame::Denied),
            Blame::Denied => failed(Blame::Provider),
            Blame::Provider => failed(Blame::Unavailable),
            Blame::Unavailable => Refusal::SignInNeeded { login_url: "/oauth2/start".to_owned() },
        },
        Some(Refusal::SignInNeeded { .. }) => Refusal::TokenNeeded(Challenge { realm: String::new(), error: None }),
        Some(Refusal::TokenNeeded(_)) => Refusal::UpstreamBroken,
        Some(Refusal::UpstreamBroken) => Refusal::UpstreamTimeout,
        Some(Refusal::UpstreamTimeout) => Refusal::UpstreamUnreachable,
        Some(Refusal::UpstreamUnreachable) => Refusal::WebSocketVersion,
        Some(Refusal::WebSocketVersion) => return None,
    })
}

/// Status, title and sentence; that ends in nothing where it is made elsewhere.
#[test]
fn every_refusal_stands_in_the_operations_page_and_no_other_does() {
    let page = include_str!("../../docs/operations.md");
    let (_, page) = page.split_once("\n## What users and clients are answered\n").unwrap();
    let (page, _) = page.split_once("\n### ").unwrap();
    let mut rows: Vec<_> =
        page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| status")).collect();
    let told = rows.len();
    for refusal in std::iter::successors(after(None), |refusal| after(Some(refusal))) {
        let row = format!("| {} | {} | {}", refusal.status().as_u16(), refusal.title(), refusal.sentence());
        let before = rows.len();
        rows.retain(|line| !line.starts_with(&row));
        assert!(rows.len() < before, "not in the page: {row}");
    }
    assert!(told > 20 && rows.is_empty(), "no refusal is like {rows:#?}");
}
