//! A `keycloak.json` as a Java adapter has it, given where a file of ours belongs: what it means here, and the least that must be added to
//! it. Told by the reader of configurations itself, from the file with that least addition, so that neither can say what the other does not.

use serde_json::{Value, json};

use super::{
    Config, Fault, Faults, differences,
    environment::Environment,
    fault::{JsonPath, Report},
    keycloak::{Effect, KEYS},
    source, substitute,
};

/// What stands for the addresses that nobody but the operator knows.
const UPSTREAM: &str = "http://127.0.0.1:3000";
const PUBLIC_URL: &str = "https://app.example.com";
const KEY: &str = "${file:/run/secrets/cookie-key}";

/// Keys that no file for another provider has.
const OF_KEYCLOAK: [&str; 3] = ["auth-server-url", "realm", "resource"];

/// A file with keys of Keycloak's adapters, which for another provider are a few of the same, and without `sidecar`.
#[derive(Debug)]
pub struct AdapterFile {
    /// The keys that mean here what they mean there, in the file's order.
    pub as_they_are: Vec<String>,
    /// The keys that do otherwise, with what they do; such as are absent and have another default among them.
    pub otherwise: Vec<(&'static str, &'static str)>,
    /// What is taken and should be known: one sentence each, naming the key.
    pub warnings: Vec<String>,
    /// The keys that are refused or unknown.
    pub refused: Vec<String>,
    /// Whether it is in the form of Keycloak's adapters: it names a realm, its server, or a client by `resource`.
    pub is_keycloaks: bool,
    /// The least `sidecar` to add, as JSON with a comma behind it: to be put right after the first `{`.
    pub addition: String,
    /// The file with that addition, in which only the addresses and the key are not yet the operator's; or what else is wrong with it.
    pub completed: Result<Box<Config>, Faults>,
    /// That `sidecar` is not there, and whatever else is wrong.
    pub faults: Faults,
}

impl AdapterFile {
    /// Reads a file's `text` with `env` laid over it; `None` when it is no such file.
    #[must_use]
    pub fn from_json(text: &str, env: &dyn Environment) -> Option<Self> {
        let report = Report::default();
        let mut tree = source::parse(text, &report)?;
        substitute::substitute(&mut tree, env, &report);
        source::overlay(&mut tree, env, &report);
        let keys: Vec<String> = tree.as_object()?.keys().cloned().collect();
        if !tree["sidecar"].is_null() || !keys.iter().any(|key| effect(key).is_some()) {
            return None;
        }
        Some(Self::judge(tree, &keys, env, report))
    }

    fn judge(mut tree: Value, keys: &[String], env: &dyn Environment, report: Report) -> Self {
        let otherwise = differences::of(&tree);
        let is_keycloaks = OF_KEYCLOAK.iter().any(|key| !tree[*key].is_null());
        let addition = addition(&tree);
        let is_there = |key: &&String| matches!(effect(key), Some(Effect::Works)) && !tree[key.as_str()].is_null();
        let working: Vec<String> = keys.iter().filter(is_there).cloned().collect();
        tree["sidecar"] = trial(&tree);
        let config = Config::of_tree(&tree, env, &report);
        // What is said of `sidecar` is said of the addition, and not of the file.
        let warnings = report.warnings().into_iter().filter(|warning| !warning.starts_with("sidecar"));
        let warnings: Vec<String> = warnings.collect();
        let completed = report.conclude(config).map(|(config, _)| Box::new(config));
        let refused = completed.as_ref().err().map_or_else(Vec::new, |faults| at_fault(faults, keys));
        let is_told = |key: &String| {
            let warned = warnings.iter().any(|warning| belongs_to(warning, key));
            warned || refused.contains(key) || otherwise.iter().any(|(other, _)| other == key)
        };
        let as_they_are = working.into_iter().filter(|key| !is_told(key)).collect();
        let faults = all_faults(&completed);
        Self { as_they_are, otherwise, warnings, refused, is_keycloaks, addition, completed, faults }
    }
}

fn effect(key: &str) -> Option<Effect> {
    KEYS.iter().find(|(known, _)| *known == key && key != "sidecar").map(|(_, effect)| *effect)
}

/// The keys of the file at which something is wrong.
fn at_fault(faults: &Faults, keys: &[String]) -> Vec<String> {
    let is_at_fault = |key: &&String| faults.as_slice().iter().any(|fault| belongs_to(&fault.path, key));
    keys.iter().filter(is_at_fault).cloned().collect()
}

/// Whether a path, or a line that begins with one, is of a top-level key or of what is below it.
fn belongs_to(path: &str, key: &str) -> bool {
    let plain = JsonPath::default().key(key).to_string();
    path.strip_prefix(&plain).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', ':']))
}

fn all_faults<T>(completed: &Result<T, Faults>) -> Faults {
    let missing = Fault { path: "sidecar".to_owned(), message: MISSING.to_owned() };
    let others = completed.as_ref().err().map(Faults::as_slice).unwrap_or_default();
    Faults::all(others.iter().cloned().chain([missing]))
}

const MISSING: &str = "is required: all that is Doorward's own stands there; what to add is told on standard output";

fn is_bearer_only(tree: &Value) -> bool {
    matches!(&tree["bearer-only"], value if *value == true || *value == "true")
}

/// `path-prefix` must lie within the cookies' path.
fn path_prefix(tree: &Value) -> Option<String> {
    let path = ["adapter-state-cookie-path", "token-cookie-path"].iter().find_map(|key| tree[*key].as_str())?;
    let path = path.trim_matches('/');
    (!path.is_empty()).then(|| format!("/{path}/oauth2"))
}

fn addition(tree: &Value) -> String {
    let mut members =
        vec![format!("\"upstream\": {}", json!(UPSTREAM)), format!("\"public-url\": {}", json!(PUBLIC_URL))];
    members.extend(path_prefix(tree).map(|prefix| format!("\"path-prefix\": {}", json!(prefix))));
    if !is_bearer_only(tree) {
        members.push(format!("\"cookie\": {{ \"keys\": [{}] }}", json!(KEY)));
    }
    format!("  \"sidecar\": {{\n    {}\n  }},\n", members.join(",\n    "))
}

/// The addition without its key, whose file is not there yet.
fn trial(tree: &Value) -> Value {
    let mut sidecar = json!({ "upstream": UPSTREAM, "public-url": PUBLIC_URL });
    if let Some(prefix) = path_prefix(tree) {
        sidecar["path-prefix"] = json!(prefix);
    }
    sidecar
}
