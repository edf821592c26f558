//! A session while it lives: its cookie, its limits, and what nobody may see of it.

use std::time::Duration;

use doorward::domain::{SystemRandom, opaque_token};
use identity_server::{
    AccessFormat, Browser, Cookie, Endpoint, Fault, RefreshFormat, User,
    http::{Request, Response, send},
};
use serde_json::json;

use crate::support::{Adapter, Options, Scene};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Tokens outlive the sessions of the stories about limits.
fn long_tokens(options: Options) -> Options {
    options.server(|server| server.access_lifetime = 7 * 86_400)
}

fn is_in(scene: &Scene, browser: &mut Browser) -> bool {
    browser.navigate_once(&scene.url("/private")).unwrap().status == 200
}

#[test]
fn the_session_cookie_has_every_flag() {
    for (options, name, secure) in [
        (Options::default(), "KEYCLOAK_ADAPTER_STATE", false),
        (Options::default().https(), "__Host-KEYCLOAK_ADAPTER_STATE", true),
    ] {
        let scene = options.start();
        let mut browser = scene.browser();
        let authorization = scene.begin(&mut browser, "/private");
        let callback = scene.callback(&mut browser, &authorization);
        let answer = browser.navigate_once(callback.as_str()).unwrap();
        assert_eq!((answer.status, answer.header("cache-control")), (302, Some("private, no-store")));
        let cookie = browser.jar().find(name).unwrap();
        assert_eq!((cookie.secure, cookie.http_only, cookie.subdomains), (secure, true, false));
        assert_eq!((cookie.path.as_str(), cookie.same_site.as_deref()), ("/", Some("Lax")));
        assert_eq!(browser.jar().refused(), Vec::<String>::new());
    }
}

/// A realm's tokens with a dozen roles: bytes in a cookie cost every hop.
#[test]
fn a_realms_session_is_one_cookie_below_two_kilobytes() {
    let scene = Options::keycloak()
        .server(|server| {
            server.refresh_format = RefreshFormat::Jwt;
            server.users = vec![(0..12).fold(User::named("alice"), |user, n| user.role(&format!("role-{n}")))];
        })
        .start();
    let browser = scene.signed_in();
    let ours: Vec<&Cookie> =
        browser.jar().cookies().iter().filter(|cookie| cookie.name.starts_with("KEYCLOAK_ADAPTER_STATE")).collect();
    assert_eq!(ours.len(), 1);
    let size = ours[0].name.len() + 1 + ours[0].value.len();
    assert!(size < 2048, "{size} bytes");
}

/// Case 32.
#[test]
fn a_session_that_is_too_large_is_refused_by_a_page_and_not_by_a_loop() {
    let scene = Scene::start();
    let noise: String = (0..1000).map(|_| opaque_token(&SystemRandom)).collect();
    scene.server.next(Endpoint::Token, Fault::set("refresh_token", noise));
    let answer = scene.assert_refused("43 kB of refresh token", 502, 1);
    assert!(answer.text().contains("too many roles or groups"), "{}", answer.text());
    assert_eq!(scene.adapter.metric("doorward_sign_ins_total{outcome=\"not_saved\"}"), 1);
    scene.signed_in();
}

#[test]
fn a_large_session_comes_in_chunks_and_goes_with_all_of_them() {
    let noise = |n: u64| format!("group-{:x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (n << 17));
    let scene = Options::keycloak()
        .server(|server| {
            let words = |n: u64| (0..12).map(|part| noise(n * 31 + part)).collect::<String>();
            server.users = vec![(0..20).fold(User::named("alice"), |user, n| user.role(&words(n)))];
        })
        .start();
    let mut browser = scene.signed_in();
    let chunks = |browser: &Browser| {
        browser.jar().cookies().iter().filter(|cookie| cookie.name.starts_with("KEYCLOAK_ADAPTER_STATE")).count()
    };
    assert!((2..=8).contains(&chunks(&browser)), "{} chunks", chunks(&browser));
    assert!(is_in(&scene, &mut browser));
    let mut swapped = browser.clone();
    let values = ["KEYCLOAK_ADAPTER_STATE", "KEYCLOAK_ADAPTER_STATE.1"]
        .map(|name| browser.jar().find(name).unwrap().value.clone());
    swapped.jar_mut().find_mut("KEYCLOAK_ADAPTER_STATE").unwrap().value = values[1].clone();
    swapped.jar_mut().find_mut("KEYCLOAK_ADAPTER_STATE.1").unwrap().value = values[0].clone();
    assert!(!is_in(&scene, &mut swapped), "chunks in another order");
    let mut cut = browser.clone();
    cut.jar_mut().find_mut("KEYCLOAK_ADAPTER_STATE.1").unwrap().value.clear();
    assert!(!is_in(&scene, &mut cut), "a chunk is missing");
    scene.sign_out(&mut browser);
    assert_eq!(chunks(&browser), 0);
}

/// Case 31 and the idle limit: a use is written down when the last one is older than a tenth of the limit.
#[test]
fn the_idle_limit_is_kept_alive_by_use_and_written_seldom() {
    let scene =
        long_tokens(Options::default().with(json!({ "sidecar": { "session": { "idle": "10m", "max": "10h" } } })))
            .start();
    let mut browser = scene.signed_in();
    let value = |browser: &Browser| browser.jar().find(&scene.session_cookie()).unwrap().value.clone();
    let first = value(&browser);
    scene.clock.advance(secs(60));
    let answer = browser.navigate_once(&scene.url("/private")).unwrap();
    assert_eq!((answer.status, answer.header("set-cookie")), (200, None), "written within a tenth of the limit");
    scene.clock.advance(secs(1));
    let answer = browser.navigate_once(&scene.url("/private")).unwrap();
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("private, no-store")));
    assert_ne!(value(&browser), first, "the use was not written down");
    let mut left = browser.clone();
    left.jar_mut().find_mut(&scene.session_cookie()).unwrap().value = first;
    scene.clock.advance(secs(599));
    assert!(is_in(&scene, &mut browser), "in use within the limit");
    left.jar_mut().find_mut(&scene.session_cookie()).unwrap().expires = None;
    assert!(!is_in(&scene, &mut left), "the older cookie lives beyond its own limit");
    scene.clock.advance(secs(600));
    browser.jar_mut().find_mut(&scene.session_cookie()).unwrap().expires = None;
    assert!(!is_in(&scene, &mut browser), "idle for the whole limit");
}

