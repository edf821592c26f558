//! Configurations that pages show, read by the reader of the configuration. Files and variables that they name are not there: what
//! stands for a secret is replaced by one.

use std::{fs, path::Path, sync::LazyLock};

use doorward::config::{Config, Environment};
use serde_json::{Map, Value, json};

use super::blocks::root;
use crate::support::KEY;

/// A machine with a name, as every real one, and no variables.
#[derive(Debug)]
struct Machine;

impl Environment for Machine {
    fn variable(&self, _name: &str) -> Option<String> {
        None
    }

    fn variables(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn host_name(&self) -> Option<String> {
        Some("shop-1".to_owned())
    }
}

/// Whether this JSON is a whole configuration, rather than a part of one or something else.
pub(super) fn is_whole(file: &Value) -> bool {
    ["realm", "provider-url"].iter().any(|key| file.get(key).is_some())
}

/// Reads a whole file; a `keycloak.json` gets the smallest `sidecar` that works.
pub(super) fn check_whole(mut file: Value) -> Result<(), String> {
    if file.get("sidecar").is_none() {
        file["sidecar"] = smallest()["sidecar"].clone();
    }
    read(file)
}

/// Reads members of a file, with or without the braces around them, laid over the smallest file that works.
pub(super) fn check_fragment(members: &str, of: Option<&str>) -> Result<(), String> {
    let whole = if members.trim_start().starts_with('{') { members.to_owned() } else { format!("{{{members}}}") };
    let members: Map<String, Value> = serde_json::from_str(&whole).map_err(|error| error.to_string())?;
    let mut file = smallest();
    let place = match of {
        Some(name) => &mut file[name],
        None => &mut file,
    };
    let place = place.as_object_mut().ok_or("is a fragment of what is no object")?;
    for (name, value) in members {
        match (place.get_mut(&name), value) {
            (Some(Value::Object(there)), Value::Object(value)) if name == "sidecar" => there.extend(value),
            (_, value) => drop(place.insert(name, value)),
        }
    }
    // Either proves the client, never both.
    if file["sidecar"]["provider"].get("client-authentication").is_some() {
        file.as_object_mut().map(|file| file.remove("credentials"));
    }
    read(file)
}

fn smallest() -> Value {
    json!({
        "realm": "shop",
        "auth-server-url": "https://sso.example.com",
        "resource": "shop-web",
        "credentials": { "secret": "a-secret" },
        "sidecar": { "upstream": "http://127.0.0.1:3000", "public-url": "https://app.example.com" },
    })
}

fn read(mut file: Value) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    replace_files(&mut file, folder.path());
    Config::from_json(&file.to_string(), &Machine).map(drop).map_err(|faults| faults.to_string())
}

/// Puts what `${file:…}` and the keys of files name in the place of what a page cannot bring along.
fn replace_files(value: &mut Value, folder: &Path) {
    match value {
        Value::String(text) if text.starts_with("${file:") => KEY.clone_into(text),
        Value::String(text) if text.starts_with("/run/") || text.starts_with("/etc/") => {
            if let Some(there) = stand_in(text, folder) {
                *text = there;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace_files(item, folder)),
        Value::Object(members) => members.values_mut().for_each(|member| replace_files(member, folder)),
        _ => {}
    }
}

/// The one key of all files that stand in for others, so that a certificate and its key belong together.
static STAND_IN: LazyLock<rcgen::KeyPair> = LazyLock::new(|| rcgen::KeyPair::generate().unwrap());

/// A file of this kind that is there: a private key, a certificate, or both.
fn stand_in(name: &str, folder: &Path) -> Option<String> {
    let key = &*STAND_IN;
    let certificate =
        || rcgen::CertificateParams::new(vec!["app.example.com".to_owned()]).unwrap().self_signed(key).unwrap().pem();
    let text = match Path::new(name).file_name()?.to_str()? {
        name if name.contains("keystore") => certificate() + &key.serialize_pem(),
        name if name.contains("key") => key.serialize_pem(),
        _ => certificate(),
    };
    let path = folder.join(Path::new(name).file_name()?);
    fs::write(&path, text).unwrap();
    Some(path.to_str()?.to_owned())
}

/// The keys that the reader knows, at the top level and right under `sidecar`, as its source names them.
pub(super) fn known_keys() -> Vec<String> {
    let source = |file: &str| fs::read_to_string(root().join("src/config").join(file)).unwrap();
    let between = |text: String, from: &str, to: &str| {
        let (_, rest) = text.split_once(from).expect("the list of keys");
        rest.split_once(to).expect("its end").0.to_owned()
    };
    let top = between(source("keycloak.rs"), "const KEYS: [(&str, Effect);", "\n];");
    let below = between(source("sidecar.rs"), "const KEYS: [&str;", "\n];");
    let name = |text: &&str| text.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase());
    let first = |line: &'_ str| line.split('"').nth(1).filter(name).map(str::to_owned);
    top.lines().chain(below.lines()).filter_map(first).collect()
}
