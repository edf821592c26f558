//! Beginning a sign-in: what is sent to the provider, what the browser is given to remember, and where it comes back to.

use std::{collections::BTreeSet, time::Duration};

use identity_server::{Browser, Endpoint, Fault, http::Request};
use serde_json::json;
use url::Url;

use crate::support::{CLIENT, Options, Scene};

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[test]
fn a_user_signs_in_and_reaches_the_page_that_was_asked_for() {
    let scene = Scene::start();
    let mut browser = scene.browser();
    let page = browser.navigate(&scene.url("/private/a%20b?c=d&e=%2F%2Ff")).unwrap();
    assert_eq!((page.response.status, page.url.as_str()), (200, "http://app.test/private/a%20b?c=d&e=%2F%2Ff"));
    assert_eq!(page.trail.len(), 4, "there, to the provider, back, and to the page");
    assert_eq!(scene.application.heard().len(), 1);
    let again = browser.navigate(&scene.url("/private")).unwrap();
    assert_eq!((again.response.status, again.trail.len()), (200, 1));
    assert_eq!(scene.token_calls(), 1);
}

#[test]
fn the_authorization_request_says_all_that_it_must_and_nothing_twice() {
    let scene = Scene::start();
    let (first, second) = (scene.begin(&mut scene.browser(), "/a"), scene.begin(&mut scene.browser(), "/a"));
    let names: Vec<String> = first.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
    let expected = [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", "http://app.test/oauth2/callback"),
        ("scope", "openid profile email"),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in expected {
        assert_eq!(parameter(&first, name).as_deref(), Some(value), "{name}");
    }
    for name in ["state", "nonce", "code_challenge"] {
        let (one, other) = (parameter(&first, name).unwrap(), parameter(&second, name).unwrap());
        assert!(one.len() == 43 && one != other, "{name} is not 256 fresh bits");
    }
    assert_eq!(parameter(&first, "response_mode"), None);
}

#[test]
fn configured_parameters_are_sent_and_only_listed_ones_are_passed_on() {
    let provider = json!({
        "params": { "prompt": "consent", "ui_locales": "en" }, "forwarded-params": ["login_hint", "kc_idp_hint"],
        "scopes": ["profile", "offline_access"],
    });
    let scene = Options::default().with(json!({ "sidecar": { "provider": provider } })).start();
    let start = "/oauth2/start?rd=/x&login_hint=bob%26a&kc_idp_hint=g&client_id=evil&redirect_uri=https://evil.example\
                 &prompt=none&state=fixed&nonce=fixed&scope=all&ui_locales=xx";
    let url = scene.begin(&mut scene.browser(), start);
    let expected = [
        ("prompt", "consent"),
        ("ui_locales", "en"),
        ("login_hint", "bob&a"),
        ("kc_idp_hint", "g"),
        ("client_id", CLIENT),
        ("redirect_uri", "http://app.test/oauth2/callback"),
        ("scope", "openid profile offline_access"),
    ];
    for (name, value) in expected {
        let values: Vec<_> = url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value).collect();
        assert_eq!(values, [value], "{name}");
    }
    assert_ne!(parameter(&url, "state").as_deref(), Some("fixed"));
}

#[test]
fn the_verifier_that_is_sent_with_the_code_is_the_challenges() {
    // The server refuses a wrong one, and an authorization request without.
    let scene = Options::default().server(|server| server.require_pkce = true).start();
    scene.signed_in();
    let token = scene.server.last(Endpoint::Token).unwrap();
    assert_eq!(token.field("code_verifier").unwrap().len(), 43);
    assert_eq!(token.field("redirect_uri"), Some("http://app.test/oauth2/callback"));
}

/// Case 40: nothing is kept on our side, and little in the browser.
#[test]
fn a_browser_holds_at_most_five_attempts_and_the_oldest_goes() {
    let scene = Scene::start();
    let mut browser = scene.browser();
    let mut authorizations = Vec::new();
    for tab in 0..7 {
        authorizations.push(scene.begin(&mut browser, &format!("/tab/{tab}")));
        assert_eq!(scene.attempts(&browser).len(), authorizations.len().min(5));
        scene.clock.advance(std::time::Duration::from_secs(1));
    }
    let held: usize = browser.jar().cookies().iter().map(|cookie| cookie.name.len() + cookie.value.len()).sum();
    assert!(held < 5 * 600, "{held} bytes of attempts");
    for (tab, authorization) in authorizations.iter().enumerate() {
        let callback = scene.callback(&mut browser, authorization);
        let page = browser.navigate(callback.as_str()).unwrap();
        if tab < 2 {
            assert_eq!((page.response.status, page.trail.len()), (400, 1), "an attempt beyond the limit: {tab}");
        } else {
            assert_eq!(page.url.path(), format!("/tab/{tab}"));
        }
    }
    assert_eq!(scene.token_calls(), 5);
}

