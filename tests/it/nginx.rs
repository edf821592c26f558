//! Debian's nginx asks before it forwards, configured as docs/gateways.md says: nothing of what it makes of a request may differ from what
//! was decided on.

use std::time::Duration;

use identity_server::{
    Browser, Heard, User,
    http::{self, Headers, Request, Response},
};
use serde_json::json;

use crate::support::{
    nginx::{Nginx, PEER},
    proxied::{Door, ORIGIN, Plan, Wire, get},
};

/// A door that trusts nginx alone, and nginx before it and its application.
struct Gate {
    nginx: Nginx,
    door: Door,
}

impl Gate {
    fn of(user: User) -> Self {
        let sidecar = json!({
            "trusted-proxies": [PEER],
            "auth": { "set-cookie": true },
            "rules": [
                { "path": "/public/*", "access": "public" },
                { "path": "/admin/*", "roles": ["admin"] },
                { "path": "/status/*", "access": "login" },
            ],
            // Nothing that is forwarded goes through Doorward.
            "upstream": "http://127.0.0.1:9",
        });
        let door = Door::start(Plan { sidecar, user, ..Plan::default() });
        let nginx = Nginx::start(door.address(), door.application.address().unwrap());
        Self { nginx, door }
    }

    fn start() -> Self {
        Self::of(User::named("ada"))
    }

    fn send(&self, request: &Request) -> Response {
        http::send(self.nginx.address, &request.clone().header("Host", "app.test")).expect("an answer of nginx")
    }

    fn browser(&self) -> Browser {
        let mut browser = self.door.browser();
        browser.serve_origin(ORIGIN, self.nginx.address, &[]);
        browser
    }

    fn signed_in(&self) -> (Browser, String) {
        let mut browser = self.browser();
        let page = browser.navigate(&format!("{ORIGIN}/private")).expect("a page");
        assert_eq!(page.response.status, 200, "{} {}", page.response.text(), self.nginx.printed());
        let cookies: Vec<_> =
            browser.jar().cookies().iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (browser, cookies.join("; "))
    }

    fn heard(&self) -> Vec<Heard> {
        self.door.application.heard()
    }
}

fn told(heard: &Heard) -> Headers {
    let ours = |name: &str| {
        let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
        let of_the_connection = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"].contains(&name.as_str());
        (name.starts_with("x-forwarded-") && !of_the_connection)
            || name.starts_with("x-original")
            || name == "forwarded"
    };
    heard.headers.iter().filter(|(name, _)| ours(name)).cloned().collect()
}

