//! `<prefix>/auth`: what a gateway's question may not hold or leave out, since what we say no to is all that we can keep from the
//! application.

use identity_server::http::{Request, Response};
use serde_json::{Value, json};

use crate::support::proxied::{Door, ORIGIN, Plan};

fn door(sidecar: Value) -> Door {
    door_with(sidecar, json!({}))
}

fn door_with(mut sidecar: Value, root: Value) -> Door {
    sidecar["trusted-proxies"] = json!(["127.0.0.1"]);
    sidecar["auth"] = json!({});
    sidecar["rules"] = json!([{ "path": "/public/*", "access": "public" }]);
    Door::start(Plan { sidecar, root, ..Plan::default() })
}

fn ask(uri: (&str, &str), method: (&str, &str)) -> Request {
    Request::get("/oauth2/auth").header(uri.0, uri.1).header(method.0, method.1)
}

fn nginx(uri: &str) -> Request {
    ask(("X-Original-URI", uri), ("X-Original-Method", "GET"))
}

fn traefik(uri: &str) -> Request {
    ask(("X-Forwarded-Uri", uri), ("X-Forwarded-Method", "GET"))
}

/// What ingress-nginx asks.
fn ingress(url: &str) -> Request {
    ask(("X-Original-URL", url), ("X-Original-Method", "GET"))
}

fn page(request: Request) -> Request {
    request.header("Accept", "text/html")
}

fn shown(answer: &Response) -> (u16, Option<&str>) {
    (answer.status, answer.header("location"))
}

/// Gateways keep `Upgrade` and `Connection` to themselves, but not what else a handshake holds.
#[test]
fn a_page_of_another_origin_opens_no_websocket_through_a_gateway() {
    let door = door(json!({ "websocket-origins": ["https://partner.test"] }));
    let cookie = door.sign_in();
    let of_a_handshake = [
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Protocol", "chat"),
        ("sec-websocket-extensions", "permessage-deflate"),
    ];
    for asks in [nginx, traefik] {
        for (name, value) in of_a_handshake {
            let handshake = |path: &str| asks(path).header("Cookie", &cookie).header(name, value);
            let from = |origin: &str| door.send(&handshake("/chat").header("Origin", origin)).status;
            for origin in ["https://evil.example", "null", "", "http://app.test.evil", "https://app.test"] {
                assert_eq!(from(origin), 403, "{name}: {origin}");
            }
            let two = handshake("/chat").header("Origin", ORIGIN).header("Origin", "https://evil.example");
            assert_eq!(door.send(&two).status, 403, "{name}");
            let public = door.send(&handshake("/public").header("Origin", "https://evil.example"));
            assert_eq!((public.status, public.header("x-forwarded-user")), (403, None), "{name}");
            assert_eq!((from(ORIGIN), from("https://partner.test")), (200, 200), "{name}");
            assert_eq!(door.send(&handshake("/chat")).status, 200, "what is no browser sends no origin");
        }
        let script = asks("/chat").header("Cookie", &cookie).header("Origin", "https://evil.example");
        assert_eq!(door.send(&script).status, 200, "no handshake: CORS binds the page");
    }
}

#[test]
fn plain_http_is_refused_and_a_page_is_sent_to_where_it_is_by_https() {
    let sidecar = || json!({ "public-url": null, "allowed-hosts": ["app.test"] });
    let door = door_with(sidecar(), json!({ "ssl-required": "all" }));
    let send = |request: Request, proto: &str| {
        door.send(&request.header("Host", "app.test").header("X-Forwarded-Proto", proto))
    };
    for path in ["/public/x?a=b", "/private?a=b"] {
        assert_eq!(shown(&send(page(nginx(path)), "http")), (403, None), "nginx knows no 302");
        let there = format!("https://app.test{path}");
        assert_eq!(shown(&send(page(traefik(path)), "http")), (302, Some(there.as_str())));
        for asks in [nginx, traefik] {
            let answer = send(asks(path), "http");
            assert_eq!((shown(&answer), answer.header("x-forwarded-user")), ((403, None), None));
            let expected = if path.starts_with("/public") { 200 } else { 401 };
            assert_eq!(send(asks(path), "https").status, expected);
        }
    }
    let form = ask(("X-Forwarded-Uri", "/private"), ("X-Forwarded-Method", "POST"));
    assert_eq!(shown(&send(page(form), "http")), (403, None), "it has crossed the network in clear already");
    assert_eq!(shown(&send(page(traefik("/public/../x")), "http")), (403, None));
    assert_eq!(shown(&send(page(traefik("/oauth2/start")), "http")), (403, None));
    assert_eq!(shown(&send(page(Request::get("/oauth2/auth")), "http")), (403, None));
}

