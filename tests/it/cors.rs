//! Pages of other origins: what their scripts may ask and read, and what they may not.

use identity_server::{
    Browser,
    http::{self, Request, Response},
};
use serde_json::{Value, json};

use crate::support::{CLIENT, Options, Scene, websocket::WebSocket};

const FRIEND: &str = "https://friend.test";
const STRANGER: &str = "https://stranger.test";

fn scene(more: Value) -> Scene {
    let base = json!({ "enable-cors": true, "sidecar": { "rules": [
        { "path": "/open/*", "access": "public" }, { "path": "/cors/open", "access": "public" },
        { "path": "/api/*", "access": "bearer" },
    ] } });
    let friendly = |server: &mut identity_server::Options| server.clients[0].web_origins = vec![FRIEND.to_owned()];
    Options::keycloak().server(friendly).with(base).with(more).start()
}

fn ask(scene: &Scene, request: &Request) -> Response {
    http::send(scene.adapter.public_address, request).unwrap()
}

fn preflight(path: &str, origin: &str) -> Request {
    Request::new("OPTIONS", path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "PUT")
        .header("Access-Control-Request-Headers", "x-a, content-type")
}

fn from(scene: &Scene, browser: &mut Browser, path: &str, origin: &str) -> Response {
    browser.fetch(&scene.url(path), Request::get("").header("Origin", origin)).unwrap()
}

/// Every value of the three headers that let scripts read an answer.
fn grants(answer: &Response) -> Vec<&str> {
    let names = ["access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"];
    names.iter().flat_map(|name| answer.all(name)).collect()
}

#[test]
fn a_preflight_is_answered_where_a_token_is_needed_for_any_origin_and_before_anything_else() {
    let scene = scene(json!({}));
    for path in ["/", "/api/x", "/page"] {
        let answer = ask(&scene, &preflight(path, STRANGER));
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(STRANGER));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("access-control-allow-methods"), Some("PUT"));
        assert_eq!(answer.header("access-control-allow-headers"), Some("x-a, content-type"));
        assert_eq!(answer.header("access-control-max-age"), None);
        assert!(answer.header("vary").unwrap().starts_with("Origin"), "{:?}", answer.header("vary"));
        assert_eq!(answer.header("set-cookie"), None);
    }
    assert_eq!(grants(&ask(&scene, &preflight("/", "null"))), [] as [&str; 0]);
    assert_eq!(scene.application.heard(), []);
}

/// On a public route the application alone says what other origins may do: who is signed in is named there too.
#[test]
fn a_preflight_for_a_public_route_is_the_applications_to_answer() {
    let rules = json!({ "sidecar": { "rules": [
        { "path": "/open/*", "access": "public", "methods": ["GET", "PUT"] }, { "path": "/api/*", "access": "bearer" },
    ] } });
    let scene = scene(rules);
    let answer = ask(&scene, &preflight("/open/x", STRANGER));
    assert_eq!(scene.application.last().map(|heard| heard.method), Some("OPTIONS".to_owned()));
    assert_eq!(grants(&answer), [] as [&str; 0]);
    let delete = Request::new("OPTIONS", "/open/x").header("Origin", STRANGER);
    let delete = delete.header("Access-Control-Request-Method", "DELETE");
    assert_eq!(grants(&ask(&scene, &delete)), [STRANGER, "true"], "DELETE needs a login there");
    assert_eq!(scene.application.heard().len(), 1);
}

/// A page can hide its origin (`Referrer-Policy: no-referrer`, a sandbox), and must not get round the list by it.
#[test]
fn a_page_that_hides_its_origin_can_change_nothing() {
    let scene = scene(json!({}));
    let mut browser = scene.signed_in();
    let heard = scene.application.heard().len();
    for method in ["POST", "PUT", "DELETE"] {
        for site in [Some("cross-site"), Some("same-site"), Some("none"), None] {
            let request = Request::new(method, "").header("Origin", "null");
            let request = site.into_iter().fold(request, |request, site| request.header("Sec-Fetch-Site", site));
            let answer = browser.fetch(&scene.url("/page"), request).unwrap();
            assert_eq!((answer.status, grants(&answer).len()), (403, 0), "{method} from {site:?}");
        }
    }
    assert_eq!(scene.application.heard().len(), heard);
    let own = Request::new("POST", "").header("Origin", "null").header("Sec-Fetch-Site", "same-origin");
    assert_eq!(browser.fetch(&scene.url("/page"), own).unwrap().status, 200);
}

