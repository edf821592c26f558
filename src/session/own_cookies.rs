//! Names and attributes of every cookie that is ours: what we set, what we expire, what the application never sees.

use std::time::Duration;

use cookie::Cookie;
use http::HeaderValue;
use thiserror::Error;

use super::{CookieConfig, RequestCookies, SameSite};

/// Longest base name in bytes; leaves a full chunk room for its attributes within the 4096 bytes that browsers keep.
const MAX_NAME: usize = 128;

/// Our cookies at one site.
#[derive(Clone, Debug)]
pub struct OwnCookies {
    base: String,
    session: String,
    path: String,
    secure: bool,
    same_site: SameSite,
}

/// Why the configured cookies cannot work.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CookieConfigError {
    /// The name is empty, too long, has a prefix that we put ourselves, or characters outside an RFC 6265 token.
    #[error("the cookie name {0:?} is not a token of 1 to {MAX_NAME} characters without prefix")]
    Name(String),
    /// The path does not begin with `/` or holds what would end the attribute.
    #[error("the cookie path {0:?} is not an absolute path")]
    Path(String),
    /// Browsers drop `SameSite=None` without `Secure`.
    #[error("SameSite=None needs Secure")]
    SameSiteNoneNeedsSecure,
}

/// A name or value that cannot stand in a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a cookie name or value")]
pub struct InvalidCookie;

/// How long a browser is asked to keep a cookie. What it holds ends by its seal, whatever the browser does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Until the browser is closed.
    BrowserSession,
    /// For so long.
    For(Duration),
}

/// `Set-Cookie` values for one response. They hold sessions: they are marked sensitive and do not print themselves. A
/// response that carries any must be `Cache-Control: private, no-store`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetCookies(Vec<HeaderValue>);

impl OwnCookies {
    /// The cookies that `config` describes.
    ///
    /// # Errors
    /// See [`CookieConfigError`].
    pub fn new(config: &CookieConfig) -> Result<Self, CookieConfigError> {
        if !is_base_name(&config.name) {
            return Err(CookieConfigError::Name(config.name.clone()));
        }
        if !is_path(&config.path) {
            return Err(CookieConfigError::Path(config.path.clone()));
        }
        if config.same_site == SameSite::None && !config.secure {
            return Err(CookieConfigError::SameSiteNoneNeedsSecure);
        }
        let prefix = if config.secure && config.path == "/" { "__Host-" } else { "" };
        Ok(Self {
            base: config.name.clone(),
            session: format!("{prefix}{}", config.name),
            path: config.path.clone(),
            secure: config.secure,
            same_site: config.same_site,
        })
    }

    /// The same cookies with another `SameSite`: for the attempt cookie when the provider answers by a cross-site POST.
    ///
    /// # Errors
    /// `SameSite=None` without `Secure`.
    pub fn with_same_site(&self, same_site: SameSite) -> Result<Self, CookieConfigError> {
        if same_site == SameSite::None && !self.secure {
            return Err(CookieConfigError::SameSiteNoneNeedsSecure);
        }
        Ok(Self { same_site, ..self.clone() })
    }

    /// The same attributes at another path: for cookies that are not ours, but that we expire.
    ///
    /// # Errors
    /// When it is no path that a cookie can have.
    pub(super) fn at_path(&self, path: &str) -> Result<Self, CookieConfigError> {
        if !is_path(path) {
            return Err(CookieConfigError::Path(path.to_owned()));
        }
        Ok(Self { path: path.to_owned(), ..self.clone() })
    }

    /// Name of the session cookie, prefix included; further chunks append `.1` and so on.
    #[must_use]
    pub fn session_name(&self) -> &str {
        &self.session
    }

    /// Name of a cookie of one `kind` (`login`, …) with an `id` of its own, so that several attempts in one browser do
    /// not overwrite each other: `NAME.kind.id`.
    #[must_use]
    pub fn name_of(&self, kind: &str, id: &str) -> String {
        format!("{}.{kind}.{id}", self.session)
    }

