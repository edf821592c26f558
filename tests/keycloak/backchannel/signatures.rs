//! The algorithms by which a realm may sign what it pushes, and its keys when they change between login and logout.

use serde_json::json;

use crate::{
    backchannel::{Plan, STORES, Scene},
    scene::{CLIENT, Person},
    wait,
};

/// A realm that signs with that algorithm, in that store.
fn scene(store: &'static str, algorithm: &str, logout_tokens: bool) -> Scene {
    let scene = Plan::new(store).changed(|realm, tap, _| {
        realm["defaultSignatureAlgorithm"] = json!(algorithm);
        realm.as_object_mut().expect("an object").remove("components");
        if logout_tokens {
            let attributes = &mut realm["clients"][0]["attributes"];
            attributes["backchannel.logout.url"] = json!(format!("{tap}/backchannel-logout"));
            attributes["backchannel.logout.session.required"] = json!("true");
        }
    });
    if algorithm == "EdDSA" {
        // Keycloak makes keys of every other kind by itself when they are needed first.
        scene.realm.add_key("eddsa-generated", json!({ "eddsaEllipticCurveKey": ["Ed25519"] }));
    }
    scene
}

/// Admin messages of both kinds about sessions, one in each store, and a logout token: all are believed.
fn signs_with(algorithm: &str) {
    for (store, logout_tokens) in [("cookie", true), ("session", false)] {
        let story = format!("{algorithm} {store}");
        let scene = scene(store, algorithm, logout_tokens);
        let anna = scene.signed_in(Person::Anna);
        scene.realm.delete_sessions_of("anna");
        let push = scene.tap.last();
        assert_eq!(
            (push.word() == "backchannel-logout", &push.header["alg"]),
            (logout_tokens, &json!(algorithm)),
            "{story}"
        );
        assert!(matches!(push.status, 200 | 204), "{story}: {push:?}");
        anna.assert_refused(&story);

        let bert = scene.signed_in(Person::Bert);
        scene.realm.push_not_before_of(CLIENT, wait::second() + 1);
        let push = scene.tap.last();
        assert_eq!(
            (push.word(), push.status, &push.header["alg"]),
            ("k_push_not_before", 200, &json!(algorithm)),
            "{story}"
        );
        bert.assert_refused(&story);
    }
}

#[test]
fn admin_messages_and_logout_tokens_signed_with_rs256_are_believed() {
    signs_with("RS256");
}

#[test]
fn admin_messages_and_logout_tokens_signed_with_ps256_are_believed() {
    signs_with("PS256");
}

#[test]
fn admin_messages_and_logout_tokens_signed_with_es256_are_believed() {
    signs_with("ES256");
}

#[test]
fn admin_messages_and_logout_tokens_signed_with_eddsa_are_believed() {
    signs_with("EdDSA");
}

#[test]
fn a_logout_signed_with_a_key_that_came_after_the_login_is_believed() {
    for store in STORES {
        for logout_tokens in [false, true] {
            let story = format!("{store}, logout tokens: {logout_tokens}");
            let scene = scene(store, "RS256", logout_tokens);
            let anna = scene.signed_in(Person::Anna);
            scene.realm.add_key("rsa-generated", json!({ "algorithm": ["RS256"] }));
            scene.realm.disable_older_keys("rsa-generated");
            scene.realm.delete_sessions_of("anna");
            let push = scene.tap.last();
            assert_eq!(push.header["kid"], json!(scene.realm.active_key("RS256")), "{story}");
            assert!(matches!(push.status, 200 | 204), "{story}: {push:?}");
            anna.assert_refused(&story);
        }
    }
}