#[test]
fn sign_ins_in_parallel_tabs_all_complete() {
    let scene = Scene::start();
    let mut browser = scene.browser();
    let one = scene.begin(&mut browser, "/one");
    let two = scene.begin(&mut browser, "/two");
    let (one, two) = (scene.callback(&mut browser, &one), scene.callback(&mut browser, &two));
    let landed = |browser: &mut Browser, callback: &Url| browser.navigate(callback.as_str()).unwrap().url;
    assert_eq!(landed(&mut browser, &two).path(), "/two");
    assert_eq!(landed(&mut browser, &one).path(), "/one");
    assert_eq!((scene.token_calls(), scene.attempts(&browser).len()), (2, 0));
}

#[test]
fn the_attempts_cookie_is_for_the_way_back_only() {
    for (options, host, secure) in [(Options::default(), false, false), (Options::default().https(), true, true)] {
        let scene = options.start();
        let mut browser = scene.browser();
        let answer = browser.navigate_once(&scene.url("/private")).unwrap();
        assert_eq!(answer.header("cache-control"), Some("private, no-store"));
        let attempts = scene.attempts(&browser);
        let cookie = browser.jar().find(&attempts[0]).unwrap();
        assert_eq!(cookie.name.starts_with("__Host-"), host);
        assert_eq!((cookie.secure, cookie.http_only, cookie.subdomains), (secure, true, false));
        assert_eq!((cookie.path.as_str(), cookie.same_site.as_deref()), ("/", Some("Lax")));
        assert!(cookie.expires.is_some());
        assert_eq!(browser.jar().refused(), Vec::<String>::new());
    }
}

/// Case 41.
#[test]
fn what_cannot_follow_a_sign_in_is_told_so_and_gets_no_cookie() {
    let scene = Scene::start();
    let image = |mode: &str, dest: &str| {
        Request::get("").header("Sec-Fetch-Mode", mode).header("Sec-Fetch-Dest", dest).header("Accept", "*/*")
    };
    let websocket = image("websocket", "websocket")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", crate::support::websocket::KEY)
        .header("Sec-WebSocket-Version", "13");
    let rows = [
        ("fetch", image("cors", "empty")),
        ("image", image("no-cors", "image")),
        ("script", image("same-origin", "script")),
        ("event stream", image("cors", "empty").header("Accept", "text/event-stream")),
        ("WebSocket", websocket),
        ("an embedded object", image("navigate", "object")),
        ("XHR of old", Request::get("").header("X-Requested-With", "XMLHttpRequest").header("Accept", "text/html")),
        ("gRPC", Request::new("POST", "").header("Content-Type", "application/grpc").body(b"x".to_vec())),
        ("a form", Request::form("", &[("a", "b")]).header("Sec-Fetch-Mode", "navigate")),
        ("a program", Request::get("").header("Accept", "application/json")),
    ];
    for (case, request) in rows {
        let answer = identity_server::http::send(scene.adapter.public_address, &at("/private", request)).unwrap();
        assert_eq!((answer.status, answer.header("set-cookie")), (401, None), "{case}");
        assert_eq!(answer.header("location"), None, "{case}");
        if answer.header("content-type") == Some("application/problem+json") {
            assert!(answer.json()["login_url"].as_str().unwrap().starts_with("/oauth2/start?rd="), "{case}");
        } else {
            assert!(answer.text().contains("/oauth2/start?rd="), "{case}: {}", answer.text());
        }
    }
    let page = Request::get("").header("Accept", "text/html");
    let answer = identity_server::http::send(scene.adapter.public_address, &at("/private", page)).unwrap();
    assert_eq!(answer.status, 302);
    assert_eq!(scene.application.heard(), Vec::new());
}

fn at(path: &str, mut request: Request) -> Request {
    path.clone_into(&mut request.target);
    request
}

/// Case 3.
#[test]
fn a_host_from_outside_never_names_the_redirect_uri() {
    let scene = Scene::start();
    let request = Request::get("/private")
        .header("Host", "evil.example")
        .header("X-Forwarded-Host", "evil.example")
        .header("X-Forwarded-Proto", "https")
        .header("Forwarded", "host=evil.example")
        .header("Accept", "text/html");
    let answer = identity_server::http::send(scene.adapter.public_address, &request).unwrap();
    if answer.status == 302 {
        let url = Url::parse(answer.header("location").unwrap()).unwrap();
        assert_eq!(parameter(&url, "redirect_uri").as_deref(), Some("http://app.test/oauth2/callback"));
    } else {
        assert_eq!((answer.status, answer.header("set-cookie")), (400, None));
    }
}

/// Case 3, where the request may name the origin: only by a listed name.
#[test]
fn without_a_public_url_only_a_listed_host_names_the_origin() {
    let with_hosts = json!({ "sidecar": { "public-url": null, "allowed-hosts": ["app.test"] } });
    let scene = Options::default().with(with_hosts).start();
    let ask = |host: &str| {
        let request = Request::get("/private").header("Host", host).header("Accept", "text/html");
        identity_server::http::send(scene.adapter.public_address, &request).unwrap()
    };
    let url = Url::parse(ask("app.test").header("location").unwrap()).unwrap();
    assert_eq!(parameter(&url, "redirect_uri").as_deref(), Some("http://app.test/oauth2/callback"));
    for host in ["evil.example", "app.test.evil", "evil-app.test", "app.test:8443", "app.test@evil", "x.app.test"] {
        let answer = ask(host);
        assert_eq!((answer.status, answer.header("location")), (400, None), "{host}");
    }
}

