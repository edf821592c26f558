//! A request and a response as every front sees them: actix-web's `App` and the upgrade service today, and later HTTP/2,
//! which bypasses `App` too. Nothing in here knows a server framework.

pub mod handshake;
mod request_ids;

use std::{fmt, net::IpAddr};

use bytes::Bytes;
use futures_util::{future::LocalBoxFuture, stream::LocalBoxStream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::target::Target;
pub use handshake::Handshake;
pub use request_ids::RequestIds;

/// A request as it came in: nothing in it is believed yet but its one reading.
pub struct Request {
    /// The method, upper and lower case told apart.
    pub method: Method,
    /// The target, which has one reading.
    pub target: Target,
    /// The headers as sent.
    pub headers: HeaderMap,
    /// The address of the socket's other end; `None` on a unix socket.
    pub peer: Option<IpAddr>,
    /// What carried it to us.
    pub transport: Transport,
    /// Our name for this request, in logs, pages and `X-Request-Id`.
    pub id: RequestId,
    /// The body.
    pub body: Body,
    /// That it asks for a WebSocket; only a front that can open one says so.
    pub handshake: Option<Handshake>,
}

/// What a connection to us is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Nothing hides it: TLS, if any, ended before us.
    Plain,
    /// TLS that ends here.
    Tls,
}

/// A response on its way out.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

/// A correlation id: random, or what a trusted peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

/// A message body.
pub enum Body {
    /// No body at all.
    Empty,
    /// A body that is in memory.
    Full(Bytes),
    /// A body that comes piece by piece.
    Stream {
        /// Its length in bytes, when the sender said so.
        length: Option<u64>,
        /// Its pieces.
        stream: BodyStream,
    },
    /// No body: with the head of a 101 the connection is switched, and this carries what passes on it. In answers to a
    /// [`Handshake`] only.
    Tunnel(Box<dyn Tunnel>),
}

/// A connection's bytes, both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

/// What passes on a connection that was switched to another protocol.
pub trait Tunnel {
    /// Carries it between `client` and the other end until one of the two has ended; `already` came from the client behind its request.
    fn carry(self: Box<Self>, client: Box<dyn Duplex>, already: Bytes) -> LocalBoxFuture<'static, ()>;
}

/// The pieces of a body, on the thread of its connection.
pub type BodyStream = LocalBoxStream<'static, Result<Bytes, BodyError>>;

/// Why a body ended before its end.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BodyError {
    /// The sender went away or broke the framing.
    #[error("the body broke off")]
    Broken,
    /// Nothing came for longer than the idle limit.
    #[error("the body stalled")]
    Stalled,
    /// More came than the body limit allows.
    #[error("the body is larger than allowed")]
    TooLarge,
}

impl Request {
    /// Takes the id that a trusted peer gave this request, if it gave a usable one.
    pub fn adopt_id(&mut self) {
        if let Some(id) = self.headers.get(RequestId::HEADER).and_then(RequestId::accept) {
            self.id = id;
        }
    }
}

impl Response {
    /// An empty response with `status`.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Body::Empty }
    }

    /// Adds a header; other values of the same name stay.
    #[must_use]
    pub fn with(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Body::Full(body.into());
        self
    }
}

impl RequestId {
    /// The header that tells it.
    pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
    /// Longest id accepted from a peer.
    const MAX_LEN: usize = 64;

    /// Takes an id that a trusted peer sent: 1 to 64 visible characters of a narrow set.
    #[must_use]
    pub fn accept(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let fits = (1..=Self::MAX_LEN).contains(&bytes.len());
        let plain = bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:=+/".contains(b));
        (fits && plain).then(|| Self(value.clone()))
    }

    /// Makes an id of 96 random bits.
    #[must_use]
    pub fn random(random: &dyn crate::domain::Random) -> Self {
        let mut token = crate::domain::opaque_token(random);
        token.truncate(16);
        Self(HeaderValue::try_from(token).unwrap_or(HeaderValue::from_static("-")))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("-")
    }

    /// Writes the id into the current span, so that every line logged for this request carries it.
    pub fn record(&self) {
        tracing::Span::current().record("id", self.as_str());
    }

    /// The id as a header's value.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Request {
    /// Without headers and query: they hold cookies, tokens and codes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, target, peer, id, .. } = self;
        write!(f, "Request({id}: {method} {} from {peer:?})", target.path())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Full(bytes) => write!(f, "Full({} bytes)", bytes.len()),
            Self::Stream { length, .. } => write!(f, "Stream({length:?})"),
            Self::Tunnel(_) => f.write_str("Tunnel"),
        }
    }
}
