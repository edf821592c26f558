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

use crate::domain::{Session, Sid, Subject, Timestamp};

/// The streams of this process. As many as connections allow: each entry belongs to one.
#[derive(Debug, Default)]
pub struct Streams {
    open: DashMap<u64, Open>,
    next: AtomicU64,
    stopping: CancellationToken,
}

#[derive(Debug)]
struct Open {
    owner: Owner,
    end: CancellationToken,
}

/// For whom a stream was opened.
#[derive(Clone, Debug)]
pub enum Owner {
    /// For a session, in its newest state that is known of it here.
    Session(Arc<Session>),
    /// For a bearer token.
    Token(TokenOwner),
}

/// Whose a bearer token is, and of when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenOwner {
    /// The session at the identity server, when it names one.
    pub sid: Option<Sid>,
    /// The user.
    pub subject: Subject,
    /// `iat`, the identity server's clock.
    pub issued_at: Timestamp,
    /// Its end, on this node's clock.
    pub ends: Timestamp,
}

/// A stream that is open.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Its number here.
    pub id: u64,
    /// For whom.
    pub owner: Owner,
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

impl Streams {
    /// Makes a stream known; without an owner, as one that only the end of the process ends. The session must be judged once more after this.
    #[must_use]
    pub fn register(self: &Arc<Self>, owner: Option<Owner>) -> Registration {
        let end = CancellationToken::new();
        let id = owner.map(|owner| {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            self.open.insert(id, Open { owner, end: end.clone() });
            id
        });
        Registration { streams: self.clone(), id, end }
    }

    /// Ends every stream whose owner `matches`, and says how many those were. What makes sessions not count must be written down before.
    pub fn close_matching(&self, matches: impl Fn(&Owner) -> bool) -> usize {
        let hit = self.open.iter().filter(|open| !open.end.is_cancelled() && matches(&open.owner));
        hit.inspect(|open| open.end.cancel()).count()
    }

    /// The streams whose owner is `wanted`.
    #[must_use]
    pub fn list(&self, wanted: impl Fn(&Owner) -> bool) -> Vec<Opened> {
        let open = self.open.iter().filter(|open| !open.end.is_cancelled() && wanted(&open.owner));
        open.map(|open| Opened { id: *open.key(), owner: open.owner.clone() }).collect()
    }

    /// Takes over what became of the session that a stream was opened for.
    pub fn follow(&self, id: u64, session: Arc<Session>) {
        if let Some(mut open) = self.open.get_mut(&id) {
            open.owner = Owner::Session(session);
        }
    }

    /// Ends one stream.
    pub fn close(&self, id: u64) {
        if let Some(open) = self.open.get(&id) {
            open.end.cancel();
        }
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

    fn of(subject: &str) -> Owner {
        let at = Timestamp::from_secs(1);
        Owner::Token(TokenOwner { sid: None, subject: Subject::new(subject), issued_at: at, ends: at })
    }

    fn is(owner: &Owner, subject: &str) -> bool {
        matches!(owner, Owner::Token(token) if token.subject.as_str() == subject)
    }

    #[test]
    fn only_the_streams_that_are_meant_are_ended_and_a_stop_ends_all() {
        let streams = Arc::new(Streams::default());
        let (first, second) = (streams.register(Some(of("1"))), streams.register(Some(of("2"))));
        let nobodys = streams.register(None);
        assert_eq!(streams.close_matching(|owner| is(owner, "1")), 1);
        assert_eq!(streams.close_matching(|owner| is(owner, "1")), 0, "it is closed once");
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
        let registration = streams.register(Some(of("1")));
        assert_eq!(streams.len(), 1);
        drop(registration);
        assert!(streams.is_empty());
        assert_eq!(streams.close_matching(|_| true), 0);
    }
}
