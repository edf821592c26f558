//! One reading of a request: the path on which is decided is the path that is forwarded, or there is none.

use identity_server::http::Request;
use serde_json::json;

use crate::support::proxied::Door;

fn half_public() -> Door {
    Door::with(json!({ "rules": [
        { "path": "/public/*", "access": "public" },
        { "path": "/admin/*", "roles": ["admin"] },
        { "path": "/app/*", "access": "public" },
    ] }))
}

/// The status of a GET of this target, byte for byte as it stands.
fn status(door: &Door, target: &str) -> String {
    let answer = door.raw(format!("GET {target} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n").as_bytes());
    String::from_utf8_lossy(&answer).get(9..12).unwrap_or("none").to_owned()
}

#[test]
fn a_path_that_two_servers_read_differently_is_refused() {
    let door = half_public();
    let targets = [
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/.%2E/admin",
        "/public/..;/admin",
        "/public/..;x=1/admin",
        "/public/%2e%2e;/admin",
        "/public%2f..%2fadmin",
        "/public/..%2fadmin",
        "/public%2fx",
        "/public/a%2Fb",
        "/public/a%5cb",
        "/public%5c..%5cadmin",
        "/public/..\\admin",
        "/public\\admin",
        "//admin",
        "/public//admin",
        "/public/;/admin",
        "/admin/.",
        "/public/./admin",
        "/public/%252e%252e/admin",
        "/public%252fadmin",
        "/public/%c0%ae%c0%ae/admin",
        "/public/%e0%80%ae/admin",
        "/public/%ff",
        "/public/%00",
        "/public/%0d%0aX-Forwarded-User:admin",
        "/public/%zz",
        "/public/%2",
        "/public/%u002e",
        "/oauth2/ping/../../admin",
    ];
    for target in targets {
        assert_eq!(status(&door, target), "400", "{target}");
    }
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_path_parameter_does_not_lead_around_a_rule() {
    let door = Door::with(json!({ "rules": [
        { "path": "/admin/*", "access": "login" },
        { "path": "/*", "access": "public" },
    ] }));
    for target in ["/admin;x", "/admin;x/users", "/admin;/users"] {
        assert_eq!(status(&door, target), "400", "{target}");
    }
    assert_eq!(status(&door, "/page;jsessionid=1"), "200");
    assert_eq!(status(&door, "/admin/users;x=1"), "401");
    assert_eq!(door.application.heard().len(), 1);
}

#[test]
fn what_is_decided_on_is_what_is_forwarded() {
    let door = half_public();
    for (asked, forwarded) in [
        ("/public/%61%2Db", "/public/a-b"),
        ("/%70ublic/x", "/public/x"),
        ("/public/caf%c3%a9", "/public/caf%C3%A9"),
        ("/public/a%3bb;v=1", "/public/a%3Bb;v=1"),
        ("/public/x?to=/../%2e%2e//&a=%zz&b=%00", "/public/x?to=/../%2e%2e//&a=%zz&b=%00"),
        ("/public/x?", "/public/x?"),
        ("/public/", "/public/"),
        ("/public", "/public"),
    ] {
        assert_eq!(status(&door, asked), "200", "{asked}");
        assert_eq!(door.application.last().unwrap().target, forwarded);
    }
}

#[test]
fn neither_a_query_nor_a_fragment_nor_a_neighbour_opens_a_protected_path() {
    let door = half_public();
    let targets = [
        "/api/secret?x=/public/",
        "/api/secret?/../public/x",
        "/api/secret%23/public/",
        "/api/secret%3F/public/",
        "/PUBLIC/x",
        "/publicity",
        "/public%20/x",
        "/ADMIN",
        "/ping",
        "/healthz",
        "/readyz",
        "/any/path/k_logout",
    ];
    for target in targets {
        assert_eq!(status(&door, target), "401", "{target}");
    }
    assert!(["400", "401"].contains(&status(&door, "/api/secret#/public/").as_str()));
    let probe = Request::get("/any").header("User-Agent", "kube-probe/1.30").header("X-Original-URL", "/public/x");
    assert_eq!(door.send(&probe).status, 401);
    assert_eq!(door.application.heard(), []);
}

#[test]
fn only_origin_form_is_a_request_target() {
    let door = half_public();
    let lines = [
        "GET http://app.test/public/x HTTP/1.1",
        "GET http://evil.test/public/x HTTP/1.1",
        "GET app.test:80 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET public/x HTTP/1.1",
        "GET ?x HTTP/1.1",
        "CONNECT app.test:443 HTTP/1.1",
        "CONNECT http://app.test/public/x HTTP/1.1",
    ];
    for line in lines {
        let answer = door.raw(format!("{line}\r\nHost: app.test\r\nConnection: close\r\n\r\n").as_bytes());
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{line}: {}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_request_names_exactly_one_host() {
    let door = half_public();
    for hosts in ["", "Host: app.test\r\nHost: app.test\r\n", "Host: app.test\r\nhost: evil.test\r\n", "Host:\r\n"] {
        let answer = door.raw(format!("GET /public/x HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n").as_bytes());
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{hosts:?}: {}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_host_that_is_not_ours_is_refused_where_it_would_name_the_origin() {
    let door = Door::with(json!({
        "public-url": null,
        "allowed-hosts": ["app.test", "other.test:8443"],
        "rules": [{ "path": "/*", "access": "public" }],
    }));
    let ask = |host: &str| door.send(&Request::get("/x").header("Host", host));
    for host in
        ["evil.test", "app.test.evil.test", "evil-app.test", "app.test@evil.test", "app.test:8443", "other.test"]
    {
        assert_eq!(ask(host).status, 400, "{host}");
    }
    assert_eq!(door.application.heard(), []);
    for (host, origin) in
        [("app.test", "app.test"), ("APP.test:80", "app.test"), ("other.test:8443", "other.test:8443")]
    {
        assert_eq!(ask(host).status, 200, "{host}");
        assert_eq!(door.application.last().unwrap().header("x-forwarded-host"), Some(origin));
    }
}
