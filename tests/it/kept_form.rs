//! A form that was sent after its session had ended is sent again after the sign-in; nothing that another site sent ever is (case 42).

use std::time::Duration;

use identity_server::{
    Browser, Cookie, Form, Page, User,
    http::{Request, Response},
};
use serde_json::json;
use url::Url;

use crate::support::{Options, Scene};

const FIELDS: [(&str, &str); 4] =
    [("item", "tea & cake"), ("note", "two\r\nlines \u{fc}"), ("item", "\"<b>'"), ("empty", "")];

/// What a browser sends when a form of this site is sent.
fn own(request: Request) -> Request {
    request.header("Sec-Fetch-Site", "same-origin").header("Sec-Fetch-Mode", "navigate").header("Accept", "text/html")
}

fn send(scene: &Scene, browser: &mut Browser, path: &str, request: Request) -> Response {
    browser.fetch(&scene.url(path), request).unwrap()
}

/// The value of a hidden field of a page, by its id: what the page's script reads.
fn hidden(page: &str, id: &str) -> String {
    let rest = page.split(&format!("id=\"{id}\" value=\"")).nth(1).unwrap_or_else(|| panic!("no {id} in {page}"));
    rest.split('"').next().unwrap().to_owned()
}

fn href(page: &str) -> String {
    page.split("<a href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&")
}

/// A browser whose tab kept a form, and which has signed in since: where it came back to, what the form is kept under, and the form.
fn kept(scene: &Scene, browser: &mut Browser, path: &str) -> (Page, String, String) {
    let answer = send(scene, browser, path, own(Request::form("", &FIELDS)));
    assert_eq!(answer.status, 401, "{}", answer.text());
    let page = answer.text();
    let back = browser.navigate(&href(&page)).unwrap();
    assert_eq!((back.response.status, back.url.path()), (200, "/oauth2/resume"), "{}", back.response.text());
    (back, hidden(&page, "name"), hidden(&page, "form"))
}

fn resume(scene: &Scene, browser: &mut Browser, name: &str, form: &str) -> Response {
    let request = own(Request::form("", &[("name", name), ("form", form)]));
    send(scene, browser, "/oauth2/resume", request)
}

fn resumed_form(scene: &Scene, answer: &Response) -> Form {
    let url = Url::parse(&scene.url("/oauth2/resume")).unwrap();
    Page { url: url.clone(), response: answer.clone(), trail: vec![url] }.form().unwrap()
}

/// Sessions end with their access token.
fn stale_after_a_minute() -> Options {
    Options::default().server(|server| (server.access_lifetime, server.refresh_lifetime) = (60, 60))
}

fn two_users(server: &mut identity_server::Options) {
    server.users.push(User::named("bob"));
    server.auto_login = None;
}

fn signed_in_as(scene: &Scene, user: &str) -> Browser {
    let mut browser = scene.browser();
    let login = browser.navigate(&scene.url("/private")).unwrap();
    browser.log_in(&login, user, user).unwrap();
    assert!(scene.holds_session(&browser));
    browser
}

/// How a session comes to its end.
type End = fn(&Scene, &mut Browser);

fn a_minute_later(scene: &Scene, _: &mut Browser) {
    scene.clock.advance(Duration::from_secs(61));
}

fn a_day_later(scene: &Scene, _: &mut Browser) {
    scene.clock.advance(Duration::from_secs(24 * 3600));
}

fn signed_out_elsewhere(scene: &Scene, browser: &mut Browser) {
    scene.sign_out(&mut browser.clone());
}

fn forget(_: &Scene, browser: &mut Browser) {
    browser.jar_mut().clear();
}

#[test]
fn a_form_comes_to_the_application_as_it_was_sent_after_a_page_that_says_so() {
    let scene = stale_after_a_minute().start();
    let mut browser = scene.signed_in();
    let before = scene.application.heard().len();
    scene.clock.advance(Duration::from_secs(61));
    let (back, name, form) = kept(&scene, &mut browser, "/order?id=7");
    assert!(back.url.query().is_some_and(|query| name.ends_with(query.strip_prefix("form=").unwrap())));
    assert_eq!(hidden(&back.response.text(), "name"), name);
    assert_eq!(scene.application.heard().len(), before, "nothing reaches the application before the sign-in");
    let again = resume(&scene, &mut browser, &name, &form);
    assert_eq!(again.status, 200, "{}", again.text());
    assert!(again.text().contains("/order?id=7") && again.text().contains("once more"));
    let policy = again.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'nonce-") && !policy.contains("script-src 'unsafe"), "{policy}");
    let filled = resumed_form(&scene, &again);
    let expected: Vec<_> = FIELDS.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    assert_eq!((filled.action.path(), filled.fields.clone()), ("/order", expected));
    let sent = browser.submit(&filled).unwrap();
    assert_eq!(sent.response.status, 200);
    let heard = scene.application.last().unwrap();
    assert_eq!((heard.method.as_str(), heard.target.as_str()), ("POST", "/order?id=7"));
    assert_eq!(heard.body, Request::form("", &FIELDS).body);
}

