//! `<prefix>/auth`: what a gateway that asks before it forwards is told, and who gets to ask.

use identity_server::{
    Endpoint, Fault, User,
    http::{Request, Response},
};
use serde_json::{Value, json};

use crate::support::{
    Options,
    proxied::{Door, ORIGIN, Plan},
};

/// Every header that the door below may set.
const IDENTITY: [&str; 6] = [
    "x-forwarded-user",
    "x-forwarded-preferred-username",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-roles",
    "x-who",
];

fn planned(auth: Value, user: User) -> Door {
    let mut sidecar = json!({
        "trusted-proxies": ["127.0.0.1"],
        "headers": { "X-Who": "nickname" },
        "rules": [
            { "path": "/public/*", "access": "public" },
            { "path": "/admin/*", "roles": ["admin"] },
            { "path": "/read/*", "methods": ["GET"], "access": "public" },
        ],
    });
    sidecar["auth"] = auth;
    Door::start(Plan { sidecar, user, ..Plan::default() })
}

fn door() -> Door {
    planned(json!({}), User::named("ada"))
}

/// What nginx asks.
fn nginx(method: &str, uri: &str) -> Request {
    Request::get("/oauth2/auth").header("X-Original-Method", method).header("X-Original-URI", uri)
}

/// What Traefik asks.
fn traefik(method: &str, uri: &str) -> Request {
    Request::get("/oauth2/auth").header("X-Forwarded-Method", method).header("X-Forwarded-Uri", uri)
}

fn page(request: Request) -> Request {
    request.header("Accept", "text/html").header("Sec-Fetch-Mode", "navigate").header("Sec-Fetch-Dest", "document")
}

fn identity(answer: &Response) -> Vec<String> {
    IDENTITY.iter().flat_map(|name| answer.all(name).map(move |value| format!("{name}={value}"))).collect()
}

#[test]
fn who_is_signed_in_is_told_to_the_gateway_and_every_header_is_there() {
    let door = planned(json!({}), User::named("ada").role("admin").group("/staff"));
    let cookie = door.sign_in();
    let heard = door.application.heard().len();
    for ask in [nginx, traefik] {
        for (method, uri) in [("GET", "/admin/x?a=b"), ("POST", "/"), ("GET", "http://app.test/admin"), ("HEAD", "/x")]
        {
            let answer =
                door.send(&ask(method, uri).header("Cookie", &cookie).header("X-Request-Id", "from-the-gateway"));
            assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{method} {uri}");
            let sub = answer.header("x-forwarded-user").unwrap();
            assert!(!sub.is_empty());
            let told = [
                &format!("x-forwarded-user={sub}"),
                "x-forwarded-preferred-username=ada",
                "x-forwarded-email=ada@example.com",
                "x-forwarded-groups=/staff",
                "x-forwarded-roles=admin",
                "x-who=",
            ];
            assert_eq!(identity(&answer), told, "each is there once, also the one that has nothing to say");
            assert_eq!(answer.header("cache-control"), Some("private, no-store"));
            assert_eq!(answer.header("x-request-id"), Some("from-the-gateway"));
            assert_eq!((answer.header("set-cookie"), answer.header("authorization")), (None, None));
        }
    }
    assert_eq!(door.application.heard().len(), heard, "the application is the gateway's to ask");
}

#[test]
fn on_a_public_path_every_header_is_there_and_empty() {
    let door = door();
    let answer = door.send(&nginx("GET", "/public/x").header("X-Forwarded-User", "forged").header("X-Who", "forged"));
    assert_eq!(answer.status, 200);
    assert_eq!(identity(&answer), IDENTITY.map(|name| format!("{name}=")));
}

#[test]
fn the_access_token_is_told_when_it_is_to_be_forwarded_and_empty_for_nobody() {
    let plan = |forward: bool| {
        let sidecar = json!({
            "trusted-proxies": ["127.0.0.1"], "auth": {}, "forward-access-token": forward,
            "rules": [{ "path": "/public/*", "access": "public" }],
        });
        Door::with(sidecar)
    };
    let door = plan(true);
    let signed_in = door.send(&nginx("GET", "/").header("Cookie", &door.sign_in()));
    assert!(signed_in.header("authorization").is_some_and(|value| value.starts_with("Bearer ey")));
    let nobody = nginx("GET", "/public/x").header("Authorization", "Bearer forged");
    assert_eq!(door.send(&nobody).header("authorization"), Some(""));
    assert_eq!(plan(false).send(&nobody).header("authorization"), None);
}

