//! The process's environment as a parameter: tests bring a map.

use std::{collections::BTreeMap, fmt};

/// Where variables come from.
pub trait Environment: fmt::Debug {
    /// The value of the variable `name`; `None` when it is not set.
    fn variable(&self, name: &str) -> Option<String>;

    /// Every variable with its value.
    fn variables(&self) -> Vec<(String, String)>;
}

/// The environment of this process. Bytes that are not UTF-8 in a value become U+FFFD; a variable whose name has such
/// bytes is not seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the process's environment")]
impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn variables(&self) -> Vec<(String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .collect()
    }
}

impl Environment for BTreeMap<String, String> {
    fn variable(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }

    fn variables(&self) -> Vec<(String, String)> {
        self.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
