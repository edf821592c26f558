//! The ways in which a client proves to Keycloak that it is itself. The one with a secret is what all other stories use.

use std::fs;

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use ring::{
    digest,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    adapter::{Adapter, Place},
    admin::Realm,
    browser::Browser,
    scene::{self, Person, seen},
};

#[test]
fn a_public_client_signs_in_with_pkce_alone() {
    let place = Place::choose();
    let mut representation = scene::realm(place);
    representation["clients"][0]["publicClient"] = json!(true);
    let realm = Realm::create(representation);
    let mut keycloak = scene::keycloak_json(&realm);
    keycloak["public-client"] = json!(true);
    keycloak.as_object_mut().expect("an object").remove("credentials");
    signs_in(place, &keycloak);
}

#[test]
fn a_client_with_a_wrong_secret_signs_nobody_in() {
    let place = Place::choose();
    let realm = Realm::create(scene::realm(place));
    let mut keycloak = scene::keycloak_json(&realm);
    keycloak["credentials"] = json!({ "secret": "a guess" });
    let adapter = Adapter::start(place, &keycloak, &json!({}));
    let mut browser = Browser::default();
    let page = Person::Anna.open(&mut browser, &adapter.url("/"));
    assert!(page.response.status >= 400, "{} at {:#?}", page.response.status, page.trail);
    assert_eq!(browser.fetch(adapter.url("/")).status, 401);
}

#[test]
fn a_client_signs_its_assertions_with_the_rsa_key_that_keycloak_made_for_it() {
    let place = Place::choose();
    let realm = Realm::create(realm_with_signing_client(place, &json!({})));
    let key = realm.generate_client_key(scene::CLIENT);
    signs_in_with_key(place, &realm, "RSA PRIVATE KEY", &key);
}

#[test]
fn a_client_signs_its_assertions_with_an_elliptic_curve_key_from_its_key_set() {
    let place = Place::choose();
    let (key, public) = elliptic_curve_key();
    let set = json!({ "keys": [public] }).to_string();
    let attributes =
        json!({ "use.jwks.string": "true", "jwks.string": set, "token.endpoint.auth.signing.alg": "ES256" });
    let realm = Realm::create(realm_with_signing_client(place, &attributes));
    signs_in_with_key(place, &realm, "PRIVATE KEY", &key);
}

fn signs_in(place: Place, keycloak: &Value) {
    let adapter = Adapter::start(place, keycloak, &json!({}));
    let page = Person::Anna.open(&mut Browser::default(), &adapter.url("/"));
    assert_eq!(seen(&page)["headers"]["x-forwarded-preferred-username"], "anna");
}

/// `key` is DER in base64, of the form that `label` names.
fn signs_in_with_key(place: Place, realm: &Realm, label: &str, key: &str) {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("client.pem");
    let lines: Vec<String> = key.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let key = lines.join("\n");
    fs::write(&file, format!("-----BEGIN {label}-----\n{key}\n-----END {label}-----\n")).expect("a writable folder");
    let mut keycloak = scene::keycloak_json(realm);
    keycloak["credentials"] = json!({ "jwt": { "client-keystore-file": file, "client-keystore-type": "PEM" } });
    signs_in(place, &keycloak);
}

fn realm_with_signing_client(place: Place, attributes: &Value) -> Value {
    let mut realm = scene::realm(place);
    realm["clients"][0]["clientAuthenticatorType"] = json!("client-jwt");
    for (name, value) in attributes.as_object().into_iter().flatten() {
        realm["clients"][0]["attributes"][name] = value.clone();
    }
    realm
}

/// A new P-256 key: private (PKCS#8 in base64) and public (a JWK under the key id that the Java adapters use, the SHA-256
/// of the public key's DER).
fn elliptic_curve_key() -> (String, Value) {
    /// `SubjectPublicKeyInfo` of a P-256 key up to its point (RFC 5480, section 2).
    const DER_HEAD: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
        0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("randomness");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).expect("a new key");
    let point = pair.public_key().as_ref();
    let id = digest::digest(&digest::SHA256, &[&DER_HEAD[..], point].concat());
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let public = json!({
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
        "kid": encode(id.as_ref()), "x": encode(&point[1..33]), "y": encode(&point[33..65]),
    });
    (BASE64_STANDARD.encode(pkcs8.as_ref()), public)
}
