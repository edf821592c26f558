//! `sidecar.app-logout-hook`: where the application wants to be told of sessions that ended from outside.

use http::Method;

use super::{path, value::Node};
use crate::proxy::event;

/// `{"path": …, "method": "POST"}`. `own_prefix` is where our own endpoints are.
pub(super) fn read(node: &Node<'_>, own_prefix: &str) -> Option<event::Config> {
    node.raw()?;
    let keys = node.object(&["method", "path"]);
    let method = method(&keys.at("method"));
    let place = keys.at("path").required();
    let path = place.parse(path::exact)?;
    if path.strip_prefix(own_prefix).is_some_and(|below| below.is_empty() || below.starts_with('/')) {
        place.fault("is below `path-prefix`, where nothing is the application's");
        return None;
    }
    let config = event::Config::new(path, method).map_err(|error| place.fault(error));
    config.ok()
}

/// Methods that say that something is done.
fn method(node: &Node<'_>) -> Method {
    node.one_of(&[("POST", 0), ("PUT", 1), ("DELETE", 2)]).map_or(Method::POST, |choice| match choice {
        0 => Method::POST,
        1 => Method::PUT,
        _ => Method::DELETE,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use crate::config::{Config, Faults};

    fn read(hook: &Value) -> Result<Config, Faults> {
        let file = json!({
            "provider-url": "https://id.example.com", "client-id": "shop", "credentials": { "secret": "s" },
            "sidecar": {
                "public-url": "https://app.example.com", "upstream": "http://127.0.0.1:3000", "app-logout-hook": hook,
            },
        });
        Config::from_json(&file.to_string(), &BTreeMap::new())
    }

    #[test]
    fn a_hook_is_a_path_and_a_method_that_changes_something() {
        let told = |hook: Value| {
            let hook = read(&hook).unwrap().app_hook.unwrap();
            (hook.method().to_string(), hook.path().to_owned())
        };
        let expected = |method: &str, path: &str| (method.to_owned(), path.to_owned());
        assert_eq!(told(json!({ "path": "/internal/logout" })), expected("POST", "/internal/logout"));
        assert_eq!(told(json!({ "path": "/oauth2x", "method": "delete" })), expected("DELETE", "/oauth2x"));
        assert_eq!(told(json!({ "path": "/a%20b", "method": "PUT" })), expected("PUT", "/a%20b"));
        assert_eq!(read(&Value::Null).unwrap().app_hook, None);
    }

    #[test]
    fn a_hook_that_cannot_work_is_told() {
        let told = |hook: Value, place: &str, what: &str| {
            let faults = read(&hook).unwrap_err().to_string();
            assert!(faults.contains(&format!("sidecar.app-logout-hook{place}: ")), "{faults}");
            assert!(faults.contains(what), "{faults}");
        };
        told(json!("/logout"), "", "must be an object");
        told(json!({}), ".path", "is required");
        told(json!({ "path": "logout" }), ".path", "must begin with `/`");
        told(json!({ "path": "/a/*" }), ".path", "one path");
        told(json!({ "path": "/a/../b" }), ".path", "`..`");
        told(json!({ "path": "/a?b" }), ".path", "`?`");
        told(json!({ "path": "/a%2541" }), ".path", "encoded twice");
        told(json!({ "path": "/oauth2" }), ".path", "path-prefix");
        told(json!({ "path": "/oauth2/logout" }), ".path", "path-prefix");
        told(json!({ "path": "/a", "method": "GET" }), ".method", "`POST`, `PUT`, `DELETE`");
        told(json!({ "path": "/a", "token": "x" }), ".token", "is not a known key");
    }
}
