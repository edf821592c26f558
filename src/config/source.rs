//! Where the text comes from: the file, and the environment laid over it. The `config` crate reads the environment
//! (`DOORWARD__SIDECAR__LISTEN` → `sidecar.listen`); the file is read here, because that crate keeps the last of two
//! equal keys in silence and stops at the first fault.

use std::{collections::HashMap, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{
    environment::Environment,
    fault::{JsonPath, Report},
};

/// What the name of a variable that sets a key begins with; `__` also parts its segments.
const PREFIX: &str = "DOORWARD__";

/// Reads JSON, with or without the byte order mark that some editors put before it. Two equal keys in one object are a fault: whoever reads
/// the file would not know which one holds.
pub(super) fn parse(text: &str, report: &Report) -> Option<Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let fault =
        |error| report.fault(&JsonPath::default(), format!("is not JSON: {error}{}", about_comments(text, &error)));
    tree(text, report).map_err(fault).ok()
}

/// What to say more where a comment is what is no JSON. Java's adapters take none either.
fn about_comments(text: &str, error: &serde_json::Error) -> &'static str {
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let there = line.get(error.column().saturating_sub(1)..).unwrap_or_default();
    if ["//", "/*", "#"].iter().any(|mark| there.starts_with(mark)) { "; JSON has no comments" } else { "" }
}

/// Lays the variables that begin with `DOORWARD__` over `tree`. A variable sets the key that its name spells in upper
/// case with `_` for `-`; an empty one counts as not set; text that is a JSON list or object is taken as such. Values
/// are taken as they stand: nothing is substituted in them.
pub(super) fn overlay(tree: &mut Value, env: &dyn Environment, report: &Report) {
    let ours = variables(env, report);
    if ours.is_empty() {
        return;
    }
    let source = ::config::Environment::with_prefix(PREFIX.trim_end_matches('_'))
        .separator("__")
        .convert_case(::config::Case::Kebab)
        .ignore_empty(true)
        .source(Some(ours));
    let read = ::config::Config::builder().add_source(source).build();
    match read.and_then(::config::Config::try_deserialize) {
        Ok(over) => merge(tree, over),
        // The crate's own message may quote a value.
        Err(_) => report.fault(&JsonPath::default(), "the DOORWARD__ variables cannot be read"),
    }
}

/// The variables that name a key. One that names something within another's value is a fault: which of the two
/// counts would depend on their order, and an environment has none.
fn variables(env: &dyn Environment, report: &Report) -> HashMap<String, String> {
    let fault = |message: String| report.fault(&JsonPath::default(), message);
    let proper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let all = env.variables().into_iter().filter(|(_, value)| !value.is_empty());
    let ours: HashMap<_, _> = all.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    for name in ours.keys() {
        if !name.bytes().all(proper) {
            fault(format!("the variable {name:?} may hold A to Z, 0 to 9 and _ only"));
        }
        if ours.keys().any(|other| other.strip_prefix(name).is_some_and(|rest| rest.starts_with("__"))) {
            fault(format!("the variable `{name}` and others below it set the same key"));
        }
    }
    ours.into_iter().filter(|(name, _)| name.bytes().all(proper)).collect()
}

fn merge(base: &mut Value, over: Value) {
    match over {
        Value::Object(over) => {
            if !base.is_object() {
                *base = Value::Object(Map::new());
            }
            for (name, value) in over {
                merge(&mut base[name.as_str()], value);
            }
        }
        Value::String(text) => *base = structured(&text).unwrap_or(Value::String(text)),
        other => *base = other,
    }
}

fn structured(text: &str) -> Option<Value> {
    let looks_structured = text.trim_start().starts_with(['[', '{']);
    let strict = Report::default();
    let value = looks_structured.then(|| tree(text, &strict).ok())??;
    strict.conclude(Some(value)).ok().map(|(value, _)| value)
}

fn tree(text: &str, report: &Report) -> Result<Value, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let path = JsonPath::default();
    let value = Tree { path, report }.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// Reads a [`Value`] and notes doubled keys.
struct Tree<'a> {
    path: JsonPath,
    report: &'a Report,
}

impl<'a> Tree<'a> {
    fn below(&self, path: JsonPath) -> Tree<'a> {
        let report = self.report;
        Tree { path, report }
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.below(self.path.index(items.len())))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let path = self.path.key(&name);
            let value = map.next_value_seed(self.below(path.clone()))?;
            if members.insert(name, value).is_some() {
                self.report.fault(&path, "stands here twice");
            }
        }
        Ok(Value::Object(members))
    }
}
