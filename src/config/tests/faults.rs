//! Every fault is found, said once, at its place; and nothing makes the reader fall.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{assert_refused, env, file, read, refused};
use crate::config::{Config, value::Node};

#[test]
fn each_fault_of_a_file_is_one_line_and_the_lines_are_ordered_by_path() {
    let rules = json!([
        {"path": "/a"}, {"path": "b"}, {"path": "/c", "roles": []}, {}, {"path": "/d", "methods": ["get"]},
        {"path": "/e"}, {"path": "/e"}, {"path": "/e"}, {"path": "/e"}, {"path": "/e"}, {"path": "/f", "access": "x"},
    ]);
    let sidecar = json!({
        "listen": "here", "upstrem": "http://app", "session": {"idle": "0s"}, "rules": rules,
        "cookie": {"secure": 7},
    });
    let faults = refused(&file(json!({"realm": "", "policy-enforcer": {}}), sidecar));
    let paths: Vec<_> = faults.iter().map(|line| line.split(':').next().unwrap()).collect();
    let expected = [
        "policy-enforcer",
        "realm",
        "sidecar.cookie.secure",
        "sidecar.listen",
        "sidecar.rules[1].path",
        "sidecar.rules[2].roles",
        "sidecar.rules[3].path",
        "sidecar.rules[4].methods[0]",
        "sidecar.rules[10].access",
        "sidecar.session.idle",
        "sidecar.upstrem",
    ];
    assert_eq!(paths, expected, "{faults:#?}");
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_name_of_its_level() {
    assert_refused(&file(json!({"authServerUrl": "x"}), json!({})), "authServerUrl", "`auth-server-url`");
    assert_refused(&file(json!({}), json!({"public_url": "x"})), "sidecar.public_url", "`public-url`");
    let cookie = json!({"cookie": {"samesite": "lax"}});
    assert_refused(&file(json!({}), cookie), "sidecar.cookie.samesite", "`same-site`");
    let rules = json!({"rules": [{"path": "/a", "rolls": ["x"]}]});
    assert_refused(&file(json!({}), rules), "sidecar.rules[0].rolls", "`roles`");
    assert_refused(&file(json!({"x.y z": 1}), json!({})), "[\"x.y z\"]", "is not a known key");
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let text = file(json!({}), json!({})).to_string();
    let text = text.replacen('{', "{\"realm\": \"other\", ", 1);
    let faults = Config::from_json(&text, &env(&[])).unwrap_err();
    assert_eq!(faults.to_string(), "realm: stands here twice");
}

#[test]
fn what_is_no_json_is_one_fault_with_its_line() {
    let faults = Config::from_json("{\n  \"realm\": \"a\",\n  oops\n}", &env(&[])).unwrap_err();
    assert_eq!(faults.as_slice().len(), 1);
    assert!(faults.to_string().contains("line 3 column 3"), "{faults}");
    for text in ["", "{} {}", "{\"a\": 1e999}"] {
        assert_eq!(Config::from_json(text, &env(&[])).unwrap_err().as_slice().len(), 1, "{text}");
    }
    assert!(Config::from_json("[]", &env(&[])).is_err());
}

#[test]
fn a_file_that_is_not_there_is_one_fault_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.json");
    let faults = Config::load(&path, &env(&[])).unwrap_err();
    assert_eq!(faults.as_slice().len(), 1);
    assert!(faults.to_string().contains("adapter.json"), "{faults}");
}

#[test]
fn planned_keys_are_refused_as_not_supported_yet() {
    for key in ["store", "peers", "sites", "assertion"] {
        let path = format!("sidecar.{key}");
        assert_refused(&file(json!({}), json!({ key: {} })), &path, "not supported yet");
    }
}

#[test]
fn a_token_that_could_be_guessed_opens_no_session_api() {
    for token in ["short", "sixteen letters?", "sechzehn-und-dr\u{fc}ber"] {
        let admin = json!({"admin": {"token": token}});
        assert_refused(&file(json!({}), admin), "sidecar.admin.token", "visible ASCII");
    }
    assert!(read(&file(json!({}), json!({"admin": {"token": "sixteen-letters!"}}))).is_ok());
}

#[test]
fn a_proof_lives_longer_than_certainty_does() {
    let times = json!({"outage-proof": "60s", "proof-life": "60s"});
    assert_refused(&file(json!({}), times), "sidecar.proof-life", "longer than `outage-proof`");
}

#[test]
fn null_is_the_same_as_absent() {
    assert!(read(&file(json!({"truststore": null}), json!({"listen": null, "rules": null}))).is_ok());
    assert_refused(&file(json!({}), json!({"upstream": null})), "sidecar.upstream", "is required");
    let rules = json!({"rules": [null]});
    assert_refused(&file(json!({}), rules), "sidecar.rules[0]", "is required");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[/$]?[a{}:.,*%0-9$]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z${}-]{0,8}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// The names of every level, so that arbitrary values reach every reader.
const NAMES: [&str; 24] = [
    "credentials",
    "credentials.jwt",
    "credentials.secret-jwt",
    "public-key-cache-ttl",
    "redirect-rewrite-rules",
    "provider-url",
    "sidecar",
    "sidecar.admin",
    "sidecar.allowed-hosts",
    "sidecar.cookie",
    "sidecar.cookie.keys",
    "sidecar.headers",
    "sidecar.limits",
    "sidecar.limits.body-bytes",
    "sidecar.log",
    "sidecar.log.filter",
    "sidecar.path-prefix",
    "sidecar.provider",
    "sidecar.provider.params",
    "sidecar.provider.private-key",
    "sidecar.rules",
    "sidecar.session.idle",
    "sidecar.trusted-proxies",
    "sidecar.upstream",
];

proptest! {
    #[test]
    fn arbitrary_values_anywhere_never_panic(name in prop::sample::select(&NAMES[..]), value in any_json()) {
        let mut tree = file(json!({}), json!({}));
        let mut place = &mut tree;
        for segment in name.split('.') {
            if !place[segment].is_object() {
                place[segment] = json!({});
            }
            place = &mut place[segment];
        }
        *place = value.clone();
        let _ = read(&tree);
        let _ = read(&value);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,64}") {
        let _ = Config::from_json(&text, &env(&[]));
        let tree = file(json!({"realm": text}), json!({"upstream": text, "rules": [{"path": text}]}));
        let _ = read(&tree);
    }
}

#[test]
fn readers_take_texts_for_numbers_and_booleans() {
    let report = crate::config::fault::Report::default();
    let tree = json!({"flag": "true", "number": "7", "time": "5"});
    let keys = Node::root(&tree, &report).object(&["flag", "number", "time"]);
    assert_eq!(keys.at("flag").flag(), Some(true));
    assert_eq!(keys.at("number").number(0..=9), Some(7));
    assert!(report.conclude(Some(())).is_ok());
}
