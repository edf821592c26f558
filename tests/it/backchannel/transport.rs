//! `ssl-required` on the admin listener, as for everybody: by where the request came from, and believed from listed peers
//! only (Keycloak's `SslRequired`).

use identity_server::{AdminAction, http};
use serde_json::json;

use super::{OLD, pass, realm, signed_in, status};
use crate::support::{CLIENT, Options, Scene, pushed};

/// A scene behind something that ends TLS, or behind nothing.
fn scene(ssl_required: &str, trusts: bool) -> Scene {
    let trusted = if trusts { json!(["127.0.0.1"]) } else { json!([]) };
    let options: Options = realm("cookie");
    options.with(json!({ "ssl-required": ssl_required, "sidecar": { "trusted-proxies": trusted } })).start()
}

fn push_with(scene: &Scene, headers: &[(&str, &str)]) -> u16 {
    let message = scene.server.admin_action(CLIENT, AdminAction::TestAvailability, json!({}), &[]);
    let request = headers
        .iter()
        .fold(pushed("/k_test_available", &message), |request, (name, value)| request.header(name, value));
    http::send(scene.adapter.admin_address, &request).unwrap().status
}

const PROTO: (&str, &str) = ("X-Forwarded-Proto", "https");
const PLAIN: (&str, &str) = ("X-Forwarded-Proto", "http");
const OUTSIDE: (&str, &str) = ("X-Forwarded-For", "203.0.113.9");
const INSIDE: (&str, &str) = ("X-Forwarded-For", "10.1.2.3");

/// `ssl-required`, whether the peer is listed, what it says; whether the word is taken.
type Row = (&'static str, bool, &'static [(&'static str, &'static str)], bool);

#[test]
fn a_word_in_the_clear_is_taken_from_where_the_realm_allows_it() {
    let rows: [Row; 10] = [
        ("none", false, &[], true),
        ("external", false, &[], true),
        ("external", false, &[OUTSIDE, PLAIN], true),
        ("external", true, &[], true),
        ("external", true, &[INSIDE, PLAIN], true),
        ("external", true, &[OUTSIDE, PLAIN], false),
        ("external", true, &[OUTSIDE, PROTO], true),
        ("none", true, &[OUTSIDE, PLAIN], true),
        ("external", true, &[OUTSIDE], false),
        ("external", false, &[OUTSIDE, PROTO], true),
    ];
    for (ssl_required, trusts, headers, taken) in rows {
        let status = push_with(&scene(ssl_required, trusts), headers);
        let case = format!("{ssl_required}, listed: {trusts}, {headers:?}: {status}");
        assert_eq!(matches!(status, 200 | 204), taken, "{case}");
        assert!(taken || status == 403, "{case}");
    }
}

#[test]
fn where_the_realm_wants_tls_from_everybody_a_word_in_the_clear_has_no_effect() {
    for (trusts, headers, taken) in
        [(false, &[][..], false), (false, &[PROTO], false), (true, &[PLAIN], false), (true, &[PROTO], true)]
    {
        let options = realm("cookie").https().with(json!({ "ssl-required": "all" }));
        let listed = if trusts { json!(["127.0.0.1"]) } else { json!(["10.9.9.9"]) };
        let scene = options.with(json!({ "sidecar": { "trusted-proxies": listed } })).start();
        let status = push_with(&scene, headers);
        assert_eq!(matches!(status, 200 | 204), taken, "listed: {trusts}, {headers:?}: {status}");
        assert!(taken || status == 403, "{status}");
    }
}

#[test]
fn a_logout_from_outside_in_the_clear_ends_nothing() {
    let scene = scene("external", true);
    let mut browser = signed_in(&scene, "alice");
    pass(&scene, OLD);
    let message = scene.server.admin_action(CLIENT, AdminAction::Logout, json!({}), &[]);
    let request = pushed("/k_logout", &message).header(OUTSIDE.0, OUTSIDE.1).header(PLAIN.0, PLAIN.1);
    assert_eq!(http::send(scene.adapter.admin_address, &request).unwrap().status, 403);
    assert_eq!(status(&scene, &mut browser), 200);
}
