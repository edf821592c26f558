//! The public listener's front for requests that may become tunnels. actix hands over the bare connection with every `Upgrade: websocket`
//! and `CONNECT`, past `App`; the same [`Request`] is made of it, the same site answers, and the answer is written here by hand. It is the
//! last one on its connection: nobody can tell where a refused tunnel's bytes end and a next request would begin.

use std::{convert::Infallible, fmt::Write as _, io, rc::Rc, time::Duration};

use actix_codec::{Framed, FramedParts};
use actix_http::{Request as WireRequest, RequestHead, Version, h1::Codec};
use bytes::BytesMut;
use futures_util::StreamExt;
use http::{Method, StatusCode, header};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tracing::Instrument;

use super::{Worker, head_of, patience::Turn, refused};
use crate::{
    message::{
        Body, BodyStream, Duplex, Handshake, Request, RequestId, Response, Transport, Tunnel, handshake::HandshakeError,
    },
    proxy::Limits,
    respond::Refusal,
};

/// Longest wait for a client to close a connection on which it was refused.
const LINGER: Duration = Duration::from_secs(1);
/// What a client may send behind its handshake before that is answered; more waits in the socket.
const MOST_AHEAD: usize = 16 * 1024;

/// A connection that left actix, and what was read of it too far.
struct Connection<S> {
    io: S,
    read: BytesMut,
}

/// A connection that was switched, with what carries it.
type Switched<S> = (Connection<S>, Box<dyn Tunnel>);

/// actix-http's handler of every request after which a connection may not be HTTP any more.
///
/// # Errors
/// Never: whatever fails ends this connection alone.
pub async fn serve<S: Duplex + 'static>(
    worker: Rc<Worker>,
    request: WireRequest,
    framed: Framed<S, Codec>,
) -> Result<(), Infallible> {
    // Until the connection ends: no further request is waited for.
    let _answering = request.conn_data::<Rc<Turn>>().map(Turn::answer);
    let id = worker.ids.next();
    let span = tracing::info_span!("request", id = tracing::field::Empty);
    // Boxed, so that an open tunnel does not keep what opening it needed.
    let opening = Box::pin(open(worker, request, framed, id));
    async {
        match opening.await {
            Ok(Some((Connection { io, read }, tunnel))) => {
                // An empty buffer is let go of here: bound by its name it would live, 8 KiB, as long as the tunnel.
                let already = Some(read).filter(|read| !read.is_empty()).map(BytesMut::freeze).unwrap_or_default();
                tunnel.carry(Box::new(io), already).await;
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "a client left before its tunnel was open"),
        }
    }
    .instrument(span)
    .await;
    Ok(())
}

