//! Why a code became no login.

use http::StatusCode;
use openidconnect::RequestTokenError;
use thiserror::Error;

use crate::{
    http_client::HttpError,
    oidc::{
        client_assertion::SigningFailed, provider::NotReady, userinfo::UserInfoError, verify::VerifyError,
        wire::TokenRefusal,
    },
};

/// Why a code became no login.
#[derive(Debug, Error)]
pub enum RedeemError {
    /// The provider could not be reached, took too long, or is in trouble.
    #[error("the token endpoint is unavailable: {0}")]
    Unavailable(String),
    /// The answer was no token response.
    #[error("the token endpoint's answer cannot be read")]
    Malformed,
    /// The answer holds no ID token.
    #[error("the token response holds no ID token")]
    NoIdToken,
    /// Discovery has not succeeded.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// We cannot prove who we are.
    #[error(transparent)]
    Assertion(#[from] SigningFailed),
    /// The provider refused the code.
    #[error("the token endpoint refused with `{0}`")]
    Refused(String),
    /// The access token is for another user than the ID token.
    #[error("access token and ID token are for different subjects")]
    SubjectsDiffer,
    /// A token may not be believed.
    #[error("the {token} is refused: {error}")]
    Token {
        /// Which one.
        token: &'static str,
        /// Why.
        #[source]
        error: VerifyError,
    },
    /// The token's type is not `Bearer`.
    #[error("the access token is not a bearer token")]
    TokenType,
    /// UserInfo may not be believed, or has no answer.
    #[error(transparent)]
    UserInfo(#[from] UserInfoError),
}

impl RedeemError {
    /// A word for metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) | Self::NotReady(_) => "unavailable",
            Self::Assertion(_) => "assertion",
            Self::Malformed => "malformed",
            Self::NoIdToken => "no_id_token",
            Self::Refused(_) => "refused",
            Self::SubjectsDiffer | Self::Token { .. } | Self::TokenType => "token",
            Self::UserInfo(_) => "userinfo",
        }
    }
}

/// Why a call to the token endpoint has no answer that `openidconnect` could read.
#[derive(Debug, Error)]
pub(in crate::oidc) enum CallError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("it answered with status {0}")]
    Trouble(StatusCode),
}

impl From<RequestTokenError<CallError, TokenRefusal>> for RedeemError {
    /// Keeps no part of an answer that could hold a token.
    fn from(error: RequestTokenError<CallError, TokenRefusal>) -> Self {
        match error {
            RequestTokenError::Request(error) => Self::Unavailable(error.to_string()),
            RequestTokenError::ServerResponse(refusal) => Self::Refused(refusal_name(&refusal)),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Self::Malformed,
        }
    }
}

/// The `error` of a refusal, fit to be logged.
pub(in crate::oidc) fn refusal_name(refusal: &TokenRefusal) -> String {
    let name: &str = refusal.error().as_ref();
    name.chars().filter(char::is_ascii_graphic).take(64).collect()
}
