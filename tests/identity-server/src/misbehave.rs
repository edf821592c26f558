//! What a test can make the server do wrong. Faults are given per endpoint, for its next request or for all of them.

use std::{fmt, sync::Arc};

use serde_json::Value;

use crate::{http::Headers, keys::Algorithm};

/// The endpoints that are counted and can misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `.well-known/openid-configuration`.
    Discovery,
    /// The JWK Set.
    Jwks,
    /// The authorization endpoint.
    Authorization,
    /// Where the login page posts to.
    Login,
    /// The token endpoint.
    Token,
    /// The UserInfo endpoint.
    UserInfo,
    /// RP-initiated logout.
    EndSession,
    /// Token revocation (RFC 7009).
    Revocation,
    /// Keycloak's `clients-managements/register-node` and `unregister-node`.
    NodeRegistration,
    /// The page that lists sessions and ends them.
    Sessions,
    /// Any other path.
    Unknown,
}

/// One thing that goes wrong.
#[derive(Clone)]
pub enum Fault {
    /// This answer instead of the right one; the request is not looked at.
    Answer {
        /// The status code.
        status: u16,
        /// The headers.
        headers: Headers,
        /// The body.
        body: Vec<u8>,
    },
    /// No answer until [`release`](crate::IdentityServer::release), then the right one. The request is looked at after
    /// the release.
    Hang,
    /// The connection is closed without an answer; the request is not looked at.
    DropConnection,
    /// The request takes its full effect (a code is spent, a refresh token rotates), but the answer is lost.
    LoseAnswer,
    /// The request takes its full effect, but its answer waits for [`release`](crate::IdentityServer::release).
    HoldAnswer,
    /// The right JSON answer, with so many bytes of white space after it.
    Huge(usize),
    /// The right JSON answer, with these members changed.
    Json(Vec<Patch>),
    /// The right body, rewritten as text.
    Body(Rewrite),
    /// Token endpoint: an ID token with these faults.
    IdToken(Vec<TokenFault>),
    /// Token endpoint: an access token (in JWT format) with these faults.
    AccessToken(Vec<TokenFault>),
    /// UserInfo: a signed JWT instead of JSON (OpenID Connect Core 1.0, section 5.3.2), with these faults.
    SignedUserInfo(Vec<TokenFault>),
    /// Authorization endpoint (and login page): a callback with these parameters changed.
    Callback(Vec<CallbackFault>),
}

impl Fault {
    /// This status with an empty body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Vec::new() }
    }

    /// This status with an OAuth error body (RFC 6749, section 5.2).
    #[must_use]
    pub fn error(status: u16, error: &str) -> Self {
        let body = serde_json::json!({ "error": error }).to_string();
        Self::text(status, "application/json", &body)
    }

    /// This status with this body.
    #[must_use]
    pub fn text(status: u16, content_type: &str, body: &str) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self::Answer { status, headers, body: body.as_bytes().to_vec() }
    }

    /// A 302 to `location`.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        Self::Answer { status: 302, headers: vec![("Location".to_owned(), location.to_owned())], body: Vec::new() }
    }

    /// The right JSON answer with one member set.
    #[must_use]
    pub fn set(name: &str, value: impl Into<Value>) -> Self {
        Self::Json(vec![Patch::set(name, value)])
    }

    /// The right JSON answer with one member taken out.
    #[must_use]
    pub fn remove(name: &str) -> Self {
        Self::Json(vec![Patch::remove(name)])
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fault")
    }
}

/// One fault, or several in the same answer.
#[derive(Clone, Debug, Default)]
pub struct Faults(pub(crate) Vec<Fault>);

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl<const N: usize> From<[Fault; N]> for Faults {
    fn from(faults: [Fault; N]) -> Self {
        Self(faults.into())
    }
}

/// A text made from the right text: for what no JSON library writes, such as a member twice or a number without end.
pub type Rewrite = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// A change of one member of a JSON object.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// Sets it.
    Set(String, Value),
    /// Takes it out.
    Remove(String),
}

impl Patch {
    /// Sets `name`.
    #[must_use]
    pub fn set(name: &str, value: impl Into<Value>) -> Self {
        Self::Set(name.to_owned(), value.into())
    }

    /// Takes `name` out.
    #[must_use]
    pub fn remove(name: &str) -> Self {
        Self::Remove(name.to_owned())
    }

    pub(crate) fn apply(&self, object: &mut Value) {
        let Some(object) = object.as_object_mut() else { return };
        match self {
            Self::Set(name, value) => drop(object.insert(name.clone(), value.clone())),
            Self::Remove(name) => drop(object.remove(name)),
        }
    }
}

/// What is wrong with a token.
#[derive(Clone)]
pub enum TokenFault {
    /// A claim.
    Claim(Patch),
    /// A header member, after the algorithm and key were chosen: the signature covers it.
    Header(Patch),
    /// The text of the payload, before it is signed.
    Payload(Rewrite),
    /// Signed by another algorithm of ours (its own `kid` and `alg`).
    Algorithm(Algorithm),
    /// Signed by a key that was never published, under the right `kid`.
    OtherKey,
    /// `alg` `none` and no signature.
    Unsigned,
    /// `alg` `HS256` with these bytes as the secret and the `kid` of the RSA key: the classic confusion when the bytes are
    /// the public key's ([`rsa_public_der`](crate::IdentityServer::rsa_public_der)).
    Hs256(Vec<u8>),
    /// One bit of the signature flipped.
    CorruptSignature,
}

impl TokenFault {
    /// A claim that says something else.
    #[must_use]
    pub fn set(claim: &str, value: impl Into<Value>) -> Self {
        Self::Claim(Patch::set(claim, value))
    }

    /// A claim that is missing.
    #[must_use]
    pub fn remove(claim: &str) -> Self {
        Self::Claim(Patch::remove(claim))
    }

    /// A header member that says something else.
    #[must_use]
    pub fn header(name: &str, value: impl Into<Value>) -> Self {
        Self::Header(Patch::set(name, value))
    }

    /// No `kid`.
    #[must_use]
    pub fn no_kid() -> Self {
        Self::Header(Patch::remove("kid"))
    }

    /// A payload rewritten as text.
    pub fn payload(rewrite: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::Payload(Arc::new(rewrite))
    }
}

impl fmt::Debug for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenFault")
    }
}

/// What is wrong with the parameters that come back to the relying party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackFault {
    /// One is missing.
    Remove(String),
    /// One says something else (or is there though it should not be).
    Set(String, String),
    /// One comes twice, the second time with this value.
    Repeat(String, String),
}

impl CallbackFault {
    pub(crate) fn apply(&self, parameters: &mut Vec<(String, String)>) {
        match self {
            Self::Remove(name) => parameters.retain(|(key, _)| key != name),
            Self::Repeat(name, value) => parameters.push((name.clone(), value.clone())),
            Self::Set(name, value) => {
                parameters.retain(|(key, _)| key != name);
                parameters.push((name.clone(), value.clone()));
            }
        }
    }
}
