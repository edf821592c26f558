//! The outside of a token: one compact JWS (RFC 7515, section 3.1) taken apart, strictly. Nothing here is believed yet; the
//! payload stays bytes until `verify` has checked the signature.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    Algorithm,
    strict_json::{self, JsonError},
};

/// Longest token read, in bytes.
pub(super) const MAX_LEN: usize = 64 * 1024;

/// Registered algorithms (RFC 7518, section 3.1; RFC 8812; RFC 9864) that are worth naming when they are refused.
const UNSUPPORTED: [&str; 4] = ["ES256K", "ES512", "Ed448", "none"];

/// Why a text is not a token that we can read. Never quotes the token.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum JoseError {
    /// `alg` is `none`, or an algorithm that exists but that we cannot verify.
    #[error("the algorithm `{0}` is not supported")]
    AlgorithmUnsupported(&'static str),
    /// `alg` is no algorithm that we have heard of; an encryption algorithm, perhaps.
    #[error("the algorithm is unknown")]
    AlgorithmUnknown,
    /// Not base64url as RFC 7515, section 2 wants it: no padding, no stray bits, nothing else.
    #[error("the {0} is not canonical base64url")]
    Base64(&'static str),
    /// The token is encrypted (JWE, five parts); we decrypt nothing.
    #[error("the token is encrypted, which is not supported")]
    Encrypted,
    /// The header is not a JSON object with one meaning.
    #[error("the header is {0}")]
    Header(JsonError),
    /// A header member has the wrong type, or is required and missing.
    #[error("the header's `{0}` is missing or malformed")]
    Member(&'static str),
    /// Not three parts.
    #[error("the token has not three parts")]
    Parts,
    /// Longer than is read of its kind, mostly [`MAX_LEN`].
    #[error("the token is too long")]
    TooLong,
    /// An extension is in use (`crit`, `b64`, `zip`); we understand none (RFC 7515, section 4.1.11).
    #[error("the header uses the extension `{0}`")]
    Extension(&'static str),
}

/// What of a header is read. `jku`, `jwk`, `x5u` and `x5c` are not: a token never says which key to believe
/// (RFC 8725, section 3.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// `alg`. What the token claims, to be held against what is allowed.
    pub algorithm: Algorithm,
    /// `kid`.
    pub key_id: Option<String>,
    /// `typ`, as written.
    pub media_type: Option<String>,
}

/// A compact JWS in its parts, unverified.
#[derive(Clone, Debug)]
pub(super) struct Jws<'t> {
    /// The header.
    pub header: Header,
    /// What was signed: the first two parts with the dot between.
    pub signing_input: &'t [u8],
    /// The decoded second part.
    pub payload: Vec<u8>,
    /// The decoded third part.
    pub signature: Vec<u8>,
}

impl<'t> Jws<'t> {
    /// Takes `token` apart.
    ///
    /// # Errors
    /// [`JoseError`] for anything but a well-formed compact JWS without extensions.
    pub(super) fn parse(token: &'t str) -> Result<Self, JoseError> {
        Self::parse_up_to(token, MAX_LEN)
    }

    /// The same for something of at most `max` bytes.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(super) fn parse_up_to(token: &'t str, max: usize) -> Result<Self, JoseError> {
        if token.len() > max {
            return Err(JoseError::TooLong);
        }
        let (header, payload, signature) = three_parts(token)?;
        let signed = header.len() + 1 + payload.len();
        Ok(Self {
            header: Header::parse(&decode(header, "header")?)?,
            signing_input: token.as_bytes().get(..signed).ok_or(JoseError::Parts)?,
            payload: decode(payload, "payload")?,
            signature: decode(signature, "signature")?,
        })
    }
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, JoseError> {
        let members = strict_json::object(bytes).map_err(JoseError::Header)?;
        for extension in ["crit", "b64", "zip"] {
            if members.contains_key(extension) {
                return Err(JoseError::Extension(extension));
            }
        }
        let algorithm = text(&members, "alg")?.ok_or(JoseError::Member("alg"))?;
        Ok(Self {
            algorithm: algorithm.parse().map_err(|_| refusal(algorithm))?,
            key_id: text(&members, "kid")?.map(str::to_owned),
            media_type: text(&members, "typ")?.map(str::to_owned),
        })
    }

    /// Whether `typ` is `subtype`, which may be written with or without `application/`, in any case (RFC 7515, section 4.1.9).
    #[must_use]
    pub(super) fn is_media_type(&self, subtype: &str) -> bool {
        self.media_type.as_deref().is_some_and(|written| {
            let written = written.to_ascii_lowercase();
            written.strip_prefix("application/").unwrap_or(&written) == subtype
        })
    }
}

