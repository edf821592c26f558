//! Every key of Keycloak's adapter configuration is recognised and does what the table says.

use serde_json::{Value, json};

use super::{PUBLIC_KEY, accepted, assert_refused, file, read, refused};
use crate::{
    config::keycloak::{Effect, KEYS},
    oidc::{Algorithm, ClientAuth, PrivateKeyForm, ProviderId},
    session::TokenStore,
};

/// Every key of `AdapterConfig` and its parents, with a value that asks for what is not the default.
fn every_key() -> Vec<(&'static str, Value)> {
    vec![
        ("realm", json!("shop")),
        ("realm-public-key", json!(PUBLIC_KEY)),
        ("auth-server-url", json!("https://sso.example.com/auth/")),
        ("ssl-required", json!("EXTERNAL")),
        ("confidential-port", json!(8443)),
        ("resource", json!("shop-web")),
        ("use-resource-role-mappings", json!(true)),
        ("enable-cors", json!(true)),
        ("cors-max-age", json!(60)),
        ("cors-allowed-headers", json!("X-A")),
        ("cors-allowed-methods", json!("GET")),
        ("cors-exposed-headers", json!("X-A")),
        ("expose-token", json!(true)),
        ("bearer-only", json!(true)),
        ("autodetect-bearer-only", json!(true)),
        ("enable-basic-auth", json!(true)),
        ("public-client", json!(false)),
        ("credentials", json!({"secret": "s"})),
        ("redirect-rewrite-rules", json!({"^/a/(.*)$": "/b/$1"})),
        ("allow-any-hostname", json!(true)),
        ("disable-trust-manager", json!(true)),
        ("truststore", json!("/roots.jks")),
        ("truststore-password", json!("p")),
        ("client-keystore", json!("/client.jks")),
        ("client-keystore-password", json!("p")),
        ("client-key-password", json!("p")),
        ("connection-pool-size", json!(5)),
        ("socket-timeout-millis", json!(2000)),
        ("connection-timeout-millis", json!(1000)),
        ("connection-ttl-millis", json!(1000)),
        ("proxy-url", json!("http://proxy:3128")),
        ("always-refresh-token", json!(true)),
        ("token-minimum-time-to-live", json!(10)),
        ("register-node-at-startup", json!(true)),
        ("register-node-period", json!(600)),
        ("token-store", json!("cookie")),
        ("adapter-state-cookie-path", json!("/")),
        ("principal-attribute", json!("email")),
        ("turn-off-change-session-id-on-login", json!(true)),
        ("min-time-between-jwks-requests", json!(20)),
        ("public-key-cache-ttl", json!(3600)),
        ("policy-enforcer", json!({})),
        ("enable-pkce", json!(true)),
        ("ignore-oauth-query-parameter", json!(true)),
        ("verify-token-audience", json!(true)),
    ]
}

/// Keys that need something besides themselves.
const NEEDY: [&str; 4] = ["allow-any-hostname", "client-keystore", "disable-trust-manager", "truststore"];

#[test]
fn every_key_of_keycloak_is_recognised() {
    for (name, value) in every_key() {
        let faults = read(&file(json!({ name: value }), json!({}))).err();
        let text = faults.map(|faults| faults.to_string()).unwrap_or_default();
        assert!(!text.contains("not a known key"), "{text}");
    }
}

#[test]
fn each_key_does_what_the_table_says() {
    for (name, value) in every_key() {
        let effect = KEYS.iter().find(|(known, _)| *known == name).map(|(_, effect)| *effect);
        let tree = file(json!({ name: value }), json!({}));
        match effect.unwrap_or_else(|| panic!("{name} is not in the table")) {
            // They name files, or must be meant twice: they have stories of their own.
            Effect::Works if NEEDY.contains(&name) => assert_refused(&tree, name, ""),
            Effect::Works => drop(accepted(&tree)),
            Effect::Ignored(_) => {
                let warnings = accepted(&tree).warnings;
                assert!(warnings.iter().any(|line| line.starts_with(name)), "{name}: {warnings:?}");
            }
            Effect::Refused(_) => assert_refused(&tree, name, "not supported"),
        }
    }
}

