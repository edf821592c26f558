//! Headers besides our own that no client may send to the application (`sidecar.strip-headers`): those of another proxy which the
//! application used to stand behind, and still believes. One is a name, the other the beginning of a family of names (`OIDC_*`).

use http::HeaderName;
use thiserror::Error;

use super::inject::fold;

/// Header names that are taken out of what clients send. Compared as applications fold names: without regard to case, and with every
/// character that is no letter or digit the same as `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StrippedHeader {
    /// That name alone, folded.
    Exact(String),
    /// Every name that begins so, folded.
    Prefix(String),
}

/// Why a text names no headers.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum StrippedHeaderError {
    /// `*` alone.
    #[error("must not be `*` alone, which would be all headers")]
    Everything,
    /// `*` elsewhere than at the end.
    #[error("may hold `*` at its end only")]
    Wildcard,
    /// No header has such a name.
    #[error("must be a header's name, or the beginning of names with `*` behind it, for example `OIDC_*`")]
    Name,
}

impl StrippedHeader {
    /// Reads a header's name, or the beginning of names with `*` behind it.
    ///
    /// # Errors
    /// When it is neither. A `*` that a header's name may hold by itself (RFC 9110, section 5.6.2) cannot be written.
    pub fn parse(text: &str) -> Result<Self, StrippedHeaderError> {
        let (name, make): (_, fn(String) -> Self) =
            text.strip_suffix('*').map_or((text, Self::Exact), |prefix| (prefix, Self::Prefix));
        match name {
            "" if !text.is_empty() => return Err(StrippedHeaderError::Everything),
            _ if name.contains('*') => return Err(StrippedHeaderError::Wildcard),
            _ => {}
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| StrippedHeaderError::Name)?;
        Ok(make(fold(name.as_str()).into_owned()))
    }

    /// Whether `name` is one of them, in whatever spelling.
    #[must_use]
    pub fn holds(&self, name: &HeaderName) -> bool {
        self.holds_folded(&fold(name.as_str()))
    }

    /// Whether all names that begin with `prefix`, in lower case and with `-` alone, are among them.
    #[must_use]
    pub fn covers(&self, prefix: &str) -> bool {
        matches!(self, Self::Prefix(own) if prefix.starts_with(own.as_str()))
    }

    /// Whether some name that begins with `prefix`, in lower case and with `-` alone, is among them.
    #[must_use]
    pub fn meets(&self, prefix: &str) -> bool {
        match self {
            Self::Exact(name) => name.starts_with(prefix),
            Self::Prefix(own) => own.starts_with(prefix) || prefix.starts_with(own.as_str()),
        }
    }

    /// [`StrippedHeader::holds`], for a name that is folded already.
    pub(super) fn holds_folded(&self, name: &str) -> bool {
        match self {
            Self::Exact(own) => own == name,
            Self::Prefix(own) => name.starts_with(own.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> StrippedHeader {
        StrippedHeader::parse(text).unwrap()
    }

    fn holds(text: &str, name: &'static str) -> bool {
        read(text).holds(&HeaderName::from_static(name))
    }

    #[test]
    fn a_name_is_held_in_every_spelling_and_no_other() {
        for name in ["x-auth-token", "x_auth_token", "x.auth-token"] {
            assert!(holds("X-Auth_Token", name), "{name}");
        }
        for name in ["x-auth", "x-auth-tokens", "x-authtoken"] {
            assert!(!holds("X-Auth-Token", name), "{name}");
        }
    }

    #[test]
    fn a_prefix_holds_its_family_in_every_spelling_and_no_other() {
        for name in ["oidc_claim_admin", "oidc-access-token", "oidc_", "oidc~claim"] {
            assert!(holds("OIDC_*", name), "{name}");
        }
        for name in ["oidc", "oidcx", "x-oidc-claim"] {
            assert!(!holds("OIDC_*", name), "{name}");
        }
    }

    #[test]
    fn what_a_prefix_covers_and_what_it_meets() {
        assert!(read("X-Auth-*").covers("x-auth-request-") && read("x_auth*").covers("x-auth-"));
        assert!(!read("X-Auth-Request-*").covers("x-auth-") && !read("X-Auth-").covers("x-auth-"));
        assert!(read("Se*").meets("sec-") && read("Sec-Fetch-*").meets("sec-") && read("Sec-GPC").meets("sec-"));
        assert!(!read("Sea*").meets("sec-") && !read("Se").meets("sec-"));
    }

    #[test]
    fn what_names_no_headers_is_said_to_be_wrong() {
        let error = |text| StrippedHeader::parse(text).unwrap_err();
        assert_eq!(error("*"), StrippedHeaderError::Everything);
        for text in ["OIDC_**", "O*C", "*-Token", "**"] {
            assert_eq!(error(text), StrippedHeaderError::Wildcard, "{text}");
        }
        for text in ["", "a b", "X:", "caf\u{e9}*", "a\r\n"] {
            assert_eq!(error(text), StrippedHeaderError::Name, "{text}");
        }
    }
}
