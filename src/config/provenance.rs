//! Where a configuration came from: which files were read for it, and what they held, so that a change is noticed; and what it said under the
//! keys that only a restart changes.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};

use crate::tls;

/// Keys of which the value at the start counts to the end of the process: listeners are bound, sessions are kept, what was ended is
/// remembered and the node is known by them. Everything else may change while the process serves.
const FIXED: [&str; 27] = [
    "auth-server-url",
    "client-id",
    "provider-url",
    "realm",
    "register-node-at-startup",
    "register-node-period",
    "resource",
    "token-store",
    "sidecar.admin.listen",
    "sidecar.admin.tls",
    "sidecar.app-logout-hook",
    "sidecar.limits.client-header-timeout",
    "sidecar.limits.drain",
    "sidecar.limits.keep-alive",
    "sidecar.limits.proofs-in-flight",
    "sidecar.limits.proofs-per-second",
    "sidecar.listen",
    "sidecar.log",
    "sidecar.node-host",
    "sidecar.outage-proof",
    "sidecar.persist",
    "sidecar.proof-life",
    "sidecar.reload-interval",
    "sidecar.session",
    "sidecar.settle",
    "sidecar.skew",
    "sidecar.tls",
];

/// Counts as one of these where `auth-server-url` is below it.
const PUBLIC_URL: &str = "sidecar.public-url";

/// What a configuration was read from.
#[derive(Clone, Default)]
pub struct Provenance {
    /// A digest of what was read; `None`: the file could not be read.
    files: BTreeMap<PathBuf, Option<Vec<u8>>>,
    fixed: Fixed,
}

/// What stands under the keys that only a restart changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Fixed(BTreeMap<&'static str, Value>);

/// What files hold at one moment; tells nothing of it but whether it is the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents(Vec<Option<Vec<u8>>>);

impl Provenance {
    pub(super) fn new(read: BTreeMap<PathBuf, Option<Vec<u8>>>, fixed: Fixed) -> Self {
        Self { files: read, fixed }
    }

    pub(super) fn fixed(&self) -> &Fixed {
        &self.fixed
    }

    /// Whether the file at `path` is one of them; what is no regular file is not.
    #[must_use]
    pub fn is_from(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// What the files held when they were read. The listeners' certificates are not among them: they have a watch of their own.
    #[must_use]
    pub fn contents(&self) -> Contents {
        Contents(self.files.values().cloned().collect())
    }

    /// What the same files hold now.
    #[must_use]
    pub fn contents_now(&self) -> Contents {
        Contents(self.files.keys().map(|path| held(path)).collect())
    }
}

/// Whether a look at `path` finds again what was found before; one at a pipe would wait, or take what another should get.
pub(super) fn is_lasting(path: &Path) -> bool {
    path.metadata().map_or(true, |metadata| metadata.is_file())
}

fn held(path: &Path) -> Option<Vec<u8>> {
    tls::read_regular_file(path).ok().map(|bytes| digest_of(&bytes))
}

pub(super) fn digest_of(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

// Of a short secret a digest tells enough to try guesses by.
impl fmt::Debug for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provenance({:?})", self.files.keys())
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contents({})", self.0.len())
    }
}

impl Fixed {
    pub(super) fn of(tree: &Value) -> Self {
        let is_relative = tree["auth-server-url"].as_str().is_some_and(|url| url.starts_with('/'));
        let keys = FIXED.iter().copied().chain(is_relative.then_some(PUBLIC_URL));
        Self(keys.filter_map(|key| Some((key, at(tree, key)?.clone()))).collect())
    }