#[test]
fn what_another_site_or_a_script_sent_is_not_kept() {
    let scene = Scene::start();
    let large = "x".repeat(64 * 1024);
    let form = || Request::form("", &FIELDS);
    let text = |request: Request| request.header("Accept", "text/html");
    let rows = [
        ("cross-site", text(form()).header("Sec-Fetch-Site", "cross-site").header("Sec-Fetch-Mode", "navigate")),
        (
            "same site, other origin",
            text(form()).header("Sec-Fetch-Site", "same-site").header("Sec-Fetch-Mode", "navigate"),
        ),
        ("a foreign origin", text(form()).header("Origin", "https://evil.example")),
        ("no sign of its origin", text(form())),
        ("a script's", form().header("Sec-Fetch-Site", "same-origin").header("Sec-Fetch-Mode", "cors")),
        ("too large", own(Request::form("", &[("a", &large)]))),
        (
            "not UTF-8",
            own(Request::new("POST", "").header("Content-Type", "application/x-www-form-urlencoded").body("a=%FF")),
        ),
        ("JSON", own(Request::new("POST", "").header("Content-Type", "application/json").body("{}"))),
        ("a PUT", own(Request { method: "PUT".into(), ..form() })),
    ];
    for (case, request) in rows {
        let answer = identity_server::http::send(
            scene.adapter.public_address,
            &Request { target: "/order".into(), ..request }.header("Host", "app.test"),
        )
        .unwrap();
        assert_eq!((answer.status, answer.header("set-cookie")), (401, None), "{case}");
        assert!(answer.text().contains("/oauth2/start?rd=") && !answer.text().contains("<script"), "{case}");
    }
    assert!(scene.application.heard().is_empty());
}

#[test]
fn nobody_else_can_have_a_form_sent() {
    let scene = Scene::start();
    let mut browser = scene.browser();
    let (_, name, form) = kept(&scene, &mut browser, "/order");
    let mut flipped = form.clone().into_bytes();
    flipped[60] ^= 1;
    let flipped = String::from_utf8(flipped).unwrap();
    for (case, name, form) in [
        ("changed", &name, &flipped),
        ("under another name", &"doorward.form.x".to_owned(), &form),
        ("nonsense", &name, &"x".to_owned()),
    ] {
        assert_eq!(resume(&scene, &mut browser, name, form).status, 400, "{case}");
    }
    let fields = [("name", name.as_str()), ("form", form.as_str())];
    for site in ["cross-site", "same-site", "none"] {
        let request = Request::form("", &fields).header("Sec-Fetch-Site", site).header("Sec-Fetch-Mode", "navigate");
        assert_eq!(send(&scene, &mut browser, "/oauth2/resume", request).status, 403, "{site}");
    }
    // A form is no session, and a session is no form.
    let mut planted = scene.browser();
    let cookie = browser.jar().find(&scene.session_cookie()).unwrap().clone();
    assert_eq!(resume(&scene, &mut browser, &name, &cookie.value).status, 400);
    planted.jar_mut().insert(Cookie { value: form.clone(), ..cookie });
    assert_eq!(planted.navigate_once(&scene.url("/private")).unwrap().status, 302);
    scene.clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(resume(&scene, &mut browser, &name, &form).status, 400, "expired");
}

/// Whose session a form was sent in, however that had ended. Only its own sender's is sent without a question.
#[test]
fn a_form_is_sent_by_itself_only_for_the_user_whose_session_had_ended() {
    let ends: [(&str, End); 4] = [
        ("access token ended", a_minute_later),
        ("idle", a_day_later),
        ("signed out elsewhere", signed_out_elsewhere),
        ("cookie gone", forget),
    ];
    for (end, how) in ends {
        for (user, known) in [("bob", "Somebody else"), ("alice", "once more")] {
            let scene = stale_after_a_minute().server(two_users).start();
            let mut browser = signed_in_as(&scene, "alice");
            how(&scene, &mut browser);
            let answer = send(&scene, &mut browser, "/order", own(Request::form("", &FIELDS)));
            let (name, form) = (hidden(&answer.text(), "name"), hidden(&answer.text(), "form"));
            let mut browser = signed_in_as(&scene, user);
            let again = resume(&scene, &mut browser, &name, &form);
            let (says, by_itself) =
                if end == "cookie gone" { ("cannot be told any more", false) } else { (known, user == "alice") };
            let page = again.text();
            assert_eq!((again.status, page.contains("<script")), (200, by_itself), "{end}, {user}");
            assert!(page.contains(says), "{end}, {user}: {page}");
            assert_eq!(resumed_form(&scene, &again).fields.len(), FIELDS.len());
        }
    }
}

#[test]
fn a_form_is_not_sent_by_itself_for_nobody() {
    let scene = stale_after_a_minute().start();
    let mut browser = scene.signed_in();
    scene.clock.advance(Duration::from_secs(61));
    let (_, name, form) = kept(&scene, &mut browser, "/order");
    let again = resume(&scene, &mut scene.browser(), &name, &form);
    assert_eq!((again.status, again.text().contains("<script")), (200, false));
}

#[test]
fn forms_are_not_kept_where_that_is_switched_off() {
    let scene = Options::default().with(json!({ "sidecar": { "limits": { "kept-form-bytes": 0 } } })).start();
    let answer = send(&scene, &mut scene.browser(), "/order", own(Request::form("", &FIELDS)));
    assert_eq!(answer.status, 401);
    assert!(!answer.text().contains("<script"));
}
