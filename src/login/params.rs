//! Parameters of a query or a form, each at most once (attack case 37: who takes the first and who takes the last read two requests).

use std::{collections::BTreeMap, fmt};

use url::form_urlencoded;

use crate::respond::Refusal;

/// Parameters by name.
#[derive(PartialEq, Eq)]
pub(super) struct Params(BTreeMap<String, String>);

impl fmt::Debug for Params {
    /// The names alone: the values may be a code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Params {
    /// Reads `application/x-www-form-urlencoded` text.
    ///
    /// # Errors
    /// When a parameter occurs twice.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut params = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if params.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(Refusal::BadRequest("A parameter occurs more than once.".into()));
            }
        }
        Ok(Self(params))
    }

    /// The value of `name`; an empty one is none.
    #[must_use]
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.0.iter().map(|(name, value)| (name.clone(), value.clone()))
    }
}