#[test]
fn values_that_ask_for_nothing_are_taken_in_silence() {
    for (name, effect) in KEYS {
        let quiet = match effect {
            Effect::Ignored(_) => [json!(false), json!("false"), json!(""), json!(null), json!({})],
            Effect::Works | Effect::Refused(_) => continue,
        };
        for value in quiet {
            let config = accepted(&file(json!({ name: value }), json!({})));
            assert_eq!(config.warnings, Vec::<String>::new(), "{name}");
        }
    }
    let export = json!({"confidential-port": 0, "register-node-period": -1, "ssl-required": "external"});
    assert_eq!(accepted(&file(export, json!({}))).warnings, Vec::<String>::new());
}

/// An Elytron file with every key that Keycloak's adapters did not have (`OidcJsonConfiguration`).
#[test]
fn the_keys_that_only_elytron_has_are_answered_with_their_counterparts() {
    let request_object = "let the identity server accept plain parameters";
    for (name, value, told) in [
        ("scope", json!("profile email phone"), "`sidecar.provider.scopes`"),
        ("token-signature-algorithm", json!("RS512"), "`sidecar.provider.algorithms`"),
        ("authentication-request-format", json!("request_uri"), request_object),
        ("request-object-signing-algorithm", json!("RS512"), request_object),
        ("request-object-encryption-alg-value", json!("RSA-OAEP"), request_object),
        ("request-object-encryption-enc-value", json!("A128CBC-HS256"), request_object),
        ("request-object-signing-keystore-file", json!("/server.keystore"), request_object),
        ("request-object-signing-keystore-password", json!("p"), request_object),
        ("request-object-signing-key-password", json!("p"), request_object),
        ("request-object-signing-key-alias", json!("a"), request_object),
        ("request-object-signing-keystore-type", json!("JKS"), request_object),
        ("logout-path", json!("/logout"), "`/oauth2/sign_out`"),
        ("logout-callback-path", json!("/logout/callback"), "`/oauth2/backchannel-logout`"),
    ] {
        assert_refused(&file(json!({ name: value }), json!({})), name, told);
    }
    for (name, value) in [
        ("post-logout-path", json!("/bye")),
        ("post-logout-uri", json!("/bye")),
        ("logout-session-required", json!(true)),
        ("back-channel-logout-session-invalidation-limit", json!(16)),
    ] {
        let warnings = accepted(&file(json!({ name: value }), json!({}))).warnings;
        assert!(matches!(&warnings[..], [one] if one.starts_with(&format!("{name}: has no effect"))), "{warnings:?}");
    }
}

#[test]
fn the_keys_that_work_reach_their_types() {
    let more = json!({
        "auth-server-url": "https://sso.example.com/auth/", "connection-pool-size": "0",
        "socket-timeout-millis": -1, "connection-timeout-millis": 1500, "public-key-cache-ttl": 60,
    });
    let oidc = accepted(&file(more, json!({}))).oidc;
    let auth_server_url = "https://sso.example.com/auth".parse().unwrap();
    let realm = "shop".to_owned();
    assert_eq!(oidc.provider, ProviderId::Keycloak { auth_server_url, realm });
    assert_eq!(oidc.client_id.as_str(), "shop-web");
    assert_eq!(oidc.http.pool_size, 10);
    assert_eq!(oidc.http.total_timeout.as_secs(), 10);
    assert_eq!(oidc.http.connect_timeout.as_millis(), 1500);
    assert_eq!(oidc.jwks_ttl.as_secs(), 60);
    assert_eq!(oidc.jwks_cooldown.as_secs(), 10);
}

#[test]
fn a_plain_provider_keeps_its_issuer_byte_for_byte() {
    let tree = json!({
        "provider-url": "https://ID.example.com/", "client-id": "shop", "credentials": {"secret": "s"},
        "sidecar": {"upstream": "http://app", "public-url": "https://shop.example.com"},
    });
    let oidc = accepted(&tree).oidc;
    assert!(matches!(oidc.provider, ProviderId::Plain { issuer } if issuer.as_str() == "https://ID.example.com/"));
    assert_eq!(oidc.scopes, ["openid", "profile", "email"]);
}

#[test]
fn both_forms_of_provider_together_are_refused_naming_both() {
    let tree = file(json!({"provider-url": "https://id.example.com"}), json!({}));
    assert_refused(&tree, "provider-url", "`auth-server-url`");
    assert_refused(&file(json!({"client-id": "x"}), json!({})), "client-id", "`auth-server-url`");
}

