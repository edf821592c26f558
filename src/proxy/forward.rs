//! Stage 6: pass on. Streams both ways; what ends at a hop ends here.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, Method, Uri, header};
use http_body::Body as _;
use hyper::{body::Incoming, client::conn::http1::SendRequest, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::time::Instant;

use super::{
    Limits,
    body::{Outgoing, Watched},
    inject::strip_hop_by_hop,
    pool::{ConnectError, Loan, Pool},
    upload::Progress,
};
use crate::{
    message::{Body, BodyError, Handshake, Response},
    respond::Refusal,
    target::Target,
};

/// A request as the application will see it.
#[derive(Debug)]
pub struct Forwarded {
    /// The method.
    pub method: Method,
    /// The canonical target.
    pub target: Target,
    /// The headers, stripped and injected.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// That a WebSocket is asked for.
    pub handshake: Option<Handshake>,
}

/// What the application says.
pub enum Answer {
    /// The head of a 101 that agrees to the handshake, and the connection, which is a WebSocket from now on.
    Switched(Response, TokioIo<Upgraded>),
    /// An answer as any.
    Whole(Response),
}

/// Why the application's answer did not come.
#[derive(Debug, Error)]
pub enum ForwardError {
    /// The client's body broke off, stalled or is too large.
    #[error("the request's body failed")]
    Body(#[source] BodyError),
    /// The application broke off before its answer, or spoke no HTTP.
    #[error("the application broke off")]
    Broken(#[source] hyper::Error),
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The application is silent.
    #[error("the application did not begin its answer in time")]
    TimedOut,
    /// The application switched protocols without being asked, or not to what it was asked for.
    #[error("the application switched protocols unasked")]
    Unasked,
    /// The target cannot be written as a URI.
    #[error("the request target cannot be forwarded")]
    Unforwardable(#[source] http::uri::InvalidUri),
}

/// A connection that idled longer than this may have been closed meanwhile; what can be sent again is kept for that.
const SUSPECT_AFTER: Duration = Duration::from_millis(500);

/// Sends `request` to the application and gives its answer as soon as its head is there.
///
/// # Errors
/// When no answer came.
pub async fn forward(pool: &Rc<Pool>, mut request: Forwarded, limits: &Limits) -> Result<Answer, ForwardError> {
    let method = request.method.clone();
    let handshake = request.handshake.take();
    if let Some(handshake) = &handshake {
        handshake.name(&mut request.headers);
    }
    let progress = Progress::from(Instant::now());
    let wire = wire(request, limits, &progress)?;
    let exchange = std::pin::pin!(exchange(pool, wire));
    let answered = progress.wait_for(exchange, limits.response_timeout).await.map_err(|_| ForwardError::TimedOut)?;
    let (response, sender) = answered.map_err(|error| progress.failure().map_or(error, ForwardError::Body))?;
    if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
        let handshake = handshake.ok_or(ForwardError::Unasked)?;
        // Boxed, as everything rare on this way: its state would be moved along with every request.
        return Box::pin(switched(response, &handshake)).await;
    }
    let lease = Lease { sender: Some(sender), pool: pool.clone() };
    Ok(Answer::Whole(incoming(response, &method, lease, limits.idle_timeout)))
}

/// The connection behind a 101, which never goes back to the pool.
async fn switched(mut response: http::Response<Incoming>, handshake: &Handshake) -> Result<Answer, ForwardError> {
    if !handshake.is_accepted(response.headers()) {
        return Err(ForwardError::Unasked);
    }
    let connection = hyper::upgrade::on(&mut response).await.map_err(ForwardError::Broken)?;
    let (mut head, _) = response.into_parts();
    strip_hop_by_hop(&mut head.headers);
    handshake.name(&mut head.headers);
    let response = Response { status: head.status, headers: head.headers, body: Body::Empty };
    Ok(Answer::Switched(response, TokioIo::new(connection)))
}

fn wire(
    request: Forwarded,
    limits: &Limits,
    progress: &Progress,
) -> Result<Box<http::Request<Outgoing>>, ForwardError> {
    let uri = Uri::try_from(request.target.to_string()).map_err(ForwardError::Unforwardable)?;
    let mut wire = http::Request::new(Outgoing::new(request.body, limits.body_bytes, progress.clone()));
    *wire.method_mut() = request.method;
    *wire.uri_mut() = uri;
    *wire.headers_mut() = request.headers;
    Ok(Box::new(wire))
}

type Exchanged = (http::Response<Incoming>, SendRequest<Outgoing>);

/// One exchange; once more on a new connection when a kept one turns out to be dead and nothing was done with the request.
async fn exchange(pool: &Pool, request: Box<http::Request<Outgoing>>) -> Result<Exchanged, ForwardError> {
    let mut loan = pool.borrow().await?;
    let Some(idled) = loan.idled else { return Box::pin(send(loan, *request)).await };
    let spare = (idled > SUSPECT_AFTER).then(|| repeatable(&request)).flatten().map(Box::new);
    match loan.sender.try_send_request(*request).await {
        Ok(response) => Ok((response, loan.sender)),
        Err(mut failed) => match failed.take_message().or(spare.map(|spare| *spare)) {
            Some(request) => Box::pin(send_anew(pool, request)).await,
            None => Err(ForwardError::Broken(failed.into_error())),
        },
    }
}

async fn send_anew(pool: &Pool, request: http::Request<Outgoing>) -> Result<Exchanged, ForwardError> {
    send(pool.open().await?, request).await
}

async fn send(mut loan: Loan, request: http::Request<Outgoing>) -> Result<Exchanged, ForwardError> {
    let response = loan.sender.send_request(request).await.map_err(ForwardError::Broken)?;
    Ok((response, loan.sender))
}

/// A copy of a request that may be sent twice: safe (RFC 9110, section 9.2.1) and without a body.
fn repeatable(request: &http::Request<Outgoing>) -> Option<http::Request<Outgoing>> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD) && request.body().is_end_stream();
    safe.then(|| {
        let mut copy = http::Request::new(Outgoing::new(Body::Empty, None, Progress::from(Instant::now())));
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        copy
    })
}

fn incoming(response: http::Response<Incoming>, method: &Method, mut lease: Lease, idle: Duration) -> Response {
    let (mut head, body) = response.into_parts();
    strip_hop_by_hop(&mut head.headers);
    let body = if *method == Method::HEAD {
        // Its connection is not used again: whether the application sends a body all the same shows when it is too late, and a
        // body that others may have chosen would be read as the answer to the next request.
        drop(lease);
        head_body(&head.headers)
    } else if body.is_end_stream() {
        lease.settle();
        Body::Empty
    } else {
        whole_or_arriving(body, lease, idle)
    };
    Response { status: head.status, headers: head.headers, body }
}

/// The body. One that came with its head is not made a stream of, which costs more than passing it on.
fn whole_or_arriving(mut body: Incoming, mut lease: Lease, idle: Duration) -> Body {
    let length = body.size_hint().exact();
    let first = length.and_then(|_| at_once(&mut body));
    match first {
        Some(Ok(data)) if body.is_end_stream() => {
            lease.settle();
            Body::Full(data)
        }
        first => Body::Stream { length, stream: Watched::new(Arriving { first, body, lease }, idle).boxed_local() },
    }
}

/// What is there of a body of known length. Nobody is to be woken for more: whoever polls it as a stream says anew who is.
fn at_once(body: &mut Incoming) -> Option<Result<Bytes, BodyError>> {
    match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().ok().map(Ok),
        Poll::Ready(Some(Err(_)) | None) => Some(Err(BodyError::Broken)),
        Poll::Pending => None,
    }
}

