//! The one outgoing client for everything but the application: follows no redirect, has timeouts, reads no more than it must,
//! and knows its trusted roots.

use std::{error::Error as _, sync::Arc, time::Duration};

use rustls::RootCertStore;
use thiserror::Error;

/// How calls to the identity server are bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time for a whole call, body included.
    pub total_timeout: Duration,
    /// Connections kept idle per host.
    pub pool_size: usize,
}

/// A client for calls to the identity server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpClient(reqwest::Client);

/// Why a call has no answer. Holds no header and no body.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The connection broke, or the answer was no HTTP.
    #[error("the call broke off: {0}")]
    Broken(String),
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The call took longer than its limit.
    #[error("the call took too long")]
    TimedOut,
    /// The answer is larger than [`MAX_BODY`].
    #[error("the answer is larger than {MAX_BODY} bytes")]
    TooLarge,
    /// The request could not be written.
    #[error("the request cannot be sent: {0}")]
    Unsendable(String),
}

/// Largest answer that is read, in bytes.
pub const MAX_BODY: usize = 1 << 20;

impl HttpClient {
    /// Builds the client.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn build(config: &Config) -> Result<Self, HttpError> {
        #[expect(clippy::disallowed_methods, reason = "the one place that builds an outgoing client")]
        let builder = reqwest::Client::builder();
        builder
            .tls_backend_preconfigured(tls()?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(config.connect_timeout)
            .timeout(config.total_timeout)
            .pool_max_idle_per_host(config.pool_size)
            .build()
            .map(Self)
            .map_err(|e| HttpError::Unsendable(chain(&e)))
    }

    /// Makes one call. Every status is an answer.
    ///
    /// # Errors
    /// When there is no answer, or one that is too large.
    pub async fn call(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, HttpError> {
        let request = reqwest::Request::try_from(request).map_err(|e| HttpError::Unsendable(chain(&e)))?;
        let mut answer = self.0.execute(request).await.map_err(HttpError::from)?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(HttpError::from)? {
            if body.len() + piece.len() > MAX_BODY {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        let mut response = http::Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::TimedOut
        } else if error.is_connect() {
            Self::Connect(chain(&error))
        } else {
            Self::Broken(chain(&error))
        }
    }
}

/// An error with its causes, which reqwest's own text leaves out; without the URL, whose query may hold a secret.
fn chain(error: &reqwest::Error) -> String {
    let mut text = if error.is_builder() { "bad request".to_owned() } else { String::new() };
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = if text.is_empty() { inner.to_string() } else { format!("{text}: {inner}") };
        cause = inner.source();
    }
    text
}

/// TLS with the machine's trusted roots and the embedded ones (Mozilla's), so that an image without a CA folder works.
fn tls() -> Result<rustls::ClientConfig, HttpError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| HttpError::Unsendable(e.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