#[test]
fn addresses_of_the_provider_are_whole_and_without_secrets() {
    let wrong = ["//sso", "/\\sso", "/auth?x", "sso", "ftp://sso", "https://u:p@sso", "https://sso?x", "https://sso#x"];
    for url in wrong {
        assert_refused(&file(json!({"auth-server-url": url}), json!({})), "auth-server-url", "");
    }
    let plain = accepted(&file(json!({"auth-server-url": "http://keycloak:8080"}), json!({})));
    assert!(plain.warnings[0].contains("plain http"), "{:?}", plain.warnings);
    let local = accepted(&file(json!({"auth-server-url": "http://127.0.0.1:8080"}), json!({})));
    assert!(local.warnings.is_empty());
}

#[test]
fn names_of_the_documentation_are_taken_with_a_warning() {
    let sidecar = json!({"path-prefix": "/app/oauth2"});
    let config = accepted(&file(json!({"token-cookie-path": "/app"}), sidecar));
    assert_eq!(config.session.cookie.path, "/app");
    assert!(config.warnings[0].contains("adapter-state-cookie-path"), "{:?}", config.warnings);
}

#[test]
fn a_cookie_path_that_leaves_out_our_endpoints_is_refused() {
    for path in ["/app", "/oauth", "/oauth2/x"] {
        let tree = file(json!({"adapter-state-cookie-path": path}), json!({}));
        assert_refused(&tree, "adapter-state-cookie-path", "path-prefix");
    }
    for path in ["app;b", "/a;b", "/a b"] {
        let tree = file(json!({"adapter-state-cookie-path": path}), json!({}));
        assert_refused(&tree, "adapter-state-cookie-path", "must hold neither");
    }
    for (path, kept) in [("/", "/"), ("/oauth2", "/oauth2"), ("/oauth2/", "/oauth2/"), ("oauth2", "/oauth2")] {
        let config = accepted(&file(json!({"adapter-state-cookie-path": path}), json!({})));
        assert_eq!(config.session.cookie.path, kept);
    }
}

fn auth(credentials: &Value, provider: &Value) -> ClientAuth {
    accepted(&file(json!({"credentials": credentials}), json!({"provider": provider}))).oidc.client_auth
}

#[test]
fn credentials_are_chosen_as_keycloak_chooses_them() {
    assert!(matches!(auth(&json!({"secret": "s"}), &json!({})), ClientAuth::SecretBasic(_)));
    let jwt = json!({"secret-jwt": {"secret": "s", "algorithm": "HS512"}});
    assert!(matches!(auth(&jwt, &json!({})), ClientAuth::SecretJwt { algorithm: Algorithm::Hs512, .. }));
    let both = json!({"secret": "s", "secret-jwt": {"secret": "t"}});
    assert_refused(&file(json!({"credentials": both}), json!({})), "credentials", "several");
    let named = json!({"provider": "secret-jwt", "secret": "s", "secret-jwt": {"secret": "t"}});
    let ClientAuth::SecretJwt { secret, .. } = auth(&named, &json!({})) else { panic!("a signed secret") };
    assert_eq!(secret.expose(), "t");
    let other = json!({"provider": "mine"});
    assert_refused(&file(json!({"credentials": other}), json!({})), "credentials.provider", "must be one of");
}

#[test]
fn a_client_that_is_not_public_needs_something_to_prove_itself_with() {
    assert_refused(&file(json!({"credentials": {}}), json!({})), "credentials", "is required");
    let public = json!({"credentials": {}, "public-client": true});
    assert!(matches!(accepted(&file(public, json!({}))).oidc.client_auth, ClientAuth::None));
    let both = json!({"public-client": "true"});
    assert!(accepted(&file(both, json!({}))).warnings[0].starts_with("public-client"));
    let contrary = file(json!({"public-client": true}), json!({"provider": {"client-authentication": "post"}}));
    assert_refused(&contrary, "sidecar.provider.client-authentication", "must be `none`");
}

#[test]
fn the_sidecar_chooses_how_the_secret_is_sent() {
    assert!(matches!(auth(&json!({}), &json!({"client-secret": "s"})), ClientAuth::SecretBasic(_)));
    let post = json!({"client-authentication": "post"});
    assert!(matches!(auth(&json!({"secret": "s"}), &post), ClientAuth::SecretPost(_)));
    let twice = file(json!({}), json!({"provider": {"client-secret": "t"}}));
    assert_refused(&twice, "sidecar.provider", "although `credentials` does too");
    let key = json!({"client-authentication": "private-key-jwt"});
    let tree = file(json!({}), json!({"provider": key}));
    assert_refused(&tree, "sidecar.provider.client-authentication", "needs a private key");
}