fn three_parts(token: &str) -> Result<(&str, &str, &str), JoseError> {
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.count()) {
        (Some(header), Some(payload), Some(signature), 0) => Ok((header, payload, signature)),
        (_, _, Some(_), 2) => Err(JoseError::Encrypted),
        _ => Err(JoseError::Parts),
    }
}

fn decode(part: &str, name: &'static str) -> Result<Vec<u8>, JoseError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JoseError::Base64(name))
}

fn text<'m>(members: &'m Map<String, Value>, name: &'static str) -> Result<Option<&'m str>, JoseError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JoseError::Member(name)),
    }
}

/// The refusal of an algorithm's name, which is a stranger's text and so not repeated unless it is one that we know.
fn refusal(name: &str) -> JoseError {
    let known = UNSUPPORTED.iter().find(|known| known.eq_ignore_ascii_case(name));
    known.map_or(JoseError::AlgorithmUnknown, |known| JoseError::AlgorithmUnsupported(known))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(header: &str) -> String {
        format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn a_token_is_taken_apart() {
        let token = token(r#"{"alg":"RS256","typ" : "application/AT+jwt","kid":"k","jku":"https://evil.example/"}"#);
        let jws = Jws::parse(&token).unwrap();
        assert_eq!(jws.header.algorithm, Algorithm::Rs256);
        assert_eq!(jws.header.key_id.as_deref(), Some("k"));
        assert!(jws.header.is_media_type("at+jwt") && !jws.header.is_media_type("jwt"));
        assert_eq!((jws.payload.as_slice(), jws.signature.as_slice()), (&b"{}"[..], &b"sig"[..]));
        assert_eq!(jws.signing_input, token.strip_suffix(".c2ln").unwrap().as_bytes());
    }

    #[test]
    fn headers_that_are_not_plain_are_refused() {
        for (header, refusal) in [
            (r#"{"alg":"none"}"#, JoseError::AlgorithmUnsupported("none")),
            (r#"{"alg":"NoNe"}"#, JoseError::AlgorithmUnsupported("none")),
            (r#"{"alg":"ES512"}"#, JoseError::AlgorithmUnsupported("ES512")),
            (r#"{"alg":"ES256K"}"#, JoseError::AlgorithmUnsupported("ES256K")),
            (r#"{"alg":"Ed448"}"#, JoseError::AlgorithmUnsupported("Ed448")),
            (r#"{"alg":"rs256"}"#, JoseError::AlgorithmUnknown),
            (r#"{"alg":"RS256\u0000"}"#, JoseError::AlgorithmUnknown),
            (r#"{"alg":["RS256"]}"#, JoseError::Member("alg")),
            ("{}", JoseError::Member("alg")),
            (r#"{"alg":"RS256","kid":7}"#, JoseError::Member("kid")),
            (r#"{"alg":"RS256","crit":[]}"#, JoseError::Extension("crit")),
            (r#"{"alg":"RS256","crit":["exp"],"exp":1}"#, JoseError::Extension("crit")),
            (r#"{"alg":"RS256","b64":false}"#, JoseError::Extension("b64")),
            (r#"{"alg":"RS256","zip":"DEF"}"#, JoseError::Extension("zip")),
            (r#"{"alg":"RS256","alg":"HS256"}"#, JoseError::Header(JsonError::DuplicateMember)),
            ("[]", JoseError::Header(JsonError::NotObject)),
        ] {
            assert_eq!(Jws::parse(&token(header)).unwrap_err(), refusal, "{header}");
        }
    }

    #[test]
    fn forms_that_are_not_canonical_are_refused() {
        let good = token(r#"{"alg":"RS256"}"#);
        Jws::parse(&good).unwrap();
        for (token, refusal) in [
            (format!("{good}="), JoseError::Base64("signature")),
            (good.replace(".c2ln", ".c2l"), JoseError::Base64("signature")),
            (good.replace(".e30", ".e31"), JoseError::Base64("payload")),
            (good.replace(".e30", ".e3 0"), JoseError::Base64("payload")),
            (good.replace(".c2ln", ".+/+/"), JoseError::Base64("signature")),
            (format!(" {good}"), JoseError::Base64("header")),
            (good.replace(".c2ln", ""), JoseError::Parts),
            (format!("{good}.e30"), JoseError::Parts),
            (format!("{good}.e30.e30"), JoseError::Encrypted),
            (format!("{good}.e30.e30.e30"), JoseError::Parts),
            (String::new(), JoseError::Parts),
            (format!("{good}{}", "A".repeat(MAX_LEN)), JoseError::TooLong),
        ] {
            assert_eq!(Jws::parse(&token).unwrap_err(), refusal, "{token:.60}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,200}", header in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Jws::parse(&text);
            let _ = Jws::parse(&format!("{}.e30.", URL_SAFE_NO_PAD.encode(header)));
        }
    }
}
