//! UserInfo (OpenID Connect Core 1.0, section 5.3): claims by the access token, believed only for the ID token's subject.

use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use serde_json::{Map, Value};
use thiserror::Error;
use url::Url;

use super::{Provider, provider::Snapshot, strict_json, verify::VerifyError};
use crate::{
    domain::{SecretString, Subject},
    http_client::HttpError,
};

/// Why UserInfo says nothing that counts.
#[derive(Debug, Error)]
pub enum UserInfoError {
    /// No answer.
    #[error("UserInfo is unavailable: {0}")]
    Http(#[from] HttpError),
    /// Neither JSON nor a signed token.
    #[error("UserInfo's answer is not a JSON object")]
    Malformed,
    /// 401: the access token counts for nothing there.
    #[error("UserInfo refuses the access token")]
    Refused,
    /// A signed answer that may not be believed.
    #[error("UserInfo's signed answer is refused: {0}")]
    Signed(#[source] VerifyError),
    /// Some other status.
    #[error("UserInfo answered with status {0}")]
    Status(StatusCode),
    /// `sub` is missing or another's: the answer could be about anyone (section 5.3.2).
    #[error("UserInfo is about another subject than the ID token")]
    Subject,
    /// The access token cannot stand in a header.
    #[error("the access token cannot be sent")]
    Unsendable,
}

impl UserInfoError {
    /// Whether the provider is in trouble, rather than wrong.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Http(_) => true,
            Self::Status(status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            _ => false,
        }
    }
}

impl Provider {
    fn userinfo_url<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Url> {
        snapshot.metadata.userinfo_endpoint.as_ref().filter(|_| self.config.userinfo)
    }

    /// What UserInfo says of `subject`; `None` when it is switched off, or the provider has none.
    pub(super) async fn userinfo(
        &self,
        snapshot: &Snapshot,
        access_token: &SecretString,
        subject: &Subject,
    ) -> Result<Option<Map<String, Value>>, UserInfoError> {
        match self.userinfo_url(snapshot) {
            Some(url) => self.ask_userinfo(snapshot, url, access_token, subject).await.map(Some),
            None => Ok(None),
        }
    }

    /// What UserInfo at `url` says of `subject`.
    pub(super) async fn ask_userinfo(
        &self,
        snapshot: &Snapshot,
        url: &Url,
        access_token: &SecretString,
        subject: &Subject,
    ) -> Result<Map<String, Value>, UserInfoError> {
        let mut request = Request::new(Vec::new());
        *request.uri_mut() = url.as_str().parse().map_err(|_| UserInfoError::Unsendable)?;
        *request.headers_mut() = bearer(access_token)?;
        let claims = self.read_userinfo(snapshot, self.http.call(request).await?).await?;
        let about = claims.get("sub").and_then(Value::as_str);
        if about == Some(subject.as_str()) { Ok(claims) } else { Err(UserInfoError::Subject) }
    }

    async fn read_userinfo(
        &self,
        snapshot: &Snapshot,
        answer: http::Response<Vec<u8>>,
    ) -> Result<Map<String, Value>, UserInfoError> {
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => return Err(UserInfoError::Refused),
            status => return Err(UserInfoError::Status(status)),
        }
        if !is_signed(answer.headers()) {
            return strict_json::object(answer.body()).map_err(|_| UserInfoError::Malformed);
        }
        let raw = std::str::from_utf8(answer.body()).map_err(|_| UserInfoError::Malformed)?;
        let now = self.clock.now();
        let verified = self.verify_with(snapshot, |verifier, keys| verifier.userinfo_jwt(raw.trim(), keys, now)).await;
        verified.map(|claims| claims.into_inner().all).map_err(UserInfoError::Signed)
    }
}

fn bearer(access_token: &SecretString) -> Result<HeaderMap, UserInfoError> {
    let value = format!("Bearer {}", access_token.expose());
    let mut value = HeaderValue::try_from(value).map_err(|_| UserInfoError::Unsendable)?;
    value.set_sensitive(true);
    let accept = HeaderValue::from_static("application/json, application/jwt");
    Ok(HeaderMap::from_iter([(header::AUTHORIZATION, value), (header::ACCEPT, accept)]))
}

fn is_signed(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    content_type.trim_start().to_ascii_lowercase().starts_with("application/jwt")
}
