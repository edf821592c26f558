//! Discovery: what the provider says of itself (OpenID Connect Discovery 1.0), checked before it is believed.

use std::fmt;

use http::{Request, StatusCode, header};
use openidconnect::{
    AdditionalProviderMetadata, ProviderMetadata,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType,
    },
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;

use super::ProviderId;
use crate::{
    domain::Issuer,
    http_client::{HttpClient, HttpError},
};

/// What the specification of discovery leaves to others.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Extra {
    #[serde(default)]
    end_session_endpoint: Option<Url>,
    #[serde(default)]
    revocation_endpoint: Option<Url>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl AdditionalProviderMetadata for Extra {}

type Document = ProviderMetadata<
    Extra,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What we use of a provider's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The issuer that tokens must name.
    pub issuer: Issuer,
    /// Where browsers sign in.
    pub authorization_endpoint: Url,
    /// Where codes become tokens.
    pub token_endpoint: Url,
    /// Where the keys are.
    pub jwks_uri: Url,
    /// Where claims are asked for.
    pub userinfo_endpoint: Option<Url>,
    /// Where browsers sign out (OpenID Connect RP-Initiated Logout 1.0).
    pub end_session_endpoint: Option<Url>,
    /// Where tokens are revoked (RFC 7009).
    pub revocation_endpoint: Option<Url>,
    /// Whether every callback carries `iss` (RFC 9207).
    pub sends_issuer: bool,
}

/// Why a provider's metadata is not believed, or not there.
#[derive(Debug, Error)]
pub enum DiscoveryError {
    /// The address cannot be made.
    #[error("the discovery address cannot be made from the configured one")]
    Address,
    /// An endpoint is missing, or would be called over plain http by a provider that is asked by https.
    #[error("discovery names no usable `{0}`")]
    Endpoint(&'static str),
    /// No answer.
    #[error("discovery cannot be fetched from {url}: {error}")]
    Http {
        /// What was asked, without user and query.
        url: String,
        /// Why there is none.
        #[source]
        error: HttpError,
    },
    /// The document is for another issuer.
    #[error("discovery answers for issuer `{found}` where `{expected}` was asked")]
    Issuer {
        /// What was configured.
        expected: Issuer,
        /// What the document says.
        found: Issuer,
    },
    /// Not the JSON that it should be.
    #[error("what {url} answers is not a provider's metadata: {why}")]
    Malformed {
        /// What was asked, without user and query.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Not 200.
    #[error("discovery at {url} answered with status {status}")]
    Status {
        /// What was asked, without user and query.
        url: String,
        /// What was answered.
        status: StatusCode,
    },
}

impl DiscoveryError {
    /// The answer of `url` is not what it should be.
    pub(super) fn malformed(url: &Url, why: &dyn fmt::Display) -> Self {
        Self::Malformed { url: without_secrets(url), why: why.to_string() }
    }

    /// Whether somebody is there who knows of nothing at this address.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: StatusCode::NOT_FOUND, .. })
    }
}

/// An address as logs may hold it: a user, a password or a query may be secret.
fn without_secrets(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // These fail for addresses that can have neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

impl ProviderId {
    /// Where the metadata is: below the issuer, whose last slash is neither lost nor doubled.
    ///
    /// # Errors
    /// When the configured address cannot carry it.
    pub fn discovery_url(&self) -> Result<Url, DiscoveryError> {
        match self {
            Self::Keycloak { auth_server_url, realm } => {
                let mut url = auth_server_url.clone();
                let mut path = url.path_segments_mut().map_err(|()| DiscoveryError::Address)?;
                path.pop_if_empty().extend(["realms", realm, ".well-known", "openid-configuration"]);
                drop(path);
                Ok(url)
            }
            Self::Plain { issuer } => {
                let base = issuer.as_str().strip_suffix('/').unwrap_or(issuer.as_str());
                Url::parse(&format!("{base}/.well-known/openid-configuration")).map_err(|_| DiscoveryError::Address)
            }
        }
    }

    fn expected_issuer(&self) -> Option<&Issuer> {
        match self {
            Self::Keycloak { .. } => None,
            Self::Plain { issuer } => Some(issuer),
        }
    }
}

impl Metadata {
    /// Fetches and checks the metadata of `provider`.
    ///
    /// # Errors
    /// When it is not there or may not be believed.
    pub async fn discover(provider: &ProviderId, http: &HttpClient) -> Result<Self, DiscoveryError> {
        let url = provider.discovery_url()?;
        let document =
            parse(&fetch_json(http, &url).await?).map_err(|error| DiscoveryError::malformed(&url, &error))?;
        let found = Issuer::new(document.issuer().as_str());
        match provider.expected_issuer() {
            Some(expected) if *expected != found => {
                return Err(DiscoveryError::Issuer { expected: expected.clone(), found });
            }
            _ => {}
        }
        Self::checked(found, &document, url.scheme() == "https")
    }

    fn checked(issuer: Issuer, document: &Document, secure: bool) -> Result<Self, DiscoveryError> {
        let usable = |name: &'static str, url: Option<&Url>| match url {
            Some(url) if url.scheme() == "https" || (url.scheme() == "http" && !secure) => Ok(Some(url.clone())),
            Some(_) => Err(DiscoveryError::Endpoint(name)),
            None => Ok(None),
        };
        let needed = |name, url| usable(name, url)?.ok_or(DiscoveryError::Endpoint(name));
        let extra = document.additional_metadata();
        Ok(Self {
            issuer,
            authorization_endpoint: needed("authorization_endpoint", Some(document.authorization_endpoint().url()))?,
            token_endpoint: needed("token_endpoint", document.token_endpoint().map(openidconnect::TokenUrl::url))?,
            jwks_uri: needed("jwks_uri", Some(document.jwks_uri().url()))?,
            userinfo_endpoint: usable(
                "userinfo_endpoint",
                document.userinfo_endpoint().map(openidconnect::UserInfoUrl::url),
            )?,
            end_session_endpoint: usable("end_session_endpoint", extra.end_session_endpoint.as_ref())?,
            revocation_endpoint: usable("revocation_endpoint", extra.revocation_endpoint.as_ref())?,
            sends_issuer: extra.authorization_response_iss_parameter_supported.unwrap_or(false),
        })
    }
}

fn parse(body: &[u8]) -> Result<Document, serde_json::Error> {
    serde_json::from_slice(body)
}

/// A JSON document by `GET`; the content type is not asked for, since providers differ.
pub(super) async fn fetch_json(http: &HttpClient, url: &Url) -> Result<Vec<u8>, DiscoveryError> {
    let mut request = Request::new(Vec::new());
    *request.uri_mut() = url.as_str().parse().map_err(|_| DiscoveryError::Address)?;
    request.headers_mut().insert(header::ACCEPT, http::HeaderValue::from_static("application/json"));
    let answer = http.call(request).await;
    let answer = answer.map_err(|error| DiscoveryError::Http { url: without_secrets(url), error })?;
    if answer.status() == StatusCode::OK {
        Ok(answer.into_body())
    } else {
        Err(DiscoveryError::Status { url: without_secrets(url), status: answer.status() })
    }
}

#[cfg(test)]
mod tests;