fn ada() -> Headers {
    [
        ("X-Forwarded-User", "subject-of-ada"),
        ("X-Forwarded-Preferred-Username", "ada"),
        ("X-Forwarded-Email", "ada@example.com"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[test]
fn a_page_leads_through_the_sign_in_and_back_and_the_application_hears_who_it_is() {
    let gate = Gate::start();
    let mut browser = gate.browser();
    let page = browser.navigate(&format!("{ORIGIN}/private/page?a=b&c=%2F")).unwrap();
    assert_eq!((page.response.status, page.url.as_str()), (200, "http://app.test/private/page?a=b&c=%2F"));
    let heard = gate.heard();
    assert_eq!((heard.len(), heard[0].target.as_str()), (1, "/private/page?a=b&c=%2F"));
    assert_eq!(told(&heard[0]), ada());
    assert_eq!(browser.jar().refused(), Vec::<String>::new());

    let script = browser.fetch(&format!("{ORIGIN}/oauth2/userinfo"), Request::get("")).unwrap();
    assert_eq!((script.status, script.json()["preferred_username"].as_str()), (200, Some("ada")));
    let sign_out = Request::new("POST", "").header("Sec-Fetch-Site", "same-origin");
    assert!(browser.fetch(&format!("{ORIGIN}/oauth2/sign_out"), sign_out).unwrap().status < 400);
    assert_eq!(browser.fetch(&format!("{ORIGIN}/private"), Request::get("")).unwrap().status, 401);
}

#[test]
fn what_cannot_follow_a_sign_in_gets_401_and_no_cookie() {
    let gate = Gate::start();
    for request in [
        Request::get("/private"),
        Request::get("/private").header("Sec-Fetch-Mode", "cors").header("Accept", "text/html"),
        Request::form("/private", &[("a", "b")]).header("Accept", "text/html"),
        get("/private", "KEYCLOAK_ADAPTER_STATE=forged").header("Accept", "*/*"),
    ] {
        let answer = gate.send(&request);
        assert_eq!((answer.status, answer.header("location"), answer.header("set-cookie")), (401, None, None));
    }
    assert_eq!(gate.heard(), []);
}

#[test]
fn a_client_cannot_say_who_it_is_in_any_spelling() {
    let gate = Gate::start();
    let (_, cookie) = gate.signed_in();
    for name in [
        "X-Forwarded-User",
        "x-forwarded-user",
        "X_Forwarded_User",
        "X-Forwarded_User",
        "X.Forwarded.User",
        "X-Forwarded-Preferred-Username",
        "X-Forwarded-Email",
        "X_FORWARDED_EMAIL",
        "X-Forwarded-Groups",
        "X-Forwarded-Roles",
        "X_Forwarded_Roles",
        "Forwarded",
    ] {
        let forged = |path: &str, cookie: &str| get(path, cookie).header(name, "root").header(name, "forged");
        assert_eq!(gate.send(&forged("/public", "a=b")).status, 200, "{name}");
        assert_eq!(told(gate.heard().last().unwrap()), Headers::new(), "{name}");
        assert_eq!(gate.send(&forged("/private", &cookie)).status, 200, "{name}");
        assert_eq!(told(gate.heard().last().unwrap()), ada(), "{name}");
        assert_eq!(gate.send(&forged("/private", "a=b")).status, 401, "{name}");
    }
}

#[test]
fn a_client_cannot_say_what_it_asks_for() {
    let gate = Gate::start();
    let (_, cookie) = gate.signed_in();
    let before = gate.heard().len();
    for (name, value, status) in [
        ("X-Original-URI", "/public", 401),
        ("X-Original-Method", "GET", 401),
        ("X-Forwarded-Uri", "/public", 403),
        ("X-Forwarded-Method", "POST", 403),
        ("X-Original-URL", "/public", 403),
        ("X-Rewrite-URL", "/public", 403),
        ("X-HTTP-Method-Override", "DELETE", 403),
        ("X-Forwarded-Host", "evil.test", 401),
    ] {
        assert_eq!(gate.send(&Request::get("/private").header(name, value)).status, status, "{name}");
        let admin = gate.send(&get("/admin", &cookie).header(name, value));
        assert_eq!(admin.status, 403, "{name}");
    }
    // From the other side: a public path that some applications would take for another.
    for name in ["X-Original-URL", "X-Rewrite-URL"] {
        assert_eq!(gate.send(&Request::get("/public").header(name, "/admin")).status, 403, "{name}");
    }
    assert_eq!(gate.heard().len(), before);
}

#[test]
fn nobody_but_nginx_gets_an_answer() {
    let gate = Gate::start();
    let (_, cookie) = gate.signed_in();
    let forged = |path: &str| {
        get(path, &cookie)
            .header("X-Original-URI", "/public")
            .header("X-Original-Method", "GET")
            .header("X-Forwarded-For", PEER)
    };
    let direct = http::send(gate.door.address(), &forged("/oauth2/auth").header("Host", "app.test")).unwrap();
    assert_eq!((direct.status, direct.header("x-forwarded-user")), (404, None));
    for path in [
        "/oauth2/auth",
        "/oauth2//auth",
        "/oauth2/%61uth",
        "/oauth2/x/../auth",
        "/%6fauth2/auth?a",
        "/oauth2/auth/",
        "/oauth2/auth;x",
    ] {
        let answer = gate.send(&forged(path));
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        assert_eq!((answer.header("x-forwarded-user"), answer.header("set-cookie")), (None, None), "{path}");
    }
}

#[test]
fn no_spelling_of_a_path_leads_past_the_rules() {
    let gate = Gate::start();
    let (_, cookie) = gate.signed_in();
    let before = gate.heard().len();
    for path in [
        "/admin",
        "//admin",
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/.%2e/admin",
        "/public/..;/admin",
        "/public/..%2fadmin",
        "/public%2f..%2fadmin",
        "/public/%252e%252e/admin",
        "/public/..\\admin",
        "/public//../admin",
        "/./admin",
        "/%61dmin",
        "/admin;x",
        "/admin;x/users",
        "/public;/../admin",
        "/public#/../admin",
        "/public/../../admin",
        "http://app.test/admin",
        "http://evil.test/admin",
        "/admin%00",
        "/public/%c0%ae%c0%ae/admin",
        "/public/\u{e9}/../../admin",
        "*",
    ] {
        let mut wire = Wire::connect(gate.nginx.address);
        wire.say(format!("GET {path} HTTP/1.1\r\nHost: app.test\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"));
        let (status, _) = wire.status();
        assert!(matches!(status, 400 | 403), "{path}: {status}");
    }
    let heard: Vec<String> = gate.heard()[before..].iter().map(|heard| heard.target.clone()).collect();
    assert_eq!(heard, Vec::<String>::new());
    // What is let through is forwarded as it was decided on.
    for path in ["/public/a%20b;c=d?e=/../admin", "/public/%C3%A9", "/public/a%3Bb%41"] {
        assert_eq!(gate.send(&Request::get(path)).status, 200, "{path}");
        assert_eq!(gate.heard().last().unwrap().target, path);
    }
}

#[test]
fn the_session_stays_between_browser_nginx_and_doorward() {
    let gate = Gate::start();
    let (_, cookie) = gate.signed_in();
    let cookie = cookie.split("; ").find(|cookie| cookie.starts_with("KEYCLOAK_ADAPTER_STATE=")).unwrap().to_owned();
    let chunk = "KEYCLOAK_ADAPTER_STATE.1=x";
    for (sent, passed_on) in [
        (cookie.clone(), None),
        (format!("a=b; {cookie}"), Some("a=b")),
        (format!("{cookie}; a=b"), Some("a=b")),
        (format!("a=b; c=d; {cookie}; {chunk}; e=f; g=h"), Some("a=b; c=d; e=f; g=h")),
        (format!("a=b;{cookie};{chunk};c=d"), Some("a=b;c=d")),
        (format!("{cookie}; a=b; {chunk}; c=d"), Some("a=b; c=d")),
        (format!("a=b; {cookie}; c=d; {chunk}"), Some("a=b; c=d")),
        (format!("__Host-{chunk}; a=b; {cookie}"), Some("a=b")),
        (format!("a=b; {chunk}; c=d; {chunk}; e=f; {cookie}"), None),
        (format!("xKEYCLOAK_ADAPTER_STATE=y; {cookie}; KEYCLOAK_ADAPTER_STATEx=y"), {
            Some("xKEYCLOAK_ADAPTER_STATE=y; KEYCLOAK_ADAPTER_STATEx=y")
        }),
        ("a=b".to_owned(), Some("a=b")),
    ] {
        let is_signed_in = sent.contains(&cookie);
        let path = if is_signed_in { "/private" } else { "/public" };
        assert_eq!(gate.send(&get(path, &sent)).status, 200, "{sent}");
        let heard = gate.heard().pop().unwrap();
        let cookies: Vec<_> =
            heard.headers.iter().filter(|(name, _)| name == "Cookie").map(|(_, value)| value.as_str()).collect();
        assert_eq!(cookies, Vec::from_iter(passed_on), "{sent}");
    }
}

#[test]
fn a_page_of_another_origin_opens_no_websocket() {
    let gate = Gate::start();
    let (_, cookie) = gate.signed_in();
    let handshake = |origin: &str| {
        let request = get("/private", &cookie).header("Upgrade", "websocket").header("Connection", "Upgrade");
        let key = request.header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        gate.send(&key.header("Sec-WebSocket-Version", "13").header("Origin", origin)).status
    };
    assert_eq!((handshake("https://evil.example"), handshake(ORIGIN)), (403, 200));
}

#[test]
fn roles_open_what_they_are_for() {
    let gate = Gate::of(User::named("eve").role("admin"));
    let (mut browser, cookie) = gate.signed_in();
    assert_eq!(gate.send(&get("/admin/x", &cookie)).status, 200);
    let heard = gate.heard();
    assert!(told(heard.last().unwrap()).contains(&("X-Forwarded-Roles".to_owned(), "admin".to_owned())));
    assert_eq!(browser.navigate(&format!("{ORIGIN}/admin")).unwrap().response.status, 200);
    let gate = Gate::start();
    let (mut browser, _) = gate.signed_in();
    assert_eq!(browser.navigate(&format!("{ORIGIN}/admin")).unwrap().response.status, 403);
}

#[test]
fn a_post_reaches_the_application_whole_and_only_with_a_session() {
    let gate = Gate::start();
    let (_, cookie) = gate.signed_in();
    let body = "x".repeat(300_000);
    let post = |cookie: &str| {
        let request = Request::new("POST", "/upload").header("Cookie", cookie).body(body.clone());
        gate.send(&request).status
    };
    assert_eq!(post("a=b"), 401);
    assert_eq!(post(&cookie), 200);
    let heard = gate.heard();
    let uploads: Vec<_> = heard.iter().filter(|heard| heard.method == "POST").collect();
    assert_eq!((uploads.len(), uploads[0].body.len()), (1, body.len()));
}

#[test]
fn a_renewed_session_reaches_the_browser_with_every_answer_of_the_application() {
    // The more roles, the more cookies.
    let many = |count: u32| (0..count).fold(User::named("ada"), |user, n| user.role(&noise(n)));
    for (user, cookies) in [(User::named("ada"), 1), (many(70), 2)] {
        let gate = Gate::of(user);
        let (mut browser, _) = gate.signed_in();
        let held = |browser: &Browser| -> Vec<String> {
            let cookies = browser.jar().cookies().iter();
            cookies
                .filter(|cookie| cookie.name.starts_with("KEYCLOAK_ADAPTER_STATE"))
                .map(|cookie| cookie.value.clone())
                .collect()
        };
        for path in ["/private", "/status/404", "/status/500"] {
            let before = held(&browser);
            assert_eq!(before.len(), cookies);
            gate.door.clock.advance(Duration::from_secs(301));
            let answer = browser.fetch(&format!("{ORIGIN}{path}"), Request::get("")).unwrap();
            assert_eq!(answer.status == 200, path == "/private", "{path}: {}", answer.status);
            assert_ne!(answer.status, 401);
            assert!(answer.all("cache-control").any(|value| value == "private, no-store"), "{:?}", answer.headers);
            let after = held(&browser);
            assert!(
                after.len() == cookies && after.iter().zip(&before).all(|(after, before)| after != before),
                "{path}"
            );
        }
        let answer = browser.fetch(&format!("{ORIGIN}/private"), Request::get("")).unwrap();
        assert_eq!((answer.status, answer.header("set-cookie"), answer.header("cache-control")), (200, None, None));
        assert_eq!(browser.jar().refused(), Vec::<String>::new());
    }
}

/// Text that does not compress.
fn noise(seed: u32) -> String {
    let mut state = u64::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
    };
    (0..48).map(|_| next()).collect()
}