    /// The keys under which `other` says something else.
    pub(super) fn differing(&self, other: &Self) -> Vec<&'static str> {
        let (ours, theirs) = (self.0.get(PUBLIC_URL), other.0.get(PUBLIC_URL));
        let moved = ours.is_some() && theirs.is_some() && ours != theirs;
        let keys = FIXED.into_iter().filter(|key| self.0.get(key) != other.0.get(key));
        keys.chain(moved.then_some(PUBLIC_URL)).collect()
    }

    /// Makes `tree` say what was said here.
    pub(super) fn lay_over(&self, tree: &mut Value) {
        for key in FIXED {
            set(tree, key, self.0.get(key).cloned());
        }
        if let Some(url) = self.0.get(PUBLIC_URL) {
            set(tree, PUBLIC_URL, Some(url.clone()));
        }
    }
}

fn at<'a>(tree: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(tree, |tree, name| tree.get(name))
}

/// `None` takes out what stands there. Objects on the way are made where a value needs them.
fn set(tree: &mut Value, key: &str, value: Option<Value>) {
    let Value::Object(members) = tree else { return };
    match (key.split_once('.'), value) {
        (None, Some(value)) => drop(members.insert(key.to_owned(), value)),
        (None, None) => drop(members.shift_remove(key)),
        (Some((first, rest)), value) => {
            if value.is_some() {
                members.entry(first).or_insert_with(|| Value::Object(Map::new()));
            }
            if let Some(below) = members.get_mut(first) {
                set(below, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_file_is_not_looked_at_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        assert!(is_lasting(&file), "one that is not there may come");
        std::fs::write(&file, "").unwrap();
        assert!(is_lasting(&file));
        assert!(!is_lasting(Path::new("/dev/null")));
        assert_eq!(held(Path::new("/dev/zero")), None);
    }

    #[test]
    fn the_page_for_operators_names_what_only_a_restart_changes() {
        let page = std::fs::read_to_string("docs/operations.md").unwrap();
        let (_, rest) = page.split_once("**What only a restart changes**").unwrap();
        let (told, _) = rest.split_once("**Certificates").unwrap();
        for key in FIXED {
            let short = key.strip_prefix("sidecar.").unwrap_or(key);
            let short = short.strip_prefix("limits.").unwrap_or(short);
            assert!(told.contains(&format!("`{short}`")), "{key}");
        }
        assert_eq!(told.matches('`').count(), 2 * (FIXED.len() + "sidecar, limits".split(' ').count()));
    }

    #[test]
    fn an_address_below_the_public_one_keeps_that_too() {
        let with =
            |server: &str, public: &str| json!({ "auth-server-url": server, "sidecar": { "public-url": public } });
        let fixed = Fixed::of(&with("/auth", "https://one"));
        assert_eq!(fixed.differing(&Fixed::of(&with("/auth", "https://two"))), [PUBLIC_URL]);
        let mut next = with("https://sso", "https://two");
        assert_eq!(fixed.differing(&Fixed::of(&next)), ["auth-server-url"]);
        fixed.lay_over(&mut next);
        assert_eq!(next, with("/auth", "https://one"));
        let fixed = Fixed::of(&with("https://sso", "https://one"));
        assert_eq!(fixed.differing(&Fixed::of(&with("https://sso", "https://two"))), [""; 0]);
    }

    #[test]
    fn what_only_a_restart_changes_is_found_and_put_back() {
        let running =
            json!({ "realm": "a", "sidecar": { "listen": "x", "limits": { "drain": "1s" }, "upstream": "u" } });
        let mut next = json!({ "realm": "a", "sidecar": { "upstream": "v", "persist": "/p" } });
        let fixed = Fixed::of(&running);
        let differing = fixed.differing(&Fixed::of(&next));
        assert_eq!(differing, ["sidecar.limits.drain", "sidecar.listen", "sidecar.persist"]);
        fixed.lay_over(&mut next);
        assert_eq!(
            next,
            json!({ "realm": "a", "sidecar": { "upstream": "v", "limits": { "drain": "1s" }, "listen": "x" } })
        );
        assert_eq!(fixed.differing(&Fixed::of(&next)), [""; 0]);
    }
}
