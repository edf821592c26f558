//! Stories of whole configurations, told by concern.

mod adapter_file;
mod bearer;
mod claims_and_redirects;
mod faults;
mod keycloak_keys;
mod meaning;
mod node;
mod secrets;
mod sources;
mod strip;
mod tls;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Config, Faults};

/// A key that may seal cookies: the bytes 0 to 31.
const COOKIE_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// An Ed25519 public key, as Keycloak's console shows keys.
const PUBLIC_KEY: &str = "MCowBQYDK2VwAyEAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The smallest configuration that works, with `more` laid over its top level and `sidecar` over its `sidecar`.
fn file(more: Value, sidecar: Value) -> Value {
    let mut tree = json!({
        "realm": "shop",
        "auth-server-url": "https://sso.example.com",
        "resource": "shop-web",
        "credentials": {"secret": "client-secret-value"},
        "sidecar": {
            "upstream": "http://127.0.0.1:3000", "public-url": "https://shop.example.com", "cookie": {"keys": [COOKIE_KEY]},
        },
    });
    lay(&mut tree["sidecar"], sidecar);
    lay(&mut tree, more);
    tree
}

fn lay(base: &mut Value, over: Value) {
    let Value::Object(over) = over else { panic!("an object") };
    for (name, value) in over {
        base[name] = value;
    }
}

fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    variables.iter().map(own).collect()
}

fn read(tree: &Value) -> Result<Config, Faults> {
    // A machine with a name, as every real one.
    Config::from_json(&tree.to_string(), &env(&[("HOSTNAME", "shop-1")]))
}

/// What `tree` means; it has no fault.
fn accepted(tree: &Value) -> Config {
    read(tree).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The faults of `tree`, a line each.
fn refused(tree: &Value) -> Vec<String> {
    let faults = read(tree).expect_err("a fault");
    faults.to_string().lines().map(str::to_owned).collect()
}

/// Notes that `tree` has one fault, at `path`, which says `what`.
#[track_caller]
fn assert_refused(tree: &Value, path: &str, what: &str) {
    let faults = refused(tree);
    let expected = format!("{path}: ");
    assert!(
        faults.len() == 1 && faults[0].starts_with(&expected) && faults[0].contains(what),
        "expected {path}: …{what}…, got {faults:#?}"
    );
}
