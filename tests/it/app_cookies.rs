//! The application's own session goes to whom the application gave it, and to nobody else who comes with its cookie.

use std::time::Duration;

use identity_server::{
    Browser, Cookie, Endpoint, User,
    http::{self, Request, Response},
};
use serde_json::{Value, json};
use url::Url;

use crate::support::{Adapter, CLIENT, KEY, Options, Scene, websocket::WebSocket};

/// 32 other bytes.
const NEWER_KEY: &str = "cGxhbnRlZC1jb29raWUta2V5LWFiY2RlZmdoaWprbG0";
const WITHHELD: &str = "doorward_app_cookies_withheld_total";

/// Two users, pages for everybody who need not sign in, and an application with a session of its own.
fn options() -> Options {
    let sidecar = json!({ "sidecar": {
        "app-session-cookies": ["JSESSIONID", { "name": "LEGACY", "path": "/legacy" }],
        "rules": [{ "path": "/private", "access": "login" }, { "path": "/*", "access": "public" }],
    } });
    Options::default().with(sidecar).server(|server| {
        server.users.push(User::named("bob"));
        server.auto_login = None;
    })
}

fn sign_in(scene: &Scene, browser: &mut Browser, user: &str) {
    let login = browser.navigate(&scene.url("/oauth2/start?rd=/after")).unwrap();
    let page = browser.log_in(&login, user, user).unwrap();
    assert_eq!(page.url.path(), "/after", "{}", page.response.text());
}

/// Out, here and at the identity server, with nothing of the application left.
fn sign_out(scene: &Scene, browser: &mut Browser) {
    let there = scene.sign_out(browser).header("location").unwrap().to_owned();
    browser.navigate(&there).unwrap();
}

/// The application answers with these `Set-Cookie` lines.
fn give(scene: &Scene, browser: &mut Browser, lines: &[&str]) -> Response {
    let query: Vec<_> = lines.iter().map(|line| ("line", line)).collect();
    let url = Url::parse_with_params(&scene.url("/set-cookie"), query).unwrap();
    browser.fetch(url.as_str(), Request::get("")).unwrap()
}

/// What the application hears of this browser's cookies.
fn hears(scene: &Scene, browser: &mut Browser) -> Option<String> {
    assert_eq!(browser.fetch(&scene.url("/page"), Request::get("")).unwrap().status, 200);
    scene.application.last().unwrap().header("cookie").map(str::to_owned)
}

/// The application's cookie as the browser keeps it.
fn kept(browser: &Browser) -> Cookie {
    browser.jar().find("JSESSIONID").expect("a session of the application").clone()
}

fn value(text: &str) -> String {
    format!("JSESSIONID={text}")
}

#[test]
fn of_two_users_in_one_browser_neither_meets_the_others_session() {
    for options in [options(), options().in_process()] {
        let scene = options.start();
        let mut browser = scene.browser();
        sign_in(&scene, &mut browser, "alice");
        give(&scene, &mut browser, &["JSESSIONID=of-alice.node1; Path=/; HttpOnly"]);
        let of_alice = kept(&browser);
        assert_ne!(of_alice.value, "of-alice.node1");
        assert!(of_alice.value.ends_with("~of-alice.node1"), "{}", of_alice.value);
        assert_eq!(hears(&scene, &mut browser), Some(value("of-alice.node1")));
        sign_out(&scene, &mut browser);
        assert_eq!(browser.jar().find("JSESSIONID"), None, "expired with the session");
        browser.jar_mut().insert(of_alice.clone());
        assert_eq!(hears(&scene, &mut browser), None, "nobody is signed in");
        sign_in(&scene, &mut browser, "bob");
        assert_eq!(browser.jar().find("JSESSIONID"), None, "expired at the sign-in");
        browser.jar_mut().insert(of_alice);
        let before = scene.adapter.metric(WITHHELD);
        assert_eq!(hears(&scene, &mut browser), None, "somebody else is signed in");
        assert_eq!(scene.adapter.metric(WITHHELD) - before, 1);
        give(&scene, &mut browser, &["JSESSIONID=of-bob; Path=/"]);
        assert_eq!(hears(&scene, &mut browser), Some(value("of-bob")));
    }
}

/// Session fixation at the application: whoever planted the cookie would share the session that grows under it.
#[test]
fn a_session_from_before_the_sign_in_is_not_taken_over() {
    let scene = options().start();
    let mut attacker = scene.browser();
    give(&scene, &mut attacker, &["JSESSIONID=planted; Path=/"]);
    assert_eq!(hears(&scene, &mut attacker), Some(value("planted")), "it is somebody's who is not signed in");
    let mut victim = scene.browser();
    victim.jar_mut().insert(kept(&attacker));
    sign_in(&scene, &mut victim, "alice");
    assert_eq!(victim.jar().find("JSESSIONID"), None);
    victim.jar_mut().insert(kept(&attacker));
    assert_eq!(hears(&scene, &mut victim), None);
    let plain = Cookie { value: "planted".to_owned(), ..kept(&attacker) };
    victim.jar_mut().insert(plain);
    assert_eq!(hears(&scene, &mut victim), None, "without a tag");
}

