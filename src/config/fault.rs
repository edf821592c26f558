//! What is wrong with a configuration: every fault at once, each with its place, none with a value.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// One thing that is wrong. Holds names of keys and of files, never a value of the configuration, so that no secret can
/// get into a log by being put under the wrong key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The JSON path, for example `sidecar.rules[2].path`; empty for the file as a whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// Everything that is wrong with a configuration, ordered by path. Never empty. Its `Display` prints a line for each.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// The faults, ordered by path.
    #[must_use]
    pub fn as_slice(&self) -> &[Fault] {
        &self.0
    }

    /// These faults, of which there must be one, ordered by path.
    pub(super) fn all(faults: impl IntoIterator<Item = Fault>) -> Self {
        let mut faults: Vec<Fault> = faults.into_iter().collect();
        faults.sort_by(|one, other| one.path.cmp(&other.path));
        Self(faults)
    }
}

impl Faults {
    /// The same, of a file that has none by itself.
    pub(super) fn beside(self, kept: &[&str]) -> Self {
        let message = format!(
            "the file has no fault, but does not go with what stays as it is until the next start ({}): start the process again to have it",
            kept.join(", ")
        );
        Self([Fault { path: String::new(), message }].into_iter().chain(self.0).collect())
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

/// A place in the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct JsonPath(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Key(String),
    Index(usize),
}

impl JsonPath {
    /// The member `name` of the object here.
    pub(super) fn key(&self, name: &str) -> Self {
        self.below(Segment::Key(name.to_owned()))
    }

    /// The item at `index` of the list here.
    pub(super) fn index(&self, index: usize) -> Self {
        self.below(Segment::Index(index))
    }

    fn below(&self, segment: Segment) -> Self {
        Self(self.0.iter().cloned().chain([segment]).collect())
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(name) if !is_plain(name) => write!(f, "[{name:?}]")?,
                Segment::Key(name) if depth == 0 => f.write_str(name)?,
                Segment::Key(name) => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !name.is_empty() && name.bytes().all(plain)
}

/// What reading has found so far. Readers note what they find and go on, so that one run tells everything.
#[derive(Debug, Default)]
pub(super) struct Report {
    faults: RefCell<BTreeSet<(JsonPath, String)>>,
    warnings: RefCell<BTreeSet<(JsonPath, String)>>,
    unresolved: RefCell<BTreeSet<JsonPath>>,
    /// Texts that could not be made: what else is wrong with them says nothing.
    settled: RefCell<BTreeSet<JsonPath>>,
    /// A digest of each file that was read, or tried.
    files: RefCell<BTreeMap<PathBuf, Option<Vec<u8>>>>,
    /// A process that was started with an older one reads it.
    again: bool,
}

impl Report {
    /// For a configuration that is read again.
    pub(super) fn again() -> Self {
        Self { again: true, ..Self::default() }
    }

    /// Whether it is read again.
    pub(super) fn is_again(&self) -> bool {
        self.again
    }

    /// Notes a fault. `message` must not hold a value of the configuration.
    pub(super) fn fault(&self, path: &JsonPath, message: impl fmt::Display) {
        if !self.settled.borrow().contains(path) {
            self.faults.borrow_mut().insert((path.clone(), message.to_string()));
        }
    }

    /// Notes a fault after which no other at the same place is worth telling.
    pub(super) fn last_fault(&self, path: &JsonPath, message: impl fmt::Display) {
        self.fault(path, message);
        self.settled.borrow_mut().insert(path.clone());
    }

    /// Notes what is accepted but should be known. `message` must not hold a value of the configuration.
    pub(super) fn warn(&self, path: &JsonPath, message: impl fmt::Display) {
        self.warnings.borrow_mut().insert((path.clone(), message.to_string()));
    }

    /// Notes that the text at `path` still holds a `${…}` that nothing resolved.
    pub(super) fn leave_unresolved(&self, path: &JsonPath) {
        self.unresolved.borrow_mut().insert(path.clone());
    }

    /// Whether the text at `path` still holds a `${…}` that nothing resolved.
    pub(super) fn is_unresolved(&self, path: &JsonPath) -> bool {
        self.unresolved.borrow().contains(path)
    }

    /// Notes that the file at `path` was read, and a digest of what it holds; `None`: it could not be read.
    pub(super) fn note_file(&self, path: &Path, digest: Option<Vec<u8>>) {
        self.files.borrow_mut().insert(path.to_owned(), digest);
    }

    /// Every file that was read so far.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        self.files.borrow().clone()
    }

    /// What was warned of so far, a line each.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().iter().map(|(path, message)| format!("{path}: {message}")).collect()
    }

    /// What was read, with its warnings; or the faults, when there are any or nothing was read.
    pub(super) fn conclude<T>(self, read: Option<T>) -> Result<(T, Vec<String>), Faults> {
        let warnings = self.warnings();
        let faults = self.faults.into_inner();
        match read {
            Some(read) if faults.is_empty() => Ok((read, warnings)),
            _ => Err(Faults::from(faults)),
        }
    }
}

impl From<BTreeSet<(JsonPath, String)>> for Faults {
    fn from(noted: BTreeSet<(JsonPath, String)>) -> Self {
        let fault = |(path, message): (JsonPath, String)| Fault { path: path.to_string(), message };
        let mut faults: Vec<_> = noted.into_iter().map(fault).collect();
        if faults.is_empty() {
            let message = "the configuration is not complete".to_owned();
            faults.push(Fault { path: String::new(), message });
        }
        Self(faults)
    }
}