    /// The ids of the cookies of one `kind` that the request holds, in its order, doubles included.
    pub fn ids_of<'a>(&self, kind: &str, cookies: &'a RequestCookies) -> impl Iterator<Item = &'a str> {
        let start = format!("{}.{kind}.", self.session);
        cookies.names().filter_map(move |name| name.strip_prefix(&start))
    }

    /// The path that they are kept for.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether browsers send our cookies to a path (RFC 6265, section 5.1.4).
    #[must_use]
    pub fn reach(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'))
    }

    /// Whether a cookie is one that we may set under any configuration of this name: with `__Host-`, with `__Secure-`
    /// or bare, and with whatever follows after a dot. Without regard to case, since some applications read so.
    #[must_use]
    pub fn is_own(&self, name: &[u8]) -> bool {
        let bare = strip_prefix_ignoring_case(name, b"__Host-")
            .or_else(|| strip_prefix_ignoring_case(name, b"__Secure-"))
            .unwrap_or(name);
        let rest = strip_prefix_ignoring_case(bare, self.base.as_bytes());
        rest.is_some_and(|rest| matches!(rest, [] | [b'.', ..]))
    }

    /// The `Cookie` field that the application gets: without any of ours. `None` when nothing is left.
    #[must_use]
    pub fn strip_own(&self, cookies: &RequestCookies) -> Option<HeaderValue> {
        cookies.without(|name| self.is_own(name))
    }

    /// The `Set-Cookie` value that sets `name` to `value`.
    ///
    /// # Errors
    /// When either cannot stand in a cookie. Nothing is encoded: what is set is what comes back.
    pub fn set(&self, name: &str, value: &str, keep: Keep) -> Result<HeaderValue, InvalidCookie> {
        if !name.bytes().all(is_token) || name.is_empty() || !value.bytes().all(is_cookie_octet) {
            return Err(InvalidCookie);
        }
        let cookie = Cookie::build((name, value))
            .path(&self.path)
            .secure(self.secure)
            .http_only(true)
            .same_site(self.same_site.into());
        let cookie = match keep {
            Keep::BrowserSession => cookie,
            Keep::For(time) => cookie.max_age(cookie::time::Duration::try_from(time).map_err(|_| InvalidCookie)?),
        };
        let mut header = HeaderValue::try_from(cookie.to_string()).map_err(|_| InvalidCookie)?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// The `Set-Cookie` value that removes `name`: with the attributes it was set with, since browsers ignore the
    /// removal of a `__Host-` cookie that lacks `Secure` or `Path=/`.
    ///
    /// # Errors
    /// When `name` cannot stand in a cookie.
    pub fn expire(&self, name: &str) -> Result<HeaderValue, InvalidCookie> {
        self.set(name, "", Keep::For(Duration::ZERO))
    }
}

impl SetCookies {
    /// Adds one more.
    pub fn push(&mut self, value: HeaderValue) {
        self.0.push(value);
    }

    /// Adds those of another part of the program.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Puts them into a response's headers, which no cache may then keep.
    pub fn apply(&self, headers: &mut http::HeaderMap) {
        for cookie in &self.0 {
            headers.append(http::header::SET_COOKIE, cookie.clone());
        }
        if !self.0.is_empty() {
            headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        }
    }

    /// The values, each for a `Set-Cookie` field of its own.
    pub fn iter(&self) -> std::slice::Iter<'_, HeaderValue> {
        self.0.iter()
    }

    /// Whether there is nothing to set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a SetCookies {
    type Item = &'a HeaderValue;
    type IntoIter = std::slice::Iter<'a, HeaderValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for SetCookies {
    type Item = HeaderValue;
    type IntoIter = std::vec::IntoIter<HeaderValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<HeaderValue> for SetCookies {
    fn from_iter<I: IntoIterator<Item = HeaderValue>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl From<SameSite> for cookie::SameSite {
    fn from(same_site: SameSite) -> Self {
        match same_site {
            SameSite::Lax => Self::Lax,
            SameSite::None => Self::None,
        }
    }
}

/// Browsers give names that begin with `__` and a known word a meaning, which is ours to choose.
fn is_base_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_token) && !name.starts_with("__")
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b';')
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 6265, section 4.1.1.
fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

fn strip_prefix_ignoring_case<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests;
