//! What this node is called, and whether it is registered.

use std::time::Duration;

use serde_json::{Value, json};

use super::{accepted, assert_refused, env, file, read};
use crate::config::{Config, Environment};

fn called(variables: &[(&str, &str)], sidecar: Value) -> String {
    let text = file(json!({}), sidecar).to_string();
    Config::from_json(&text, &env(variables)).unwrap().node_host.as_str().to_owned()
}

#[test]
fn a_node_is_called_by_its_key_else_by_its_pod_else_by_its_machine() {
    let both = [("POD_IP", " 10.1.2.3\n"), ("HOSTNAME", "Shop-7D")];
    assert_eq!(called(&both, json!({ "node-host": "node-1.example.com" })), "node-1.example.com");
    assert_eq!(called(&both, json!({})), "10.1.2.3");
    assert_eq!(called(&both[1..], json!({})), "shop-7d");
    assert_eq!(called(&[("POD_IP", "FD00::A")], json!({})), "fd00::a");
    assert_eq!(called(&[("POD_IP", "no host"), ("HOSTNAME", "shop-7d")], json!({})), "shop-7d");
}

#[test]
fn a_node_host_is_a_host_and_nothing_else() {
    let long = "a".repeat(254);
    let bad = ["Node-1", "node:9080", "[fd00::a]", "a/b", "a#b", "a b", "${NODE}", "-a", "a@b", "http://a", &long];
    for host in bad {
        assert_refused(&file(json!({}), json!({ "node-host": host })), "sidecar.node-host", "must be");
    }
    for host in ["node-1", "10.0.0.1", "fd00::a", "node_1.example.com", &long[1..]] {
        assert_eq!(called(&[], json!({ "node-host": host })), host);
    }
}

#[test]
fn a_machine_without_a_name_must_be_given_one_to_be_registered() {
    #[derive(Debug)]
    struct Nameless;
    impl Environment for Nameless {
        fn variable(&self, _name: &str) -> Option<String> {
            None
        }

        fn variables(&self) -> Vec<(String, String)> {
            Vec::new()
        }
    }
    let read = |more: Value| Config::from_json(&file(more, json!({})).to_string(), &Nameless);
    assert!(read(json!({})).is_ok());
    let faults = read(json!({ "register-node-at-startup": true })).unwrap_err().to_string();
    assert!(faults.starts_with("sidecar.node-host: is required"), "{faults}");
}

#[test]
fn either_key_asks_for_registration_and_only_a_period_for_renewal() {
    let asked = |more: Value| accepted(&file(more, json!({}))).registration.map(|config| config.period);
    assert_eq!(asked(json!({})), None);
    assert_eq!(asked(json!({ "register-node-at-startup": false, "register-node-period": -1 })), None);
    assert_eq!(asked(json!({ "register-node-period": "0" })), None);
    assert_eq!(asked(json!({ "register-node-at-startup": true, "register-node-period": -1 })), Some(None));
    let ten_minutes = Some(Some(Duration::from_secs(600)));
    assert_eq!(asked(json!({ "register-node-at-startup": "true", "register-node-period": "600" })), ten_minutes);
    assert_eq!(asked(json!({ "register-node-period": 600 })), ten_minutes);
    for wrong in [json!(-2), json!("10m"), json!(2_592_001), json!(1.5)] {
        assert_refused(
            &file(json!({ "register-node-period": wrong }), json!({})),
            "register-node-period",
            "whole number",
        );
    }
    let short = accepted(&file(json!({ "register-node-period": 9 }), json!({})));
    assert!(short.warnings.iter().any(|line| line.starts_with("register-node-period: is short")));
}

#[test]
fn a_public_client_is_warned_of_and_another_provider_is_a_fault() {
    let public = json!({ "public-client": true, "credentials": null, "register-node-at-startup": true });
    let config = accepted(&file(public, json!({})));
    assert_eq!(config.registration, None);
    let told = config.warnings.iter().filter(|line| line.starts_with("register-node-at-startup")).count();
    assert_eq!(told, 1, "{:?}", config.warnings);
    let plain = json!({
        "provider-url": "https://id.example.com", "client-id": "shop", "credentials": {"secret": "s"},
        "register-node-period": 600,
        "sidecar": {"upstream": "http://127.0.0.1:3000", "public-url": "https://shop.example.com"},
    });
    assert_refused(&plain, "register-node-period", "belongs to Keycloak");
    assert!(read(&plain).is_err());
}
