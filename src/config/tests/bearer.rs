//! The keys about bearer tokens and scripts.

use serde_json::{Value, json};

use super::{accepted, assert_refused, file, read};
use crate::{
    config::Config,
    oidc::{BearerAudience, ClientAuth},
    proxy::{Access, authenticate::SignIn},
};

fn with(more: Value) -> Config {
    accepted(&file(more, json!({})))
}

#[test]
fn bearer_only_needs_no_credentials_unless_passwords_are_asked_about() {
    let config = with(json!({"bearer-only": "true", "credentials": {}}));
    assert_eq!(config.proxy.authentication.sign_in, SignIn::Never);
    assert!(matches!(config.oidc.client_auth, ClientAuth::None));
    let basic = json!({"bearer-only": true, "enable-basic-auth": true, "credentials": {}});
    assert_refused(&file(basic, json!({})), "credentials", "is required");
    assert_refused(&file(json!({"bearer-only": "x"}), json!({})), "bearer-only", "true or false");
    assert_eq!(with(json!({"autodetect-bearer-only": true})).proxy.authentication.sign_in, SignIn::OfferedToBrowsers);
    assert_eq!(with(json!({})).proxy.authentication.sign_in, SignIn::Offered);
}

#[test]
fn the_audience_rule_is_strict_unless_told_otherwise() {
    assert_eq!(with(json!({})).oidc.bearer_audience, BearerAudience::NamedOrIssuedTo);
    assert_eq!(with(json!({"verify-token-audience": true})).oidc.bearer_audience, BearerAudience::Named);
    let lax = with(json!({"verify-token-audience": false}));
    assert_eq!(lax.oidc.bearer_audience, BearerAudience::Anybody);
    assert!(lax.warnings[0].starts_with("verify-token-audience"), "{:?}", lax.warnings);
}

#[test]
fn a_token_in_a_url_counts_only_where_that_is_said() {
    assert!(!with(json!({})).proxy.authentication.query_parameter);
    assert!(!with(json!({"ignore-oauth-query-parameter": true})).proxy.authentication.query_parameter);
    assert!(with(json!({"ignore-oauth-query-parameter": false})).proxy.authentication.query_parameter);
}

#[test]
fn challenges_name_the_realm_or_the_host_of_the_issuer() {
    assert_eq!(with(json!({})).proxy.authentication.realm, "shop");
    let plain = json!({
        "provider-url": "https://id.example.com/tenant", "client-id": "shop", "credentials": {"secret": "s"},
        "sidecar": {"upstream": "http://app", "public-url": "https://shop.example.com"},
    });
    assert_eq!(accepted(&plain).proxy.authentication.realm, "id.example.com");
}

#[test]
fn cors_is_answered_only_where_it_is_enabled() {
    let keys = json!({
        "enable-cors": true, "cors-max-age": 60, "cors-allowed-methods": "GET, PUT",
        "cors-allowed-headers": "X-A", "cors-exposed-headers": "X-B,X-C",
    });
    let cors = with(keys).proxy.cors.unwrap();
    assert_eq!(cors.max_age, Some(60));
    assert_eq!(cors.allowed_methods.unwrap(), "GET, PUT");
    assert_eq!(cors.exposed_headers.unwrap(), "X-B,X-C");
    let off = with(json!({"cors-max-age": 60}));
    assert_eq!(off.proxy.cors, None);
    assert!(off.warnings[0].starts_with("cors-max-age"), "{:?}", off.warnings);
    let least = with(json!({"enable-cors": true, "cors-max-age": -1})).proxy.cors.unwrap();
    assert_eq!((least.max_age, least.allowed_headers), (None, None));
    let broken = json!({"enable-cors": true, "cors-allowed-headers": "X-A\r\nX: y"});
    assert_refused(&file(broken, json!({})), "cors-allowed-headers", "separated by commas");
}

#[test]
fn a_rule_may_ask_for_a_bearer_token_and_its_roles() {
    let rules = json!({"rules": [{"path": "/api/*", "access": "bearer", "roles": ["reader"]}]});
    let config = read(&file(json!({}), rules)).unwrap();
    assert_eq!(config.proxy.rules[0].access, Access::Bearer);
    assert!(with(json!({"expose-token": true})).proxy.expose_token);
}