/// No body, and how long it would be.
fn head_body(headers: &HeaderMap) -> Body {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    Body::Stream { length, stream: futures_util::stream::empty().boxed_local() }
}

/// A connection while its response is being read; back to the pool when it was read to its end, closed otherwise.
struct Lease {
    sender: Option<SendRequest<Outgoing>>,
    pool: Rc<Pool>,
}

impl Lease {
    fn settle(&mut self) {
        if let Some(sender) = self.sender.take() {
            self.pool.give_back(sender);
        }
    }
}

/// A response's body as it arrives. An error is passed on, so that a truncated body stays visibly so.
struct Arriving {
    /// What was there already.
    first: Option<Result<Bytes, BodyError>>,
    body: Incoming,
    lease: Lease,
}

impl Stream for Arriving {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        loop {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => return Poll::Pending,
            };
            match frame {
                None => self.lease.settle(),
                // Trailers end at this hop.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return Poll::Ready(Some(Ok(data))),
                    Err(_) => continue,
                },
                Some(Err(_)) => return Poll::Ready(Some(Err(BodyError::Broken))),
            }
            return Poll::Ready(None);
        }
    }
}

impl ForwardError {
    /// A word for metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Body(_) => "request_body",
            Self::Broken(_) | Self::Unasked => "broken",
            Self::Connect(ConnectError::Distrusted(_)) => "tls",
            Self::Connect(_) => "connect",
            Self::TimedOut => "timeout",
            Self::Unforwardable(_) => "target",
        }
    }

    /// What kind of no this is.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Body(BodyError::TooLarge) => Refusal::BodyTooLarge,
            Self::Body(BodyError::Broken | BodyError::Stalled) => {
                Refusal::BadRequest("The request's body did not arrive.".into())
            }
            Self::Broken(_) | Self::Unasked | Self::Connect(ConnectError::Broken(_)) => Refusal::UpstreamBroken,
            Self::Connect(ConnectError::Refused { .. } | ConnectError::Distrusted(_)) => Refusal::UpstreamUnreachable,
            Self::Connect(ConnectError::TimedOut) | Self::TimedOut => Refusal::UpstreamTimeout,
            Self::Unforwardable(_) => Refusal::BadRequest("The request target cannot be forwarded.".into()),
        }
    }
}
