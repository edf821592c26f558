//! Patience with a connection between two requests. actix's own limit for a request head holds for the first one only; after that a client
//! could begin a head and never end it, and a handful of clients would hold every connection (attack case 68). Here the head of each further
//! request has to come within the same time of its first byte.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_rt::net::{ActixStream, Ready};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// A connection's socket, watched while no request is under way on it.
#[derive(Debug)]
pub struct Watched<S> {
    socket: S,
    turn: Rc<Turn>,
    /// Fires at the deadline or before it, never more than the time for a head ahead: so a deadline that moves, as it does twice with each
    /// request, never needs the timer to be moved. When it fires too early, it is set anew.
    timer: Option<Pin<Box<Sleep>>>,
}

/// Whose turn it is on one connection: shared by its socket and the requests on it.
#[derive(Debug)]
pub struct Turn {
    /// Requests that are being answered.
    under_way: Cell<usize>,
    /// When the next head must be complete, while none is.
    deadline: Cell<Option<Instant>>,
    /// The first byte of the next head has come.
    begun: Cell<bool>,
    head: Duration,
    idle: Duration,
}

/// A request that is being answered; the client's turn begins when the last one is dropped.
#[derive(Debug)]
pub struct Answering(Rc<Turn>);

impl<S> Watched<S> {
    /// Watches `socket`: after the first answer the next head may begin within `idle` and must then be complete within `head`.
    pub fn new(socket: S, head: Duration, idle: Duration) -> Self {
        let turn = Turn { under_way: Cell::new(0), deadline: Cell::new(None), begun: Cell::new(false), head, idle };
        Self { socket, turn: Rc::new(turn), timer: None }
    }

    /// What is watched.
    pub fn socket(&self) -> &S {
        &self.socket
    }

    /// Whose turn it is.
    pub fn turn(&self) -> Rc<Turn> {
        self.turn.clone()
    }

    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.turn.deadline.get() else { return false };
        let head = self.turn.head;
        let next_look = |now: Instant| deadline.min(now + head);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(next_look(Instant::now()))));
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now >= deadline {
                return true;
            }
            timer.as_mut().reset(next_look(now));
        }
        false
    }
}

impl Turn {
    /// A request's head is complete.
    pub fn answer(self: &Rc<Self>) -> Answering {
        self.under_way.set(self.under_way.get() + 1);
        self.deadline.set(None);
        Answering(self.clone())
    }

    fn bytes_came(&self) {
        if self.deadline.get().is_some() && !self.begun.replace(true) {
            self.deadline.set(Some(Instant::now() + self.head));
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let turn = &self.0;
        turn.under_way.set(turn.under_way.get() - 1);
        if turn.under_way.get() == 0 {
            turn.begun.set(false);
            // Not from the first byte alone: that may have come with the request before.
            turn.deadline.set(Some(Instant::now() + turn.idle + turn.head));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_overdue(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.turn.bytes_came();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

impl<S: ActixStream> ActixStream for Watched<S> {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.socket.poll_read_ready(cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.socket.poll_write_ready(cx)
    }
}
