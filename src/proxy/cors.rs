//! Cross-origin requests (Fetch Standard, section 3.2), answered as Keycloak's adapters answer them (`PreAuthActionsHandler`,
//! `AuthenticatedActionsHandler`): a preflight for any origin, since it decides nothing; the request itself only for the origins that its
//! token lists. Public routes, where there is no token, are the application's own matter.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::{
    caller::Caller,
    message::{Request, Response},
    respond::Refusal,
};

/// What is answered (`cors-*`). Absent means: not configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Seconds for which browsers may remember a preflight.
    pub max_age: Option<u64>,
    /// Headers that scripts may send; else those that they ask for.
    pub allowed_headers: Option<HeaderValue>,
    /// Methods that scripts may use; else the one that they ask for.
    pub allowed_methods: Option<HeaderValue>,
    /// Headers of answers that scripts may read.
    pub exposed_headers: Option<HeaderValue>,
}

/// From where a request was sent, as its browser says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// From another origin, which may read the answer only if it is granted.
    Foreign(HeaderValue),
    /// From an origin that has no name (`null`: a sandbox, a file), and so can be granted nothing.
    Nameless {
        /// It may change things all the same: its browser says that it is of this origin, or it changes nothing.
        may_write: bool,
    },
    /// From this site, or from no page at all.
    Own,
}

/// What scripts of another origin may do with the answer to a request whose credential was found true. Only [`Config::judge`] makes one.
#[derive(Debug)]
pub struct Ruling {
    granted: Option<HeaderValue>,
    exposed_headers: Option<HeaderValue>,
}

/// What the application says of these is replaced: it knows nothing of tokens.
const OURS: [HeaderName; 3] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
];

impl Sender {
    /// Who sent `request`.
    ///
    /// # Errors
    /// When it names more than one origin.
    pub fn of(request: &Request, caller: &Caller) -> Result<Self, Refusal> {
        let mut origins = request.headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Ok(Self::Own),
            (Some(_), Some(_)) => Err(Refusal::BadRequest("There must be one header Origin.".into())),
            (Some(origin), None) if origin == "null" => Ok(Self::Nameless { may_write: may_write(request) }),
            (Some(origin), None) if *origin == caller.origin.to_string() => Ok(Self::Own),
            (Some(origin), None) => Ok(Self::Foreign(origin.clone())),
        }
    }
}

impl Config {
    /// The answer to `request`, if it is a preflight. `OPTIONS` without `Access-Control-Request-Method` is none (Fetch Standard, section
    /// 3.2.2), but a request like any other: Keycloak's adapters would answer that too, which tells strangers apart from nobody.
    #[must_use]
    pub fn preflight(&self, request: &Request) -> Option<Response> {
        let asked = |name: &HeaderName| request.headers.get(name).cloned();
        asks_leave_for(request)?;
        let origin = asked(&header::ORIGIN)?;
        let method = asked(&header::ACCESS_CONTROL_REQUEST_METHOD)?;
        let mut response = Response::new(StatusCode::OK);
        let headers = &mut response.headers;
        headers.insert(header::VARY, HeaderValue::from_static(PREFLIGHT_VARIES));
        if origin == "null" {
            return Some(response);
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.allowed_methods.clone().unwrap_or(method));
        if let Some(wanted) = asked(&header::ACCESS_CONTROL_REQUEST_HEADERS) {
            let allowed = self.allowed_headers.clone().unwrap_or(wanted);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        }
        if let Some(seconds) = self.max_age {
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
        }
        Some(response)
    }

    /// Judges a request whose token lists `allowed` origins.
    ///
    /// # Errors
    /// 403 when it comes from an origin that is not among them.
    pub fn judge(&self, sender: &Sender, allowed: impl FnOnce() -> Vec<String>) -> Result<Ruling, Refusal> {
        let granted = match sender {
            Sender::Own | Sender::Nameless { may_write: true } => None,
            Sender::Nameless { may_write: false } => {
                return Err(Refusal::Forbidden("Pages that hide their origin may not change anything here.".into()));
            }
            Sender::Foreign(origin) if allowed().iter().any(|one| one == "*" || origin == one) => Some(origin.clone()),
            Sender::Foreign(_) => {
                return Err(Refusal::Forbidden("Pages of that origin may not use this site.".into()));
            }
        };
        Ok(Ruling { granted, exposed_headers: self.exposed_headers.clone() })
    }
}

/// Whether a request that hides its origin is harmless all the same: it changes nothing, or the browser says that it is of this origin. Any
/// page can hide (a sandboxed frame, `Referrer-Policy: no-referrer`), and would get round the list of origins by it.
fn may_write(request: &Request) -> bool {
    let site = request.headers.get("sec-fetch-site");
    request.method.is_safe() || site.is_some_and(|site| site == "same-origin")
}

/// The method that a preflight asks leave for; `None` when `request` is none.
pub(super) fn asks_leave_for(request: &Request) -> Option<&str> {
    let is_preflight = request.method == Method::OPTIONS && request.headers.contains_key(header::ORIGIN);
    let method = request.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD).filter(|_| is_preflight)?;
    method.to_str().ok()
}

impl Ruling {
    /// Whether another origin may read the answer.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        self.granted.is_some()
    }

    /// Says so in the headers of the answer, in place of what the application says.
    pub fn apply(self, headers: &mut HeaderMap) {
        for name in OURS {
            headers.remove(name);
        }
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = self.granted else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        if let Some(exposed) = self.exposed_headers {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
}

const PREFLIGHT_VARIES: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
