//! `strip-headers`: what clients cannot say to an application that was behind another proxy, and still believes that one's headers.

use identity_server::{
    Heard,
    http::{Headers, Request},
};
use serde_json::{Value, json};

use crate::support::{
    proxied::{Door, get},
    websocket::WebSocket,
};

/// Headers of `mod_auth_openidc` and gogatekeeper in several spellings, none of which is one of those that the door sets.
const FORGED: [&str; 9] = [
    "OIDC_CLAIM_admin",
    "OIDC-CLAIM-admin",
    "oidc_access_token",
    "Oidc.Claim_Admin",
    "OIDC_",
    "X-Auth-Token",
    "X_Auth_Audience",
    "x-auth_roles",
    "X_OLD_PROXY",
];

/// Names that are like the stripped ones and are none.
const FREE: [&str; 4] = ["X-OIDC-Claim", "OIDCX", "X-Authority", "X-Old-Proxy-Hint"];

fn sidecar(more: &[(&str, Value)]) -> Value {
    let mut sidecar = json!({
        "headers": { "OIDC_CLAIM_sub": "sub", "X-Auth-Userid": "preferred_username" },
        "strip-headers": ["OIDC_*", "x_auth-*", "X-Old-Proxy"],
        "rules": [{ "path": "/open/*", "access": "public" }, { "path": "/ws", "access": "public" }],
    });
    for (name, value) in more {
        sidecar[name] = value.clone();
    }
    sidecar
}

fn forged(mut request: Request) -> Request {
    for name in FORGED.iter().chain(&["OIDC_CLAIM_sub", "OIDC-CLAIM-sub", "X_Auth_Userid"]).chain(&FORGED) {
        request = request.header(name, "forged");
    }
    FREE.iter().fold(request, |request, name| request.header(name, "free"))
}

fn with_value(heard: &Heard, value: &str) -> Headers {
    heard.headers.iter().filter(|(_, own)| own == value).cloned().collect()
}

#[test]
fn headers_of_another_proxy_reach_the_application_from_nobody_but_us() {
    let door = Door::with(sidecar(&[]));
    let cookie = door.sign_in();
    for path in ["/x", "/open/x"] {
        assert_eq!(door.send(&forged(get(path, &cookie))).status, 200);
        let heard = door.application.last().unwrap();
        assert_eq!(with_value(&heard, "forged"), Headers::new(), "{path}");
        assert_eq!(with_value(&heard, "free").len(), FREE.len(), "{path}: {heard:?}");
        assert_eq!(heard.header("OIDC_CLAIM_sub"), Some("subject-of-ada"));
        assert_eq!(heard.header("X-Auth-Userid"), Some("ada"));
    }
    assert_eq!(door.send(&forged(Request::get("/open/x"))).status, 200);
    let heard = door.application.last().unwrap();
    assert_eq!((with_value(&heard, "forged"), heard.header("OIDC_CLAIM_sub")), (Headers::new(), None));
}

#[test]
fn a_websocket_says_no_more_of_its_user_than_any_request() {
    let door = Door::with(sidecar(&[]));
    let cookie = door.sign_in();
    for cookie in [format!("Cookie: {cookie}\r\n"), String::new()] {
        let forged = FORGED.map(|name| format!("{name}: forged\r\n")).concat();
        let mut socket = WebSocket::open(door.address(), "/ws", &format!("{cookie}{forged}X-Authority: free\r\n"));
        socket.echo("hello");
        let heard = door.application.last().unwrap();
        assert_eq!((heard.target.as_str(), with_value(&heard, "forged")), ("/ws", Headers::new()));
        assert_eq!(with_value(&heard, "free").len(), 1);
    }
}

/// A gateway passes on what the client sent, so that nothing can be taken out there.
#[test]
fn a_gateway_is_told_no_where_a_client_says_more_than_the_gateway_replaces() {
    let door = Door::with(sidecar(&[("trusted-proxies", json!(["127.0.0.1"])), ("auth", json!({}))]));
    let cookie = door.sign_in();
    let ask = |path: &str, name: &str| {
        let asked = Request::get("/oauth2/auth").header("X-Original-Method", "GET").header("X-Original-URI", path);
        door.send(&asked.header("Cookie", &cookie).header(name, "forged"))
    };
    for path in ["/x", "/open/x"] {
        for name in FORGED.into_iter().chain(["OIDC-CLAIM-sub", "X_Auth_Userid"]) {
            let answer = ask(path, name);
            assert_eq!((answer.status, answer.header("x-auth-userid")), (403, None), "{name}");
        }
        for name in FREE {
            assert_eq!(ask(path, name).status, 200, "{name}");
        }
        let replaced = ask(path, "X-Auth-Userid");
        assert_eq!((replaced.status, replaced.header("x-auth-userid")), (200, Some("ada")), "the gateway replaces it");
    }
}

#[test]
fn without_the_list_such_headers_are_the_applications_own_matter() {
    let door = Door::with(sidecar(&[("strip-headers", json!(null))]));
    assert_eq!(door.send(&Request::get("/open/x").header("OIDC_CLAIM_admin", "yes")).status, 200);
    assert_eq!(door.application.last().unwrap().header("OIDC_CLAIM_admin"), Some("yes"));
}
