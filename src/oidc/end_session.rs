//! Ending things at the provider: revoking a refresh token server to server (RFC 7009), and the address that ends the browser's
//! session there (OpenID Connect RP-Initiated Logout 1.0, section 2).

use http::{HeaderValue, Method, Request, StatusCode, header};
use thiserror::Error;
use url::{Url, form_urlencoded};

use super::{ClientAuth, Provider, provider::Snapshot};
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

impl Provider {
    /// Revokes `refresh_token`.
    ///
    /// # Errors
    /// When the provider did not confirm it.
    pub async fn revoke(&self, refresh_token: &SecretString) -> Result<(), RevokeError> {
        let snapshot = self.snapshot().await.map_err(|_| RevokeError::Nowhere)?;
        let url = snapshot.metadata.revocation_endpoint.as_ref().ok_or(RevokeError::Nowhere)?;
        let answer = self.http.call(self.revocation(&snapshot, url, refresh_token)?).await?;
        match answer.status() {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
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

    fn revocation(
        &self,
        snapshot: &Snapshot,
        url: &Url,
        refresh_token: &SecretString,
    ) -> Result<Request<Vec<u8>>, RevokeError> {
        let client_id = self.config.client_id.as_str();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", refresh_token.expose()).append_pair("token_type_hint", "refresh_token");
        let mut request = Request::new(Vec::new());
        match &self.config.client_auth {
            ClientAuth::SecretBasic(secret) => {
                request.headers_mut().insert(header::AUTHORIZATION, basic(client_id, secret)?);
            }
            ClientAuth::SecretPost(secret) => {
                form.append_pair("client_id", client_id).append_pair("client_secret", secret.expose());
            }
            ClientAuth::None | ClientAuth::SecretJwt { .. } | ClientAuth::PrivateKeyJwt { .. } => {
                form.append_pair("client_id", client_id);
            }
        }
        let assertion = self.assertion_params(snapshot, self.clock.now()).map_err(|_| RevokeError::Unsendable)?;
        for (name, value) in assertion {
            form.append_pair(name, &value);
        }
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.as_str().parse().map_err(|_| RevokeError::Unsendable)?;
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form_type);
        *request.body_mut() = form.finish().into_bytes();
        Ok(request)
    }
}

/// Id and secret form-encoded first (RFC 6749, section 2.3.1).
fn basic(client_id: &str, secret: &SecretString) -> Result<HeaderValue, RevokeError> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret.expose()));
    let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
    let mut value = value.map_err(|_| RevokeError::Unsendable)?;
    value.set_sensitive(true);
    Ok(value)
}
