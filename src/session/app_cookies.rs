//! The application's own session cookies, each tied to whom it was given. A tag before the value says for whom; with another, or none, the
//! cookie does not reach the application. Nothing is kept here, so that every node with the same keys can tell.
//!
//! ```text
//! cookie = tag "~" value
//! tag    = base64url(first 16 bytes of HMAC-SHA-256(key, text)): 22 characters, and one spelling alone counts
//! key    = HKDF(master key, purpose); the first of the ring makes tags, all recognise them     see `keys`
//! text   = site, cookie name, owner, value; each part preceded by its length
//! ```
//!
//! The tag stands before the value, since load balancers look for the name of their node behind it (`.route`).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use ring::hmac;
use subtle::ConstantTimeEq;

use super::{CookieConfigError, KeyRing, OwnCookies, RequestCookies, SetCookies, request_cookies::Fate};
use crate::domain::{AdapterSessionId, Issuer, Subject};

/// No [`super::Purpose`] has this label.
const PURPOSE: &str = "application cookie";
/// 128 bits.
const TAG_BYTES: usize = 16;
const TAG_LEN: usize = 22;
const MARK: u8 = b'~';

/// One of `app-session-cookies`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppCookie {
    /// Its name, a token (RFC 9110, section 5.6.2). Compared without regard to case, since some applications read so.
    pub name: String,
    /// The `Path` that the application gives it; by it we expire it.
    pub path: String,
}

/// Whom a cookie was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// Whoever came without a session. All of them are one.
    Nobody,
    /// One login of one user: neither another user nor another login of the same. A renewal does not change it.
    Session(&'a AdapterSessionId),
    /// Whoever comes with a bearer token of this subject; tokens are too short-lived to be told apart.
    Token {
        /// Who vouched for the subject.
        issuer: &'a Issuer,
        /// The subject.
        subject: &'a Subject,
    },
}

/// The application's own session cookies at one site.
#[derive(Debug)]
pub struct AppCookies {
    names: Vec<String>,
    site: String,
    making: hmac::Key,
    older: Vec<hmac::Key>,
    farewell: SetCookies,
}

/// What the application gets of a request's cookies.
#[derive(Debug)]
pub struct Admitted {
    /// The `Cookie` field; `None` when nothing is left.
    pub field: Option<HeaderValue>,
    /// How many cookies were left out since they were not given to the owner.
    pub withheld: u32,
}

impl AppCookies {
    /// The cookies of `config` at `site`, beside cookies of ours.
    ///
    /// # Errors
    /// When a name or path cannot stand in a cookie.
    pub fn new(config: &[AppCookie], own: &OwnCookies, keys: &KeyRing, site: &str) -> Result<Self, CookieConfigError> {
        let expired = |cookie: &AppCookie| {
            own.at_path(&cookie.path)?.expire(&cookie.name).map_err(|_| CookieConfigError::Name(cookie.name.clone()))
        };
        let farewell = config.iter().map(expired).collect::<Result<_, _>>()?;
        let mut keys: Vec<_> = keys.for_purpose(PURPOSE).iter().map(super::keys::PurposeKey::for_tags).collect();
        let making = keys.remove(0);
        let names = config.iter().map(|cookie| cookie.name.clone()).collect();
        Ok(Self { names, site: site.to_owned(), making, older: keys, farewell })
    }

    /// What makes browsers forget all of them, whether or not they were sent here: the paths may differ.
    #[must_use]
    pub fn farewell(&self) -> SetCookies {
        self.farewell.clone()
    }

    /// The cookies that the application gets of a request of `owner`: none of ours, and of its session cookies those that were given to
    /// `owner`, each as the application wrote it. Two of one name are judged each by itself. All others stay as they are.
    #[must_use]
    pub fn admit(&self, own: &OwnCookies, cookies: &RequestCookies, owner: Owner<'_>) -> Admitted {
        let mut withheld = 0;
        let field = cookies.filtered(|name, value| {
            if own.is_own(name) {
                return Fate::Goes;
            }
            if !self.is_named(name) {
                if !self.is_mentioned(name, value) {
                    return Fate::Stays;
                }
                withheld += 1;
                return Fate::Goes;
            }
            if self.is_given_to(owner, name, value) {
                return Fate::LosesStart(TAG_LEN + 1);
            }
            withheld += 1;
            Fate::Goes
        });
        Admitted { field, withheld }
    }

