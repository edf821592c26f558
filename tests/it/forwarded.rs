//! Where a request came from: told anew, and believed from listed peers only.

use identity_server::{Heard, http::Request};
use serde_json::{Value, json};

use crate::support::proxied::{Door, Plan};

fn open(trusted: &[&str], ssl_required: &str) -> Door {
    Door::start(Plan {
        root: json!({ "ssl-required": ssl_required }),
        sidecar: json!({
            "public-url": null,
            "allowed-hosts": ["app.test"],
            "trusted-proxies": trusted,
            "rules": [{ "path": "/*", "access": "public" }],
        }),
        ..Plan::default()
    })
}

fn request() -> Request {
    Request::get("/x").header("Host", "app.test")
}

fn all(heard: &Heard, name: &str) -> Vec<String> {
    let same = heard.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    same.map(|(_, value)| value.clone()).collect()
}

#[test]
fn nobody_who_is_not_listed_is_believed() {
    for trusted in [&[][..], &["10.0.0.0/8"], &["127.0.0.2"]] {
        let door = open(trusted, "none");
        let request = request()
            .header("X-Forwarded-For", "203.0.113.9, 10.0.0.1")
            .header("X-Forwarded-For", "127.0.0.1")
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "evil.test")
            .header("X-Forwarded-Port", "8443")
            .header("X-Forwarded-Prefix", "/evil")
            .header("X-Real-IP", "203.0.113.9")
            .header("Forwarded", "for=203.0.113.9;proto=https;host=evil.test")
            .header("X-Request-Id", "chosen");
        let answer = door.send(&request);
        assert_eq!(answer.status, 200);
        let heard = door.application.last().unwrap();
        assert_eq!(all(&heard, "x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(all(&heard, "x-forwarded-proto"), ["http"]);
        assert_eq!(all(&heard, "x-forwarded-host"), ["app.test"]);
        for name in ["x-forwarded-port", "x-forwarded-prefix", "x-real-ip", "forwarded"] {
            assert_eq!(all(&heard, name), Vec::<String>::new(), "{name}");
        }
        let id = answer.header("x-request-id").unwrap();
        assert_ne!(id, "chosen");
        assert_eq!(all(&heard, "x-request-id"), [id]);
    }
}

#[test]
fn a_listed_proxy_is_believed() {
    let door = open(&["127.0.0.1"], "none");
    let request = request()
        .header("Host", "inner.test")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "app.test")
        .header("X-Forwarded-For", "203.0.113.9")
        .header("Forwarded", "for=198.51.100.1;proto=http;host=evil.test")
        .header("X-Request-Id", "from-the-gateway.1");
    let request = Request { headers: request.headers[1..].to_vec(), ..request };
    let answer = door.send(&request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let heard = door.application.last().unwrap();
    assert_eq!(all(&heard, "x-forwarded-for"), ["203.0.113.9, 127.0.0.1"]);
    assert_eq!(all(&heard, "x-forwarded-proto"), ["https"]);
    assert_eq!(all(&heard, "x-forwarded-host"), ["app.test"]);
    assert_eq!(all(&heard, "forwarded"), Vec::<String>::new());
    assert_eq!(all(&heard, "x-request-id"), ["from-the-gateway.1"]);
    assert_eq!(answer.header("x-request-id"), Some("from-the-gateway.1"));
}

#[test]
fn a_listed_proxy_that_says_another_host_than_ours_is_refused_all_the_same() {
    let door = open(&["127.0.0.1"], "none");
    assert_eq!(door.send(&request().header("X-Forwarded-Host", "evil.test")).status, 400);
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_chain_is_kept_in_its_order_and_cut_where_it_cannot_be_read() {
    let door = open(&["127.0.0.1", "10.0.0.0/8"], "none");
    for (said, told) in [
        (&["198.51.100.1, 203.0.113.9", "10.0.0.2"][..], "198.51.100.1, 203.0.113.9, 10.0.0.2, 127.0.0.1"),
        (&["unknown, 203.0.113.9"], "203.0.113.9, 127.0.0.1"),
        (&["203.0.113.9, <script>"], "127.0.0.1"),
        (&["2001:db8::1"], "2001:db8::1, 127.0.0.1"),
        (&[""], "127.0.0.1"),
    ] {
        let request = said.iter().fold(request(), |request, value| request.header("X-Forwarded-For", value));
        assert_eq!(door.send(&request).status, 200);
        assert_eq!(all(&door.application.last().unwrap(), "x-forwarded-for"), [told], "{said:?}");
    }
}

#[test]
fn an_unusable_request_id_is_replaced_even_when_a_listed_proxy_sent_it() {
    let door = open(&["127.0.0.1"], "none");
    for id in ["two words", "<b>", "", &"x".repeat(65), "a\u{7f}"] {
        let answer = door.send(&request().header("X-Request-Id", id));
        if answer.status == 200 {
            assert_ne!(answer.header("x-request-id"), Some(id));
        }
        assert!(answer.status == 200 || answer.status == 400, "{id}");
    }
    let first = door.send(&request()).header("x-request-id").unwrap().to_owned();
    let second = door.send(&request()).header("x-request-id").unwrap().to_owned();
    assert_ne!(first, second);
}

/// The status of a request that a listed proxy hands on for this client.
fn through_proxy(door: &Door, client: &str, proto: &str) -> u16 {
    door.send(&request().header("X-Forwarded-For", client).header("X-Forwarded-Proto", proto)).status
}

#[test]
fn ssl_required_external_wants_https_of_everybody_but_neighbours() {
    let door = open(&["127.0.0.1"], "external");
    for local in ["10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.1.1", "::1", "fd00::1", "127.0.0.1"] {
        assert_eq!(through_proxy(&door, local, "http"), 200, "{local}");
    }
    for foreign in ["203.0.113.9", "2001:db8::1", "172.32.0.1"] {
        assert_eq!(through_proxy(&door, foreign, "http"), 403, "{foreign}");
        assert_eq!(through_proxy(&door, foreign, "https"), 200, "{foreign}");
    }
    // What a client says of itself stands before what the proxy saw, and the nearest counts.
    assert_eq!(through_proxy(&door, "10.1.2.3, 203.0.113.9", "http"), 403);
    assert_eq!(through_proxy(&door, "203.0.113.9", "https, http"), 403);
}

#[test]
fn ssl_required_all_wants_it_of_neighbours_too_and_believes_no_stranger() {
    let door = open(&["127.0.0.1"], "all");
    assert_eq!(through_proxy(&door, "10.1.2.3", "http"), 403);
    assert_eq!(through_proxy(&door, "10.1.2.3", "https"), 200);
    assert_eq!(door.send(&request()).status, 403);
    let door = open(&[], "all");
    assert_eq!(through_proxy(&door, "10.1.2.3", "https"), 403);
    assert_eq!(door.application.heard(), []);
}

#[test]
fn ssl_required_none_wants_nothing() {
    let door = open(&["127.0.0.1"], "none");
    assert_eq!(through_proxy(&door, "203.0.113.9", "http"), 200);
}

#[test]
fn the_refusal_of_plain_http_covers_our_own_endpoints() {
    let door = open(&["127.0.0.1"], "all");
    for path in ["/oauth2/start", "/oauth2/callback?code=a&state=b", "/oauth2/userinfo", "/oauth2/sign_out"] {
        let answer = door.send(&Request::get(path).header("Host", "app.test"));
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{path}");
        assert_eq!(answer.json()["status"], Value::from(403));
    }
}
