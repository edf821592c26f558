//! Who a session or a token stands for, as rules and the application see it.

use std::collections::BTreeMap;

use super::Subject;

/// A user as projected from verified claims. Holds only what rules ask and headers say, so that it fits
/// in a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// `sub`.
    pub subject: Subject,
    /// `preferred_username`.
    pub username: Option<String>,
    /// `email`.
    pub email: Option<String>,
    /// The `groups` claim, as the provider spells it.
    pub groups: Vec<String>,
    /// The roles that count, by the names that rules ask for: usually a realm role by its name, a client's as `client:role`; where the
    /// configuration says so, those of our own client by their names. Sorted, without doubles.
    pub roles: Vec<String>,
    /// Further claims that the configured headers ask for, by claim name.
    pub claims: BTreeMap<String, Vec<String>>,
}

impl Principal {
    /// Whether the user holds `role` (`name`, or `client:name`). The empty name is held by nobody.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        !role.is_empty() && self.roles.iter().any(|held| held == role)
    }

    /// Whether the user is in `group`, compared byte for byte. Nobody is in the empty group.
    #[must_use]
    pub fn in_group(&self, group: &str) -> bool {
        !group.is_empty() && self.groups.iter().any(|held| held == group)
    }
}