#[test]
fn a_signing_key_is_read_from_pem_and_from_javas_stores() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    std::fs::write(&path, "-----BEGIN PRIVATE KEY-----\na2V5\n-----END PRIVATE KEY-----\n").unwrap();
    let keystore =
        |kind: &str| json!({"jwt": {"client-keystore-file": path, "client-keystore-type": kind, "token-timeout": 20}});
    let ClientAuth::PrivateKeyJwt { key, lifetime, .. } = auth(&keystore("PEM"), &json!({})) else { panic!("a key") };
    assert_eq!((key.form, lifetime.as_secs()), (PrivateKeyForm::Pkcs8, 20));
    let tree = file(json!({"credentials": keystore("JKS")}), json!({}));
    assert_refused(&tree, "credentials.jwt.client-keystore-type", "must be `PEM`");
    let stores = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keystores/TEST-ONLY-client");
    let java = |form: &str, password: &str| {
        json!({"jwt": {
            "client-keystore-file": format!("{stores}.{form}"), "client-keystore-password": "changeit",
            "client-key-password": password, "client-key-alias": "shop",
        }})
    };
    let read = |credentials: &Value| match auth(credentials, &json!({})) {
        ClientAuth::PrivateKeyJwt { key, .. } => key,
        other => panic!("{other:?}"),
    };
    let (jks, p12) = (read(&java("jks", "other-changeit")), read(&java("p12", "changeit")));
    assert_eq!((jks.der, jks.form), (p12.der, PrivateKeyForm::Pkcs8));
    let closed = file(json!({"credentials": java("jks", "wrong")}), json!({}));
    assert_refused(&closed, "credentials.jwt.client-keystore-file", "password");
    let own = json!({"private-key-file": path, "key-id": "k1"});
    let tree = file(json!({"credentials": {}}), json!({"provider": own}));
    assert!(matches!(accepted(&tree).oidc.client_auth, ClientAuth::PrivateKeyJwt { key_id: Some(_), .. }));
}

/// What Keycloak's console gives for a client with the authenticator "X509 Certificate".
#[test]
fn a_client_that_its_certificate_proves_needs_nothing_besides() {
    for credentials in [json!({}), json!(null)] {
        let by_nothing = file(json!({"credentials": credentials}), json!({}));
        assert_refused(&by_nothing, "credentials", "`sidecar.provider.client-authentication` is `none`");
        let chosen = json!({"provider": {"client-authentication": "none"}});
        let by_certificate = file(json!({"credentials": credentials}), chosen);
        assert!(matches!(accepted(&by_certificate).oidc.client_auth, ClientAuth::None));
    }
}

#[test]
fn symmetric_algorithms_need_a_secret() {
    let algorithms = json!({"provider": {"algorithms": ["RS256", "HS256"]}});
    let oidc = accepted(&file(json!({}), algorithms.clone())).oidc;
    assert_eq!(oidc.algorithms.len(), 2);
    let public = file(json!({"credentials": {}, "public-client": true}), algorithms);
    assert_refused(&public, "sidecar.provider.algorithms[1]", "needs a client secret");
    let none = json!({"provider": {"algorithms": ["none"]}});
    assert_refused(&file(json!({}), none), "sidecar.provider.algorithms[0]", "must be one of");
    let default = accepted(&file(json!({}), json!({}))).oidc.algorithms;
    assert!(!default.is_empty() && !default.iter().any(|algorithm| algorithm.is_symmetric()));
}

#[test]
fn sessions_are_kept_in_cookies_unless_the_file_says_otherwise() {
    let absent = accepted(&file(json!({}), json!({})));
    assert_eq!((absent.session.store, absent.session.capacity), (TokenStore::Cookie, 100_000));
    for name in ["session", "SESSION", "Session"] {
        let kept = accepted(&file(json!({"token-store": name}), json!({"session": {"capacity": 7}})));
        assert_eq!((kept.session.store, kept.session.capacity), (TokenStore::Session, 7));
        assert!(kept.warnings.iter().any(|line| line.starts_with("token-store: is `session`")), "{:?}", kept.warnings);
    }
    assert_eq!(refused(&file(json!({"token-store": "x"}), json!({}))).len(), 1);
    let none = json!({"session": {"capacity": 0}});
    assert_refused(&file(json!({"token-store": "session"}), none), "sidecar.session.capacity", "must be");
    let idle = accepted(&file(json!({}), json!({"session": {"capacity": 7}})));
    assert!(idle.warnings.iter().any(|line| line.starts_with("sidecar.session.capacity")), "{:?}", idle.warnings);
}
