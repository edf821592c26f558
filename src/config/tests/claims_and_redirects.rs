//! Keycloak's keys about claims, keys and redirects reach their types, and are refused where they could not do what they say.

use serde_json::{Value, json};

use super::{PUBLIC_KEY, accepted, assert_refused, file};
use crate::{domain::ClientId, oidc::RoleMappings, proxy::IdentityValue};

fn with(key: &str, value: impl Into<Value>) -> Value {
    let value = value.into();
    file(json!({ key: value }), json!({}))
}

#[test]
fn the_two_role_mappings_stand_for_themselves_where_both_are_said() {
    let shop = || ClientId::new("shop-web");
    let rows = [
        (json!({}), RoleMappings::All),
        (json!({"use-resource-role-mappings": false, "use-realm-role-mappings": true}), RoleMappings::All),
        (json!({"use-realm-role-mappings": false}), RoleMappings::Clients),
        (json!({"use-resource-role-mappings": "true"}), RoleMappings::Resource(shop())),
        (json!({"use-resource-role-mappings": true, "use-realm-role-mappings": false}), RoleMappings::Resource(shop())),
        (
            json!({"use-resource-role-mappings": true, "use-realm-role-mappings": true}),
            RoleMappings::ResourceAndRealm(shop()),
        ),
    ];
    for (keys, expected) in rows {
        assert_eq!(accepted(&file(keys.clone(), json!({}))).oidc.role_mappings, expected, "{keys}");
    }
    assert_refused(&with("use-resource-role-mappings", json!(1)), "use-resource-role-mappings", "true or false");
}

#[test]
fn the_principal_attribute_is_the_default_of_the_user_header_alone() {
    let value = |tree: &Value| accepted(tree).proxy.headers.into_iter().next().unwrap().value;
    let or_subject = |value| IdentityValue::OrSubject(Box::new(value));
    let rows = [
        ("sub", IdentityValue::Subject),
        ("email", or_subject(IdentityValue::Email)),
        ("preferred_username", or_subject(IdentityValue::Username)),
        ("given_name", or_subject(IdentityValue::Claim("given_name".into()))),
    ];
    for (attribute, expected) in rows {
        assert_eq!(value(&with("principal-attribute", json!(attribute))), expected);
    }
    let explicit = file(json!({"principal-attribute": "email"}), json!({"headers": {"X-Forwarded-User": "sub"}}));
    assert_eq!(value(&explicit), IdentityValue::Subject);
    assert_refused(&with("principal-attribute", json!("mail")), "principal-attribute", "`family_name`");
}

#[test]
fn a_pinned_key_is_read_and_anything_else_is_refused() {
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n", &PUBLIC_KEY[..32], &PUBLIC_KEY[32..]);
    for key in [PUBLIC_KEY, &pem] {
        assert!(accepted(&with("realm-public-key", json!(key))).oidc.pinned_key.is_some());
    }
    assert!(accepted(&file(json!({}), json!({}))).oidc.pinned_key.is_none());
    for key in ["", "MIIB", "%%", &PUBLIC_KEY[4..]] {
        assert_refused(&with("realm-public-key", json!(key)), "realm-public-key", "");
    }
    let beside = json!({"provider": {"algorithms": ["RS256", "HS256"]}});
    assert_refused(&file(json!({"realm-public-key": PUBLIC_KEY}), beside), "realm-public-key", "`HS*`");
}

#[test]
fn the_first_rewrite_rule_of_the_file_counts_and_the_others_are_told() {
    let text = file(json!({}), json!({})).to_string();
    // Not in the order of the alphabet.
    let rules = r#"{"redirect-rewrite-rules":{"^/o(.*)$":"/shop/o$1","^/a$":"/b"},"#;
    let tree = serde_json::from_str(&text.replacen('{', rules, 1)).unwrap();
    let config = accepted(&tree);
    assert_eq!(config.login.callback_path(), "/shop/oauth2/callback");
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].starts_with("redirect-rewrite-rules[\"^/a$\"]: "), "{:?}", config.warnings);
    assert!(accepted(&with("redirect-rewrite-rules", json!({}))).login.redirect_rewrite.is_none());
}

#[test]
fn a_rewrite_rule_that_cannot_be_used_is_refused_by_its_name() {
    let rows = [
        ("(", "/", "its name is not a regular expression"),
        ("^/(?=a)", "/", "its name is not a regular expression"),
        ("^/", "/$1", "names no group"),
        ("^/", "https://evil.example/", "no path"),
        ("^/", "//evil.example/", "no path"),
        ("^/", ".evil.example/", "no path"),
        ("^/", "", "no path"),
        ("/oauth2", "/a?b=", "no path"),
    ];
    for (pattern, replacement, what) in rows {
        let tree = with("redirect-rewrite-rules", json!({ pattern: replacement }));
        assert_refused(&tree, &format!("redirect-rewrite-rules[{pattern:?}]"), what);
    }
    assert_refused(&with("redirect-rewrite-rules", json!("x")), "redirect-rewrite-rules", "must be an object");
}

#[test]
fn a_relative_auth_server_url_stands_on_the_public_url() {
    let relative = |sidecar| file(json!({"auth-server-url": "/auth/"}), sidecar);
    let provider = accepted(&relative(json!({"public-url": "https://shop.example.com:8443"}))).oidc.provider;
    let discovery = provider.discovery_url().unwrap();
    assert_eq!(discovery.as_str(), "https://shop.example.com:8443/auth/realms/shop/.well-known/openid-configuration");
    let hosts = json!({"public-url": null, "allowed-hosts": ["shop.example.com"]});
    assert_refused(&relative(hosts), "auth-server-url", "sidecar.public-url");
}

#[test]
fn a_confidential_port_is_a_port_or_none() {
    for (port, expected) in
        [(json!(8443), Some(8443)), (json!("8443"), Some(8443)), (json!(0), None), (json!(-1), None)]
    {
        let found = accepted(&with("confidential-port", port)).caller.confidential_port;
        assert_eq!(found.map(std::num::NonZeroU16::get), expected);
    }
    assert_refused(&with("confidential-port", json!(65536)), "confidential-port", "65535");
}