#[test]
fn no_use_carries_a_session_past_its_absolute_limit() {
    let scene =
        long_tokens(Options::default().with(json!({ "sidecar": { "session": { "idle": "30m", "max": "2h" } } })))
            .start();
    let mut browser = scene.signed_in();
    for _ in 0..5 {
        scene.clock.advance(secs(1200));
        assert!(is_in(&scene, &mut browser));
    }
    scene.clock.advance(secs(1199));
    assert!(is_in(&scene, &mut browser));
    browser.jar_mut().find_mut(&scene.session_cookie()).unwrap().expires = None;
    scene.clock.advance(secs(1));
    assert!(!is_in(&scene, &mut browser));
}

#[test]
fn a_session_that_can_no_longer_be_renewed_leads_to_a_silent_sign_in() {
    let scene = Options::default()
        .server(|server| {
            server.access_lifetime = 60;
            server.refresh_lifetime = 60;
        })
        .start();
    let mut browser = scene.signed_in();
    scene.clock.advance(secs(59));
    assert_eq!(browser.navigate(&scene.url("/a")).unwrap().trail.len(), 1);
    scene.clock.advance(secs(1));
    let fetched = browser.fetch(&scene.url("/a"), Request::get("")).unwrap();
    assert_eq!((fetched.status, fetched.header("set-cookie")), (401, None));
    let page = browser.navigate(&scene.url("/a")).unwrap();
    assert_eq!((page.response.status, page.url.path(), page.trail.len()), (200, "/a", 4));
    assert_eq!(scene.server.calls(Endpoint::Login), 0, "the user was asked");
}

/// Case 35.
#[test]
fn a_sign_in_makes_a_new_session_whatever_the_browser_brought() {
    let scene = Scene::start();
    let mut attacker = scene.signed_in();
    let planted = attacker.jar().find(&scene.session_cookie()).unwrap().clone();
    let mut victim = scene.browser();
    victim.jar_mut().insert(planted.clone());
    let page = victim.navigate(&scene.url("/oauth2/start?rd=/private")).unwrap();
    assert_eq!(page.response.status, 200);
    assert_ne!(victim.jar().find(&scene.session_cookie()).unwrap().value, planted.value);
    scene.sign_out(&mut attacker);
    assert!(is_in(&scene, &mut victim), "the new session hangs on the planted one");
}