#[test]
fn who_is_not_trusted_finds_nothing_there() {
    let sidecar = |auth: Value, trusted: &str| json!({ "auth": auth, "trusted-proxies": [trusted] });
    for (auth, trusted) in
        [(json!({}), "127.0.0.2"), (json!({ "enabled": false }), "127.0.0.1"), (json!(null), "127.0.0.1")]
    {
        let door = Door::with(sidecar(auth, trusted));
        let cookie = door.sign_in();
        for ask in [nginx, traefik] {
            let to = |path: &str| {
                let mut request =
                    page(ask("GET", "/").header("Cookie", &cookie)).header("X-Forwarded-For", "127.0.0.1");
                path.clone_into(&mut request.target);
                door.send(&request)
            };
            let (answer, unknown) = (to("/oauth2/auth"), to("/oauth2/nothing"));
            let shown = |answer: &Response| {
                let id = answer.header("x-request-id").unwrap();
                let mut names: Vec<_> = answer.headers.iter().map(|(name, _)| name.clone()).collect();
                names.sort();
                (answer.status, names, answer.text().replace(id, ""))
            };
            assert_eq!(shown(&answer), shown(&unknown));
            assert_eq!(answer.status, 404);
        }
    }
}

#[test]
fn without_one_description_of_one_request_the_answer_is_no() {
    let door = planned(json!({}), User::named("ada").role("admin"));
    let cookie = door.sign_in();
    let bare = || Request::get("/oauth2/auth");
    let forged = |name: &str, value: &str| nginx("GET", "/admin").header(name, value);
    for (case, request) in [
        ("nothing", bare()),
        ("no method", bare().header("X-Original-URI", "/public")),
        ("no URI", bare().header("X-Original-Method", "GET")),
        ("no method of Traefik's", bare().header("X-Forwarded-Uri", "/public")),
        ("half of each", bare().header("X-Original-URI", "/public").header("X-Forwarded-Method", "GET")),
        ("two URIs", forged("X-Original-URI", "/public")),
        ("the same URI twice", forged("X-Original-URI", "/admin")),
        ("two methods", forged("X-Original-Method", "POST")),
        ("another URI of Traefik's", forged("X-Forwarded-Uri", "/public")),
        ("another method of Traefik's", forged("X-Forwarded-Method", "POST")),
        ("a client's words before Traefik's", traefik("GET", "/admin").header("X-Original-URI", "/public")),
        ("both, of a client before Traefik's", {
            traefik("GET", "/admin").header("X-Original-URI", "/public").header("X-Original-Method", "GET")
        }),
        ("IIS", forged("X-Original-URL", "/public")),
        ("IIS, folded", forged("X_Original_URL", "/public")),
        ("Symfony", forged("X-Rewrite-URL", "/public")),
        ("an override", forged("X-HTTP-Method-Override", "DELETE")),
        ("an override, folded", forged("X_HTTP_Method_Override", "DELETE")),
        ("an identity header, folded", forged("X_Forwarded_User", "root")),
        ("a configured header, folded", forged("x.who", "root")),
        ("empty", nginx("GET", "")),
        ("another site", nginx("GET", "https://evil.test/public")),
        ("a site that begins like ours", nginx("GET", "http://app.test.evil/public")),
        ("a port of our site", nginx("GET", "http://app.test:81/public")),
        ("a site without scheme", nginx("GET", "//evil.test/public")),
        ("authority form", nginx("GET", "evil.test:443")),
        ("asterisk form", nginx("OPTIONS", "*")),
        ("bytes", nginx("GET", "/public/\u{e9}")),
        ("no method", nginx("G ET", "/public")),
        ("an unknown method", nginx("FOO", "/public")),
        ("a method in lower case", nginx("get", "/public")),
        ("TRACE", nginx("TRACE", "/public")),
        ("our own endpoint", nginx("GET", "/oauth2/start")),
        ("our own endpoint, encoded", nginx("GET", "/%6fauth2/sign_out")),
        ("our own endpoint, with parameters", nginx("GET", "/oauth2;x/callback")),
    ] {
        let answer = door.send(&request.header("Cookie", &cookie));
        assert_eq!(answer.status, 403, "{case}: {}", answer.text());
        assert_eq!(identity(&answer), Vec::<String>::new(), "{case}");
    }
    let same = forged("X-Original-URL", "http://app.test/admin").header("X-Forwarded-Uri", "/%61dmin");
    assert_eq!(door.send(&same.header("Cookie", &cookie)).status, 200, "headers that agree are no harm");
}

#[test]
fn a_path_with_two_readings_is_no_path() {
    let door = planned(json!({}), User::named("ada").role("admin"));
    let cookie = door.sign_in();
    for path in [
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/.%2E/admin",
        "/public/..;/admin",
        "/public/..%2fadmin",
        "/public%2f..%2fadmin",
        "/public/%252e%252e/admin",
        "/public/..\\admin",
        "//admin",
        "/public//admin",
        "/public/./x",
        "/public/.",
        "/public/%zz",
        "/public/%c0%ae%c0%ae/admin",
        "/public/%00",
        "/public;/../admin",
        "/public#/admin",
        "/admin;x/users",
    ] {
        for ask in [nginx, traefik] {
            assert_eq!(door.send(&ask("GET", path).header("Cookie", &cookie)).status, 403, "{path}");
        }
    }
}

