//! Ending things at the provider: revoking a refresh token server to server (RFC 7009, or Keycloak's logout endpoint), and the address
//! that ends the browser's session there (OpenID Connect RP-Initiated Logout 1.0, section 2).

use http::StatusCode;
use thiserror::Error;
use url::Url;

use super::{Provider, authenticated_form};
use crate::{domain::SecretString, http_client::HttpError};

/// Why a refresh token is not known to be revoked.
#[derive(Debug, Error)]
pub enum RevokeError {
    /// No answer.
    #[error("the revocation endpoint is unavailable: {0}")]
    Http(#[from] HttpError),
    /// The provider has no such endpoint, or has not been reached.
    #[error("the provider has no revocation endpoint")]
    Nowhere,
    /// Not 200.
    #[error("the revocation endpoint answered with status {0}")]
    Status(StatusCode),
    /// The request cannot be made.
    #[error("the revocation request cannot be made")]
    Unsendable,
}

impl From<authenticated_form::Unsendable> for RevokeError {
    fn from(_: authenticated_form::Unsendable) -> Self {
        Self::Unsendable
    }
}

impl Provider {
    /// Revokes `refresh_token`. A Keycloak realm without a revocation endpoint (before 10) ends the token's session at its logout endpoint
    /// instead, as Keycloak's adapters do (`ServerRequest.invokeLogout`).
    ///
    /// # Errors
    /// When the provider did not confirm it.
    pub async fn revoke(&self, refresh_token: &SecretString) -> Result<(), RevokeError> {
        let snapshot = self.snapshot().await.map_err(|_| RevokeError::Nowhere)?;
        let token = refresh_token.expose().as_str();
        let request = if let Some(url) = &snapshot.metadata.revocation_endpoint {
            self.authenticated_form(&snapshot, url, &[("token", token), ("token_type_hint", "refresh_token")])
        } else {
            let realms = snapshot.metadata.end_session_endpoint.as_ref().filter(|_| self.is_keycloak());
            self.authenticated_form(&snapshot, realms.ok_or(RevokeError::Nowhere)?, &[("refresh_token", token)])
        };
        let answer = self.http.call(request?).await?;
        match answer.status() {
            StatusCode::OK if snapshot.metadata.revocation_endpoint.is_some() => Ok(()),
            StatusCode::NO_CONTENT => Ok(()),
            status => Err(RevokeError::Status(status)),
        }
    }

    /// Where a browser ends its session at the provider; `None` when the provider has no such place.
    pub async fn end_session_url(
        &self,
        id_token_hint: Option<&SecretString>,
        return_to: &Url,
        state: &str,
    ) -> Option<Url> {
        let snapshot = self.snapshot().await.ok()?;
        let mut url = snapshot.metadata.end_session_endpoint.clone()?;
        let mut query = url.query_pairs_mut();
        if let Some(hint) = id_token_hint {
            query.append_pair("id_token_hint", hint.expose());
        }
        query
            .append_pair("post_logout_redirect_uri", return_to.as_str())
            .append_pair("client_id", self.config.client_id.as_str())
            .append_pair("state", state);
        drop(query);
        Some(url)
    }
}