/// CORS does not bind them: `websocket-origins` alone says who may.
#[test]
fn a_websocket_of_a_listed_origin_passes_whatever_the_token_lists() {
    let scene = scene(json!({ "sidecar": { "websocket-origins": [STRANGER] } }));
    let browser = scene.signed_in();
    let cookie = browser.jar().find(&scene.session_cookie()).unwrap();
    let lines = |origin: &str| format!("Cookie: {}={}\r\nOrigin: {origin}\r\n", cookie.name, cookie.value);
    WebSocket::open(scene.adapter.public_address, "/ws", &lines(STRANGER));
    let refused = WebSocket::ask(scene.adapter.public_address, "/ws", &lines(FRIEND));
    assert_eq!(refused.map(|_| ()).unwrap_err().status, 403, "a grant of CORS is none of WebSockets");
}

#[test]
fn configured_words_go_before_what_is_asked_for() {
    let scene = scene(json!({
        "cors-max-age": 600, "cors-allowed-methods": "GET, PUT", "cors-allowed-headers": "X-B",
        "cors-exposed-headers": "X-C",
    }));
    let answer = ask(&scene, &preflight("/", FRIEND));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, PUT"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("X-B"));
    assert_eq!(answer.header("access-control-max-age"), Some("600"));
    let answer = from(&scene, &mut scene.signed_in(), "/page", FRIEND);
    assert_eq!(grants(&answer), [FRIEND, "true", "X-C"]);
}

#[test]
fn what_is_no_preflight_needs_a_login_like_anything_else() {
    let scene = scene(json!({}));
    let options = || Request::new("OPTIONS", "/page");
    for request in [
        options(),
        options().header("Origin", FRIEND),
        options().header("Access-Control-Request-Method", "PUT"),
        Request::new("POST", "/page").header("Origin", FRIEND).header("Access-Control-Request-Method", "PUT"),
    ] {
        let answer = ask(&scene, &request);
        assert_eq!((answer.status, grants(&answer)), (401, vec![]), "{request:?}");
    }
    let off = Options::keycloak().start();
    assert_eq!(ask(&off, &preflight("/page", FRIEND)).status, 401);
    // Our own endpoints are nobody's service.
    assert_eq!(ask(&scene, &preflight("/oauth2/userinfo", FRIEND)).status, 405);
}

#[test]
fn a_session_is_lent_to_the_origins_of_its_token_and_to_no_other() {
    let scene = scene(json!({}));
    let mut browser = scene.signed_in();
    let friend = from(&scene, &mut browser, "/page", FRIEND);
    assert_eq!((friend.status, grants(&friend)), (200, vec![FRIEND, "true"]));
    assert!(friend.all("vary").any(|value| value == "Origin"));
    let heard = scene.application.heard().len();
    for origin in [STRANGER, "http://friend.test", "https://friend.test:444", "https://FRIEND.test", "", "*"] {
        let answer = from(&scene, &mut browser, "/page", origin);
        assert_eq!((answer.status, grants(&answer)), (403, vec![]), "{origin}");
    }
    let posted = browser.fetch(&scene.url("/page"), Request::new("POST", "").header("Origin", STRANGER)).unwrap();
    assert_eq!(posted.status, 403);
    let twice = Request::get("").header("Origin", FRIEND).header("Origin", STRANGER);
    assert_eq!(browser.fetch(&scene.url("/page"), twice).unwrap().status, 400);
    assert_eq!(scene.application.heard().len(), heard);
}

#[test]
fn own_pages_and_those_without_a_name_pass_and_are_granted_nothing() {
    let scene = scene(json!({}));
    let mut browser = scene.signed_in();
    for origin in [scene.origin, "null"] {
        let answer = from(&scene, &mut browser, "/cors", origin);
        assert_eq!((answer.status, grants(&answer)), (200, vec![]), "{origin}");
        assert!(answer.all("vary").any(|value| value == "Origin"), "{origin}");
    }
}

#[test]
fn the_applications_own_words_on_cors_count_on_public_routes_alone() {
    let scene = scene(json!({}));
    let mut browser = scene.signed_in();
    assert_eq!(grants(&from(&scene, &mut browser, "/cors", FRIEND)), [FRIEND, "true"]);
    assert_eq!(grants(&ask(&scene, &Request::get("/cors/open").header("Origin", STRANGER))).len(), 4);
    let off = Options::keycloak().start();
    assert_eq!(grants(&from(&off, &mut off.signed_in(), "/cors", STRANGER)).len(), 4);
}

