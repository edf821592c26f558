//! The way back: which callbacks are believed, and what happens to the others before anything is asked of the provider.

use std::time::Duration;

use identity_server::{Browser, CallbackFault, Endpoint, Fault, Form, http::Request};
use serde_json::json;
use url::Url;

use crate::support::{Options, Scene};

fn spoil(callback: &Url, name: &str, value: Option<&str>) -> Url {
    let kept: Vec<_> = callback.query_pairs().into_owned().filter(|(key, _)| key != name).collect();
    let mut spoilt = callback.clone();
    spoilt.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(value.map(|value| (name, value)));
    spoilt
}

/// Cases 33 to 36: refused before the token endpoint is asked, by a page with a way on.
fn assert_turned_away(scene: &Scene, case: &str, browser: &mut Browser, callback: &str) {
    let calls = scene.token_calls();
    let answer = browser.navigate_once(callback).unwrap();
    assert_eq!(answer.status, 400, "{case}: {}", answer.text());
    assert_eq!(answer.header("location"), None, "{case}");
    assert!(answer.text().contains("href=\"/oauth2/start?rd="), "{case}: no way on");
    assert!(!scene.holds_session(browser), "{case}");
    assert_eq!(scene.token_calls(), calls, "{case}: the token endpoint was asked");
}

#[test]
fn a_callback_whose_state_is_not_this_browsers_is_turned_away() {
    let scene = Scene::start();
    let mut other = scene.browser();
    let authorization = scene.begin(&mut other, "/private");
    let foreign = scene.callback(&mut other, &authorization);
    let mut browser = scene.browser();
    assert_turned_away(&scene, "no attempt at all", &mut browser, foreign.as_str());
    let authorization = scene.begin(&mut browser, "/private");
    let own = scene.callback(&mut browser, &authorization);
    assert_turned_away(&scene, "the attacker's code and state", &mut browser, foreign.as_str());
    let state = authorization.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let same_start = format!("{}{}", &state[..8], "A".repeat(35));
    for (case, value) in [
        ("no state", None),
        ("empty state", Some("")),
        ("state cut", Some(&state[..42])),
        ("state that begins the same", Some(same_start.as_str())),
        ("state longer", Some(&*format!("{state}A"))),
        ("state not ASCII", Some("äöüäöüäöü")),
    ] {
        assert_turned_away(&scene, case, &mut browser, spoil(&own, "state", value).as_str());
    }
    // None of them used the attempt up.
    assert_eq!(browser.navigate(own.as_str()).unwrap().response.status, 200);
    assert_eq!(other.navigate(foreign.as_str()).unwrap().response.status, 200);
}

#[test]
fn a_used_callback_is_turned_away_even_with_its_attempts_cookie() {
    let scene = Scene::start();
    let mut browser = scene.browser();
    let authorization = scene.begin(&mut browser, "/private");
    let mut copy = browser.clone();
    let callback = scene.callback(&mut browser, &authorization);
    assert_eq!(browser.navigate(callback.as_str()).unwrap().response.status, 200);
    assert_eq!(scene.attempts(&browser), Vec::<String>::new());
    assert_eq!(scene.attempts(&copy).len(), 1);
    assert_turned_away(&scene, "replay", &mut copy, callback.as_str());
}

#[test]
fn the_back_button_after_a_sign_in_shows_a_page_with_a_way_on() {
    let scene = Scene::start();
    let mut browser = scene.browser();
    let authorization = scene.begin(&mut browser, "/private");
    let callback = scene.callback(&mut browser, &authorization);
    browser.navigate(callback.as_str()).unwrap();
    let calls = scene.token_calls();
    let back = browser.navigate(callback.as_str()).unwrap();
    assert_eq!((back.response.status, back.trail.len()), (200, 1), "{}", back.response.text());
    assert!(back.response.text().contains("href=\"/\""));
    assert_eq!(scene.token_calls(), calls);
    assert_eq!(scene.sign_in(&mut browser).trail.len(), 1, "the session did not live on");
}

