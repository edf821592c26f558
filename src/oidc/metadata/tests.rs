//! Where discovery is asked for, and which of its endpoints may be called.

use serde_json::json;

use super::*;

fn plain(issuer: &str) -> String {
    ProviderId::Plain { issuer: Issuer::new(issuer) }.discovery_url().unwrap().into()
}

fn keycloak(base: &str, realm: &str) -> String {
    let auth_server_url = Url::parse(base).unwrap();
    ProviderId::Keycloak { auth_server_url, realm: realm.to_owned() }.discovery_url().unwrap().into()
}

#[test]
fn an_issuers_last_slash_is_neither_lost_nor_doubled() {
    let known = "https://id.example/.well-known/openid-configuration";
    assert_eq!((plain("https://id.example"), plain("https://id.example/")), (known.into(), known.into()));
    let below = "https://id.example/a/b/.well-known/openid-configuration";
    assert_eq!((plain("https://id.example/a/b"), plain("https://id.example/a/b/")), (below.into(), below.into()));
}

#[test]
fn an_issuer_that_is_no_url_has_no_address() {
    let provider = ProviderId::Plain { issuer: Issuer::new("id.example") };
    assert!(matches!(provider.discovery_url(), Err(DiscoveryError::Address)));
}

#[test]
fn a_realm_stands_below_the_server_whatever_its_name() {
    for (base, realm, expected) in [
        ("https://id.example", "acme", "https://id.example/realms/acme/"),
        ("https://id.example/", "acme", "https://id.example/realms/acme/"),
        ("https://id.example/auth", "acme", "https://id.example/auth/realms/acme/"),
        ("https://id.example/auth/", "acme", "https://id.example/auth/realms/acme/"),
        ("http://id.example:8080", "My Realm", "http://id.example:8080/realms/My%20Realm/"),
        ("https://id.example", "a/b", "https://id.example/realms/a%2Fb/"),
        ("https://id.example", "a?b#c", "https://id.example/realms/a%3Fb%23c/"),
        ("https://id.example", "100%", "https://id.example/realms/100%25/"),
        ("https://id.example", "K\u{f6}ln", "https://id.example/realms/K%C3%B6ln/"),
    ] {
        assert_eq!(keycloak(base, realm), format!("{expected}.well-known/openid-configuration"), "{base} {realm}");
    }
}

/// What `change` makes of a document in which everything is https, read from a provider that was asked by `scheme`.
#[test]
fn an_address_is_told_without_what_may_be_secret_in_it() {
    let url = Url::parse("https://user:word@sso.example.com:8443/realms/a?key=b#c").unwrap();
    assert_eq!(without_secrets(&url), "https://sso.example.com:8443/realms/a");
    let refused = DiscoveryError::malformed(&url, &"no JSON");
    assert_eq!(
        refused.to_string(),
        "what https://sso.example.com:8443/realms/a answers is not a provider's metadata: no JSON"
    );
}

fn checked(scheme: &str, change: impl Fn(&mut serde_json::Value)) -> Result<Metadata, DiscoveryError> {
    let mut document = json!({
        "issuer": "https://id.example",
        "authorization_endpoint": "https://id.example/auth",
        "token_endpoint": "https://id.example/token",
        "jwks_uri": "https://id.example/keys",
        "userinfo_endpoint": "https://id.example/userinfo",
        "end_session_endpoint": "https://id.example/logout",
        "revocation_endpoint": "https://id.example/revoke",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    change(&mut document);
    let url = Url::parse("https://sso.example.com/").unwrap();
    let document = parse(document.to_string().as_bytes()).map_err(|error| DiscoveryError::malformed(&url, &error))?;
    Metadata::checked(Issuer::new("https://id.example"), &document, scheme == "https")
}

const ENDPOINTS: [&str; 6] = [
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "end_session_endpoint",
    "revocation_endpoint",
];

#[test]
fn a_provider_asked_by_https_leads_nowhere_by_http() {
    checked("https", |_| ()).unwrap();
    for endpoint in ENDPOINTS {
        let plain = |document: &mut serde_json::Value| document[endpoint] = "http://id.example/x".into();
        let refused = checked("https", plain).unwrap_err();
        assert!(matches!(refused, DiscoveryError::Endpoint(name) if name == endpoint), "{endpoint}: {refused}");
        checked("http", plain).unwrap();
    }
}

#[test]
fn an_endpoint_of_another_scheme_is_never_called() {
    for endpoint in ENDPOINTS {
        for url in ["ftp://id.example/x", "file:///etc/passwd", "javascript:alert(1)", "data:,x"] {
            for scheme in ["http", "https"] {
                let refused = checked(scheme, |document| document[endpoint] = url.into());
                assert!(refused.is_err(), "{endpoint} {url}");
            }
        }
    }
}

#[test]
fn what_sign_in_needs_must_be_there_and_the_rest_may_be_missing() {
    let without = |endpoint: &str| {
        checked("https", |document| {
            document.as_object_mut().unwrap().remove(endpoint);
        })
    };
    for needed in ["authorization_endpoint", "token_endpoint", "jwks_uri", "issuer"] {
        assert!(without(needed).is_err(), "{needed}");
    }
    assert_eq!(without("userinfo_endpoint").unwrap().userinfo_endpoint, None);
    assert_eq!(without("end_session_endpoint").unwrap().end_session_endpoint, None);
    assert_eq!(without("revocation_endpoint").unwrap().revocation_endpoint, None);
}

#[test]
fn callbacks_carry_the_issuer_where_the_provider_says_so() {
    let name = "authorization_response_iss_parameter_supported";
    assert!(!checked("https", |_| ()).unwrap().sends_issuer);
    assert!(checked("https", |document| document[name] = true.into()).unwrap().sends_issuer);
}