    /// A `Set-Cookie` value of the application, its cookie tied to `owner` when it is one of these. One that removes the cookie stays as it
    /// is, and so do all attributes.
    #[must_use]
    pub fn bind(&self, line: HeaderValue, owner: Owner<'_>) -> HeaderValue {
        let bytes = line.as_bytes();
        let (pair, attributes) = bytes.split_at(position(bytes, b';').unwrap_or(bytes.len()));
        let Some(equals) = position(pair, b'=') else { return line };
        let (name, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
        if value.is_empty() || !self.is_named(name) || expires(attributes) {
            return line;
        }
        let tag = self.tag(&self.making, owner, name, value);
        let bound = [name, b"=", tag.as_bytes(), &[MARK], value, attributes].concat();
        let Ok(mut bound) = HeaderValue::from_bytes(&bound) else { return line };
        bound.set_sensitive(true);
        bound
    }

    fn is_named(&self, name: &[u8]) -> bool {
        self.names.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether a cookie of another name holds what an older parser would read as one of these: they split at commas and blanks too, and take
    /// names in quotes.
    fn is_mentioned(&self, name: &[u8], value: &[u8]) -> bool {
        let text = [name, b"=", value].concat().to_ascii_lowercase();
        self.names.iter().any(|known| {
            let known = known.to_ascii_lowercase();
            let starts = (0..text.len()).filter(|at| text[*at..].starts_with(known.as_bytes()));
            starts.into_iter().any(|at| {
                let is_whole = at.checked_sub(1).is_none_or(|before| !is_token(text[before]));
                let mut after =
                    text[at + known.len()..].iter().skip_while(|byte| matches!(**byte, b'"' | b' ' | b'\t'));
                is_whole && after.next() == Some(&b'=')
            })
        })
    }

    fn is_given_to(&self, owner: Owner<'_>, name: &[u8], value: &[u8]) -> bool {
        let Some((tag, [MARK, value @ ..])) = value.split_at_checked(TAG_LEN) else { return false };
        let mut keys = std::iter::once(&self.making).chain(&self.older);
        keys.any(|key| self.tag(key, owner, name, value).as_bytes().ct_eq(tag).into())
    }

    /// Every part is preceded by its length, so that no byte can move from one to the next.
    fn tag(&self, key: &hmac::Key, owner: Owner<'_>, name: &[u8], value: &[u8]) -> String {
        let [kind, who, further] = owner.parts();
        let mut mac = hmac::Context::with_key(key);
        for part in [self.site.as_bytes(), name, kind.as_bytes(), who.as_bytes(), further.as_bytes(), value] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        URL_SAFE_NO_PAD.encode(&mac.sign().as_ref()[..TAG_BYTES])
    }
}

impl<'a> Owner<'a> {
    fn parts(self) -> [&'a str; 3] {
        match self {
            Self::Nobody => ["nobody", "", ""],
            Self::Session(id) => ["session", id.as_str(), ""],
            Self::Token { issuer, subject } => ["token", issuer.as_str(), subject.as_str()],
        }
    }
}

/// Whether attributes say that a cookie is over by `Max-Age`, of which the last counts (RFC 6265, section 5.2.2). One that is over by
/// `Expires` alone is tied to its owner like any other, and goes all the same.
fn expires(attributes: &[u8]) -> bool {
    let max_age = |attribute: &[u8]| {
        let equals = position(attribute, b'=')?;
        let (name, value) = (attribute[..equals].trim_ascii(), attribute[equals + 1..].trim_ascii());
        let value = name.eq_ignore_ascii_case(b"max-age").then(|| std::str::from_utf8(value).ok())??;
        value.parse::<i64>().ok()
    };
    attributes.split(|byte| *byte == b';').filter_map(max_age).next_back().is_some_and(|age| age <= 0)
}

/// What may stand in a cookie's name (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn position(bytes: &[u8], sought: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == sought)
}

#[cfg(test)]
mod tests;