#[test]
fn an_attempt_ends_by_its_seal_whatever_the_browser_keeps() {
    let scene = Options::default().with(json!({ "sidecar": { "attempt-ttl": "10m" } })).start();
    for (seconds, good) in [(599, true), (600, false)] {
        let mut browser = scene.browser();
        let authorization = scene.begin(&mut browser, "/private");
        for cookie in scene.attempts(&browser) {
            assert!(browser.jar().find(&cookie).unwrap().expires.is_some());
            browser.jar_mut().find_mut(&cookie).unwrap().expires = None;
        }
        scene.clock.advance(Duration::from_secs(seconds));
        let callback = scene.callback(&mut browser, &authorization);
        if good {
            assert_eq!(browser.navigate(callback.as_str()).unwrap().response.status, 200);
        } else {
            assert_turned_away(&scene, "expired", &mut browser, callback.as_str());
        }
    }
}

/// Case 37.
#[test]
fn a_parameter_that_comes_twice_is_refused() {
    let scene = Scene::start();
    for name in ["code", "state", "error", "iss", "session_state", "foo"] {
        let mut browser = scene.browser();
        let authorization = scene.begin(&mut browser, "/private");
        let callback = scene.callback(&mut browser, &authorization);
        let twice = format!("{callback}&{name}=1&{name}=1");
        let calls = scene.token_calls();
        let answer = browser.navigate_once(&twice).unwrap();
        assert_eq!((answer.status, answer.header("set-cookie")), (400, None), "{name}");
        assert_eq!(scene.token_calls(), calls, "{name}");
    }
}

/// Case 36 and RFC 9207.
#[test]
fn a_callback_of_another_issuer_is_refused_before_the_token_call() {
    let scene = Scene::start();
    let set = |value: &str| CallbackFault::Set("iss".to_owned(), value.to_owned());
    let rows = [
        ("another issuer", set("https://evil.example")),
        ("a slash more", set(&format!("{}/", scene.server.issuer()))),
        ("no iss though the provider always sends it", CallbackFault::Remove("iss".to_owned())),
    ];
    for (case, fault) in rows {
        scene.server.next(Endpoint::Authorization, Fault::Callback(vec![fault]));
        scene.assert_refused(case, 400, 0);
    }
    scene.signed_in();
}

#[test]
fn a_provider_that_never_promised_iss_need_not_send_it() {
    let (clock, server, application, origin, config) = Options::default().prepare();
    server.always(Endpoint::Discovery, Fault::remove("authorization_response_iss_parameter_supported"));
    let adapter = crate::support::Adapter::start(&config, clock.clone());
    let scene = Scene { adapter, server, application, clock, origin };
    scene.server.next(Endpoint::Authorization, Fault::Callback(vec![CallbackFault::Remove("iss".to_owned())]));
    scene.signed_in();
    let wrong = CallbackFault::Set("iss".to_owned(), "https://evil.example".to_owned());
    scene.server.next(Endpoint::Authorization, Fault::Callback(vec![wrong]));
    scene.assert_refused("a wrong iss all the same", 400, 0);
}

#[test]
fn a_callback_without_a_code_is_refused() {
    let scene = Scene::start();
    for fault in [CallbackFault::Remove("code".to_owned()), CallbackFault::Set("code".to_owned(), String::new())] {
        scene.server.next(Endpoint::Authorization, Fault::Callback(vec![fault]));
        scene.assert_refused("no code", 400, 0);
    }
}

