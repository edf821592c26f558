//! What the application is told in a request of our own, not of any user's. It bears `MARK`, a name that is taken out of what clients send
//! (`inject`), in every spelling and on every path: so whoever has it speaks for us.

use std::{rc::Rc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use thiserror::Error;

use super::{
    Chain, Limits, Upstream,
    forward::{Answer, ForwardError, Forwarded, forward},
    pool::Pool,
};
use crate::{
    caller,
    message::Body,
    target::{Target, TargetError},
};

/// Where the application wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    target: Target,
    method: Method,
}

/// Tells the application. It has connections of its own, so that users' requests do not wait for it.
#[derive(Debug)]
pub struct Events {
    config: Config,
    headers: HeaderMap,
    pool: Rc<Pool>,
    limits: Limits,
}

/// Why the application was not told, or did not say that it was.
#[derive(Debug, Error)]
pub enum EventError {
    /// Its answer is no success.
    #[error("the application answers {0}")]
    Refused(StatusCode),
    /// It does not answer.
    #[error("{}", Chain(.0))]
    Unanswered(#[from] ForwardError),
}

/// What only we can say; the value is the event's name.
const MARK: HeaderName = HeaderName::from_static("x-doorward-event");
const LOGOUT: HeaderValue = HeaderValue::from_static("logout");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("doorward/", env!("CARGO_PKG_VERSION")));
/// Longest time until the application answers: it has only to note what it hears.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

impl Config {
    /// Takes a canonical path.
    ///
    /// # Errors
    /// When servers could read it in two ways, so that no request is sent with it.
    pub fn new(path: &str, method: Method) -> Result<Self, TargetError> {
        Ok(Self { target: Target::parse(path)?, method })
    }

    /// The path, as it is sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }
}

impl Events {
    /// Events for the application at `upstream`. It is called by the name that users call it by, since many applications answer to no other.
    /// `limits` are those of users' requests, and 5 s for the whole wait if that is less.
    #[must_use]
    pub fn new(config: Config, upstream: Upstream, limits: Limits, caller: &caller::Config) -> Self {
        let limits = Limits {
            connect_timeout: limits.connect_timeout.min(ANSWER_WITHIN),
            response_timeout: limits.response_timeout.min(ANSWER_WITHIN),
            ..limits
        };
        let pool = Rc::new(Pool::new(upstream, limits.connect_timeout));
        Self { config, headers: headers(caller), pool, limits }
    }

    /// Tells that sessions ended; `json` says which. An answer of 2xx is a yes; what else stands in it is not read.
    ///
    /// # Errors
    /// When the application did not say yes. It may have heard all the same.
    pub async fn logout(&self, json: String) -> Result<(), EventError> {
        let request = Forwarded {
            method: self.config.method.clone(),
            target: self.config.target.clone(),
            headers: self.headers.clone(),
            body: Body::Full(json.into()),
            handshake: None,
        };
        match forward(&self.pool, request, &self.limits).await? {
            Answer::Whole(answer) if answer.status.is_success() => Ok(()),
            Answer::Whole(answer) | Answer::Switched(answer, _) => Err(EventError::Refused(answer.status)),
        }
    }
}

fn headers(caller: &caller::Config) -> HeaderMap {
    let origin = caller.public_url.as_ref();
    let host = origin.map(caller::Origin::authority).or(caller.allowed_hosts.first().map(String::as_str));
    let mut headers = HeaderMap::new();
    headers.insert(MARK, LOGOUT);
    headers.insert(header::USER_AGENT, AGENT);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
        .insert(header::HOST, host.and_then(|host| host.parse().ok()).unwrap_or(HeaderValue::from_static("localhost")));
    if let Some(origin) = origin {
        headers.insert("x-forwarded-proto", HeaderValue::from_static(origin.scheme()));
    }
    headers
}
