//! The process's environment, and the name of its machine, as a parameter: tests bring a map.

use std::{collections::BTreeMap, fmt};

/// Where Linux keeps the machine's name; a file, so that no call is needed that is not safe.
const KERNEL_HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// Where variables come from.
pub trait Environment: fmt::Debug {
    /// The value of the variable `name`; `None` when it is not set.
    fn variable(&self, name: &str) -> Option<String>;

    /// Every variable with its value.
    fn variables(&self) -> Vec<(String, String)>;

    /// The machine's name, which in a container is usually that of the container; `None` when it cannot be found.
    fn host_name(&self) -> Option<String> {
        None
    }
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

    /// Linux's own word for it, else what shells know.
    fn host_name(&self) -> Option<String> {
        let kernel = std::fs::read_to_string(KERNEL_HOST_NAME).ok();
        kernel.filter(|name| !name.trim().is_empty()).or_else(|| self.variable("HOSTNAME"))
    }
}

/// A map stands for a machine whose name is its `HOSTNAME`.
impl Environment for BTreeMap<String, String> {
    fn variable(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }

    fn variables(&self) -> Vec<(String, String)> {
        self.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn host_name(&self) -> Option<String> {
        self.variable("HOSTNAME")
    }
}
