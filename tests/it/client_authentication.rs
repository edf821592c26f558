//! How we prove who we are at the token endpoint: exactly as configured, and in no second way.

use base64::{Engine, engine::general_purpose::STANDARD};
use identity_server::{CLIENT_RSA_PKCS8, Client, ClientAuthentication, Endpoint, Received};
use serde_json::{Value, json};

use crate::support::{CLIENT, Options, SECRET, Scene};

/// Colons, blanks, percents and non-ASCII must be form-encoded before base64 (RFC 6749, section 2.3.1).
const AWKWARD: &str = "p:ä %+&=/secret";

fn scene(authentication: ClientAuthentication, provider: &Value) -> Scene {
    scene_of(CLIENT, authentication, provider)
}

fn scene_of(id: &str, authentication: ClientAuthentication, provider: &Value) -> Scene {
    let public = authentication_is_none(&authentication);
    Options::default()
        .with(json!({ "client-id": id, "public-client": public, "sidecar": { "provider": { "client-secret": null } } }))
        .with(json!({ "sidecar": { "provider": provider } }))
        .server(|server| {
            server.clients = vec![Client { id: id.to_owned(), authentication, ..server.clients[0].clone() }];
        })
        .start()
}

fn authentication_is_none(authentication: &ClientAuthentication) -> bool {
    matches!(authentication, ClientAuthentication::None)
}

fn token_call(scene: &Scene) -> Received {
    scene.signed_in();
    scene.server.last(Endpoint::Token).unwrap()
}

#[test]
fn basic_sends_id_and_secret_form_encoded_in_the_header_alone() {
    let scene = scene_of(
        "shop:a b",
        ClientAuthentication::SecretBasic(AWKWARD.to_owned()),
        &json!({ "client-secret": AWKWARD }),
    );
    let call = token_call(&scene);
    let value = call.header("authorization").unwrap().strip_prefix("Basic ").unwrap().to_owned();
    let pair = String::from_utf8(STANDARD.decode(value).unwrap()).unwrap();
    assert_eq!(pair, "shop%3Aa+b:p%3A%C3%A4+%25%2B%26%3D%2Fsecret");
    assert_eq!((call.field("client_secret"), call.field("client_assertion")), (None, None));
}

#[test]
fn post_sends_id_and_secret_in_the_body_alone() {
    let provider = json!({ "client-secret": AWKWARD, "client-authentication": "post" });
    let call = token_call(&scene(ClientAuthentication::SecretPost(AWKWARD.to_owned()), &provider));
    assert_eq!((call.field("client_id"), call.field("client_secret")), (Some(CLIENT), Some(AWKWARD)));
    assert_eq!((call.header("authorization"), call.field("client_assertion")), (None, None));
}

#[test]
fn a_public_client_sends_its_id_and_proves_itself_by_pkce() {
    let call = token_call(&scene(ClientAuthentication::None, &json!({})));
    assert_eq!((call.field("client_id"), call.field("client_secret")), (Some(CLIENT), None));
    assert!(call.header("authorization").is_none() && call.field("code_verifier").is_some());
}

#[test]
fn a_secret_that_signs_is_not_sent() {
    let provider = json!({ "client-secret": SECRET, "client-authentication": "secret-jwt" });
    let scene = scene(ClientAuthentication::SecretJwt(SECRET.to_owned()), &provider);
    let call = token_call(&scene);
    assert_assertion(&scene, &call, "HS256");
    assert_eq!((call.field("client_secret"), call.header("authorization")), (None, None));
}

#[test]
fn a_private_key_signs_an_assertion_for_this_provider_alone() {
    let pem =
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(CLIENT_RSA_PKCS8));
    let provider = json!({ "private-key": pem, "client-authentication": "private-key-jwt", "key-id": "our-key" });
    let scene = scene(ClientAuthentication::client_rsa(), &provider);
    let call = token_call(&scene);
    let header = assert_assertion(&scene, &call, "RS256");
    assert_eq!(header["kid"], "our-key");
    let first = call.field("client_assertion").unwrap().to_owned();
    assert_ne!(token_call(&scene).field("client_assertion"), Some(first.as_str()), "an assertion was used twice");
}

fn assert_assertion(scene: &Scene, call: &Received, algorithm: &str) -> Value {
    use doorward::domain::Clock as _;
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    assert_eq!(call.field("client_assertion_type"), Some(kind));
    let assertion = call.field("client_assertion").unwrap();
    let (header, claims) = (identity_server::header(assertion), identity_server::claims(assertion));
    assert_eq!(header["alg"], algorithm);
    assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some(CLIENT), Some(CLIENT)));
    assert!(claims["aud"].to_string().contains(&scene.server.origin()), "{}", claims["aud"]);
    let (now, expires) = (scene.clock.now().as_secs(), claims["exp"].as_i64().unwrap());
    assert!(expires > now && expires <= now + 300);
    assert!(claims["jti"].as_str().unwrap().len() >= 16);
    header
}

#[test]
fn a_client_that_is_not_believed_is_told_so_by_a_page() {
    let scene = scene(ClientAuthentication::SecretBasic("another".to_owned()), &json!({ "client-secret": SECRET }));
    scene.assert_refused("a wrong secret", 403, 1);
}

#[test]
fn a_realms_credentials_are_read_from_its_own_file() {
    let jwt = json!({ "realm": "shop", "credentials": { "secret": null, "secret-jwt": { "secret": SECRET, "algorithm": "HS512" } } });
    let scene = Options::keycloak()
        .with(jwt)
        .server(|server| {
            let authentication = ClientAuthentication::SecretJwt(SECRET.to_owned());
            server.clients = vec![Client { authentication, ..server.clients[0].clone() }];
        })
        .start();
    assert_assertion(&scene, &token_call(&scene), "HS512");
}
