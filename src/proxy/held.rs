//! What may last: tunnels, and bodies that may take long, are tied to the session they were opened for.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{Proxy, Stopped, forward::Answer, tunnel::Tunnel, validity::Current};
use crate::{
    message::{Body, BodyError, BodyStream, Response},
    status::Registration,
};

/// Bodies of a known length up to this many bytes are not worth the trouble: they are soon over.
const SOON_OVER: u64 = 1 << 20;

impl Proxy {
    /// Ties `answer` to `session` where it may last. It is made known first and the session asked for once more then: of two that meet, its
    /// end and this answer, one sees the other.
    pub(super) fn hold(&self, answer: Answer, current: Option<&Current>) -> Result<Response, Stopped> {
        match (answer, current) {
            (Answer::Whole(response), Some(_)) if may_last(&response.body) => {
                let registration = self.register(current)?;
                let Response { status, headers, body } = response;
                Ok(Response { status, headers, body: until_ended(body, registration) })
            }
            (Answer::Whole(response), _) => Ok(response),
            (Answer::Switched(mut response, application), current) => {
                let registration = self.register(current)?;
                let (idle, metrics) = (self.limits.idle_timeout, self.parts.metrics.clone());
                let lasts = current.map(|current| current.lasts_until(self.parts.judge.lifetimes));
                let lasts = lasts.map(|end| end.since(self.parts.clock.now()));
                let most = [lasts, self.limits.tunnel_max].into_iter().flatten().min();
                response.body = Body::Tunnel(Box::new(Tunnel { application, idle, most, registration, metrics }));
                Ok(response)
            }
        }
    }

    /// Ties a body on its way to the application to `session` where it may last: an upload ends with the session that it was begun with.
    pub(super) fn hold_upload(&self, body: Body, current: Option<&Current>) -> Result<Body, Stopped> {
        if current.is_none() || !may_last(&body) {
            return Ok(body);
        }
        Ok(until_ended(body, self.register(current)?))
    }

    fn register(&self, current: Option<&Current>) -> Result<Registration, Stopped> {
        let registration = self.parts.streams.register(current.map(Current::owner));
        match current.map(|current| self.parts.judge.endings.revocations.check(current, self.parts.clock.now())) {
            Some(Err(_)) => Err(Stopped::SignInNeeded),
            Some(Ok(())) | None => Ok(registration),
        }
    }
}

fn may_last(body: &Body) -> bool {
    match body {
        Body::Stream { length, .. } => length.is_none_or(|length| length > SOON_OVER),
        Body::Empty | Body::Full(_) | Body::Tunnel(_) => false,
    }
}

fn until_ended(body: Body, registration: Registration) -> Body {
    match body {
        Body::Stream { length, stream } => {
            let ended = Box::pin(registration.session_ended());
            Body::Stream { length, stream: Held { stream, ended, _registration: registration }.boxed_local() }
        }
        body => body,
    }
}

/// A body that breaks off when the session ends that it was asked for with.
struct Held {
    stream: BodyStream,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    _registration: Registration,
}

impl Stream for Held {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended.as_mut().poll(cx).is_ready() {
            // Not a plain end: what was cut short must not look whole.
            return Poll::Ready(Some(Err(BodyError::Broken)));
        }
        self.stream.poll_next_unpin(cx)
    }
}