#[test]
fn another_sign_in_of_the_same_user_begins_anew() {
    let scene = options().start();
    let (mut one, mut two) = (scene.browser(), scene.browser());
    sign_in(&scene, &mut one, "alice");
    sign_in(&scene, &mut two, "alice");
    give(&scene, &mut one, &["JSESSIONID=first; Path=/"]);
    two.jar_mut().insert(kept(&one));
    assert_eq!(hears(&scene, &mut two), None);
    let first = kept(&one);
    // The identity server knows the user still: no form.
    let page = one.navigate(&scene.url("/oauth2/start?rd=/after")).unwrap();
    assert_eq!(page.url.path(), "/after");
    assert_eq!(one.jar().find("JSESSIONID"), None);
    one.jar_mut().insert(first);
    assert_eq!(hears(&scene, &mut one), None);
}

#[test]
fn a_session_that_is_renewed_keeps_the_applications() {
    for store in ["cookie", "session"] {
        let scene = options().with(json!({ "token-store": store })).start();
        let mut browser = scene.browser();
        sign_in(&scene, &mut browser, "alice");
        give(&scene, &mut browser, &["JSESSIONID=lasting; Path=/"]);
        let calls = scene.server.calls(Endpoint::Token);
        for _ in 0..3 {
            scene.clock.advance(Duration::from_secs(301));
            assert_eq!(hears(&scene, &mut browser), Some(value("lasting")));
        }
        assert_eq!(scene.server.calls(Endpoint::Token) - calls, 3, "renewed each time");
        assert!(browser.jar().find("JSESSIONID").is_some());
    }
}

#[test]
fn a_forged_or_moved_tag_counts_for_nothing_and_takes_no_other_cookie_along() {
    let scene = options().start();
    let mut browser = scene.browser();
    sign_in(&scene, &mut browser, "alice");
    give(&scene, &mut browser, &["JSESSIONID=real; Path=/", "theme=dark; Path=/", "LEGACY=1; Path=/"]);
    assert_eq!(hears(&scene, &mut browser).as_deref(), Some("JSESSIONID=real; theme=dark; LEGACY=1"));
    let session = kept(&browser);
    let (tag, _) = session.value.split_once('~').unwrap();
    for forged in ["real".to_owned(), format!("{tag}~other"), format!("{}~real", "A".repeat(22)), format!("{tag}~")] {
        browser.jar_mut().find_mut("JSESSIONID").unwrap().value = forged;
        assert_eq!(hears(&scene, &mut browser).as_deref(), Some("theme=dark; LEGACY=1"));
    }
    browser.jar_mut().insert(session.clone());
    browser.jar_mut().find_mut("LEGACY").unwrap().value = session.value.clone();
    assert_eq!(hears(&scene, &mut browser).as_deref(), Some("JSESSIONID=real; theme=dark"), "moved to another name");
    let url = Url::parse(&scene.url("/page")).unwrap();
    let all = browser.jar_mut().header(&url, scene.clock_secs()).unwrap();
    let request = Request::get("/page").header("Host", "app.test").header("Cookie", &format!("JSESSIONID=x; {all}"));
    assert_eq!(http::send(scene.adapter.public_address, &request).unwrap().status, 200);
    assert_eq!(
        scene.application.last().unwrap().header("cookie"),
        Some("JSESSIONID=real; theme=dark"),
        "two of a name"
    );
}

#[test]
fn what_the_application_says_of_its_cookie_stays_and_it_can_end_it() {
    let scene = options().start();
    let mut browser = scene.browser();
    sign_in(&scene, &mut browser, "alice");
    let attributes = "; Path=/x; HttpOnly; SameSite=Strict; Max-Age=60; Comment=\"a=b\"";
    let lines = [&format!("JSESSIONID=\"q\"{attributes}"), "theme=a~b; Path=/", "JSESSIONID=; Path=/; Max-Age=0"];
    let answer = give(&scene, &mut browser, &lines);
    let passed: Vec<_> = answer.all("set-cookie").collect();
    let (tag, rest) = passed[0].strip_prefix("JSESSIONID=").unwrap().split_once('~').unwrap();
    assert_eq!((tag.len(), rest), (22, format!("\"q\"{attributes}").as_str()));
    assert_eq!(passed[1..], lines[1..]);
    assert_eq!(answer.header("cache-control"), None);
    give(&scene, &mut browser, &["JSESSIONID=1; Path=/"]);
    give(&scene, &mut browser, &["JSESSIONID=1; Path=/; Max-Age=0"]);
    assert_eq!(hears(&scene, &mut browser).as_deref(), Some("theme=a~b"));
}

