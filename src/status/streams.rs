//! The streams that are open: tunnels, and bodies that may take long. Each is known by the session it was opened for, so that whoever ends
//! a session can end what it left open.
//!
//! A stream registers first and asks once more whether its session counts afterwards; whoever ends a session writes that down first and
//! closes streams afterwards. So one of the two sees the other.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use dashmap::DashMap;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::domain::{AdapterSessionId, Issuer, Session, Sid, Subject};

/// The streams of this process. As many as connections allow: each entry belongs to one.
#[derive(Debug, Default)]
pub struct Streams {
    open: DashMap<u64, Open>,
    next: AtomicU64,
    stopping: CancellationToken,
}

#[derive(Debug)]
struct Open {
    key: StreamKey,
    end: CancellationToken,
}

/// For whom a stream was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamKey {
    /// The login at this adapter; `None` for a bearer token.
    pub session: Option<AdapterSessionId>,
    /// Who vouched for the user.
    pub issuer: Issuer,
    /// The session at the identity server, when it names one.
    pub sid: Option<Sid>,
    /// The user.
    pub subject: Subject,
}

/// A stream that is known; forgotten when this is dropped.
#[derive(Debug)]
pub struct Registration {
    streams: Arc<Streams>,
    /// `None` for a stream that nobody's session opened.
    id: Option<u64>,
    end: CancellationToken,
}

/// Why a stream must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its session was ended.
    SessionEnded,
    /// The process stops.
    Stopping,
}

impl StreamKey {
    /// The key of what `session` opens.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        Self {
            session: Some(session.adapter_session_id.clone()),
            issuer: session.issuer.clone(),
            sid: session.sid.clone(),
            subject: session.principal.subject.clone(),
        }
    }
}

impl Streams {
    /// Makes a stream known; with no key, as one that only the end of the process ends. The session must be judged once more after this.
    #[must_use]
    pub fn register(self: &Arc<Self>, key: Option<StreamKey>) -> Registration {
        let end = CancellationToken::new();
        let id = key.map(|key| {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            self.open.insert(id, Open { key, end: end.clone() });
            id
        });
        Registration { streams: self.clone(), id, end }
    }

    /// Ends every stream whose key `matches`, and says how many those were. What makes sessions not count must be written down before.
    pub fn close_matching(&self, matches: impl Fn(&StreamKey) -> bool) -> usize {
        let hit = self.open.iter().filter(|open| matches(&open.key));
        hit.inspect(|open| open.end.cancel()).count()
    }

    /// The process stops: tunnels end, since they would not by themselves.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// How many streams of sessions are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

impl Registration {
    /// Waits until the stream must end. Cancel-safe.
    pub async fn ending(&self) -> Ending {
        // Both arms are cancel-safe: a token that is cancelled stays so.
        tokio::select! {
            biased;
            () = self.end.cancelled() => Ending::SessionEnded,
            () = self.streams.stopping.cancelled() => Ending::Stopping,
        }
    }

    /// Waits until the stream's session is ended.
    pub fn session_ended(&self) -> WaitForCancellationFutureOwned {
        self.end.clone().cancelled_owned()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.streams.open.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn key(session: &str) -> StreamKey {
        StreamKey {
            session: Some(AdapterSessionId::new(session)),
            issuer: Issuer::new("https://sso.test"),
            sid: None,
            subject: Subject::new("ada"),
        }
    }

    #[test]
    fn only_the_streams_that_are_meant_are_ended_and_a_stop_ends_all() {
        let streams = Arc::new(Streams::default());
        let (first, second) = (streams.register(Some(key("1"))), streams.register(Some(key("2"))));
        let nobodys = streams.register(None);
        assert_eq!(streams.close_matching(|key| key.session == Some(AdapterSessionId::new("1"))), 1);
        assert_eq!(first.ending().now_or_never(), Some(Ending::SessionEnded));
        assert_eq!((second.ending().now_or_never(), nobodys.ending().now_or_never()), (None, None));
        streams.stop();
        assert_eq!(second.ending().now_or_never(), Some(Ending::Stopping));
        assert_eq!(nobodys.ending().now_or_never(), Some(Ending::Stopping));
        assert!(second.session_ended().now_or_never().is_none());
    }

    #[test]
    fn a_stream_that_is_over_is_forgotten() {
        let streams = Arc::new(Streams::default());
        let registration = streams.register(Some(key("1")));
        assert_eq!(streams.len(), 1);
        drop(registration);
        assert!(streams.is_empty());
        assert_eq!(streams.close_matching(|_| true), 0);
    }
}