/// Case 6: what a callback says is shown, not obeyed.
#[test]
fn the_providers_error_is_shown_escaped_and_nothing_of_it_followed() {
    let scene = Scene::start();
    let error = |name: &str| {
        let set = |name: &str, value: &str| CallbackFault::Set(name.to_owned(), value.to_owned());
        Fault::Callback(vec![
            CallbackFault::Remove("code".to_owned()),
            set("error", name),
            set("error_description", "<script>alert(1)</script>"),
            set("error_uri", "https://evil.example/"),
        ])
    };
    for (name, status) in [
        ("access_denied", 403),
        ("login_required", 403),
        ("<b>", 403),
        ("temporarily_unavailable", 503),
        ("server_error", 503),
    ] {
        scene.server.next(Endpoint::Authorization, error(name));
        let answer = scene.assert_refused(name, status, 0);
        let text = answer.text();
        assert!(text.contains("&lt;script&gt;") && !text.contains("<script") && !text.contains("<b>"), "{text}");
        assert!(!text.contains("evil.example") && answer.header("location").is_none());
        assert!(answer.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
    }
}

#[test]
fn an_error_beside_a_code_is_an_error() {
    let scene = Scene::start();
    let both = CallbackFault::Set("error".to_owned(), "access_denied".to_owned());
    scene.server.next(Endpoint::Authorization, Fault::Callback(vec![both]));
    scene.assert_refused("both", 403, 0);
}

#[test]
fn parameters_that_nobody_knows_are_ignored() {
    let scene = Scene::start();
    let more = vec![
        CallbackFault::Set("session_state".to_owned(), "x".to_owned()),
        CallbackFault::Set("foo".to_owned(), "bar".to_owned()),
    ];
    scene.server.next(Endpoint::Authorization, Fault::Callback(more));
    scene.signed_in();
}

#[test]
fn in_query_mode_a_post_to_the_callback_is_not_allowed() {
    let scene = Scene::start();
    let mut browser = scene.browser();
    let authorization = scene.begin(&mut browser, "/private");
    let callback = scene.callback(&mut browser, &authorization);
    let fields: Vec<_> = callback.query_pairs().into_owned().collect();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let form = Form::post(&scene.url("/oauth2/callback"), &fields).unwrap();
    let answer = browser.submit_once(&form).unwrap();
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")));
    assert_eq!(scene.token_calls(), 0);
    assert_eq!(browser.navigate(callback.as_str()).unwrap().response.status, 200);
}

#[test]
fn a_posted_callback_signs_in_and_only_its_attempts_cookie_is_sent_across_sites() {
    let scene = Options::default().https().with(json!({ "sidecar": { "response-mode": "form_post" } })).start();
    let mut browser = scene.browser();
    let authorization = scene.begin(&mut browser, "/private?a=1");
    assert!(authorization.query_pairs().any(|pair| pair == ("response_mode".into(), "form_post".into())));
    let attempt = browser.jar().find(&scene.attempts(&browser)[0]).unwrap().clone();
    assert!(attempt.name.starts_with("__Host-") && attempt.secure && attempt.http_only);
    assert_eq!(attempt.same_site.as_deref(), Some("None"));
    let page = browser.navigate(authorization.as_str()).unwrap();
    let form = page.form().unwrap();
    assert!(form.field("code").is_some());
    let mut kept = browser.clone();
    let landed = browser.submit(&form).unwrap();
    assert_eq!((landed.response.status, landed.url.as_str()), (200, "https://app.test/private?a=1"));
    let session = browser.jar().find(&scene.session_cookie()).unwrap();
    assert_eq!((session.same_site.as_deref(), session.secure), (Some("Lax"), true));
    let (calls, replayed) = (scene.token_calls(), kept.submit_once(&form).unwrap());
    assert_eq!((replayed.status, scene.token_calls()), (400, calls));
    assert_eq!(browser.navigate_once(&scene.url("/oauth2/callback?code=1&state=2")).unwrap().status, 405);
}

#[test]
fn a_posted_callback_must_be_a_small_form() {
    let scene = Options::default().https().with(json!({ "sidecar": { "response-mode": "form_post" } })).start();
    let mut browser = scene.browser();
    let post = |content_type: &str, body: &str| {
        Request::new("POST", "").header("Content-Type", content_type).body(body.as_bytes().to_vec())
    };
    let form = "application/x-www-form-urlencoded";
    let huge = format!("state={}", "a".repeat(65 * 1024));
    for (request, status) in [
        (post("application/json", "{}"), 400),
        (post("text/plain", "state=a"), 400),
        (post(form, "state=a&state=b"), 400),
        (post(form, &huge), 413),
    ] {
        let answer = browser.fetch(&scene.url("/oauth2/callback"), request).unwrap();
        assert_eq!((answer.status, answer.header("set-cookie")), (status, None), "{}", answer.text());
    }
    assert_eq!(scene.token_calls(), 0);
}