#[test]
fn signing_in_and_out_expires_them_at_their_paths_whether_or_not_they_were_sent() {
    for (options, secure) in [(options(), ""), (options().https(), " Secure;")] {
        let scene = options.start();
        let mut browser = scene.browser();
        let login = browser.navigate(&scene.url("/oauth2/start?rd=/after")).unwrap();
        let form = login.form().unwrap().with("username", "alice").with("password", "alice");
        let back = browser.submit_once(&form).unwrap().header("location").unwrap().to_owned();
        let signed_in = browser.navigate_once(&back).unwrap();
        assert_eq!(signed_in.header("location"), Some("/after"));
        for answer in [signed_in, scene.sign_out(&mut browser)] {
            let cookies: Vec<_> = answer.all("set-cookie").collect();
            for (name, path) in [("JSESSIONID", "/"), ("LEGACY", "/legacy")] {
                let line = format!("{name}=; HttpOnly; SameSite=Lax;{secure} Path={path}; Max-Age=0");
                assert!(cookies.contains(&line.as_str()), "{cookies:?}");
            }
            assert_eq!(answer.header("cache-control"), Some("private, no-store"));
        }
        assert_eq!(browser.jar().refused(), Vec::<String>::new());
    }
}

#[test]
fn a_websockets_handshake_brings_no_other_session_either() {
    let scene = options().start();
    let mut browser = scene.browser();
    sign_in(&scene, &mut browser, "alice");
    give(&scene, &mut browser, &["JSESSIONID=of-alice; Path=/"]);
    let url = Url::parse(&scene.url("/ws")).unwrap();
    let ours = browser.jar_mut().header(&url, scene.clock_secs()).unwrap();
    let session = format!("JSESSIONID={}", kept(&browser).value);
    for (cookies, expected) in [(ours, Some(value("of-alice"))), (session, None)] {
        let lines = format!("Origin: {}\r\nCookie: {cookies}\r\n", scene.origin);
        let mut socket = WebSocket::open(scene.adapter.public_address, "/ws", &lines);
        socket.echo("hello");
        assert_eq!(scene.application.last().unwrap().header("cookie").map(str::to_owned), expected);
    }
}

#[test]
fn whoever_brings_a_token_meets_the_sessions_of_that_tokens_subject() {
    let bearer = json!({ "sidecar": {
        "app-session-cookies": ["JSESSIONID"], "rules": [{ "path": "/page", "access": "public" }, { "path": "/*", "access": "bearer" }],
    } });
    let scene = Options::keycloak().with(bearer).start();
    let token = |subject: &str, more: u64| {
        let claims: Value = json!({
            "iss": scene.server.issuer(), "sub": subject, "azp": CLIENT, "typ": "Bearer",
            "iat": scene.clock_secs(), "exp": scene.clock_secs() + 300, "jti": more,
        });
        scene.server.sign("JWT", claims, &[])
    };
    let ask = |path: &str, token: &str, cookie: &str| {
        let request = Request::get(path).header("Host", "app.test").header("Authorization", &format!("Bearer {token}"));
        let answer = http::send(scene.adapter.public_address, &request.header("Cookie", cookie)).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        (answer, scene.application.last().unwrap().header("cookie").map(str::to_owned))
    };
    let (answer, _) = ask("/set-cookie?line=JSESSIONID%3Done", &token("robot", 1), "a=1");
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    assert_eq!(ask("/api", &token("robot", 2), &cookie).1, Some(value("one")), "another token of the same subject");
    assert_eq!(ask("/api", &token("android", 1), &cookie).1, None);
    assert_eq!(ask("/page", "", &cookie).1, None, "nobody");
}

#[test]
fn a_key_that_is_being_replaced_still_recognises_what_it_gave() {
    let (clock, server, application, origin, mut config) = options().prepare();
    let adapter = Adapter::start(&config, clock.clone());
    let mut scene = Scene { adapter, server, application, clock, origin };
    let mut browser = scene.browser();
    give(&scene, &mut browser, &["JSESSIONID=old; Path=/"]);
    for (keys, expected) in [(json!([NEWER_KEY, KEY]), Some(value("old"))), (json!([NEWER_KEY]), None)] {
        config["sidecar"]["cookie"]["keys"] = keys;
        scene.adapter = Adapter::start(&config, scene.clock.clone());
        browser.serve_origin(origin, scene.adapter.public_address, &[]);
        assert_eq!(hears(&scene, &mut browser), expected);
    }
}

#[test]
fn without_the_key_the_applications_cookies_are_its_own_matter() {
    let scene = options().with(json!({ "sidecar": { "app-session-cookies": null } })).start();
    let mut browser = scene.browser();
    give(&scene, &mut browser, &["JSESSIONID=mine; Path=/"]);
    sign_in(&scene, &mut browser, "alice");
    assert_eq!(hears(&scene, &mut browser), Some(value("mine")));
}
