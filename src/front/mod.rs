//! The public listener's front on actix-web: makes a framework-neutral [`Request`] of what came in, and what goes out of a
//! [`Response`]. It decides nothing but what can no longer be told behind it: the form of the request target, and the size of
//! the head.

pub mod patience;
pub mod socket;
pub mod tunnel;

use std::{cell::RefCell, rc::Rc, sync::Arc};

use actix_http::{ConnectionType, RequestHead, StatusCode as WireStatus, Version, header as wire};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodyStream as ActixStream, BoxBody, MessageBody, None as NoBody, SizedStream},
    web,
};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tracing::Instrument;

use crate::{
    current::Current,
    domain::Random,
    message::{Body, BodyError, BodyStream, Request, RequestId, RequestIds, Response, Transport, handshake},
    proxy::{Limits, Local, body::watched},
    respond::{Audience, Refusal},
    session::RequestCookies,
    site::Site,
    status::Metrics,
    target::Target,
};
use patience::{Answering, Turn};

/// What one worker thread serves with: the site as it is now, and connections of its own to that site's application.
#[derive(Debug)]
pub struct Worker {
    site: Current<Site>,
    local: RefCell<Option<(Arc<Site>, Rc<Local>)>>,
    metrics: Arc<Metrics>,
    ids: RequestIds,
}

impl Worker {
    /// A worker that has served nothing yet.
    #[must_use]
    pub fn new(site: Current<Site>, metrics: Arc<Metrics>, random: Arc<dyn Random>) -> Self {
        Self { site, local: RefCell::new(None), metrics, ids: RequestIds::new(random) }
    }

    /// The site, and what this worker keeps for it: a site that was swapped in begins anew.
    fn current(&self) -> (Arc<Site>, Rc<Local>) {
        let site = self.site.get();
        let mut held = self.local.borrow_mut();
        match &*held {
            Some((of, local)) if Arc::ptr_eq(of, &site) => (site, local.clone()),
            _ => {
                let local = Rc::new(site.proxy.local());
                *held = Some((site.clone(), local.clone()));
                (site, local)
            }
        }
    }
}

/// actix-web's handler of every request.
pub async fn handle(worker: web::Data<Rc<Worker>>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let id = worker.ids.next();
    // The site names it: a trusted peer may have given the request its own id.
    let span = tracing::info_span!("request", id = tracing::field::Empty);
    answer(&worker, request, payload, id).instrument(span).await
}

async fn answer(worker: &Worker, request: HttpRequest, payload: web::Payload, id: RequestId) -> HttpResponse {
    let (site, local) = worker.current();
    let answering = request.conn_data::<Rc<Turn>>().map(Turn::answer);
    let head = request.method() == actix_http::Method::HEAD;
    let transport = request.conn_data::<Transport>().copied();
    let response = match incoming(request.head(), transport, payload, &site.limits, id.clone()) {
        Ok(request) => site.serve(&local, request.into()).await,
        Err(refusal) => refused(&site, request.head(), refusal, &id),
    };
    tracing::debug!(
        target: "doorward::access",
        method = %request.method(),
        path = request.path(),
        status = response.status.as_u16(),
        "answered"
    );
    worker.metrics.request(response.status);
    let mut answer = outgoing(response, head, answering);
    if request.version() < Version::HTTP_11 {
        // HTTP/1.0 knows no chunks (RFC 9112, section 6.1): only the end of the connection ends a body of unknown length.
        answer.head_mut().no_chunking(true);
        answer.head_mut().set_connection_type(ConnectionType::Close);
    }
    answer
}

/// A refusal from before the site was asked. A head that is too large is often so by our own cookies.
fn refused(site: &Site, request: &RequestHead, refusal: Refusal, id: &RequestId) -> Response {
    id.record();
    let too_large = refusal == Refusal::HeadTooLarge;
    let mut response = refusal.into_response(Audience::of(&headers_of(request)), id);
    if too_large {
        let cookies = RequestCookies::from_fields(
            request.headers.get_all(wire::COOKIE).map(actix_http::header::HeaderValue::as_bytes),
        );
        site.login.clear_cookies(&cookies, &mut response.headers);
    }
    response
}