#[test]
fn rules_are_asked_with_the_method_and_path_of_the_original_request() {
    let door = door();
    let cookie = door.sign_in();
    for (method, uri, anonymous, signed_in) in [
        ("GET", "/read/x", 200, 200),
        ("HEAD", "/read/x", 200, 200),
        ("POST", "/read/x", 401, 200),
        ("GET", "/public/x?/admin", 200, 200),
        ("GET", "/publicly", 401, 200),
        ("GET", "/admin", 401, 403),
        ("GET", "/%61dmin/x", 401, 403),
    ] {
        // However the gateway itself asks.
        for own in ["GET", "HEAD", "POST", "OPTIONS"] {
            let mut request = nginx(method, uri);
            own.clone_into(&mut request.method);
            assert_eq!(door.send(&request).status, anonymous, "{own}: {method} {uri}");
            assert_eq!(door.send(&request.header("Cookie", &cookie)).status, signed_in, "{own}: {method} {uri}");
        }
    }
}

#[test]
fn nginx_is_told_where_a_page_signs_in_and_traefik_sends_it_there() {
    let door = door();
    let answer = door.send(&page(nginx("GET", "/private?a=b&c")));
    assert_eq!((answer.status, answer.header("location"), answer.header("set-cookie")), (401, None, None));
    let login = format!("{ORIGIN}/oauth2/start?rd=%2Fprivate%3Fa%3Db%26c");
    assert_eq!(answer.header("x-doorward-login"), Some(login.as_str()));

    let answer = door.send(&page(traefik("GET", "/private?a=b&c")));
    assert_eq!((answer.status, answer.header("x-doorward-login")), (302, None));
    assert!(answer.header("location").unwrap().contains("/authorize?"), "{:?}", answer.header("location"));
    assert!(answer.header("set-cookie").unwrap().starts_with("KEYCLOAK_ADAPTER_STATE.login."));

    // Nothing that cannot follow a sign-in is sent to one.
    for ask in [nginx, traefik] {
        for request in [page(ask("POST", "/private")), ask("GET", "/private").header("Accept", "application/json")] {
            let answer = door.send(&request);
            assert_eq!(
                (answer.status, answer.header("x-doorward-login"), answer.header("location")),
                (401, None, None)
            );
            assert!(answer.text().contains("/oauth2/start?rd=%2F"), "{}", answer.text());
            assert!(answer.header("www-authenticate").is_some() && answer.header("set-cookie").is_none());
        }
    }
}

#[test]
fn the_gateways_own_body_is_not_waited_for() {
    let door = door();
    let head = "POST /oauth2/auth HTTP/1.1\r\nHost: app.test\r\nX-Original-Method: GET\r\nX-Original-URI: /public\r\n";
    let mut wire = door.wire();
    wire.say(format!("{head}Content-Length: 1000000\r\n\r\n").as_bytes());
    assert_eq!(wire.answer().status, 200);
}

#[test]
fn without_set_cookie_a_session_ends_with_its_access_token_and_is_neither_renewed_nor_written() {
    let door = planned(json!({}), User::named("ada"));
    let cookie = door.sign_in();
    let ask = || door.send(&nginx("GET", "/x").header("Cookie", &cookie));
    door.clock.advance(std::time::Duration::from_secs(290));
    let answer = ask();
    assert_eq!((answer.status, answer.header("set-cookie")), (200, None));
    door.clock.advance(std::time::Duration::from_secs(11));
    assert_eq!(ask().status, 401);
}

#[test]
fn with_set_cookie_a_session_is_renewed_and_the_gateway_gets_its_cookie() {
    for ask in [nginx, traefik] {
        let door = planned(json!({ "set-cookie": true }), User::named("ada"));
        let cookie = door.sign_in();
        door.clock.advance(std::time::Duration::from_secs(301));
        let answer = door.send(&ask("GET", "/x").header("Cookie", &cookie));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let set = answer.header("set-cookie").unwrap();
        assert!(set.starts_with("KEYCLOAK_ADAPTER_STATE="), "{set}");
        assert_eq!(answer.header("cache-control"), Some("private, no-store"));
        let renewed = set.split(';').next().unwrap();
        door.clock.advance(std::time::Duration::from_secs(30));
        let answer = door.send(&ask("GET", "/x").header("Cookie", renewed));
        assert_eq!((answer.status, answer.header("set-cookie")), (200, None));
    }
}

#[test]
fn an_outage_of_the_identity_server_signs_nobody_out() {
    let sidecar = json!({
        "trusted-proxies": ["127.0.0.1"], "auth": { "set-cookie": true },
        "rules": [{ "path": "/public/*", "access": "public" }],
    });
    let scene = Options::default().with(json!({ "sidecar": sidecar })).start();
    let mut browser = scene.signed_in();
    scene.server.always(Endpoint::Token, Fault::status(503));
    scene.clock.advance(std::time::Duration::from_secs(301));
    let url = scene.url("/oauth2/auth");
    for ask in [nginx, traefik] {
        let answer = browser.fetch(&url, ask("GET", "/private")).unwrap();
        assert_eq!((answer.status, answer.header("retry-after"), answer.header("set-cookie")), (503, Some("5"), None));
        assert_eq!(answer.header("x-doorward-login"), None);
        let public = browser.fetch(&url, ask("GET", "/public")).unwrap();
        assert_eq!((public.status, public.header("x-forwarded-user")), (200, Some("")));
    }
}
