//! What must stop working now. This is the truth; removing cookies and closing sessions is housekeeping that follows.
//!
//! A revocation is `(key, cut, keep-until)`: it outlives every session that it can hit. Today the keys are adapter session ids, ended at
//! this node, and the not-before of single subjects, which Keycloak tells with its tokens; the identity server's own messages will join
//! them here.

use std::time::Duration;

use thiserror::Error;

use crate::{
    domain::{AdapterSessionId, Session, Subject, Timestamp},
    expiring::{Expiring, Room},
};

/// Most revocations held of each kind. Beyond that one goes before its time; it is logged, since a copied cookie could then live again
/// until its own end.
const CAPACITY: usize = 1_000_000;

/// The revocations that this process knows.
#[derive(Debug)]
pub struct Revocations {
    ended: Expiring<AdapterSessionId, ()>,
    /// Tokens of a subject from before this instant (the identity server's clock) count no more.
    not_before: Expiring<Subject, Timestamp>,
}

/// Something that was ended before its time.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the session was ended")]
pub struct Revoked;

/// What a session or a bearer token can be hit by.
#[derive(Clone, Copy, Debug)]
pub struct Marks<'a> {
    /// Which login it is; a bearer token is none of ours.
    pub adapter_session_id: Option<&'a AdapterSessionId>,
    /// The user.
    pub subject: &'a Subject,
    /// `iat` of the newest access token, the identity server's clock.
    pub token_iat: Timestamp,
}

impl<'a> From<&'a Session> for Marks<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            adapter_session_id: Some(&session.adapter_session_id),
            subject: &session.principal.subject,
            token_iat: session.token_iat,
        }
    }
}

impl Default for Revocations {
    fn default() -> Self {
        Self { ended: Expiring::with_capacity(CAPACITY), not_before: Expiring::with_capacity(CAPACITY) }
    }
}

impl Revocations {
    /// Ends one session: from now on [`Revocations::check`] refuses it, whoever presents it. `keep_until` is when it would
    /// have ended by itself.
    pub fn end_session(&self, id: &AdapterSessionId, keep_until: Timestamp, now: Timestamp) {
        say_if_short(self.ended.update(id, now, |_| ((), keep_until)));
    }

    /// Raises the not-before of one subject: what was issued to that user before `value` counts no more; what was issued in that very
    /// instant does (keycloak-adapter: `RefreshableKeycloakSecurityContext.isActive`). It only goes up, and is kept for `keep`, the longest
    /// life of what it can hit.
    ///
    /// Never everybody's: Keycloak sends the greatest of realm, client *and user* with each token response.
    pub fn raise_not_before(&self, subject: &Subject, value: Timestamp, now: Timestamp, keep: Duration) {
        if self.not_before.read(subject, now, |held| *held) == Some(value) {
            return;
        }
        let raised = |held: Option<&Timestamp>| (held.map_or(value, |held| value.max(*held)), now.plus(keep));
        say_if_short(self.not_before.update(subject, now, raised));
    }

    /// Whether what bears these marks may still be used at `now`.
    ///
    /// # Errors
    /// When it was ended.
    pub fn check<'a>(&self, marks: impl Into<Marks<'a>>, now: Timestamp) -> Result<(), Revoked> {
        let marks = marks.into();
        let ended = marks.adapter_session_id.is_some_and(|id| self.ended.read(id, now, |()| ()).is_some());
        let too_old = self.not_before.read(marks.subject, now, |value| marks.token_iat < *value) == Some(true);
        if ended || too_old { Err(Revoked) } else { Ok(()) }
    }

    /// How many revocations are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ended.len() + self.not_before.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn say_if_short(room: Room) {
    if room == Room::Short {
        tracing::warn!(capacity = CAPACITY, "too many revocations: one is forgotten before its time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn marks<'a>(id: &'a AdapterSessionId, subject: &'a Subject, token_iat: i64) -> Marks<'a> {
        Marks { adapter_session_id: Some(id), subject, token_iat: Timestamp::from_secs(token_iat) }
    }

    #[test]
    fn an_ended_session_stays_ended_until_it_would_have_ended_by_itself() {
        let revocations = Revocations::default();
        let (one, other) = (AdapterSessionId::new("one"), AdapterSessionId::new("other"));
        let alice = Subject::new("alice");
        revocations.end_session(&one, NOW.plus(HOUR), NOW);
        assert_eq!(revocations.check(marks(&one, &alice, 900), NOW), Err(Revoked));
        assert_eq!(revocations.check(marks(&other, &alice, 900), NOW), Ok(()));
        assert_eq!(revocations.check(marks(&one, &alice, 900), NOW.plus(HOUR)), Ok(()));
    }

    #[test]
    fn not_before_cuts_older_tokens_of_that_subject_alone_and_only_rises() {
        let revocations = Revocations::default();
        let (id, alice, bob) = (AdapterSessionId::new("id"), Subject::new("alice"), Subject::new("bob"));
        for value in [500, 990, 700] {
            revocations.raise_not_before(&alice, Timestamp::from_secs(value), NOW, HOUR);
        }
        assert_eq!(revocations.check(marks(&id, &alice, 989), NOW), Err(Revoked));
        assert_eq!(revocations.check(marks(&id, &alice, 990), NOW), Ok(()), "the very instant still counts");
        assert_eq!(revocations.check(marks(&id, &bob, 1), NOW), Ok(()));
    }
}
