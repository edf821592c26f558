//! How far a request's body has come, told to whoever waits for the answer: an upload may take long as long as it moves.

use std::{cell::Cell, future::Future, pin::Pin, rc::Rc, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::message::BodyError;

/// Shared by a body on its way to the application and the wait for the answer; both live on one thread.
#[derive(Clone, Debug)]
pub struct Progress(Rc<State>);

#[derive(Debug)]
struct State {
    moved: Cell<Instant>,
    /// The application would take more, and the client has not sent it.
    client_owes: Cell<bool>,
    failed: Cell<Option<BodyError>>,
}

/// The application did not begin its answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

impl Progress {
    /// Starts at `now`.
    pub fn from(now: Instant) -> Self {
        Self(Rc::new(State { moved: Cell::new(now), client_owes: Cell::new(false), failed: Cell::new(None) }))
    }

    /// A piece of the body, or its end, went out at `now`.
    pub fn note(&self, now: Instant) {
        self.0.client_owes.set(false);
        self.0.moved.set(now);
    }

    /// The next piece was asked for and is not there.
    pub fn wait_for_client(&self) {
        self.0.client_owes.set(true);
    }

    /// The body ended with `error`.
    pub fn fail(&self, error: BodyError) {
        self.0.failed.set(Some(error));
    }

    /// Why the body ended early, if it did.
    pub fn failure(&self) -> Option<BodyError> {
        self.0.failed.get()
    }

    /// Waits for `answer`, for `patience` after the last piece of the body at the longest. A client that stalls is not the
    /// application's fault: that wait ends with the body's own limit. An application that takes no more of the body is.
    ///
    /// # Errors
    /// When that time has passed.
    pub async fn wait_for<F: Future>(
        &self,
        mut answer: Pin<&mut F>,
        patience: Duration,
    ) -> Result<F::Output, TimedOut> {
        loop {
            let from = if self.0.client_owes.get() { Instant::now() } else { self.0.moved.get() };
            let deadline = from + patience;
            // Both arms are cancel-safe: the answer is polled again where it was, a timer loses nothing.
            tokio::select! {
                biased;
                answer = answer.as_mut() => return Ok(answer),
                () = sleep_until(deadline) => {
                    if !self.0.client_owes.get() && self.0.moved.get() + patience <= deadline {
                        return Err(TimedOut);
                    }
                }
            }
        }
    }
}
