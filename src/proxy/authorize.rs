//! Stage 4: allowed? Route and session together make a [`Permit`], without which nothing reaches the application.

use super::{Access, route::Route, validity::Current};
use crate::domain::Principal;

/// Leave to pass a request on, for a user or for nobody. Only [`authorize`] makes one.
#[derive(Debug)]
pub struct Permit(Option<Current>);

/// Why there is no permit.
#[derive(Debug)]
pub enum Denied {
    /// Signed in, but without what the route needs.
    Forbidden(Current),
    /// Nobody is signed in.
    SignInNeeded,
    /// No bearer token was presented where nothing else counts.
    TokenNeeded,
}

impl Permit {
    /// For whom the request passes; `None` for an anonymous request to a public route.
    #[must_use]
    pub fn current(&self) -> Option<&Current> {
        self.0.as_ref()
    }

    /// The same, once the request has passed.
    #[must_use]
    pub fn into_current(self) -> Option<Current> {
        self.0
    }
}

/// Decides.
///
/// # Errors
/// Why not.
pub fn authorize(route: &Route<'_>, current: Option<Current>) -> Result<Permit, Denied> {
    match (route.access, current) {
        (Access::Public, current) => Ok(Permit(current)),
        (Access::Login, None) => Err(Denied::SignInNeeded),
        (Access::Bearer, None) => Err(Denied::TokenNeeded),
        (Access::Bearer, Some(current)) if current.bearer().is_none() => Err(Denied::TokenNeeded),
        (Access::Bearer | Access::Login, Some(current)) if satisfies(current.principal(), route) => {
            Ok(Permit(Some(current)))
        }
        (Access::Bearer | Access::Login, Some(current)) => Err(Denied::Forbidden(current)),
    }
}

fn satisfies(principal: &Principal, route: &Route<'_>) -> bool {
    let in_a_group = route.groups.is_empty() || route.groups.iter().any(|group| principal.in_group(group));
    in_a_group && route.roles.iter().all(|role| principal.has_role(role))
}
