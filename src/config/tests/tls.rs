//! TLS: what names files and how those fit, and what must be said twice.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{accepted, assert_refused, file};
use crate::{
    domain::{SystemClock, SystemRandom},
    oidc::Provider,
    proxy::Upstream,
    tls::{MinimumVersion, Roots, Trust, Verification},
};

const STORES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keystores/TEST-ONLY-");

/// No store at all.
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keystores/README.md");

fn store(name: &str) -> String {
    format!("{STORES}{name}")
}

fn sidecar(keys: Value) -> Value {
    file(json!({}), keys)
}

fn trust(more: Value, provider: &Value) -> Trust {
    accepted(&file(more, json!({ "provider": provider }))).oidc.http.trust
}

#[test]
fn a_listener_has_a_certificate_and_its_key_or_a_fault() {
    let pair = json!({ "certificate": store("server.pem"), "key": store("server.key.pem") });
    let config = accepted(&sidecar(json!({ "tls": pair, "admin": { "tls": pair } })));
    assert_eq!(config.tls.unwrap().minimum, MinimumVersion::Tls12);
    assert!(config.admin.tls.is_some());
    let at = |name: &str, value: Value| {
        let mut pair = pair.clone();
        pair[name] = value;
        sidecar(json!({ "tls": pair }))
    };
    assert_eq!(accepted(&at("minimum-version", json!("1.3"))).tls.unwrap().minimum, MinimumVersion::Tls13);
    assert_refused(&at("minimum-version", json!("1.1")), "sidecar.tls.minimum-version", "must be one of");
    assert_refused(&at("key", json!(null)), "sidecar.tls.key", "required");
    assert_refused(&at("key", json!("/nowhere")), "sidecar.tls.key", "cannot be read");
    assert_refused(&at("key", json!(store("server.pem"))), "sidecar.tls.key", "holds no private key");
    assert_refused(&at("key", json!(store("client.pem"))), "sidecar.tls.key", "does not belong");
    assert_refused(&at("certificate", json!(store("server.key.pem"))), "sidecar.tls.certificate", "no certificate");
    assert_refused(&at("certificate", json!(README)), "sidecar.tls.certificate", "neither PEM");
}

#[test]
fn an_application_by_https_has_roots_and_a_name() {
    let upstream =
        |tls: Value| accepted(&sidecar(json!({ "upstream": "https://app", "upstream-tls": tls }))).proxy.upstream;
    let Upstream::Tls { host, port, .. } = upstream(json!({ "ca": store("authority.pem") })) else { panic!("TLS") };
    assert_eq!((host.as_str(), port), ("app", 443));
    let at = |keys: Value| sidecar(json!({ "upstream": "https://app", "upstream-tls": keys }));
    assert_refused(&at(json!({ "ca": store("server.key.pem") })), "sidecar.upstream-tls.ca", "no certificate");
    assert_refused(&at(json!({ "server-name": "a b" })), "sidecar.upstream-tls.server-name", "DNS name");
    let plain = json!({ "upstream-tls": { "ca": store("authority.pem") } });
    assert_refused(&sidecar(plain), "sidecar.upstream-tls", "https://");
}

#[test]
fn a_truststore_replaces_the_usual_roots_and_a_ca_joins_them() {
    assert_eq!(trust(json!({}), &json!({})), Trust::default());
    let Roots::Usual(added) = trust(json!({}), &json!({ "ca": store("authority.pem") })).roots else { panic!("usual") };
    let keys = json!({ "truststore": store("trust.jks"), "truststore-password": "changeit" });
    assert_eq!(trust(keys, &json!({})).roots, Roots::Only(added.clone()));
    let keys = json!({ "truststore": store("authority.pem"), "truststore-password": "" });
    assert_eq!(
        trust(keys, &json!({ "ca": store("authority.pem") })).roots,
        Roots::Only([added.clone(), added].concat())
    );
    for (keys, path, what) in [
        (json!({ "truststore": store("trust.p12") }), "truststore", "needs its password"),
        (json!({ "truststore": store("trust.jks"), "truststore-password": "x" }), "truststore", "password is another"),
        (json!({ "truststore": README }), "truststore", "neither PEM"),
        (json!({ "truststore": "classpath:roots.jks" }), "truststore", "Java archive"),
        (json!({ "client-keystore": store("authority.pem") }), "client-keystore", "no private key"),
        (json!({ "client-keystore": store("server.key.pem") }), "client-keystore", "no certificate"),
        (json!({ "proxy-url": "https://proxy" }), "proxy-url", "http://"),
        (json!({ "proxy-url": "http://proxy/path" }), "proxy-url", "only"),
    ] {
        assert_refused(&file(keys, json!({})), path, what);
    }
}

#[test]
fn less_than_whole_checks_must_be_said_twice_and_are_warned_of() {
    for (key, verification) in
        [("disable-trust-manager", Verification::AnyCertificate), ("allow-any-hostname", Verification::AnyHostname)]
    {
        assert_refused(&file(json!({ key: true }), json!({})), key, "insecure-tls");
        let not_meant = json!({ "provider": { "insecure-tls": false } });
        assert_refused(&file(json!({ key: true }), not_meant), key, "insecure-tls");
        let meant = json!({ "insecure-tls": true });
        let config = accepted(&file(json!({ key: true }), json!({ "provider": meant })));
        assert_eq!(config.oidc.http.trust.verification, verification);
        assert!(config.warnings.iter().any(|line| line.starts_with(key)), "{:?}", config.warnings);
        assert_eq!(trust(json!({ key: false }), &meant).verification, Verification::Full);
    }
}

#[test]
fn an_elliptic_key_of_java_proves_who_we_are_at_both_places() {
    for name in ["client-p256.p12", "client-p256.jks", "client-p384.p12"] {
        let jwt = json!({ "client-keystore-file": store(name), "client-keystore-password": "changeit" });
        let keys = json!({
            "credentials": { "jwt": jwt },
            "client-keystore": store(name), "client-keystore-password": "changeit",
        });
        let config = accepted(&file(keys, json!({})));
        let built = Provider::build(config.oidc, Arc::new(SystemClock), Arc::new(SystemRandom));
        assert!(built.is_ok(), "{name}: {:?}", built.err());
    }
}

#[test]
fn no_password_of_a_proxy_or_a_store_is_printed() {
    let keys = json!({
        "proxy-url": "http://door:hunter2@proxy:3128", "client-keystore": store("client.jks"),
        "client-keystore-password": "changeit", "client-key-password": "other-changeit",
    });
    let text = format!("{:?}", accepted(&file(keys, json!({}))));
    assert!(!text.contains("hunter2") && !text.contains("changeit"), "{text}");
    let wrong = file(json!({ "proxy-url": "http://door:hunter2@proxy:3128/x" }), json!({}));
    assert!(!super::refused(&wrong).concat().contains("hunter2"));
}
