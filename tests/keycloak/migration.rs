//! From a Java adapter: the file that Keycloak itself gives for it, word for word, and what the migration page adds to it.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    adapter::{Adapter, Place},
    admin::Realm,
    browser::Browser,
    scene::{self, CLIENT, Person, seen, sign_out},
};

const PAGE: &str = "docs/migration/keycloak-java-adapter.md";

/// A realm in which Anna is an admin of the application, as its own roles say.
fn realm(place: Place) -> Realm {
    let mut representation = scene::realm(place);
    representation["roles"]["client"][CLIENT] = json!([{ "name": "admin" }]);
    representation["users"][0]["clientRoles"] = json!({ CLIENT: ["admin"] });
    Realm::create(representation)
}

/// What "Download adapter config" gives.
fn installation(realm: &Realm) -> Value {
    let client = realm.client(CLIENT);
    realm.get(&format!("clients/{client}/installation/providers/keycloak-oidc-keycloak-json"))
}

/// The page's `sidecar`, without the addresses that differ here, and with a key where it says that one is.
fn addition(secrets: &TempDir) -> Value {
    let text = fs::read_to_string(PAGE).expect("the page is there");
    let (_, rest) = text.split_once("```json fragment\n{\n  \"sidecar\": ").expect("the page has an addition");
    let (block, _) = rest.split_once("\n}\n```").expect("it ends");
    assert!(block.contains("${file:/run/secrets/cookie-key}"), "{block}");
    let folder = secrets.path().to_str().expect("a temporary folder has a plain name");
    let mut sidecar: Value = serde_json::from_str(&block.replace("/run/secrets", folder)).expect("it is JSON");
    for address in ["upstream", "public-url", "admin"] {
        assert!(sidecar.as_object_mut().expect("an object").remove(address).is_some(), "{address}");
    }
    sidecar
}

fn doorward(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_doorward")).args(arguments).output().expect("the binary starts");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn check(path: &Path) -> (Option<i32>, String) {
    doorward(&["check", "-c", path.to_str().expect("a temporary folder has a plain name")])
}

#[test]
fn the_file_that_keycloak_gives_for_java_adapters_works_with_what_the_page_adds() {
    let place = Place::choose();
    let realm = realm(place);
    let given = installation(&realm);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("keycloak.json");
    fs::write(&file, given.to_string()).expect("it is writable");
    let (code, help) = check(&file);
    assert_eq!(code, Some(78), "{help}");
    let given_keys = given.as_object().expect("an object").keys();
    assert!(given_keys.clone().count() >= 6, "{given}");
    let taken = help.lines().find(|line| line.starts_with("Taken")).unwrap_or_default();
    for key in given_keys {
        assert!(taken.contains(key.as_str()), "{key} is not taken as it is:\n{help}");
    }
    assert!(help.contains(&format!("/realms/{}\n", realm.name())), "the realm was not asked:\n{help}");

    let (_, key) = doorward(&["keygen"]);
    fs::write(folder.path().join("cookie-key"), key).expect("it is writable");
    let adapter = Adapter::start(place, &given, &addition(&folder));
    let mut anna = Browser::default();
    let page = Person::Anna.open(&mut anna, &adapter.url("/admin/reports"));
    let headers = &seen(&page)["headers"];
    assert_eq!(headers["x-forwarded-preferred-username"], "anna");
    assert_eq!(headers["x-forwarded-roles"], "admin", "the client's roles by their bare names");
    let mut bert = Browser::default();
    assert_eq!(Person::Bert.open(&mut bert, &adapter.url("/admin/reports")).response.status, 403);
    assert_eq!(bert.open(adapter.url("/reports")).response.status, 200);
    let page = sign_out(&mut anna, &page);
    assert_eq!((page.response.status, page.url.path()), (200, "/oauth2/signed_out"));
    assert_eq!(anna.fetch(adapter.url("/reports")).status, 401);
}
