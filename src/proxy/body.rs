//! Bodies on their way through: bounded, never buffered, and never silently cut short.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::upload::Progress;
use crate::message::{Body, BodyError, BodyStream};

/// Ends a stream with [`BodyError::Stalled`] when nothing came for `idle`.
pub struct Watched<S> {
    inner: S,
    idle: Duration,
    /// Armed only while waiting: a body that is ready costs no timer.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Watched<S> {
    /// Watches `inner`.
    pub fn new(inner: S, idle: Duration) -> Self {
        Self { inner, idle, timer: None }
    }
}

impl<S: Stream<Item = Result<Bytes, BodyError>> + Unpin> Stream for Watched<S> {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(item) = self.inner.poll_next_unpin(cx) {
            self.timer = None;
            return Poll::Ready(item);
        }
        let idle = self.idle;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        timer.as_mut().poll(cx).map(|()| Some(Err(BodyError::Stalled)))
    }
}

/// A request's body as hyper sends it.
pub struct Outgoing {
    body: Body,
    allowed: Option<u64>,
    progress: Progress,
}

impl Outgoing {
    /// Sends `body`, at most `allowed` bytes of it, and notes each piece in `progress`.
    pub fn new(body: Body, allowed: Option<u64>, progress: Progress) -> Self {
        Self { body, allowed, progress }
    }

    fn admit(&mut self, piece: Bytes) -> Result<Frame<Bytes>, BodyError> {
        self.progress.note(Instant::now());
        if let Some(allowed) = &mut self.allowed {
            *allowed = allowed.checked_sub(piece.len() as u64).ok_or(BodyError::TooLarge)?;
        }
        Ok(Frame::data(piece))
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let piece = match &mut self.body {
            Body::Empty | Body::Tunnel(_) => None,
            Body::Full(bytes) => Some(Ok(std::mem::take(bytes))).filter(|b| b.as_ref().is_ok_and(|b| !b.is_empty())),
            Body::Stream { stream, .. } => match stream.poll_next_unpin(cx) {
                Poll::Ready(piece) => piece,
                Poll::Pending => {
                    self.progress.wait_for_client();
                    return Poll::Pending;
                }
            },
        };
        let outcome = piece.map(|piece| piece.and_then(|piece| self.admit(piece)));
        match &outcome {
            Some(Ok(_)) => {}
            Some(Err(error)) => self.progress.fail(*error),
            None => self.progress.note(Instant::now()),
        }
        Poll::Ready(outcome)
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Body::Empty | Body::Tunnel(_) => true,
            Body::Full(bytes) => bytes.is_empty(),
            Body::Stream { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Body::Empty | Body::Tunnel(_) => SizeHint::with_exact(0),
            Body::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Stream { length: Some(length), .. } => SizeHint::with_exact(*length),
            Body::Stream { length: None, .. } => SizeHint::default(),
        }
    }
}

/// The same body, ended when the client stalls for `idle`.
pub fn watched(body: Body, idle: Duration) -> Body {
    match body {
        Body::Stream { length, stream } => {
            let stream: BodyStream = Watched::new(stream, idle).boxed_local();
            Body::Stream { length, stream }
        }
        body => body,
    }
}
