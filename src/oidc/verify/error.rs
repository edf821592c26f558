//! Why a token is not believed: the claim or the algorithm at fault, never the token's own words.

use thiserror::Error;

use crate::oidc::{Algorithm, claims::ClaimError, jose::JoseError, strict_json::JsonError};

/// Why a token is not believed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum VerifyError {
    /// The algorithm is not on our list.
    #[error("the algorithm `{0}` is not allowed here")]
    AlgorithmNotAllowed(Algorithm),
    /// A claim's form.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// The claim (`iat`, `nbf`, `auth_time`) lies ahead by more than clocks may differ.
    #[error("the claim `{0}` lies in the future")]
    InFuture(&'static str),
    /// The text is no token that we can read.
    #[error(transparent)]
    Jose(#[from] JoseError),
    /// The claim is not what it has to be.
    #[error("the claim `{0}` is not the expected one")]
    Mismatch(&'static str),
    /// No key of the set may have made the signature.
    #[error("no known key fits the token, which is signed with {0}")]
    NoKey(Algorithm),
    /// `HS*` is allowed, but we hold no secret.
    #[error("no secret is known to check {0} with")]
    NoSecret(Algorithm),
    /// The payload is not a JSON object with one meaning.
    #[error("the claims are {0}")]
    Payload(JsonError),
    /// A key fits, but it did not make the signature.
    #[error("the {0} signature does not verify")]
    Signature(Algorithm),
    /// `auth_time` is further back than `max_age` allows.
    #[error("the user signed in too long ago")]
    SignInTooOld,
    /// An audience besides ours is not among the trusted ones.
    #[error("the token is also for an audience that is not trusted")]
    UntrustedAudience,
    /// A token of another kind: an access token for an ID token, or the other way about.
    #[error("the token is of another type")]
    WrongType,
}

/// Why something is not believed that is held against more rules than those of tokens.
pub(in crate::oidc) trait Refusal {
    /// The fault of the token, if it is one.
    fn verify_error(&self) -> Option<&VerifyError>;
}

impl Refusal for VerifyError {
    fn verify_error(&self) -> Option<&VerifyError> {
        Some(self)
    }
}

impl VerifyError {
    /// Whether newer keys of the provider could change the answer: no key fitted, or none of those that fitted had signed.
    /// The caller then reads the key set once more, if its cooldown allows.
    #[must_use]
    pub fn wants_fresh_keys(&self) -> bool {
        match self {
            Self::NoKey(algorithm) | Self::Signature(algorithm) => !algorithm.is_symmetric(),
            _ => false,
        }
    }
}
