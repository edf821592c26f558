//! Cookies: ours are not the application's business, and the application's are not ours.

use std::time::Duration;

use identity_server::{User, http::Request};
use serde_json::json;

use crate::support::proxied::{Door, ORIGIN, Plan, get};

#[test]
fn no_cookie_of_ours_reaches_the_application() {
    let door = Door::locked();
    let mut browser = door.browser();
    let waiting = browser.navigate_once(&format!("{ORIGIN}/waiting")).unwrap();
    let attempt = waiting.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let session = door.sign_in();
    let own = [
        "KEYCLOAK_ADAPTER_STATE.1=x",
        "KEYCLOAK_ADAPTER_STATE.7=x",
        "KEYCLOAK_ADAPTER_STATE.login.abc=x",
        "__Host-KEYCLOAK_ADAPTER_STATE=x",
        "__Secure-KEYCLOAK_ADAPTER_STATE=x",
        "__host-keycloak_adapter_state.2=x",
        "keycloak_adapter_state=x",
        "Keycloak_Adapter_State.login.q=x",
        " KEYCLOAK_ADAPTER_STATE.3 =x",
        "__Host-KEYCLOAK_ADAPTER_STATE.4",
    ];
    let cookies = format!("a=1; {session}; {attempt}; {}; b=2", own.join("; "));
    let answer = door.send(&get("/x", &cookies).header("Cookie", &format!("c=3;{}", own.join(";"))));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let heard = door.application.last().unwrap();
    let cookies: Vec<_> = heard.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie")).collect();
    assert_eq!(cookies.len(), 1);
    assert_eq!(cookies[0].1, "a=1; b=2; c=3");
    door.send(&get("/x", &session));
    assert_eq!(door.application.last().unwrap().header("cookie"), None);
}

#[test]
fn cookies_that_are_not_ours_pass_byte_for_byte() {
    let door = Door::open(json!({}));
    let odd = "a=\"1, 2\";b=; =c;  d = e;;KEYCLOAK_ADAPTER_STATES=mine; XKEYCLOAK_ADAPTER_STATE=mine; f=\u{e9}=%zz;";
    let request: Vec<u8> = odd.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let request =
        [b"GET /x HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\nCookie: ", &request[..], b"\r\n\r\n"].concat();
    assert!(door.raw(&request).starts_with(b"HTTP/1.1 200 "));
    assert_eq!(door.application.last().unwrap().header("cookie"), Some(odd));
}

#[test]
fn the_chunks_of_a_large_session_are_hidden_too() {
    let user = (0..300).fold(User::named("ada"), |user, n| user.group(&format!("/{:016x}", pseudo_random(n))));
    let door = Door::start(Plan { user, ..Plan::default() });
    let session = door.sign_in();
    assert!(session.contains("KEYCLOAK_ADAPTER_STATE.1="), "{} bytes", session.len());
    assert_eq!(door.send(&get("/x", &format!("a=1; {session}"))).status, 200);
    let heard = door.application.last().unwrap();
    assert_eq!(heard.header("cookie"), Some("a=1"));
    assert_eq!(heard.header("x-forwarded-groups").unwrap().split(',').count(), 300);
}

/// Something that does not compress.
fn pseudo_random(n: u64) -> u64 {
    (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[test]
fn the_applications_answer_passes_unchanged_when_we_have_no_cookie_to_set() {
    let door = Door::open(json!({}));
    let answer = door.send(&Request::get("/set-cookie"));
    let cookies: Vec<_> = answer.all("set-cookie").collect();
    assert_eq!(cookies, ["JSESSIONID=own; Path=/; HttpOnly", "theme=dark; Path=/"]);
    assert_eq!(answer.header("cache-control"), None);
    for code in [200, 201, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 418, 500, 503] {
        let answer = door.send(&Request::get(&format!("/status/{code}")).header("Accept", "text/html"));
        assert_eq!((answer.status, answer.text().as_str()), (code, ""));
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[test]
fn a_session_in_use_is_sealed_anew_and_that_answer_is_kept_by_no_cache() {
    let door = Door::with(json!({ "session": { "idle": "30m" } }));
    let cookie = door.sign_in();
    let fresh = door.send(&get("/set-cookie", &cookie));
    assert_eq!(fresh.all("set-cookie").count(), 2);
    assert_eq!(fresh.header("cache-control"), None);
    door.clock.advance(Duration::from_secs(200));
    let resealed = door.send(&get("/set-cookie", &cookie));
    let cookies: Vec<_> = resealed.all("set-cookie").collect();
    assert_eq!(cookies.len(), 3, "{cookies:?}");
    assert!(cookies[2].starts_with("KEYCLOAK_ADAPTER_STATE="), "{cookies:?}");
    assert_eq!(resealed.all("cache-control").collect::<Vec<_>>(), ["private, no-store"]);
    let newer = cookies[2].split(';').next().unwrap();
    assert_ne!(newer, cookie);
    assert_eq!(door.send(&get("/x", newer)).status, 200);
}