async fn open<S: Duplex>(
    worker: Rc<Worker>,
    request: WireRequest,
    framed: Framed<S, Codec>,
    id: RequestId,
) -> io::Result<Option<Switched<S>>> {
    let (site, local) = worker.current();
    let FramedParts { io, read_buf: read, write_buf, .. } = framed.into_parts();
    let mut connection = Connection { io, read };
    // Answers to requests before this one, which actix has not sent yet.
    connection.write(&write_buf, &site.limits).await?;
    drop(write_buf);
    let transport = request.conn_data::<Transport>().copied();
    let response = match incoming(request.head(), transport, &site.limits, id.clone()) {
        // Neither arm is polled again once the other is done.
        Ok(request) => tokio::select! {
            response = site.serve(&local, request.into()) => response,
            error = connection.left() => return Err(error),
        },
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
    let head = request.method() == actix_http::Method::HEAD;
    connection.answer(response, head, &site.limits).await.map(|tunnel| tunnel.map(|tunnel| (connection, tunnel)))
}

fn incoming(
    head: &RequestHead,
    transport: Option<Transport>,
    limits: &Limits,
    id: RequestId,
) -> Result<Request, Refusal> {
    let mut request = head_of(head, transport, limits, id)?;
    let version = if head.version == Version::HTTP_11 { http::Version::HTTP_11 } else { http::Version::HTTP_10 };
    request.handshake = match Handshake::read(&request.method, version, &request.headers) {
        Ok(handshake) => Some(handshake),
        // Refused by the rules as it is on every path.
        Err(_) if request.method == Method::CONNECT => None,
        Err(HandshakeError::Version) => return Err(Refusal::WebSocketVersion),
        Err(error) => return Err(Refusal::BadRequest(error.sentence().into())),
    };
    Ok(request)
}

impl<S: Duplex> Connection<S> {
    /// Waits until the client leaves; what it sends meanwhile is kept. Cancel-safe.
    async fn left(&mut self) -> io::Error {
        while self.read.len() < MOST_AHEAD {
            match self.io.read_buf(&mut self.read).await {
                Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
        std::future::pending().await
    }

    /// Writes `response`. A 101 leaves the connection to its tunnel; after anything else it is closed.
    async fn answer(&mut self, response: Response, head: bool, limits: &Limits) -> io::Result<Option<Box<dyn Tunnel>>> {
        self.write(&head_bytes(&response), limits).await?;
        match response.body {
            Body::Tunnel(tunnel) => return Ok(Some(tunnel)),
            _ if head || is_bodiless(response.status) => {}
            Body::Empty => {}
            Body::Full(bytes) => self.write(&bytes, limits).await?,
            Body::Stream { length, stream } => self.stream(stream, length.is_none(), limits).await?,
        }
        // A connection closed with unread bytes is reset, and the answer perhaps lost.
        let _ = timeout(LINGER, self.close()).await;
        Ok(None)
    }

    async fn stream(&mut self, mut stream: BodyStream, chunked: bool, limits: &Limits) -> io::Result<()> {
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(io::Error::other)?;
            if chunked && !piece.is_empty() {
                self.write(format!("{:x}\r\n", piece.len()).as_bytes(), limits).await?;
            }
            self.write(&piece, limits).await?;
            if chunked && !piece.is_empty() {
                self.write(b"\r\n", limits).await?;
            }
        }
        if chunked { self.write(b"0\r\n\r\n", limits).await } else { Ok(()) }
    }

    async fn write(&mut self, bytes: &[u8], limits: &Limits) -> io::Result<()> {
        let writing = async {
            self.io.write_all(bytes).await?;
            self.io.flush().await
        };
        timeout(limits.idle_timeout, writing).await?
    }

    async fn close(&mut self) -> io::Result<()> {
        self.io.shutdown().await?;
        loop {
            self.read.clear();
            if self.io.read_buf(&mut self.read).await? == 0 {
                return Ok(());
            }
        }
    }
}

fn is_bodiless(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// A response's head as it is on the wire (RFC 9112), with a framing of our own.
fn head_bytes(response: &Response) -> Vec<u8> {
    let mut line =
        format!("HTTP/1.1 {} {}\r\n", response.status.as_u16(), response.status.canonical_reason().unwrap_or("-"));
    match &response.body {
        Body::Tunnel(_) => {}
        _ if response.headers.contains_key(header::UPGRADE) => line.push_str("connection: close, upgrade\r\n"),
        _ => line.push_str("connection: close\r\n"),
    }
    let length = match &response.body {
        _ if is_bodiless(response.status) => None,
        Body::Tunnel(_) => None,
        Body::Empty => Some(0),
        Body::Full(bytes) => Some(bytes.len() as u64),
        Body::Stream { length: Some(length), .. } => Some(*length),
        Body::Stream { length: None, .. } => {
            line.push_str("transfer-encoding: chunked\r\n");
            None
        }
    };
    if let Some(length) = length {
        // Writing to a String cannot fail.
        let _ = write!(line, "content-length: {length}\r\n");
    }
    let mut bytes = line.into_bytes();
    for (name, value) in response.headers.iter().filter(|(name, _)| **name != header::CONTENT_LENGTH) {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}
