//! The password grant (RFC 6749, section 4.3), for clients that can nothing but Basic (keycloak-adapter:
//! `BasicAuthRequestAuthenticator`): one call of the token endpoint, and the access token verified like any other.

use openidconnect::{OAuth2TokenResponse, RequestTokenError, ResourceOwnerPassword, ResourceOwnerUsername};
use thiserror::Error;

use super::{
    Provider,
    bearer::{Bearer, BearerError},
    client_assertion::SigningFailed,
    code_flow::{CallError, call, is_bearer, refusal_name},
    provider::{NotReady, Snapshot},
    wire::{TokenRefusal, TokenReply},
};
use crate::domain::{SecretString, Timestamp};

/// What a user name and a password are worth.
#[derive(Debug)]
pub struct PasswordLogin {
    /// The access token.
    pub bearer: Bearer,
    /// Keycloak's `not-before-policy`: tokens of this subject from before it count no more.
    pub not_before: Option<Timestamp>,
}

/// Why a user name and a password are worth nothing.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// The answer cannot be read, or holds no bearer token.
    #[error("the token endpoint's answer cannot be read")]
    Malformed,
    /// The provider refused: with `invalid_grant` the user or the password, else this client.
    #[error("the token endpoint refused with `{0}`")]
    Refused(String),
    /// The provider could not be asked.
    #[error("the token endpoint is unavailable: {0}")]
    Unavailable(String),
    /// The token that came may not be believed.
    #[error("the access token is refused: {0}")]
    Untrusted(#[source] BearerError),
}

impl Provider {
    /// Asks the provider for a token by a user's password. The wait is bounded by the limits of all calls.
    ///
    /// # Errors
    /// [`PasswordError`]; whatever it is, the user is nobody.
    pub async fn password(
        &self,
        username: &str,
        password: &SecretString,
        wanted: &[String],
    ) -> Result<PasswordLogin, PasswordError> {
        let snapshot = self.snapshot().await.map_err(|NotReady| unavailable(&NotReady))?;
        let reply = self.exchange_password(&snapshot, username, password).await?;
        is_bearer(&reply).map_err(|_| PasswordError::Malformed)?;
        let token = SecretString::new(reply.access_token().secret().as_str());
        let bearer = self.own_bearer(token, wanted).await.map_err(PasswordError::Untrusted)?;
        Ok(PasswordLogin { bearer, not_before: reply.extra_fields().not_before() })
    }

    async fn exchange_password(
        &self,
        snapshot: &Snapshot,
        username: &str,
        password: &SecretString,
    ) -> Result<TokenReply, PasswordError> {
        let username = ResourceOwnerUsername::new(username.to_owned());
        let password = ResourceOwnerPassword::new(password.expose().clone());
        let mut request = snapshot.client.exchange_password(&username, &password);
        let params = self.assertion_params(snapshot, self.clock.now());
        for (name, value) in params.map_err(|error: SigningFailed| unavailable(&error))? {
            request = request.add_extra_param(name, value);
        }
        let http = |request| call(self.http.clone(), request);
        request.request_async(&http).await.map_err(PasswordError::from)
    }
}

fn unavailable(error: &dyn std::error::Error) -> PasswordError {
    PasswordError::Unavailable(error.to_string())
}

impl From<RequestTokenError<CallError, TokenRefusal>> for PasswordError {
    /// Keeps no part of an answer that could hold a token.
    fn from(error: RequestTokenError<CallError, TokenRefusal>) -> Self {
        match error {
            RequestTokenError::Request(error) => unavailable(&error),
            RequestTokenError::ServerResponse(refusal) => Self::Refused(refusal_name(&refusal)),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Self::Malformed,
        }
    }
}