fn bearer(scene: &Scene, origins: &Value, origin: &str) -> Response {
    let now = scene.clock_secs();
    let claims = json!({
        "iss": scene.server.issuer(), "sub": "robot", "azp": CLIENT, "typ": "Bearer", "iat": now, "exp": now + 60,
        "allowed-origins": origins,
    });
    let token = scene.server.sign("JWT", claims, &[]);
    let request = Request::get("/api/x").header("Authorization", &format!("Bearer {token}"));
    ask(scene, &request.header("Origin", origin))
}

#[test]
fn a_bearer_token_says_which_origins_may_use_it() {
    let scene = scene(json!({}));
    assert_eq!(grants(&bearer(&scene, &json!([FRIEND]), FRIEND)), [FRIEND, "true"]);
    assert_eq!(grants(&bearer(&scene, &json!(["*"]), STRANGER)), [STRANGER, "true"]);
    for origins in [json!([FRIEND]), json!([]), json!(null), json!(STRANGER), json!([[STRANGER]])] {
        let answer = bearer(&scene, &origins, STRANGER);
        assert_eq!((answer.status, grants(&answer)), (403, vec![]), "{origins}");
    }
}

#[test]
fn refusals_carry_no_grant() {
    let scene = scene(json!({}));
    let anonymous = ask(&scene, &Request::get("/api/x").header("Origin", FRIEND));
    assert_eq!((anonymous.status, grants(&anonymous)), (401, vec![]));
    let anonymous = ask(&scene, &Request::get("/page").header("Origin", FRIEND));
    assert_eq!((anonymous.status, grants(&anonymous)), (401, vec![]));
}

const TOKEN: &str = "/some/where/k_query_bearer_token";

#[test]
fn the_token_is_told_to_pages_of_this_site_and_of_granted_origins() {
    let scene = scene(json!({ "expose-token": true }));
    let mut browser = scene.signed_in();
    let fetch = |browser: &mut Browser, headers: &[(&str, &str)]| {
        let request = headers.iter().fold(Request::get(""), |request, (name, value)| request.header(name, value));
        browser.fetch(&scene.url(TOKEN), request).unwrap()
    };
    for own in [&[][..], &[("Sec-Fetch-Site", "same-origin")], &[("Origin", scene.origin)], &[("Origin", FRIEND)]] {
        let answer = fetch(&mut browser, own);
        assert_eq!(answer.status, 200, "{own:?}");
        let claims = identity_server::claims(&answer.text());
        assert_eq!((&claims["typ"], &claims["azp"]), (&json!("Bearer"), &json!(CLIENT)), "{own:?}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    }
    for foreign in [&[("Sec-Fetch-Site", "cross-site")][..], &[("Sec-Fetch-Site", "same-site")], &[("Origin", "null")]]
    {
        let answer = fetch(&mut browser, foreign);
        assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{foreign:?}");
    }
    assert_eq!(fetch(&mut browser, &[("Origin", STRANGER)]).status, 403);
    assert_eq!(ask(&scene, &Request::get(TOKEN)).status, 401);
    assert_eq!(ask(&scene, &Request::get("/open/k_query_bearer_token")).status, 401);
    assert!(scene.application.heard().iter().all(|heard| !heard.target.contains("k_query")));
}

#[test]
fn without_cors_the_token_goes_to_no_other_origin_and_without_the_key_to_nobody() {
    let scene = scene(json!({ "expose-token": true, "enable-cors": false }));
    let mut browser = scene.signed_in();
    for origin in [FRIEND, STRANGER] {
        let answer = from(&scene, &mut browser, TOKEN, origin);
        assert_eq!((answer.status, answer.text().as_str(), grants(&answer)), (200, "", vec![]), "{origin}");
    }
    assert!(!browser.fetch(&scene.url(TOKEN), Request::get("")).unwrap().text().is_empty());
    let off = Options::keycloak().start();
    let answer = off.signed_in().fetch(&off.url(TOKEN), Request::get("")).unwrap();
    assert_eq!(answer.json()["target"], TOKEN, "it is the application's");
}
