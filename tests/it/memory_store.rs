//! Sessions that this process keeps: what the browser's ticket is worth, when it dies, and what a restart costs.

use std::time::Duration;

use identity_server::{Browser, Cookie, Endpoint, http::Request, http::send};
use serde_json::json;

use crate::support::{Adapter, Options, Scene};

const HELD: &str = "doorward_sessions";
const DROPPED: &str = "doorward_sessions_dropped_total";

/// A scene with sessions in the process. Tokens outlive the sessions of the stories about limits.
fn kept() -> Options {
    Options::default().in_process().server(|server| server.access_lifetime = 7 * 86_400)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn is_in(scene: &Scene, browser: &Browser) -> bool {
    browser.clone().navigate_once(&scene.url("/private")).unwrap().status == 200
}

fn ticket(scene: &Scene, browser: &Browser) -> Cookie {
    browser.jar().find(&scene.session_cookie()).unwrap().clone()
}

/// A browser into which somebody put `cookie`.
fn planted(scene: &Scene, cookie: &Cookie) -> Browser {
    let mut browser = scene.browser();
    browser.jar_mut().insert(cookie.clone());
    browser
}

#[test]
fn the_cookie_is_short_and_opaque_and_has_every_flag() {
    for options in [kept(), kept().https()] {
        let scene = options.start();
        let mut browser = scene.browser();
        let authorization = scene.begin(&mut browser, "/private");
        let callback = scene.callback(&mut browser, &authorization);
        let answer = browser.navigate_once(callback.as_str()).unwrap();
        assert_eq!((answer.status, answer.header("cache-control")), (302, Some("private, no-store")));
        let cookie = ticket(&scene, &browser);
        assert_eq!(cookie.value.len(), 43);
        assert!(cookie.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        let secure = scene.origin.starts_with("https");
        assert_eq!((cookie.secure, cookie.http_only, cookie.subdomains, cookie.expires), (secure, true, false, None));
        assert_eq!((cookie.path.as_str(), cookie.same_site.as_deref()), ("/", Some("Lax")));
        assert_eq!(browser.jar().refused(), Vec::<String>::new());
        assert!(is_in(&scene, &browser));
        assert_eq!(scene.adapter.metric(HELD), 1);
    }
}

/// A realm's session with more than cookies carry: here it is one ticket.
#[test]
fn a_session_too_large_for_cookies_is_kept() {
    let noise = |n: u64| format!("group-{:x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (n << 17));
    let scene = kept()
        .server(|server| {
            let words = |n: u64| (0..40).map(|part| noise(n * 31 + part)).collect::<String>();
            server.users = vec![(0..40).fold(identity_server::User::named("alice"), |user, n| user.group(&words(n)))];
        })
        .start();
    let browser = scene.signed_in();
    assert_eq!(ticket(&scene, &browser).value.len(), 43);
    assert!(is_in(&scene, &browser));
}

/// The store itself forgets, not only the revocations of this process.
#[test]
fn a_sign_out_kills_every_copy_of_the_ticket_and_nobody_elses() {
    let scene = kept().start();
    let (mut browser, other) = (scene.signed_in(), scene.signed_in());
    let copy = browser.clone();
    assert!(is_in(&scene, &copy));
    assert_eq!(scene.sign_out(&mut browser).status, 303);
    assert!(!scene.holds_session(&browser) && !is_in(&scene, &copy));
    assert!(is_in(&scene, &other));
    assert_eq!(scene.adapter.metric(HELD), 1);
    let lapsed = scene.adapter.metric("doorward_sessions_lapsed_total{reason=\"revoked\"}");
    assert_eq!(lapsed, 0, "the store still knew it");
}

/// Case 35.
#[test]
fn a_ticket_planted_before_a_sign_in_is_replaced_and_dead() {
    let scene = kept().start();
    let attacker = scene.signed_in();
    let invented = Cookie { value: "A".repeat(43), ..ticket(&scene, &attacker) };
    for cookie in [ticket(&scene, &attacker), invented] {
        let mut victim = planted(&scene, &cookie);
        let page = victim.navigate(&scene.url("/oauth2/start?rd=/private")).unwrap();
        assert_eq!(page.response.status, 200);
        assert_ne!(ticket(&scene, &victim).value, cookie.value);
        assert!(is_in(&scene, &victim));
        assert!(!is_in(&scene, &planted(&scene, &cookie)), "whoever planted the ticket is in");
        assert_eq!(scene.adapter.metric("doorward_sessions_lapsed_total{reason=\"revoked\"}"), 0);
        scene.sign_out(&mut victim);
    }
}

#[test]
fn a_second_sign_in_in_one_browser_replaces_the_first() {
    let scene = kept().start();
    let mut browser = scene.signed_in();
    let first = ticket(&scene, &browser);
    assert_eq!(browser.navigate(&scene.url("/oauth2/start?rd=/private")).unwrap().response.status, 200);
    assert_ne!(ticket(&scene, &browser).value, first.value);
    assert!(is_in(&scene, &browser) && !is_in(&scene, &planted(&scene, &first)));
    assert_eq!(scene.adapter.metric(HELD), 1, "the first is kept on");
}

#[test]
fn a_session_is_kept_alive_by_use_without_another_cookie() {
    let limits = json!({ "sidecar": { "session": { "idle": "10m", "max": "10h" } } });
    let scene = kept().with(limits).start();
    let mut browser = scene.signed_in();
    let copy = browser.clone();
    for _ in 0..3 {
        scene.clock.advance(secs(599));
        let answer = browser.navigate_once(&scene.url("/private")).unwrap();
        assert_eq!((answer.status, answer.header("set-cookie")), (200, None));
    }
    assert!(is_in(&scene, &copy), "one ticket, one session");
    scene.clock.advance(secs(600));
    assert!(!is_in(&scene, &browser), "idle for the whole limit");
}

#[test]
fn no_use_carries_a_kept_session_past_its_absolute_limit() {
    let scene = kept().with(json!({ "sidecar": { "session": { "idle": "30m", "max": "2h" } } })).start();
    let browser = scene.signed_in();
    for _ in 0..5 {
        scene.clock.advance(secs(1200));
        assert!(is_in(&scene, &browser));
    }
    scene.clock.advance(secs(1199));
    assert!(is_in(&scene, &browser));
    scene.clock.advance(secs(1));
    assert!(!is_in(&scene, &browser));
}

#[test]
fn a_full_store_ends_the_session_used_longest_ago() {
    let limits = json!({ "sidecar": { "session": { "idle": "10m", "max": "10h", "capacity": 3 } } });
    let scene = kept().with(limits).start();
    let mut browsers = Vec::new();
    for _ in 0..3 {
        browsers.push(scene.signed_in());
        scene.clock.advance(secs(61));
    }
    assert!(is_in(&scene, &browsers[0]), "a use, written down");
    scene.clock.advance(secs(1));
    browsers.push(scene.signed_in());
    let alive: Vec<bool> = browsers.iter().map(|browser| is_in(&scene, browser)).collect();
    assert_eq!(alive, [true, false, true, true]);
    assert_eq!((scene.adapter.metric(HELD), scene.adapter.metric(DROPPED)), (3, 1));
    let page = browsers[1].navigate(&scene.url("/private")).unwrap();
    assert_eq!((page.response.status, page.trail.len()), (200, 4), "a silent sign-in");
}

#[test]
fn sessions_that_have_ended_go_before_any_that_lives() {
    let limits = json!({ "sidecar": { "session": { "idle": "10m", "max": "10h", "capacity": 2 } } });
    let scene = kept().with(limits).start();
    scene.signed_in();
    scene.clock.advance(secs(599));
    let lives = scene.signed_in();
    scene.clock.advance(secs(1));
    let newest = scene.signed_in();
    assert!(is_in(&scene, &lives) && is_in(&scene, &newest));
    assert_eq!((scene.adapter.metric(HELD), scene.adapter.metric(DROPPED)), (2, 0));
}

#[test]
fn a_restart_costs_a_silent_sign_in() {
    let (clock, server, application, origin, config) = kept().prepare();
    let adapter = Adapter::start(&config, clock.clone());
    let mut scene = Scene { adapter, server, application, clock, origin };
    let mut browser = scene.signed_in();
    let before = ticket(&scene, &browser);
    scene.adapter = Adapter::start(&config, scene.clock.clone());
    browser.serve_origin(origin, scene.adapter.public_address, &[]);
    let fetched = browser.fetch(&scene.url("/private"), Request::get("")).unwrap();
    assert_eq!((fetched.status, fetched.header("set-cookie")), (401, None));
    let page = browser.navigate(&scene.url("/private")).unwrap();
    assert_eq!((page.response.status, page.url.path(), page.trail.len()), (200, "/private", 4));
    assert_eq!(scene.server.calls(Endpoint::Login), 0, "the user was asked");
    assert_ne!(ticket(&scene, &browser).value, before.value);
}

#[test]
fn a_ticket_that_is_not_exactly_one_is_none() {
    let scene = kept().start();
    let good = ticket(&scene, &scene.signed_in()).value;
    let name = scene.session_cookie();
    let mut flipped = good.clone().into_bytes();
    flipped[20] = if flipped[20] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let rows = [
        ("alone", format!("{name}={good}"), 200),
        ("twice", format!("{name}={good}; {name}={good}"), 302),
        ("beside another", format!("{name}={good}; {name}={flipped}"), 302),
        ("changed", format!("{name}={flipped}"), 302),
        ("cut", format!("{name}={}", &good[1..]), 302),
        ("padded", format!("{name}={good}="), 302),
        ("quoted", format!("{name}=\"{good}\""), 302),
        ("in pieces", format!("{name}=2.{}; {name}.1={}", &good[..20], &good[20..]), 302),
        ("empty", format!("{name}="), 302),
        ("of another name", format!("{name}.1={good}"), 302),
    ];
    for (case, cookie, status) in rows {
        let request = Request::get("/private").header("Host", "app.test").header("Accept", "text/html");
        let answer = send(scene.adapter.public_address, &request.header("Cookie", &cookie)).unwrap();
        assert_eq!(answer.status, status, "{case}");
    }
}

/// Neither the application nor the identity server, which gets to know a session by another name.
#[test]
fn nobody_but_the_browser_hears_of_the_ticket() {
    let scene = kept().start();
    let browser = scene.signed_in();
    let value = ticket(&scene, &browser).value;
    let told = scene.server.last(Endpoint::Token).unwrap();
    assert!(!told.form.iter().any(|(_, field)| field.contains(&value)));
    let heard = scene.application.last().unwrap();
    assert!(!heard.headers.iter().any(|(_, field)| field.contains(&value)));
}
