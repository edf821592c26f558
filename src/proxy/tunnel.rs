//! A WebSocket once it is open: bytes pass both ways until one end leaves, nothing has come for too long, or it must end. An idle tunnel
//! holds no buffer: bytes are read into the stack and kept only where the other end takes no more.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use futures_util::future::LocalBoxFuture;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadBuf},
    time::{Instant, Sleep, sleep_until, timeout},
};

use super::frames::Frames;
use crate::{
    message::{self, Duplex},
    status::{Ending, Metrics, Registration},
};

/// An open WebSocket's end at the application, and how long it may last.
pub struct Tunnel<A> {
    /// The connection to the application.
    pub application: A,
    /// Longest silence of both ends together.
    pub idle: Duration,
    /// Longest time in all; `None`: any.
    pub most: Option<Duration>,
    /// By which others can end it.
    pub registration: Registration,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// What ended a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Application,
    Client,
    /// Its future was dropped: the server ended with it.
    Dropped,
    Ended(Ending),
    Idle,
    Limit,
}

/// One end has left: how long the other may take to finish. Also how long a client may take to read a farewell.
const FINISH_WITHIN: Duration = Duration::from_millis(900);
/// Bytes read at once.
const PIECE: usize = 16 * 1024;
/// Close codes (RFC 6455, section 7.4.1).
const GOING_AWAY: u16 = 1001;
const POLICY_VIOLATION: u16 = 1008;

impl<A: Duplex + 'static> message::Tunnel for Tunnel<A> {
    fn carry(self: Box<Self>, client: Box<dyn Duplex>, already: Bytes) -> LocalBoxFuture<'static, ()> {
        Box::pin(self.run(client, already))
    }
}

impl<A: Duplex> Tunnel<A> {
    async fn run(self: Box<Self>, mut client: Box<dyn Duplex>, already: Bytes) {
        let Self { application, idle, most, registration, metrics } = *self;
        let mut counted = Counted::open(metrics);
        let mut traffic = Traffic::new(application, already, idle, most);
        let outcome = {
            let mut ending = pin!(registration.ending());
            let mut timer = pin!(sleep_until(traffic.deadline()));
            poll_fn(|cx| {
                // First, so that nothing more passes once it must end.
                if let Poll::Ready(ending) = ending.as_mut().poll(cx) {
                    return Poll::Ready(Outcome::Ended(ending));
                }
                traffic.poll(cx, &mut client, timer.as_mut())
            })
            .await
        };
        counted.outcome = outcome;
        let is_between_frames = traffic.down.is_between_frames();
        // The application's end closes at once; the client may be told why.
        drop(traffic);
        drop(registration);
        if let Some(code) = outcome.close_code().filter(|_| is_between_frames) {
            let _ = timeout(FINISH_WITHIN, dismiss(client, code)).await;
        }
    }
}

/// Both directions and the clock on them.
struct Traffic<A> {
    application: A,
    /// From the client.
    up: Flow,
    /// To the client.
    down: Flow,
    idle: Duration,
    moved: Instant,
    limit: Option<Instant>,
    /// Who left first, and when that is at the latest followed by the other.
    left: Option<(Outcome, Instant)>,
}

impl<A: Duplex> Traffic<A> {
    fn new(application: A, already: Bytes, idle: Duration, most: Option<Duration>) -> Self {
        let moved = Instant::now();
        let up = Flow { waiting: already, ..Flow::default() };
        let limit = most.and_then(|most| moved.checked_add(most));
        Self { application, up, down: Flow::default(), idle, moved, limit, left: None }
    }

    fn deadline(&self) -> Instant {
        let idle = self.moved + self.idle;
        [self.limit, self.left.map(|(_, at)| at)].into_iter().flatten().fold(idle, Instant::min)
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Box<dyn Duplex>,
        mut timer: Pin<&mut Sleep>,
    ) -> Poll<Outcome> {
        let up = self.up.poll(cx, client, &mut self.application);
        let down = self.down.poll(cx, &mut self.application, client);
        if std::mem::take(&mut self.up.moved) | std::mem::take(&mut self.down.moved) {
            self.moved = Instant::now();
        }
        let left = match (up, down) {
            (Poll::Pending, Poll::Pending) => None,
            (Poll::Ready(()), _) => Some(Outcome::Client),
            (_, Poll::Ready(())) => Some(Outcome::Application),
        };
        if let Some(who) = left {
            let (who, at) = *self.left.get_or_insert((who, Instant::now() + FINISH_WITHIN));
            if up.is_ready() && down.is_ready() || Instant::now() >= at {
                return Poll::Ready(who);
            }
        }
        self.poll_timer(cx, timer.as_mut())
    }

