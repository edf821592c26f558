//! A client's connection: as it comes, or under TLS once hands were shaken.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_rt::net::{ActixStream, Ready};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::message::Transport;

/// A connection, plain or not.
#[derive(Debug)]
pub enum Socket<S> {
    /// As it comes.
    Plain(S),
    /// Under TLS. Boxed: its state is large.
    Tls(Box<TlsStream<S>>),
}

impl<S: ActixStream> Socket<S> {
    /// Takes a new connection: with a `tls` hands must be shaken within `patience`.
    ///
    /// # Errors
    /// When they are not: the client spoke something else, broke off, or was too slow.
    pub async fn accept(socket: S, tls: Option<&TlsAcceptor>, patience: Duration) -> io::Result<Self> {
        let Some(acceptor) = tls else { return Ok(Self::Plain(socket)) };
        let shaken = timeout(patience, acceptor.accept(socket)).await.unwrap_or_else(|late| Err(late.into()));
        // Nobody is told: the port is open to scanners, who could fill the log.
        let stream = shaken.inspect_err(|error| tracing::debug!(%error, "no TLS with a client"))?;
        Ok(Self::Tls(Box::new(stream)))
    }

    /// What carries the requests on it.
    pub fn transport(&self) -> Transport {
        match self {
            Self::Plain(_) => Transport::Plain,
            Self::Tls(_) => Transport::Tls,
        }
    }

    fn inner(&self) -> &S {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl<S: ActixStream> AsyncRead for Socket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl<S: ActixStream> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

impl<S: ActixStream> ActixStream for Socket<S> {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.inner().poll_read_ready(cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.inner().poll_write_ready(cx)
    }
}
