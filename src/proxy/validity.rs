//! Stage 3: still true? Here sessions and revocations meet; what passes is [`Current`].

use std::sync::Arc;

use crate::{
    domain::{Lifetimes, Session, SessionStatus, Timestamp},
    revocation::Revocations,
};

/// A session that was found true for this request. Only [`judge`] makes one.
#[derive(Debug)]
pub struct Current(Arc<Session>);

/// How a presented session stands.
#[derive(Debug)]
pub enum Standing {
    /// It counts.
    Current(Current),
    /// There is none, or one past its limits.
    Nobody,
    /// Ended before its time.
    Revoked,
    /// Its access token has ended: it opens nothing, but it can still be signed out.
    Stale(Arc<Session>),
}

impl Current {
    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.0
    }

    /// Writes this use down, when the last one written is old enough. Says whether it did: the session then has to be saved. A session
    /// that was ended while its request was under way is not: a late answer must not sign anybody in again.
    pub fn touch(&mut self, now: Timestamp, lifetimes: Lifetimes, revocations: &Revocations) -> bool {
        let due = self.0.wants_touch(now, lifetimes) && revocations.check(&self.0).is_ok();
        if due {
            Arc::make_mut(&mut self.0).last_seen = now;
        }
        due
    }
}

impl Standing {
    /// The session, if it counts.
    #[must_use]
    pub fn current(self) -> Option<Current> {
        match self {
            Self::Current(current) => Some(current),
            _ => None,
        }
    }

    /// Why a session does not count, as a word for metrics; `None` when it does, or there is none.
    #[must_use]
    pub fn lapsed(&self) -> Option<&'static str> {
        match self {
            Self::Current(_) | Self::Nobody => None,
            Self::Revoked => Some("revoked"),
            Self::Stale(_) => Some("stale"),
        }
    }
}

/// Judges a presented session at `now` (this node's clock).
#[must_use]
pub fn judge(session: Arc<Session>, now: Timestamp, lifetimes: Lifetimes, revocations: &Revocations) -> Standing {
    if revocations.check(&session).is_err() {
        return Standing::Revoked;
    }
    match session.status(now, lifetimes) {
        SessionStatus::Ended => Standing::Nobody,
        SessionStatus::Live => Standing::Current(Current(session)),
        SessionStatus::Stale => Standing::Stale(session),
    }
}
