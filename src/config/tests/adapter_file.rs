//! A Keycloak adapter's file without `sidecar`: what is said of which key.

use serde_json::{Value, json};

use super::{COOKIE_KEY, PUBLIC_KEY, env, lay};
use crate::config::{AdapterFile, Config};

fn bare(more: Value) -> Value {
    let mut tree = json!({
        "realm": "shop", "auth-server-url": "https://sso.example.com/auth", "resource": "shop-web",
        "credentials": {"secret": "planted-secret"},
        "token-store": "cookie", "verify-token-audience": true, "ignore-oauth-query-parameter": true,
    });
    lay(&mut tree, more);
    tree
}

fn read(tree: &Value) -> Option<AdapterFile> {
    AdapterFile::from_json(&tree.to_string(), &env(&[("HOSTNAME", "shop-1")]))
}

fn told(more: Value) -> AdapterFile {
    read(&bare(more)).expect("a file of an adapter")
}

#[test]
fn only_a_file_with_keys_of_an_adapter_and_without_sidecar_is_one() {
    assert!(read(&bare(json!({}))).is_some());
    assert!(read(&json!({"provider-url": "https://sso.example.com", "client-id": "a"})).is_some());
    assert!(read(&bare(json!({"sidecar": {}}))).is_none());
    assert!(read(&json!({"sidecar": null})).is_none());
    assert!(read(&json!({})).is_none());
    assert!(read(&json!({"something": "else"})).is_none());
    assert!(read(&json!(["realm"])).is_none());
    let set = env(&[("HOSTNAME", "shop-1"), ("DOORWARD__SIDECAR__UPSTREAM", "http://app")]);
    assert!(
        AdapterFile::from_json(&bare(json!({})).to_string(), &set).is_none(),
        "`sidecar` stands in the environment"
    );
}

#[test]
fn each_key_stands_in_one_list() {
    let file = told(json!({
        "realm-public-key": PUBLIC_KEY, "enable-cors": true, "connection-ttl-millis": 500, "policy-enforcer": {},
        "auth_server": "x", "confidential-port": null,
    }));
    let taken = "realm auth-server-url resource credentials token-store verify-token-audience ignore-oauth-query-parameter \
                 realm-public-key";
    assert_eq!(file.as_they_are, taken.split_whitespace().collect::<Vec<_>>());
    assert_eq!(file.otherwise.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["enable-cors"]);
    assert!(
        matches!(file.warnings.as_slice(), [one] if one.starts_with("connection-ttl-millis: ")),
        "{:?}",
        file.warnings
    );
    assert_eq!(file.refused, ["policy-enforcer", "auth_server"]);
    let paths: Vec<_> = file.faults.as_slice().iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["auth_server", "policy-enforcer", "sidecar"]);
    assert!(!file.faults.to_string().contains("planted"));
}

#[test]
fn a_difference_is_told_where_the_file_makes_it_one() {
    let keys = |more: Value| told(more).otherwise.iter().map(|(key, _)| *key).collect::<Vec<_>>();
    assert_eq!(keys(json!({})), Vec::<&str>::new());
    let rows = [
        (json!({"token-store": null}), "token-store"),
        (json!({"verify-token-audience": null}), "verify-token-audience"),
        (json!({"ignore-oauth-query-parameter": null}), "ignore-oauth-query-parameter"),
        (json!({"register-node-at-startup": true, "register-node-period": 60}), "register-node-at-startup"),
        (json!({"enable-pkce": false}), "enable-pkce"),
        (json!({"autodetect-bearer-only": true}), "autodetect-bearer-only"),
        (json!({"redirect-rewrite-rules": {"^/a": "/b"}}), "redirect-rewrite-rules"),
        (json!({"token-minimum-time-to-live": 30}), "token-minimum-time-to-live"),
        (json!({"socket-timeout-millis": -1}), "socket-timeout-millis"),
        (json!({"truststore": "classpath:trust.jks"}), "truststore"),
    ];
    for (more, key) in rows {
        assert_eq!(keys(more), [key]);
    }
    let asked = json!({"register-node-at-startup": true, "register-node-period": -1});
    assert_eq!(keys(asked), ["register-node-at-startup", "register-node-period"]);
}

#[test]
fn the_addition_makes_every_such_file_whole() {
    for more in [
        json!({}),
        json!({"bearer-only": true}),
        json!({"adapter-state-cookie-path": "shop/"}),
        json!({"adapter-state-cookie-path": "/"}),
        json!({"auth-server-url": "/auth"}),
    ] {
        let tree = bare(more);
        let file = read(&tree).expect("a file of an adapter");
        let addition = file.addition.replace("${file:/run/secrets/cookie-key}", COOKIE_KEY);
        let text = tree.to_string().replacen('{', &format!("{{{addition}"), 1);
        let whole = Config::from_json(&text, &env(&[("HOSTNAME", "shop-1")]));
        let whole = whole.unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        assert_eq!(file.completed.expect("no fault").login, whole.login);
    }
}

#[test]
fn what_is_no_keycloak_realm_has_no_past_in_java() {
    let plain = json!({"provider-url": "https://sso.example.com", "client-id": "a", "credentials": {"secret": "b"}});
    let file = read(&plain).expect("a file without `sidecar`");
    assert_eq!(file.otherwise, []);
    assert!(!file.is_keycloaks && told(json!({})).is_keycloaks);
}
