//! Keys of `keycloak.json` that say how to read what Keycloak says: which roles, which name, which signing key.

use serde_json::{Value, json};

use crate::{
    adapter::{Adapter, Place},
    admin::Realm,
    browser::Browser,
    scene::{self, Person, seen},
};

/// The usual realm, and an adapter whose file has the keys that `keys` makes for it.
fn with_keys(keys: impl FnOnce(&Realm) -> Value, sidecar: &Value) -> (Realm, Adapter) {
    let place = Place::choose();
    let realm = Realm::create(scene::realm(place));
    let mut file = scene::keycloak_json(&realm);
    for (key, value) in keys(&realm).as_object().into_iter().flatten() {
        file[key] = value.clone();
    }
    let adapter = Adapter::start(place, &file, sidecar);
    (realm, adapter)
}

#[test]
fn with_resource_role_mappings_only_the_roles_of_our_client_count() {
    let rule = |role: &str| json!({ "path": format!("/{role}"), "access": "login", "roles": [role] });
    let rules = json!({ "rules": [rule("staff"), rule("editor"), rule("app:editor")] });
    let (_realm, adapter) = with_keys(|_| json!({ "use-resource-role-mappings": true }), &rules);
    let mut browser = Browser::default();
    let page = Person::Anna.open(&mut browser, &adapter.url("/editor"));
    assert_eq!(seen(&page)["headers"]["x-forwarded-roles"], "editor");
    // A realm role, and the name that the role has where both kinds count.
    for path in ["/staff", "/app:editor"] {
        assert_eq!(browser.open(adapter.url(path)).response.status, 403, "{path}");
    }
}

#[test]
fn the_principal_attribute_names_the_user() {
    let (_realm, adapter) = with_keys(|_| json!({ "principal-attribute": "given_name" }), &json!({}));
    let mut browser = Browser::default();
    let page = Person::Bert.open(&mut browser, &adapter.url("/"));
    assert_eq!(seen(&page)["headers"]["x-forwarded-user"], "bert");
    let about: Value =
        serde_json::from_slice(&browser.open(adapter.url("/oauth2/userinfo")).response.body).expect("userinfo is JSON");
    assert_ne!(about["sub"], "bert");
}

#[test]
fn with_a_pinned_key_a_new_key_of_the_realm_is_not_believed() {
    let (realm, adapter) =
        with_keys(|realm| json!({ "realm-public-key": realm.active_public_key("RS256") }), &json!({}));
    seen(&Person::Anna.open(&mut Browser::default(), &adapter.url("/")));
    realm.add_key("rsa-generated", json!({ "algorithm": ["RS256"] }));
    let page = Person::Bert.open(&mut Browser::default(), &adapter.url("/"));
    assert_eq!(page.response.status, 502, "{:#?}", page.trail);
}
