//! `${…}` in texts, as Keycloak's adapter replaces it (keycloak-adapter: `StringPropertyReplacer`), plus `${file:/path}`
//! for mounted secrets. Only texts of the file are touched, never keys, and what was put in is not looked at again.

use std::path::Path;

use serde_json::Value;

use super::{
    environment::Environment,
    fault::{JsonPath, Report},
    file,
};

/// How deep defaults may hold further `${…}`.
const MAX_DEPTH: usize = 8;

/// Replaces in every text below `value`:
///
/// * `${env.NAME}` by that variable, also when it is empty; `${env.NAME:default}` by the default when it is not set;
///   `${env.A,env.B:default}` by the first that is set; `${/}` and `${:}` by the separators of files and paths;
/// * `${file:/path}` by the content of that file without the newline at its end. A file that cannot be read is a fault.
///
/// What stays unresolved is left as it is written, with a warning. Other names are JVM system properties, which do not
/// exist here: they are never resolved, and always warned of.
pub(super) fn substitute(value: &mut Value, env: &dyn Environment, report: &Report) {
    walk(value, &JsonPath::default(), env, report);
}

fn walk(value: &mut Value, path: &JsonPath, env: &dyn Environment, report: &Report) {
    match value {
        Value::String(text) if text.contains("${") => *text = Place { path, env, report }.expand(text, 0),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, &path.index(index), env, report);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                walk(member, &path.key(name), env, report);
            }
        }
        _ => {}
    }
}

/// The text being replaced, by where it stands.
struct Place<'a> {
    path: &'a JsonPath,
    env: &'a dyn Environment,
    report: &'a Report,
}

impl Place<'_> {
    fn expand(&self, text: &str, depth: usize) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            expanded.push_str(before);
            let Some(end) = closing_brace(after).filter(|_| depth < MAX_DEPTH) else {
                if after.starts_with("file:") || after.starts_with("env.") {
                    self.report.fault(self.path, "holds a `${` that no `}` closes");
                }
                return expanded + "${" + after;
            };
            expanded.push_str(&self.resolve(&after[..end], depth));
            rest = &after[end + 1..];
        }
        expanded + rest
    }

    fn resolve(&self, body: &str, depth: usize) -> String {
        if let Some(path) = body.strip_prefix("file:") {
            return self.content(path, depth);
        }
        if matches!(body, "/" | ":") {
            return body.to_owned();
        }
        let (names, default) = match body.split_once(':') {
            Some((names, default)) => (names, Some(default)),
            None => (body, None),
        };
        let first = names.split(',').find_map(|name| self.variable(name.trim()));
        let otherwise = || default.map(|default| self.expand(default, depth + 1));
        first.or_else(otherwise).unwrap_or_else(|| self.leave(body, names))
    }

    fn variable(&self, name: &str) -> Option<String> {
        if let Some(name) = name.strip_prefix("env.") {
            return self.env.variable(name);
        }
        let message = "holds a `${…}` that names a JVM system property, which does not exist here";
        self.report.warn(self.path, message);
        None
    }

    /// The message names the variable only where it cannot be mistaken for a part of a password.
    fn leave(&self, body: &str, names: &str) -> String {
        let proper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let variable = names.strip_prefix("env.").filter(|name| name.bytes().all(proper));
        let message = match variable {
            Some(name) => format!("the variable `{name}` is not set and has no default: `${{…}}` is left as written"),
            None => "holds a `${…}` that nothing resolves: it is left as written".to_owned(),
        };
        self.report.warn(self.path, message);
        self.report.leave_unresolved(self.path);
        format!("${{{body}}}")
    }

    /// The message names the file as it is written, before a variable in it is replaced.
    fn content(&self, written: &str, depth: usize) -> String {
        let fault = |message: String| {
            self.report.last_fault(self.path, message);
            String::new()
        };
        let path = self.expand(written, depth + 1);
        if !path.starts_with('/') {
            return fault("`${file:…}` needs an absolute path".to_owned());
        }
        match file::read_text(Path::new(&path), self.report) {
            Ok(text) => {
                let line = text.strip_suffix('\n').unwrap_or(&text);
                line.strip_suffix('\r').unwrap_or(line).to_owned()
            }
            Err(error) => fault(format!("the file `{written}` {error}")),
        }
    }
}

/// Where the `}` stands that belongs to a `${` just before `text`.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 1_usize;
    let bytes = text.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if index > 0 && bytes[index - 1] == b'$' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(index);
        }
    }
    None
}