fn incoming(
    head: &RequestHead,
    transport: Option<Transport>,
    payload: web::Payload,
    limits: &Limits,
    id: RequestId,
) -> Result<Request, Refusal> {
    let mut request = head_of(head, transport, limits, id)?;
    request.body = watched(body_of(&request.headers, payload)?, limits.idle_timeout);
    Ok(request)
}

/// All of a request but its body.
fn head_of(
    head: &RequestHead,
    transport: Option<Transport>,
    limits: &Limits,
    id: RequestId,
) -> Result<Request, Refusal> {
    let target = target_of(head)?;
    refuse_oversized(head, limits)?;
    let headers = headers_of(head);
    let method = Method::from_bytes(head.method.as_str().as_bytes()).map_err(|_| Refusal::NotImplemented)?;
    refuse_expectation(&headers)?;
    let peer = head.peer_addr.map(|peer| peer.ip().to_canonical());
    let transport = transport.unwrap_or(Transport::Plain);
    Ok(Request { method, target, headers, peer, transport, id, body: Body::Empty, handshake: None })
}

fn target_of(head: &RequestHead) -> Result<Target, Refusal> {
    let uri = &head.uri;
    if uri.scheme().is_some() || uri.authority().is_some() {
        return Err(Refusal::BadRequest("The request target must be a path.".into()));
    }
    let raw = uri.path_and_query().map_or("", |target| target.as_str());
    Target::parse(raw).map_err(|error| Refusal::BadRequest(error.sentence().into()))
}

fn refuse_oversized(request: &RequestHead, limits: &Limits) -> Result<(), Refusal> {
    // Name, value, colon, blank and line end, as on the wire.
    let size: usize = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let line = request.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if size + line > limits.header_bytes || request.headers.len() > limits.header_count {
        Err(Refusal::HeadTooLarge)
    } else {
        Ok(())
    }
}

/// Room for headers that the request path adds for the application, so that the map need not grow.
const ADDED: usize = 9;

fn headers_of(request: &RequestHead) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(request.headers.len() + ADDED);
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// actix has answered `100-continue` already; nothing else can be expected (RFC 9110, section 10.1.1).
fn refuse_expectation(headers: &HeaderMap) -> Result<(), Refusal> {
    let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if headers.get_all(header::EXPECT).iter().all(known) { Ok(()) } else { Err(Refusal::ExpectationFailed) }
}

/// A request has a body when its head says so (RFC 9112, section 6.3).
fn body_of(headers: &HeaderMap, payload: web::Payload) -> Result<Body, Refusal> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    match (length, chunked) {
        (None | Some(0), false) => Ok(Body::Empty),
        // Without one it would not have come here, but to the tunnel's front.
        _ if handshake::is_asked(headers) => {
            Err(Refusal::BadRequest(handshake::HandshakeError::Body.sentence().into()))
        }
        (length, _) => {
            let stream = payload.map(|piece| piece.map_err(|_| BodyError::Broken)).boxed_local();
            Ok(Body::Stream { length, stream })
        }
    }
}

fn outgoing(response: Response, head: bool, answering: Option<Answering>) -> HttpResponse {
    let status = WireStatus::from_u16(response.status.as_u16()).unwrap_or(WireStatus::INTERNAL_SERVER_ERROR);
    let mut answer = HttpResponse::with_body(status, body_out(response.status, response.body, head, answering));
    for (name, value) in &response.headers {
        let name = wire::HeaderName::from_bytes(name.as_str().as_bytes());
        let value = wire::HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}

/// The body; one that streams keeps the request under way to its end.
fn body_out(status: StatusCode, body: Body, head: bool, answering: Option<Answering>) -> BoxBody {
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    match body {
        // A tunnel is the answer to a handshake, which is not asked for here.
        Body::Empty | Body::Tunnel(_) if bodiless => NoBody::new().boxed(),
        Body::Empty | Body::Tunnel(_) => BoxBody::new(()),
        Body::Full(bytes) => BoxBody::new(bytes),
        Body::Stream { length: Some(length), stream } => {
            BoxBody::new(SizedStream::new(length, holding(stream, answering)))
        }
        Body::Stream { length: None, .. } if head => NoBody::new().boxed(),
        Body::Stream { length: None, stream } => BoxBody::new(ActixStream::new(holding(stream, answering))),
    }
}

fn holding(stream: BodyStream, answering: Option<Answering>) -> BodyStream {
    stream
        .inspect(move |_| {
            let _held = &answering;
        })
        .boxed_local()
}
