//! Logins that another site begins (OpenID Connect Core 1.0, section 4): by our provider only, and to our own pages only.

use identity_server::{Browser, Endpoint, http::Response};
use url::Url;

use super::plain;
use crate::support::Scene;

/// The address that a link elsewhere leads to.
fn start(scene: &Scene, query: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    scene.url(&format!("/oauth2/start?{query}"))
}

fn opened(scene: &Scene, query: &[(&str, &str)]) -> (Browser, Response) {
    let mut browser = scene.browser();
    let answer = browser.navigate_once(&start(scene, query)).unwrap();
    (browser, answer)
}

#[test]
fn our_provider_may_begin_a_login_with_a_hint_and_a_place_to_go() {
    let scene = plain("cookie").start();
    let (issuer, target) = (scene.server.issuer(), scene.url("/deep?x=1"));
    let query = [("iss", issuer.as_str()), ("target_link_uri", &target), ("login_hint", "alice@example.com")];
    let (_, answer) = opened(&scene, &query);
    assert_eq!(answer.status, 302, "{}", answer.text());
    let authorization = Url::parse(answer.header("location").unwrap()).unwrap();
    assert!(authorization.as_str().starts_with(&scene.server.url(Endpoint::Authorization)));
    let hint = authorization.query_pairs().find(|(name, _)| name == "login_hint").map(|(_, value)| value.into_owned());
    assert_eq!(hint.as_deref(), Some("alice@example.com"));
    let page = scene.browser().navigate(&start(&scene, &query)).unwrap();
    assert_eq!((page.response.status, page.url.as_str()), (200, target.as_str()));
    assert!(scene.application.last().unwrap().target.starts_with("/deep?x=1"));
}

#[test]
fn a_foreign_issuer_begins_nothing() {
    let scene = plain("cookie").start();
    let issuer = scene.server.issuer();
    let slashed = format!("{issuer}/");
    let rows: [&[(&str, &str)]; 3] =
        [&[("iss", "https://evil.test")], &[("iss", &slashed)], &[("iss", &issuer), ("iss", "https://evil.test")]];
    for query in rows {
        let (browser, answer) = opened(&scene, query);
        assert_eq!((answer.status, answer.header("location")), (400, None), "{query:?}: {}", answer.text());
        assert_eq!(scene.attempts(&browser), Vec::<String>::new(), "{query:?}");
    }
    assert_eq!(scene.server.calls(Endpoint::Authorization), 0);
}

#[test]
fn a_target_that_is_no_page_of_ours_is_the_front_page() {
    let scene = plain("cookie").start();
    let issuer = scene.server.issuer();
    for target in [
        "https://evil.test/x",
        "https://app.test/x",
        "http://app.test:8080/x",
        "http://app.test.evil.test/x",
        "http://app.test@evil.test/x",
        "//evil.test/x",
        "/\\evil.test/x",
        "javascript:alert(1)",
        "http:evil.test",
        "",
    ] {
        let query = [("iss", issuer.as_str()), ("target_link_uri", target)];
        let page = scene.browser().navigate(&start(&scene, &query)).unwrap();
        assert_eq!((page.response.status, page.url.as_str()), (200, "http://app.test/"), "{target}");
    }
    let page = scene.browser().navigate(&start(&scene, &[("iss", &issuer)])).unwrap();
    assert_eq!((page.response.status, page.url.path()), (200, "/"));
}
