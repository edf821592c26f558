//! The claims of tokens: what the verified ones say, and typed extractors that know what "malformed" means.
//! It checks the form of claims, never whether they are true; that is `verify`.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::domain::{Issuer, Sid, Subject, Timestamp};

/// Longest subject, in characters (OpenID Connect Core 1.0, section 2).
pub(super) const MAX_SUBJECT: usize = 255;

/// Last second that a claim may name: the end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// What an ID token says (OpenID Connect Core 1.0, section 2).
#[derive(Clone, Debug, PartialEq)]
pub struct IdTokenClaims {
    /// `iss`.
    pub issuer: Issuer,
    /// `sub`.
    pub subject: Subject,
    /// `sid`.
    pub sid: Option<Sid>,
    /// `iat`; the provider's clock.
    pub issued_at: Timestamp,
    /// `exp`; the provider's clock.
    pub expires_at: Timestamp,
    /// `auth_time`: when the user signed in; the provider's clock.
    pub auth_time: Option<Timestamp>,
    /// Every claim, these included.
    pub all: Map<String, Value>,
}

/// What a JWT access token says (Keycloak's, or RFC 9068).
#[derive(Clone, Debug, PartialEq)]
pub struct AccessTokenClaims {
    /// `iss`.
    pub issuer: Issuer,
    /// `sub`. Keycloak omits it without the client scope `basic`; where the ID token's is known, the two must be equal.
    pub subject: Option<Subject>,
    /// `sid`.
    pub sid: Option<Sid>,
    /// `aud`; empty when there is none. Not checked: a code-flow token of Keycloak does not name its own client.
    pub audiences: Vec<String>,
    /// `iat`; the provider's clock.
    pub issued_at: Timestamp,
    /// `exp`; the provider's clock.
    pub expires_at: Timestamp,
    /// Every claim, these included.
    pub all: Map<String, Value>,
}

/// What a signed UserInfo answer says (OpenID Connect Core 1.0, section 5.3.2).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct UserInfoClaims {
    /// `sub`; the caller must hold it against the ID token's.
    pub subject: Subject,
    /// Every claim, this included.
    pub all: Map<String, Value>,
}

/// A claim's form is wrong. Names the claim, never its value.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ClaimError {
    /// Wrong type, or out of range.
    #[error("the claim `{0}` is malformed")]
    Malformed(&'static str),
    /// Required, and absent or `null`.
    #[error("the claim `{0}` is missing")]
    Missing(&'static str),
}

/// The claims of a token whose signature has been checked. A claim that is `null` counts as absent.
#[derive(Clone, Debug)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn new(all: Map<String, Value>) -> Self {
        Self(all)
    }

    pub(super) fn into_all(self) -> Map<String, Value> {
        self.0
    }

    /// Whether the claim is there at all, `null` or not.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn value(&self, name: &'static str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, ClaimError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ClaimError::Malformed(name)),
        }
    }

    pub(super) fn required_text(&self, name: &'static str) -> Result<&str, ClaimError> {
        self.text(name)?.ok_or(ClaimError::Missing(name))
    }

    /// A `NumericDate` (RFC 7519, section 2) between 1970 and the year 9999, rounded down to the second: some libraries write
    /// `1.76e9`, some add fractions.
    pub(super) fn instant(&self, name: &'static str) -> Result<Option<Timestamp>, ClaimError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let seconds = value.as_i64().or_else(|| second(value.as_f64()?));
        seconds
            .filter(|seconds| (0..=LAST_SECOND).contains(seconds))
            .map(|seconds| Some(Timestamp::from_secs(seconds)))
            .ok_or(ClaimError::Malformed(name))
    }

    pub(super) fn required_instant(&self, name: &'static str) -> Result<Timestamp, ClaimError> {
        self.instant(name)?.ok_or(ClaimError::Missing(name))
    }

    /// `aud`: one text or an array of texts (RFC 7519, section 4.1.3); empty when absent.
    pub(super) fn audiences(&self) -> Result<Vec<&str>, ClaimError> {
        let audiences = match self.value("aud") {
            None => Some(Vec::new()),
            Some(Value::String(one)) => Some(vec![one.as_str()]),
            Some(Value::Array(many)) => many.iter().map(Value::as_str).collect(),
            Some(_) => None,
        };
        audiences.ok_or(ClaimError::Malformed("aud"))
    }

    /// `sub`: between 1 and [`MAX_SUBJECT`] characters.
    pub(super) fn subject(&self) -> Result<Option<Subject>, ClaimError> {
        let Some(text) = self.text("sub")? else {
            return Ok(None);
        };
        if text.is_empty() || text.chars().count() > MAX_SUBJECT {
            return Err(ClaimError::Malformed("sub"));
        }
        Ok(Some(Subject::new(text)))
    }

    pub(super) fn required_subject(&self) -> Result<Subject, ClaimError> {
        self.subject()?.ok_or(ClaimError::Missing("sub"))
    }

    /// `sid`: any text but the empty one.
    pub(super) fn sid(&self) -> Result<Option<Sid>, ClaimError> {
        match self.text("sid")? {
            Some("") => Err(ClaimError::Malformed("sid")),
            text => Ok(text.map(Sid::new)),
        }
    }
}

/// The second that `float` lies in. Beyond the range of claims the cast saturates, which the range check then refuses.
fn second(float: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "rounded, and saturating where it is too large")]
    let second = float.floor() as i64;
    float.is_finite().then_some(second)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn exp(value: Value) -> Result<Option<Timestamp>, ClaimError> {
        Claims::new(Map::from_iter([("exp".to_owned(), value)])).instant("exp")
    }

    #[test]
    fn an_instant_is_a_number_of_seconds_in_range() {
        let expected = Ok(Some(Timestamp::from_secs(1_760_000_000)));
        assert_eq!(exp(json!(1_760_000_000)), expected);
        assert_eq!(exp(serde_json::from_str("1.76e9").unwrap()), expected);
        assert_eq!(exp(serde_json::from_str("1760000000.9").unwrap()), expected);
        assert_eq!(exp(json!(null)), Ok(None));
        assert_eq!(exp(json!(0)), Ok(Some(Timestamp::from_millis(0))));
        for text in [
            "1e300",
            "-1e300",
            "9223372036854775808",
            "18446744073709551615",
            "9223372036854775807",
            "-1",
            "1e12",
            "\"1760000000\"",
            "true",
            "[1760000000]",
            "{}",
        ] {
            assert_eq!(exp(serde_json::from_str(text).unwrap()), Err(ClaimError::Malformed("exp")), "{text}");
        }
    }
}
