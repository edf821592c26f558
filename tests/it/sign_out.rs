//! The way out: who may ask for it, in which order it happens, and what holds afterwards.

use std::time::Duration;

use identity_server::{Client, Endpoint, Fault, http::Request, http::Response};
use serde_json::json;
use url::Url;

use crate::support::{CLIENT, Options, Scene};

fn ask(scene: &Scene, browser: &mut identity_server::Browser, method: &str, headers: &[(&str, &str)]) -> Response {
    let request = headers.iter().fold(Request::new(method, ""), |request, (name, value)| request.header(name, value));
    browser.fetch(&scene.url("/oauth2/sign_out"), request).unwrap()
}

fn is_in(scene: &Scene, browser: &identity_server::Browser) -> bool {
    browser.clone().navigate_once(&scene.url("/private")).unwrap().status == 200
}

#[test]
fn a_sign_out_ends_the_session_here_and_there_and_comes_back() {
    for options in
        [Options::default(), Options::keycloak(), Options::default().in_process(), Options::keycloak().in_process()]
    {
        let scene = options.start();
        let mut browser = scene.signed_in();
        let copy = browser.clone();
        let answer = scene.sign_out(&mut browser);
        assert_eq!((answer.status, answer.header("cache-control")), (303, Some("private, no-store")));
        assert!(!scene.holds_session(&browser));
        assert_eq!(scene.server.calls(Endpoint::Revocation), 1);
        let next = Url::parse(answer.header("location").unwrap()).unwrap();
        assert_eq!(next.as_str().split('?').next().unwrap(), scene.server.url(Endpoint::EndSession));
        let value = |name: &str| next.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        assert_eq!(value("client_id").as_deref(), Some(CLIENT));
        assert_eq!(value("post_logout_redirect_uri").as_deref(), Some("http://app.test/oauth2/signed_out"));
        assert_eq!(value("state").unwrap().len(), 43);
        assert_eq!(identity_server::claims(&value("id_token_hint").unwrap())["sub"], "subject-of-alice");
        let page = browser.navigate(next.as_str()).unwrap();
        assert_eq!((page.response.status, page.url.path()), (200, "/oauth2/signed_out"));
        assert_eq!(scene.server.sessions(), []);
        assert!(!is_in(&scene, &copy), "a copy of the cookie lives on");
    }
}

#[test]
fn a_copy_of_the_cookie_is_refused_for_as_long_as_it_could_live() {
    let scene = Options::default().server(|server| server.access_lifetime = 7 * 86_400).start();
    let mut browser = scene.signed_in();
    let mut copy = browser.clone();
    scene.sign_out(&mut browser);
    for _ in 0..3 {
        scene.clock.advance(Duration::from_secs(599));
        let mut other = scene.signed_in();
        scene.sign_out(&mut other);
        assert!(!is_in(&scene, &copy));
        assert_eq!(copy.fetch(&scene.url("/oauth2/userinfo"), Request::get("")).unwrap().status, 401);
    }
}

#[test]
fn one_sign_out_ends_one_session() {
    let scene = Scene::start();
    let (mut one, other) = (scene.signed_in(), scene.signed_in());
    scene.sign_out(&mut one);
    assert!(is_in(&scene, &other));
}

