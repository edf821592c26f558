//! The one outgoing client for everything but the application: follows no redirect, has timeouts, reads no more than it must,
//! and believes whom it was told to.

use std::{error::Error as _, fmt, time::Duration};

use thiserror::Error;
use url::Url;

use crate::{
    domain::SecretString,
    tls::{Identity, Trust},
};

/// How calls to the identity server are bounded.
#[derive(Clone, Debug)]
pub struct Config {
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time for a whole call, body included.
    pub total_timeout: Duration,
    /// Connections kept idle per host.
    pub pool_size: usize,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// What we show to a server that asks who we are.
    pub identity: Option<Identity>,
    /// The forward proxy that all calls go through; what the environment says of proxies never counts.
    pub proxy: Option<ForwardProxy>,
}

/// A forward proxy: `http://[user:password@]host[:port]`. Secret as a whole, since it may hold a password.
#[derive(Clone, Debug)]
pub struct ForwardProxy(SecretString);

/// A client for calls to the identity server. Cheap to clone.
#[derive(Clone)]
pub struct HttpClient(reqwest::Client);

/// Why a call has no answer. Holds no header and no body.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The connection broke, or the answer was no HTTP.
    #[error("the call broke off: {0}")]
    Broken(String),
    /// No connection, also not in time. Nothing was sent.
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
        let tls = config.trust.client(config.identity.as_ref()).map_err(|e| HttpError::Unsendable(e.to_string()))?;
        let builder = match &config.proxy {
            None => builder.no_proxy(),
            Some(proxy) => builder.no_proxy().proxy(proxy.to_reqwest()?),
        };
        builder
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
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

/// Says nothing: a proxy's password may be in it.
impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

impl ForwardProxy {
    /// Reads `http://[user:password@]host[:port]`. A proxy that is itself spoken to by TLS is not supported.
    ///
    /// # Errors
    /// What is wrong with it, without quoting it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "must be a URL, for example `http://proxy.example.com:3128`")?;
        match &url {
            url if url.scheme() != "http" => Err("must begin with `http://`"),
            url if url.path() != "/" || url.query().is_some() || url.fragment().is_some() => {
                Err("must be scheme, host and port only, with or without `user:password@`")
            }
            _ => Ok(Self(SecretString::new(text))),
        }
    }

    fn to_reqwest(&self) -> Result<reqwest::Proxy, HttpError> {
        reqwest::Proxy::all(self.0.expose()).map_err(|_| HttpError::Unsendable("the proxy cannot be used".to_owned()))
    }
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        // First: a connection that does not come about in time is both, and nothing has left by it.
        if error.is_connect() {
            Self::Connect(chain(&error))
        } else if error.is_timeout() {
            Self::TimedOut
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    /// Here it is the TLS handshake that is never answered; a host that is gone looks the same.
    #[tokio::test]
    async fn a_connection_that_does_not_come_about_in_time_is_one_that_sent_nothing() {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let config = Config {
            connect_timeout: Duration::from_millis(200),
            total_timeout: Duration::from_secs(30),
            pool_size: 1,
            trust: Trust::default(),
            identity: None,
            proxy: None,
        };
        let request = http::Request::post(format!("https://{}/", silent.local_addr().unwrap())).body(Vec::new());
        let answer = HttpClient::build(&config).unwrap().call(request.unwrap()).await;
        assert!(matches!(answer, Err(HttpError::Connect(_))), "{answer:?}");
    }
}