/// Cases 22 and 23: one that does not open is like none.
#[test]
fn a_cookie_that_does_not_open_is_like_none() {
    let (clock, server, application, origin, config) = Options::default().prepare();
    let twin = Adapter::start(&config, clock.clone());
    let scene = Scene { adapter: Adapter::start(&config, clock.clone()), server, application, clock, origin };
    let mut browser = scene.signed_in();
    let name = scene.session_cookie();
    let good = browser.jar().find(&name).unwrap().clone();
    let mut fresh = scene.browser();
    scene.begin(&mut fresh, "/private");
    let attempt = fresh.jar().find(&scene.attempts(&fresh)[0]).unwrap().value.clone();
    let foreign_key = Options::default()
        .with(json!({ "sidecar": { "cookie": { "keys": ["YW5vdGhlci1jb29raWUta2V5LTAxMjM0NTY3ODlhYmM"] } } }))
        .start();
    let foreign = foreign_key.signed_in().jar().find(&name).unwrap().value.clone();
    let mut flipped = good.value.clone().into_bytes();
    flipped[40] ^= 1;
    let rows = [
        ("a flipped bit", String::from_utf8(flipped).unwrap()),
        ("cut", good.value[..good.value.len() - 1].to_owned()),
        ("longer", format!("{}A", good.value)),
        ("padded", format!("{}=", good.value)),
        ("an attempt as a session", attempt),
        ("sealed by another key", foreign),
        ("empty", String::new()),
        ("nonsense", "nonsense".to_owned()),
    ];
    let missing = scene.browser().navigate_once(&scene.url("/private")).unwrap();
    for (case, value) in rows {
        let mut victim = scene.browser();
        victim.jar_mut().insert(Cookie { value, ..good.clone() });
        let answer = victim.navigate_once(&scene.url("/private")).unwrap();
        assert_eq!((answer.status, answer.body.len()), (missing.status, missing.body.len()), "{case}");
    }
    assert!(is_in(&scene, &mut browser));
    // The same key at another process: stateless, so that any node serves any browser.
    let mut moved = scene.browser();
    moved.serve_origin(scene.origin, twin.public_address, &[("X-Forwarded-Proto", "http")]);
    moved.jar_mut().insert(good);
    assert_eq!(moved.navigate_once(&scene.url("/private")).unwrap().status, 200);
}

/// Case 25: bounded work, and a clean way to a new sign-in.
#[test]
fn chunks_that_nobody_wrote_do_not_open() {
    let scene = Scene::start();
    let good = scene.signed_in().jar().find(&scene.session_cookie()).unwrap().clone();
    for (name, value) in
        [(".1", "AAAA"), (".1", ""), (".99999999", "AAAA"), (".-1", "AAAA"), (".100", "A"), (".7", "A")]
    {
        let mut browser = scene.browser();
        browser.jar_mut().insert(good.clone());
        let name = format!("{}{name}", good.name);
        browser.jar_mut().insert(Cookie { name: name.clone(), value: value.to_owned(), ..good.clone() });
        let page = browser.navigate(&scene.url("/private")).unwrap();
        assert_eq!(page.response.status, 200, "{name}");
    }
}

/// Case 27.
#[test]
fn two_session_cookies_of_one_name_are_none() {
    let scene = Scene::start();
    let browser = scene.signed_in();
    let value = &browser.jar().find(&scene.session_cookie()).unwrap().value;
    let twice = format!("{name}={value}; {name}={value}", name = scene.session_cookie());
    let once = format!("{}={value}", scene.session_cookie());
    for (cookie, status) in [(twice, 302), (once, 200)] {
        let request =
            Request::get("/private").header("Host", "app.test").header("Accept", "text/html").header("Cookie", &cookie);
        assert_eq!(send(scene.adapter.public_address, &request).unwrap().status, status);
    }
}

/// Tokens are for the server side: nothing of them is in what a browser gets, but for the hint at sign-out.
#[test]
fn no_token_is_visible_to_the_browser() {
    let scene = Options::keycloak()
        .with(json!({ "sidecar": { "forward-access-token": true } }))
        .server(|server| server.access_format = AccessFormat::Jwt)
        .start();
    let mut browser = scene.browser();
    let authorization = scene.begin(&mut browser, "/status/204");
    let callback = scene.callback(&mut browser, &authorization);
    let mut seen = vec![browser.navigate_once(callback.as_str()).unwrap()];
    for path in [
        "/status/204",
        "/oauth2/userinfo",
        "/oauth2/start",
        "/oauth2/signed_out",
        "/oauth2/callback?state=a",
        "/oauth2/none",
        "/%2f",
    ] {
        seen.push(browser.navigate_once(&scene.url(path)).unwrap());
    }
    let access =
        scene.application.last().unwrap().header("authorization").unwrap().trim_start_matches("Bearer ").to_owned();
    let redeemed = scene.server.last(Endpoint::Token).unwrap();
    let (verifier, code) = (redeemed.field("code_verifier").unwrap(), redeemed.field("code").unwrap());
    let mut left = scene.sign_out(&mut browser);
    let refresh = scene.server.last(Endpoint::Revocation).unwrap().field("token").unwrap().to_owned();
    let hint = url::Url::parse(left.header("location").unwrap()).unwrap();
    let id = hint.query_pairs().find(|(name, _)| name == "id_token_hint").unwrap().1.into_owned();
    assert!(access.len() > 100 && id.len() > 100 && refresh.len() > 10);
    left.headers.retain(|(name, _)| name != "location");
    seen.push(left);
    for secret in [&access, &id, &refresh, verifier, code] {
        // A token is no less told by its payload alone.
        let parts = secret.split('.').filter(|part| part.len() > 30);
        for part in parts.chain([secret]) {
            assert!(seen.iter().all(|answer| !tells(answer, part)), "{part}");
        }
    }
}

fn tells(answer: &Response, secret: &str) -> bool {
    answer.text().contains(secret) || answer.headers.iter().any(|(_, value)| value.contains(secret))
}