/// Case 59.
#[test]
fn only_this_site_signs_its_users_out() {
    let scene = Scene::start();
    let mut browser = scene.signed_in();
    let page = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
    let image = [("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")];
    let site = |site: &'static str, rest: &[(&'static str, &'static str)]| {
        let mut headers = vec![("Sec-Fetch-Site", site)];
        headers.extend_from_slice(rest);
        headers
    };
    let rows = [
        ("an image elsewhere", "GET", site("cross-site", &image)),
        ("a link elsewhere", "GET", site("cross-site", &page)),
        ("a form elsewhere", "POST", site("cross-site", &page)),
        ("a form of a sister site", "POST", site("same-site", &page)),
        ("an address typed in", "GET", site("none", &page)),
        ("an image of our own", "GET", site("same-origin", &image)),
        (
            "a frame of our own",
            "GET",
            site("same-origin", &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")]),
        ),
        (
            "a prefetch of our own",
            "GET",
            site("same-origin", &[("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")]),
        ),
        ("the other's origin", "POST", vec![("Origin", "https://evil.example")]),
        ("no origin", "POST", vec![("Origin", "null")]),
        ("an origin that begins like ours", "POST", vec![("Origin", "http://app.test.evil")]),
        ("nothing told", "POST", vec![]),
        ("nothing told", "GET", vec![]),
        ("Fetch Metadata before Origin", "POST", vec![("Sec-Fetch-Site", "cross-site"), ("Origin", "http://app.test")]),
    ];
    for (case, method, headers) in rows {
        let answer = ask(&scene, &mut browser, method, &headers);
        assert_eq!((answer.status, answer.header("set-cookie")), (200, None), "{case}");
        assert!(answer.text().contains("<form method=\"post\" action=\"/oauth2/sign_out\">"), "{case}");
        assert!(answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"), "{case}");
        assert!(is_in(&scene, &browser), "{case}");
    }
    assert_eq!(scene.server.calls(Endpoint::Revocation), 0);
    for (method, headers) in [
        ("GET", site("same-origin", &page)),
        ("POST", site("same-origin", &page)),
        ("POST", vec![("Origin", "http://app.test")]),
    ] {
        let mut browser = scene.signed_in();
        assert_eq!(ask(&scene, &mut browser, method, &headers).status, 303, "{method} {headers:?}");
        assert!(!scene.holds_session(&browser));
    }
}

#[test]
fn the_confirmation_pages_button_signs_out() {
    let scene = Scene::start();
    let mut browser = scene.signed_in();
    let page = browser.navigate(&scene.url("/oauth2/sign_out")).unwrap();
    let form = page.form().unwrap();
    assert_eq!((form.method.to_ascii_uppercase().as_str(), form.action.path()), ("POST", "/oauth2/sign_out"));
    assert_eq!(ask(&scene, &mut browser, "POST", &[("Origin", "http://app.test")]).status, 303);
}

/// Case 30.
#[test]
fn a_host_cookie_is_removed_as_it_was_set() {
    let scene = Options::default().https().start();
    let mut browser = scene.signed_in();
    let answer = scene.sign_out(&mut browser);
    let line = answer.header("set-cookie").unwrap();
    assert!(line.starts_with("__Host-KEYCLOAK_ADAPTER_STATE=;"), "{line}");
    for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=0"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!line.contains("Domain"));
    assert!(!scene.holds_session(&browser) && browser.jar().refused().is_empty());
}

#[test]
fn the_refresh_token_is_revoked_before_the_browser_is_sent_on() {
    let scene = Scene::start();
    let mut browser = scene.signed_in();
    let answer = scene.sign_out(&mut browser);
    let revoked = scene.server.last(Endpoint::Revocation).unwrap();
    assert_eq!(revoked.field("token_type_hint"), Some("refresh_token"));
    assert!(revoked.field("token").is_some_and(|token| !token.is_empty()));
    assert!(revoked.header("authorization").is_some_and(|value| value.starts_with("Basic ")));
    assert_eq!(scene.server.calls(Endpoint::EndSession), 0, "the browser goes there, not we");
    assert_eq!(answer.status, 303);
}

/// The session ends here first: while the provider is still thinking, a copy of the cookie is already worth nothing.
#[test]
fn the_local_session_ends_before_the_provider_is_asked() {
    for options in [Options::default(), Options::default().in_process()] {
        let scene = options.start();
        let browser = scene.signed_in();
        scene.server.next(Endpoint::Revocation, Fault::Hang);
        let mut leaving = browser.clone();
        std::thread::scope(|scope| {
            let out = scope.spawn(|| scene.sign_out(&mut leaving).status);
            assert!(scene.server.wait_for_calls(Endpoint::Revocation, 1));
            assert!(!is_in(&scene, &browser), "still in while the provider is asked");
            scene.server.release();
            assert_eq!(out.join().unwrap(), 303);
        });
    }
}

#[test]
fn a_provider_in_trouble_keeps_nobody_signed_in() {
    let rows = [
        ("503", Fault::status(503)),
        ("400", Fault::error(400, "invalid_request")),
        ("closed", Fault::DropConnection),
        ("a redirect", Fault::redirect("http://127.0.0.1:1/")),
    ];
    let scene = Scene::start();
    for (case, fault) in rows {
        let mut browser = scene.signed_in();
        let copy = browser.clone();
        scene.server.next(Endpoint::Revocation, fault);
        assert_eq!(scene.sign_out(&mut browser).status, 303, "{case}");
        assert!(!scene.holds_session(&browser) && !is_in(&scene, &copy), "{case}");
    }
}

#[test]
fn a_provider_that_is_down_keeps_nobody_signed_in() {
    for options in [Options::default(), Options::default().in_process()] {
        let mut scene = options.start();
        let mut browser = scene.signed_in();
        let copy = browser.clone();
        scene.server.stop();
        assert_eq!(scene.sign_out(&mut browser).status, 303);
        assert!(!scene.holds_session(&browser) && !is_in(&scene, &copy));
    }
}

#[test]
fn a_provider_without_these_endpoints_leads_to_our_own_page() {
    let (clock, server, application, origin, config) = Options::default().prepare();
    let without = ["end_session_endpoint", "revocation_endpoint"].map(identity_server::Patch::remove);
    server.always(Endpoint::Discovery, Fault::Json(without.into()));
    let adapter = crate::support::Adapter::start(&config, clock.clone());
    let scene = Scene { adapter, server, application, clock, origin };
    let mut browser = scene.signed_in();
    let answer = scene.sign_out(&mut browser);
    assert_eq!(answer.status, 303);
    assert!(answer.header("location").is_some_and(|to| to.starts_with("/oauth2/signed_out?state=")));
    assert_eq!(scene.server.calls(Endpoint::Revocation), 0);
}

#[test]
fn the_return_from_a_sign_out_never_signs_in_again_whatever_its_state() {
    let scene = Scene::start();
    for query in ["", "?state=unknown", "?state=a&state=b", "?error=x&rd=//evil.example"] {
        let mut browser = scene.browser();
        let page = browser.navigate(&scene.url(&format!("/oauth2/signed_out{query}"))).unwrap();
        assert_eq!((page.response.status, page.trail.len()), (200, 1), "{query}");
        assert_eq!(page.response.header("set-cookie"), None);
        assert!(page.response.text().contains("/oauth2/start?rd=%2F") && !page.response.text().contains("evil"));
    }
    assert_eq!(scene.server.calls(Endpoint::Authorization), 0);
}

#[test]
fn whoever_is_not_signed_in_can_sign_out_all_the_same() {
    let scene = Scene::start();
    let answer = scene.sign_out(&mut scene.browser());
    assert_eq!(answer.status, 303);
    assert!(!answer.header("location").unwrap().contains("id_token_hint"));
    assert_eq!(scene.server.calls(Endpoint::Revocation), 0);
}

/// A host from outside never names where a browser comes back to (case 3).
#[test]
fn the_return_page_is_on_the_configured_origin() {
    let scene = Scene::start();
    let mut browser = scene.signed_in();
    let headers =
        [("Sec-Fetch-Site", "same-origin"), ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https")];
    let answer = ask(&scene, &mut browser, "POST", &headers);
    let next = Url::parse(answer.header("location").unwrap()).unwrap();
    let back = next.query_pairs().find(|(name, _)| name == "post_logout_redirect_uri").unwrap().1.into_owned();
    assert_eq!(back, "http://app.test/oauth2/signed_out");
}

#[test]
fn a_public_client_revokes_with_its_name_alone() {
    let config = json!({ "public-client": true, "sidecar": { "provider": { "client-secret": null } } });
    let scene = Options::default()
        .with(config)
        .server(|server| {
            let authentication = identity_server::ClientAuthentication::None;
            server.clients = vec![Client { authentication, ..server.clients[0].clone() }];
        })
        .start();
    let mut browser = scene.signed_in();
    scene.sign_out(&mut browser);
    let revoked = scene.server.last(Endpoint::Revocation).unwrap();
    assert_eq!((revoked.field("client_id"), revoked.header("authorization")), (Some(CLIENT), None));
}

/// The signed-out page asks for it, when the page that the user left is already kept in memory; nobody else's page can.
#[test]
fn kept_pages_are_forgotten_at_a_sign_out_and_for_the_page_after_it_alone() {
    let scene = Scene::start();
    let mut browser = scene.signed_in();
    let answer = scene.sign_out(&mut browser);
    assert_eq!(answer.header("clear-site-data"), Some("\"cache\""));
    let asked = |site: &str, dest: &str| {
        let request = Request::get("").header("Sec-Fetch-Site", site).header("Sec-Fetch-Dest", dest);
        scene.browser().fetch(&scene.url("/oauth2/signed_out"), request).unwrap()
    };
    let ours = asked("same-origin", "image");
    assert_eq!((ours.status, ours.header("clear-site-data")), (204, Some("\"cache\"")));
    for (site, dest) in
        [("cross-site", "image"), ("same-site", "image"), ("none", "document"), ("same-origin", "document")]
    {
        let answer = asked(site, dest);
        assert_eq!((answer.status, answer.header("clear-site-data")), (200, None), "{site} {dest}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(answer.text().contains("<img src=\"/oauth2/signed_out\"") && policy.contains("img-src 'self'"));
    }
}
