//! Cookies on their way: ours are not the application's business, and its own session cookies go to nobody but whom it gave them to.

use http::{HeaderMap, header};

use super::{Proxy, validity::Current};
use crate::session::{Admitted, Owner, RequestCookies};

impl Proxy {
    /// Leaves the application what it may see of a request's cookies.
    pub(super) fn hide_own_cookies(
        &self,
        headers: &mut HeaderMap,
        cookies: &RequestCookies,
        current: Option<&Current>,
    ) {
        if headers.remove(header::COOKIE).is_none() {
            return;
        }
        let field = match &self.parts.app_cookies {
            Some(theirs) => self.note(theirs.admit(&self.parts.cookies, cookies, owner(current))),
            None => self.parts.cookies.strip_own(cookies),
        };
        if let Some(field) = field {
            headers.insert(header::COOKIE, field);
        }
    }

    fn note(&self, admitted: Admitted) -> Option<http::HeaderValue> {
        let Admitted { field, withheld } = admitted;
        if withheld > 0 {
            tracing::debug!(withheld, "session cookies of the application were not given to whoever sends them");
            self.parts.metrics.app_cookies_withheld(withheld);
        }
        field
    }

    /// The application may set any cookie but ours.
    pub(super) fn keep_own_cookies(&self, headers: &mut HeaderMap, current: Option<&Current>) {
        if !headers.contains_key(header::SET_COOKIE) {
            return;
        }
        let all: Vec<_> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
        headers.remove(header::SET_COOKIE);
        for value in all {
            let name = value.as_bytes().split(|byte| matches!(byte, b'=' | b';')).next().unwrap_or_default();
            if self.parts.cookies.is_own(name.trim_ascii()) {
                continue;
            }
            let value = match &self.parts.app_cookies {
                Some(theirs) => theirs.bind(value, owner(current)),
                None => value,
            };
            headers.append(header::SET_COOKIE, value);
        }
    }
}

/// For whom a request passes, as far as the application's sessions go.
fn owner(current: Option<&Current>) -> Owner<'_> {
    let Some(current) = current else { return Owner::Nobody };
    match (current.session(), current.bearer()) {
        (Some(session), _) => Owner::Session(&session.adapter_session_id),
        (None, Some(bearer)) => Owner::Token { issuer: bearer.issuer(), subject: &bearer.principal().subject },
        (None, None) => Owner::Nobody,
    }
}
