//! No secret is ever printed: not by a fault, not by a warning, not by the configuration itself.

use serde_json::{Value, json};

use super::{COOKIE_KEY, env, file, read};
use crate::config::Config;

const MARK: &str = "hunter2";

/// Every place in `tree`, as the keys that lead there.
fn places(tree: &Value) -> Vec<String> {
    let below = |prefix: String, value: &Value| {
        let deeper = places(value).into_iter().map(move |place| format!("{prefix}{place}"));
        deeper.collect::<Vec<_>>()
    };
    let children: Vec<(String, &Value)> = match tree {
        Value::Object(map) => map.iter().map(|(name, value)| (format!("/{name}"), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (format!("/{index}"), value)).collect(),
        _ => Vec::new(),
    };
    let nested = children.into_iter().flat_map(|(prefix, value)| below(prefix, value));
    std::iter::once(String::new()).chain(nested).collect()
}

fn full() -> Value {
    let mut tree: Value = serde_json::from_str(include_str!("../../../adapter.json.example")).unwrap();
    tree["credentials"]["secret"] = json!("s");
    tree["sidecar"]["cookie"]["keys"] = json!([COOKIE_KEY]);
    tree["sidecar"]["provider"]["private-key"] = json!("x");
    tree["sidecar"]["provider"]["algorithms"] = json!(["RS256"]);
    tree["sidecar"]["allowed-hosts"] = json!(["shop.example.com"]);
    tree
}

#[test]
fn a_secret_put_at_any_place_is_not_in_any_fault() {
    let tree = full();
    let planted = [
        json!(MARK),
        json!(format!("https://{MARK}:{MARK}@x/{MARK}?{MARK}")),
        json!(format!("/{MARK}/../{MARK}")),
        json!(format!("a${{{MARK}}}b")),
        json!(format!("a ${{{MARK}:{MARK}}} b")),
        json!([MARK, {"path": format!("{MARK}*")}]),
    ];
    let all = places(&tree);
    assert!(all.len() > 50, "{all:?}");
    for place in all {
        for value in &planted {
            let mut tree = tree.clone();
            *tree.pointer_mut(&place).unwrap() = value.clone();
            if let Err(faults) = read(&tree) {
                assert!(!format!("{faults}{faults:?}").contains(MARK), "{place}: {faults}");
            }
            let text = tree.to_string();
            if let Err(faults) = Config::from_json(&text[..text.len() - 1], &env(&[])) {
                assert!(!faults.to_string().contains(MARK), "{place}: {faults}");
            }
        }
    }
}

#[test]
fn a_key_pasted_where_its_files_path_belongs_is_not_in_any_fault() {
    let keystore = json!({"jwt": {"client-keystore-file": MARK, "client-keystore-type": "PEM"}});
    let by_keystore = file(json!({"credentials": keystore}), json!({}));
    let by_file = file(json!({"credentials": {}}), json!({"provider": {"private-key-file": MARK}}));
    let by_mount = file(json!({"realm": "${file:/${env.MARK}}"}), json!({}));
    for tree in [by_keystore, by_file, by_mount] {
        let faults = Config::from_json(&tree.to_string(), &env(&[("MARK", MARK)])).unwrap_err();
        assert_eq!(faults.as_slice().len(), 1, "{faults}");
        assert!(!format!("{faults}{faults:?}").contains(MARK), "{faults}");
    }
}

#[test]
fn a_secret_in_the_environment_is_not_in_any_fault() {
    for name in ["SIDECAR__COOKIE__KEYS", "SIDECAR__LISTEN", "CREDENTIALS", "NOTHING", "SIDECAR__A____B", "SIDECAR__"] {
        let set = [(format!("DOORWARD__{name}"), MARK)];
        let set: Vec<_> = set.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let tree = file(json!({}), json!({}));
        let faults = Config::from_json(&tree.to_string(), &env(&set)).unwrap_err();
        assert!(!format!("{faults}{faults:?}").contains(MARK), "{name}: {faults}");
    }
}

#[test]
fn a_configuration_prints_none_of_its_secrets() {
    let pem = "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----";
    let by_secret = file(json!({"credentials": {"secret": MARK}}), json!({"cookie": {"keys": [COOKIE_KEY]}}));
    let by_key = file(json!({"credentials": {}}), json!({"provider": {"private-key": pem}}));
    for tree in [by_secret, by_key] {
        let config = read(&tree).unwrap_or_else(|faults| panic!("{faults}"));
        let printed = format!("{config:?}{config:#?}{:?}", config.warnings);
        for secret in [MARK, "aHVudGVy", COOKIE_KEY, "104, 117, 110", "0, 1, 2, 3", "00010203"] {
            assert!(!printed.contains(secret), "{secret}");
        }
    }
}

#[test]
fn a_secret_that_nothing_resolves_is_refused() {
    let tree = file(json!({"credentials": {"secret": "${env.CLIENT_SECRET}"}}), json!({}));
    super::assert_refused(&tree, "credentials.secret", "cannot be a secret");
    let set = env(&[("CLIENT_SECRET", "a${b}c")]);
    assert!(Config::from_json(&tree.to_string(), &set).is_ok());
}

#[test]
fn a_cookie_key_is_32_random_bytes_strictly_encoded() {
    let good =
        [COOKIE_KEY, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "-_-_Pvv_vz77_78--_-_Pvv_vz77_78--_-_Pvv_vz4"];
    for key in good {
        assert!(read(&file(json!({}), json!({"cookie": {"keys": [key]}}))).is_ok(), "{key}");
    }
    let bad = [
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "secret",
    ];
    for key in bad {
        let tree = file(json!({}), json!({"cookie": {"keys": [COOKIE_KEY, key]}}));
        super::assert_refused(&tree, "sidecar.cookie.keys[1]", "must be");
    }
}
