//! Kept connections to the application: one pool per worker thread, newest first, each connection driven by a task of its own.
//! The sole file that opens a connection to the application.

use std::{cell::RefCell, io, time::Duration};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::{Instant, timeout},
};

use super::{Upstream, body::Outgoing};

/// Idle connections to one application.
#[derive(Debug)]
pub struct Pool {
    upstream: Upstream,
    connect_timeout: Duration,
    idle: RefCell<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<Outgoing>,
    since: Instant,
}

/// A connection on loan for one exchange.
#[derive(Debug)]
pub struct Loan {
    /// Sends the request.
    pub sender: SendRequest<Outgoing>,
    /// How long it lay idle before; `None` when it was just opened. An application may have closed it meanwhile.
    pub idled: Option<Duration>,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The application refused, or its name does not resolve.
    #[error("cannot connect to the application at {address}")]
    Refused {
        /// Where it should be.
        address: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Nothing answered in time.
    #[error("connecting to the application took too long")]
    TimedOut,
    /// TLS did not come about: the application speaks none, or its certificate may not be believed.
    #[error("no TLS with the application")]
    Distrusted(#[source] io::Error),
    /// The connection broke at once.
    #[error("the application closed a new connection")]
    Broken(#[source] hyper::Error),
}

/// Idle connections kept per worker; more would only be closed by the application's own limits.
const KEPT: usize = 128;
/// Longest idle time of a kept connection: shorter than what common application servers allow (Node 5 s).
const KEPT_FOR: Duration = Duration::from_secs(4);
/// Bound on hyper's read buffer, which otherwise grows with large bodies.
const READ_BUFFER: usize = 128 * 1024;

impl Pool {
    /// An empty pool for `upstream`.
    #[must_use]
    pub fn new(upstream: Upstream, connect_timeout: Duration) -> Self {
        Self { upstream, connect_timeout, idle: RefCell::new(Vec::new()) }
    }

    /// A connection that is ready to send: a kept one if any is, else a new one. Nobody waits for a kept one: it may still be sending
    /// the rest of a body whose answer came early.
    ///
    /// # Errors
    /// When a new one is needed and cannot be had.
    pub async fn borrow(&self) -> Result<Loan, ConnectError> {
        match self.newest() {
            Some(kept) => Ok(Loan { idled: Some(kept.since.elapsed()), sender: kept.sender }),
            // Boxed: connecting is rare, and its state would be moved along with every request.
            None => Box::pin(self.open()).await,
        }
    }

    /// A new connection.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn open(&self) -> Result<Loan, ConnectError> {
        let sender = timeout(self.connect_timeout, self.connect()).await.map_err(|_| ConnectError::TimedOut)??;
        Ok(Loan { sender, idled: None })
    }

    /// Takes a connection back whose last response was read to its end.
    pub fn give_back(&self, sender: SendRequest<Outgoing>) {
        let mut idle = self.idle.borrow_mut();
        if !sender.is_closed() && idle.len() < KEPT {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }

    fn newest(&self) -> Option<Idle> {
        let mut idle = self.idle.borrow_mut();
        if let Some(last) = idle.pop_if(|kept| kept.is_usable()) {
            return Some(last);
        }
        idle.retain(|kept| !kept.sender.is_closed() && kept.since.elapsed() < KEPT_FOR);
        let newest = idle.iter().rposition(Idle::is_usable)?;
        Some(idle.remove(newest))
    }

    async fn connect(&self) -> Result<SendRequest<Outgoing>, ConnectError> {
        match &self.upstream {
            Upstream::Tcp { host, port } => handshake(tcp(host, *port).await?).await,
            Upstream::Tls { host, port, connector } => {
                let stream = tcp(host, *port).await?;
                handshake(connector.connect(stream).await.map_err(ConnectError::Distrusted)?).await
            }
            Upstream::Unix(path) => {
                let refused = |source| ConnectError::Refused { address: path.display().to_string(), source };
                handshake(UnixStream::connect(path).await.map_err(refused)?).await
            }
        }
    }
}

impl Idle {
    fn is_usable(&self) -> bool {
        self.sender.is_ready() && self.since.elapsed() < KEPT_FOR
    }
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let refused = |source| ConnectError::Refused { address: format!("{host}:{port}"), source };
    let stream = TcpStream::connect((host, port)).await.map_err(refused)?;
    stream.set_nodelay(true).map_err(refused)?;
    Ok(stream)
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Outgoing>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // An answer has at most 100 headers, hyper's own limit: with any other it takes 16 KiB from the heap for each answer.
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(READ_BUFFER)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(ConnectError::Broken)?;
    #[expect(clippy::disallowed_methods, reason = "the driver lives and dies with its connection, on its worker")]
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "connection to the application ended");
        }
    });
    Ok(sender)
}
