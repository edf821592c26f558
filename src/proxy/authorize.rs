//! Stage 4: allowed? Route and session together make a [`Permit`], without which nothing reaches the application.

use super::{Access, route::Route, validity::Current};
use crate::domain::{Principal, Session};

/// Leave to pass a request on, for a user or for nobody. Only [`authorize`] makes one.
#[derive(Debug)]
pub struct Permit<'a> {
    session: Option<&'a Session>,
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Signed in, but without what the route needs.
    Forbidden,
    /// Nobody is signed in.
    SignInNeeded,
}

impl Permit<'_> {
    /// The session of the user for whom the request passes; `None` for an anonymous request to a public route.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session
    }
}

/// Decides.
///
/// # Errors
/// Why not.
pub fn authorize<'a>(route: &Route<'_>, current: Option<&'a Current>) -> Result<Permit<'a>, Denied> {
    let session = current.map(Current::session);
    match (route.access, session) {
        (Access::Public, session) => Ok(Permit { session }),
        (Access::Login, None) => Err(Denied::SignInNeeded),
        (Access::Login, Some(session)) if satisfies(&session.principal, route) => Ok(Permit { session: Some(session) }),
        (Access::Login, Some(_)) => Err(Denied::Forbidden),
    }
}

fn satisfies(principal: &Principal, route: &Route<'_>) -> bool {
    let in_a_group = route.groups.is_empty() || route.groups.iter().any(|group| principal.in_group(group));
    in_a_group && route.roles.iter().all(|role| principal.has_role(role))
}
