//! Proof that a session lives at the provider, by a call that spends nothing: UserInfo answers an access token for as long as its session
//! is there (seen live of Keycloak 26: 401 after the session was deleted, after a not-before, for a disabled user).

use http::StatusCode;
use thiserror::Error;

use super::{Provider, provider::NotReady, userinfo::UserInfoError};
use crate::domain::{SecretString, Subject, Timestamp};

/// The provider said that the session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// When it was asked, on this node's clock: the answer is no older than that.
    pub asked_at: Timestamp,
}

/// Why there is no proof.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProofError {
    /// The provider has no UserInfo endpoint.
    #[error("the provider has no UserInfo endpoint")]
    Nowhere,
    /// The answer is about nobody, or somebody else (OpenID Connect Core 1.0, section 5.3.2).
    #[error("UserInfo does not speak of the session's user")]
    OtherSubject,
    /// The access token counts for nothing: the session may be over, and one refresh tells.
    #[error("UserInfo refuses the access token")]
    Refused,
    /// No answer, or one that says nothing about the session, also because it may not be believed.
    #[error("UserInfo is unavailable: {0}")]
    Unavailable(String),
}

impl ProofError {
    /// A word for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Nowhere => "nowhere",
            Self::OtherSubject => "other_subject",
            Self::Refused => "refused",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl Provider {
    /// Asks UserInfo whether `access_token` still stands for `subject`, also where its claims are not wanted (`userinfo: false`). Of the
    /// answer, status and `sub` count. The wait is bounded by the limits of all calls.
    ///
    /// # Errors
    /// [`ProofError`]. None of them ends a session by itself.
    pub async fn prove(&self, access_token: &SecretString, subject: &Subject) -> Result<Proof, ProofError> {
        let snapshot = self.snapshot().await.map_err(|error: NotReady| ProofError::Unavailable(error.to_string()))?;
        let url = snapshot.metadata.userinfo_endpoint.as_ref().ok_or(ProofError::Nowhere)?;
        let asked_at = self.clock.now();
        self.ask_userinfo(&snapshot, url, access_token, subject).await?;
        Ok(Proof { asked_at })
    }
}

impl From<UserInfoError> for ProofError {
    fn from(error: UserInfoError) -> Self {
        match error {
            UserInfoError::Refused | UserInfoError::Unsendable => Self::Refused,
            // 408 and 429 say "not now" and are no word about the token.
            UserInfoError::Status(StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => {
                Self::Unavailable(error.to_string())
            }
            UserInfoError::Status(status) if status.is_client_error() => Self::Refused,
            UserInfoError::Subject => Self::OtherSubject,
            UserInfoError::Http(_) | UserInfoError::Malformed | UserInfoError::Signed(_) | UserInfoError::Status(_) => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}