/// Cases 1, 2 and 5: wherever `rd` points, a sign-in ends on this site.
#[test]
fn a_return_target_elsewhere_leads_home() {
    let scene = Scene::start();
    let targets = [
        "//evil.example",
        "/\\evil.example",
        "/%09/evil.example",
        "/%5cevil.example",
        "/.//evil.example",
        "/\t/evil.example",
        "http:evil.example",
        "https:/evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: a=b",
        "/\0",
        "http://app.test.evil/",
        "http://evil-app.test/",
        "http://app.test@evil.example/",
        "http://app.test:8443/",
        "https://app.test/",
        "/oauth2/sign_out",
        "/oauth2/start?rd=/",
    ];
    for target in targets {
        let mut browser = scene.browser();
        let rd: String = url::form_urlencoded::byte_serialize(target.as_bytes()).collect();
        let page = browser.navigate(&scene.url(&format!("/oauth2/start?rd={rd}"))).unwrap();
        assert_eq!((page.response.status, page.url.as_str()), (200, "http://app.test/"), "{target:?}");
        let hosts: BTreeSet<_> = page.trail.iter().filter_map(Url::host_str).collect();
        assert_eq!(hosts, BTreeSet::from(["127.0.0.1", "app.test"]), "{target:?}");
    }
    for target in ["/a?b=c", "http://app.test/a?b=c"] {
        let rd: String = url::form_urlencoded::byte_serialize(target.as_bytes()).collect();
        let page = scene.browser().navigate(&scene.url(&format!("/oauth2/start?rd={rd}"))).unwrap();
        assert_eq!(page.url.as_str(), "http://app.test/a?b=c");
    }
    let page = scene.browser().navigate(&scene.url("/oauth2/start?rd=/a?t={id_token}")).unwrap();
    assert!(page.url.as_str().ends_with("/a?t={id_token}"), "a placeholder was filled in: {}", page.url);
}

/// Case 4, and the bits of case 22 for attempts.
#[test]
fn an_attempts_cookie_that_was_changed_is_no_attempt() {
    let scene = Scene::start();
    let mut browser = scene.browser();
    let authorization = scene.begin(&mut browser, "/private");
    let name = scene.attempts(&browser).remove(0);
    let value = browser.jar().find(&name).unwrap().value.clone();
    let callback = scene.callback(&mut browser, &authorization);
    for index in 0..value.len() {
        let mut changed = value.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let mut victim = browser.clone();
        victim.jar_mut().find_mut(&name).unwrap().value = String::from_utf8(changed).unwrap();
        let answer = victim.navigate_once(callback.as_str()).unwrap();
        assert_eq!((answer.status, scene.token_calls()), (400, 0), "character {index}");
    }
    assert_eq!(browser.navigate(callback.as_str()).unwrap().response.status, 200);
}

/// Case 42.
#[test]
fn a_post_without_a_session_is_neither_kept_nor_passed_on() {
    let scene = Scene::start();
    let post = Request::form("", &[("text", "a long letter")]);
    let answer = scene.browser().fetch(&scene.url("/send"), post).unwrap();
    assert_eq!((answer.status, answer.header("set-cookie"), answer.header("location")), (401, None, None));
    assert_eq!(scene.application.heard(), Vec::new());
}

/// An administrator's clock may be ahead. The session would be refused at its first use, and the browser sent to sign in again, for ever.
#[test]
fn a_sign_in_from_before_a_not_before_that_lies_ahead_is_told_so() {
    let scene = Options::keycloak().start();
    let ahead = scene.clock_secs() + 300;
    scene.server.next(Endpoint::Token, Fault::set("not-before-policy", ahead));
    let answer = scene.assert_refused("a not-before that lies ahead", 403, 1);
    assert!(answer.text().contains("try again later"), "{}", answer.text());
    assert_eq!(scene.adapter.metric("doorward_sign_ins_total{outcome=\"not_before\"}"), 1);
    scene.clock.advance(Duration::from_secs(300));
    scene.signed_in();
}

/// Keycloak's UserInfo refuses such tokens as well, which is no fault of the answer. And nobody tells one user that it was taken back.
#[test]
fn a_not_before_that_lay_ahead_and_was_taken_back_keeps_nobody_out_who_tried_meanwhile() {
    let scene = Options::keycloak().start();
    let ahead = scene.clock_secs() + 300;
    scene.server.configure(|options| options.not_before = ahead);
    scene.assert_refused("a not-before that lies ahead", 403, 1);
    scene.server.configure(|options| options.not_before = 0);
    scene.signed_in();
}