/// What would be stripped from a request that passes through us.
#[test]
fn nobody_says_who_somebody_is_but_by_the_headers_that_the_gateway_overwrites() {
    let headers = json!({ "Remote-User": "nickname", "X-Doorward-Name": "nickname", "X-Forwarded-Email": null });
    let door = door(json!({ "headers": headers }));
    let cookie = door.sign_in();
    for asks in [nginx, traefik] {
        let with = |name: &str, path: &str| door.send(&asks(path).header("Cookie", &cookie).header(name, "root"));
        for name in [
            "X-Remote-User",
            "x_remote_user",
            "X.Remote-User",
            "Remote_User",
            "X-Doorward-Name_",
            "X_Doorward_Name",
            "X-Doorward-Roles",
            "x_doorward.anything",
            "Proxy-Authorization",
            "X-Forwarded-Email",
            "X_Forwarded_Email",
            "X_Forwarded-User",
        ] {
            for path in ["/private", "/public"] {
                let answer = with(name, path);
                assert_eq!((answer.status, answer.header("x-forwarded-user")), (403, None), "{name}: {path}");
            }
        }
        for name in ["Remote-User", "X-Doorward-Name", "X-Forwarded-User"] {
            let answer = door.send(&asks("/public").header(name, "root"));
            assert_eq!((answer.status, answer.header(name)), (200, Some("")), "{name}");
        }
        // What gateways say of the connection, and of themselves.
        for name in ["X-Real-IP", "X-Forwarded-Port", "X-Forwarded-Server", "Forwarded", "X-Request-Id"] {
            assert_eq!(with(name, "/private").status, 200, "{name}");
        }
    }
}

#[test]
fn a_url_of_this_site_is_a_description_when_there_is_no_other() {
    let door = door(json!({}));
    let cookie = door.sign_in();
    let send = |request: Request| door.send(&request.header("Cookie", &cookie));
    assert_eq!(send(ingress("http://app.test/private?a=b")).status, 200);
    assert_eq!(send(ingress("http://app.test/private").header("X-Forwarded-Uri", "/private")).status, 200);
    assert_eq!(door.send(&ingress("http://app.test/public")).status, 200);
    let answer = door.send(&page(ingress("http://app.test/private?a=b")));
    let login = format!("{ORIGIN}/oauth2/start?rd=%2Fprivate%3Fa%3Db");
    assert_eq!((answer.status, answer.header("x-doorward-login")), (401, Some(login.as_str())));
    for (case, request) in [
        ("no URL", ingress("/public")),
        ("another site", ingress("http://evil.test/public")),
        ("another scheme", ingress("https://app.test/public")),
        ("a site that begins like ours", ingress("http://app.test.evil/public")),
        ("no path", ingress("http://app.test")),
        ("twice", ingress("http://app.test/public").header("X-Original-URL", "http://app.test/public")),
        ("another path of nginx's", ingress("http://app.test/private").header("X-Original-URI", "/public")),
        ("another path of Traefik's", ingress("http://app.test/private").header("X-Forwarded-Uri", "/public")),
        ("another method", ingress("http://app.test/public").header("X-Forwarded-Method", "POST")),
        ("two readings", ingress("http://app.test/public/../private")),
        ("our own endpoint", ingress("http://app.test/oauth2/start")),
        ("no method", Request::get("/oauth2/auth").header("X-Original-URL", "http://app.test/public")),
        ("half of Traefik's", { ask(("X-Original-URL", "http://app.test/public"), ("X-Forwarded-Method", "GET")) }),
    ] {
        assert_eq!(send(request).status, 403, "{case}");
    }
}
