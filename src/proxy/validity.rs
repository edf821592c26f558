//! Stage 3: still true? Here sessions and revocations meet; what passes is [`Current`].

use crate::{
    domain::{Lifetimes, Session, SessionStatus, Timestamp},
    revocation::Revocations,
};

/// A session that was found true for this request. Only [`judge`] makes one.
#[derive(Debug)]
pub struct Current(Session);

/// Why a presented session does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapsed {
    /// Past its idle or absolute limit.
    Ended,
    /// Ended before its time.
    Revoked,
    /// Its access token has ended; a new, silent sign-in renews it.
    Stale,
}

impl Current {
    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.0
    }

    /// Writes this use down, when the last one written is old enough. Says whether it did: the session then has to be saved.
    pub fn touch(&mut self, now: Timestamp, lifetimes: Lifetimes) -> bool {
        let due = self.0.wants_touch(now, lifetimes);
        if due {
            self.0.last_seen = now;
        }
        due
    }
}

/// Judges a presented session at `now` (this node's clock).
///
/// # Errors
/// Why it does not count.
pub fn judge(
    session: Session,
    now: Timestamp,
    lifetimes: Lifetimes,
    revocations: &Revocations,
) -> Result<Current, Lapsed> {
    revocations.check(&session).map_err(|_| Lapsed::Revoked)?;
    match session.status(now, lifetimes) {
        SessionStatus::Ended => Err(Lapsed::Ended),
        SessionStatus::Live => Ok(Current(session)),
        SessionStatus::Stale => Err(Lapsed::Stale),
    }
}
