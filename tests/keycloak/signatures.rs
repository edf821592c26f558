//! The algorithms that a realm may sign with, and what happens when its keys change.

use serde_json::{Value, json};

use crate::{
    browser::Browser,
    scene::{self, Person, seen, token_header},
};

#[test]
fn a_realm_that_signs_with_rs256_is_understood() {
    signs_with("RS256");
}

#[test]
fn a_realm_that_signs_with_ps256_is_understood() {
    signs_with("PS256");
}

#[test]
fn a_realm_that_signs_with_es256_is_understood() {
    signs_with("ES256");
}

#[test]
fn a_realm_that_signs_with_eddsa_is_understood() {
    signs_with("EdDSA");
}

#[test]
fn keys_replaced_between_two_logins_are_learnt_without_a_restart() {
    let (realm, adapter) = scene::usual(&forwarding());
    let first = realm.active_key("RS256");
    let page = Person::Anna.open(&mut Browser::default(), &adapter.url("/"));
    assert_eq!(token_header(&seen(&page))["kid"], first);

    realm.add_key("rsa-generated", json!({ "algorithm": ["RS256"] }));
    realm.disable_older_keys("rsa-generated");
    let second = realm.active_key("RS256");
    assert_ne!(first, second);

    let page = Person::Bert.open(&mut Browser::default(), &adapter.url("/"));
    assert_eq!(token_header(&seen(&page))["kid"], second);
}

fn signs_with(algorithm: &str) {
    let (realm, adapter) = scene::changed(|realm| realm["defaultSignatureAlgorithm"] = json!(algorithm), &forwarding());
    if algorithm == "EdDSA" {
        // Keycloak makes keys of every other kind by itself when they are needed first.
        realm.add_key("eddsa-generated", json!({ "eddsaEllipticCurveKey": ["Ed25519"] }));
    }
    let page = Person::Anna.open(&mut Browser::default(), &adapter.url("/"));
    let seen = seen(&page);
    assert_eq!(token_header(&seen)["alg"], algorithm);
    assert_eq!(seen["headers"]["x-forwarded-preferred-username"], "anna");
}

fn forwarding() -> Value {
    json!({ "forward-access-token": true })
}