    /// The timer runs to some earlier deadline, and is set anew only when that has come.
    fn poll_timer(&self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<Outcome> {
        loop {
            let deadline = self.deadline();
            if deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= deadline {
                return Poll::Ready(self.outcome_at(deadline));
            }
            timer.as_mut().reset(deadline);
        }
    }

    fn outcome_at(&self, deadline: Instant) -> Outcome {
        match self.left {
            Some((who, at)) if at <= deadline => who,
            _ if self.limit.is_some_and(|limit| limit <= deadline) => Outcome::Limit,
            _ => Outcome::Idle,
        }
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Flow {
    /// What was read and not yet taken.
    waiting: Bytes,
    /// Something was written that may not be on its way yet.
    unflushed: bool,
    stage: Stage,
    /// Bytes have passed since somebody looked.
    moved: bool,
    frames: Frames,
}

/// How far a direction has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// The sender has ended; the receiver does not know yet.
    Ended,
    /// Nothing more passes.
    Over,
}

impl Flow {
    /// Passes on what there is. Ready when the sender has ended and the receiver was told, or can be told nothing more.
    fn poll(&mut self, cx: &mut Context<'_>, from: &mut dyn Duplex, to: &mut dyn Duplex) -> Poll<()> {
        if self.stage != Stage::Over {
            // An end that fails is an end.
            let _ = ready!(self.poll_passing(cx, from, to));
            self.stage = Stage::Over;
        }
        Poll::Ready(())
    }

    fn poll_passing(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut dyn Duplex,
        to: &mut dyn Duplex,
    ) -> Poll<io::Result<()>> {
        let mut space = [const { MaybeUninit::<u8>::uninit() }; PIECE];
        loop {
            while !self.waiting.is_empty() {
                let taken = ready!(self.poll_write(cx, to, None))?;
                self.waiting.advance(taken);
            }
            // An allocation that a slow receiver needed goes with the need.
            self.waiting = Bytes::new();
            if self.stage == Stage::Ended {
                return Pin::new(to).poll_shutdown(cx);
            }
            let mut piece = ReadBuf::uninit(&mut space);
            match Pin::new(&mut *from).poll_read(cx, &mut piece) {
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => self.take(cx, to, piece.filled())?,
                Poll::Ready(_) => self.stage = Stage::Ended,
                Poll::Pending => {
                    if self.unflushed {
                        ready!(Pin::new(to).poll_flush(cx))?;
                        self.unflushed = false;
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Takes a piece that was read; what the receiver does not take at once waits.
    fn take(&mut self, cx: &mut Context<'_>, to: &mut dyn Duplex, mut piece: &[u8]) -> io::Result<()> {
        self.moved = true;
        while !piece.is_empty() {
            match self.poll_write(cx, to, Some(piece)) {
                Poll::Ready(taken) => piece = &piece[taken?..],
                Poll::Pending => {
                    self.waiting = Bytes::copy_from_slice(piece);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Writes of `piece`, or of what waits.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut dyn Duplex,
        piece: Option<&[u8]>,
    ) -> Poll<io::Result<usize>> {
        let bytes = piece.unwrap_or(&self.waiting);
        let taken = ready!(Pin::new(to).poll_write(cx, bytes))?;
        if taken == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.frames.pass(&bytes[..taken]);
        (self.moved, self.unflushed) = (true, true);
        Poll::Ready(Ok(taken))
    }

    fn is_between_frames(&self) -> bool {
        self.stage == Stage::Open && self.frames.is_between()
    }
}

impl Outcome {
    /// A word for metrics.
    fn word(self) -> &'static str {
        match self {
            Self::Application => "application_left",
            Self::Client => "client_left",
            Self::Dropped => "dropped",
            Self::Ended(Ending::SessionEnded) => "session_ended",
            Self::Ended(Ending::Stopping) => "stopping",
            Self::Idle => "idle",
            Self::Limit => "limit",
        }
    }

    /// What a client is told that did not leave by itself.
    fn close_code(self) -> Option<u16> {
        match self {
            Self::Application | Self::Client | Self::Dropped => None,
            Self::Ended(Ending::SessionEnded) | Self::Limit => Some(POLICY_VIOLATION),
            Self::Ended(Ending::Stopping) | Self::Idle => Some(GOING_AWAY),
        }
    }
}

/// An open tunnel as it is counted, however it ends.
struct Counted {
    metrics: Arc<Metrics>,
    outcome: Outcome,
}

impl Counted {
    fn open(metrics: Arc<Metrics>) -> Self {
        metrics.tunnel_opened();
        Self { metrics, outcome: Outcome::Dropped }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        tracing::debug!(outcome = self.outcome.word(), "a tunnel is closed");
        self.metrics.tunnel_closed(self.outcome.word());
    }
}

/// Sends a close frame of a server, and reads what still comes, so that the frame is not lost with a connection that is reset.
async fn dismiss(mut client: Box<dyn Duplex>, code: u16) -> io::Result<()> {
    let [high, low] = code.to_be_bytes();
    client.write_all(&[0x88, 2, high, low]).await?;
    client.shutdown().await?;
    let mut ignored = [0; 512];
    while client.read(&mut ignored).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests;
