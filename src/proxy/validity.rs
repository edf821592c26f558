//! Stage 3: still true? Here sessions, revocations and renewal meet; what passes is [`Current`].

use std::sync::Arc;

use crate::{
    domain::{Lifetimes, Principal, SecretString, Session, SessionStatus, Subject, Timestamp},
    renewal::{Outcome, Renewals},
    respond::Refusal,
    revocation::Revocations,
};

/// A session that was found true for this request. Only [`Judge`] makes one.
#[derive(Debug)]
pub struct Current {
    session: Arc<Session>,
    /// It is another state than the one that was presented, and has to be written.
    changed: bool,
}

/// How a presented session stands.
#[derive(Debug)]
pub enum Standing {
    /// It counts.
    Current(Current),
    /// There is none, or one past its limits.
    Nobody,
    /// Ended before its time.
    Revoked,
    /// Its access token has ended: until it is renewed it opens nothing, but it can still be signed out.
    Stale(Arc<Session>),
}

/// Whether a session may be renewed before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewing {
    /// It counts as it stands: its browser would not learn what it became.
    Never,
    /// When it is time.
    WhenDue,
}

/// Judges sessions: by the clock, by what was revoked, and by what the provider says when it is asked.
#[derive(Clone, Debug)]
pub struct Judge {
    /// How long sessions live.
    pub lifetimes: Lifetimes,
    /// What was ended.
    pub revocations: Arc<Revocations>,
    /// What renews.
    pub renewals: Arc<Renewals>,
}

impl Current {
    /// The user.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.session.principal
    }

    /// The access token.
    #[must_use]
    pub fn access_token(&self) -> &SecretString {
        &self.session.tokens.access
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
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

    /// Whose session was presented, if that is known.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Self::Current(Current { session, .. }) | Self::Stale(session) => Some(session.principal.subject.clone()),
            Self::Nobody | Self::Revoked => None,
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

impl Judge {
    /// Judges a presented session at `now` (this node's clock), by the newest state of it that is known. Asks nobody.
    #[must_use]
    pub fn judge(&self, presented: Arc<Session>, now: Timestamp) -> Standing {
        let newer = self.renewals.newer(&presented, now);
        let changed = newer.is_some();
        self.verdict(newer.unwrap_or(presented), changed, now)
    }

    /// Renews what should be renewed before it is used, and judges again.
    ///
    /// # Errors
    /// When the access token has ended and the provider cannot be asked: the session is kept, and the client may come again.
    pub async fn renew(&self, standing: Standing, now: Timestamp) -> Result<Standing, Refusal> {
        let session = match &standing {
            Standing::Current(Current { session, .. }) | Standing::Stale(session) => session,
            Standing::Nobody | Standing::Revoked => return Ok(standing),
        };
        if !self.renewals.is_due(session, now) {
            return Ok(standing);
        }
        // Boxed: it is seldom, and its state would be moved along with every request.
        match Box::pin(self.renewals.renew(session.clone())).await {
            Outcome::Ended => Ok(Standing::Revoked),
            Outcome::Lost => Ok(standing),
            Outcome::Renewed(renewed) => Ok(self.verdict(renewed, true, now)),
            Outcome::Unavailable => match standing {
                Standing::Stale(_) => Err(Refusal::NotReady),
                standing => Ok(standing),
            },
        }
    }

    fn verdict(&self, session: Arc<Session>, changed: bool, now: Timestamp) -> Standing {
        if self.revocations.check(session.as_ref(), now).is_err() {
            return Standing::Revoked;
        }
        match session.status(now, self.lifetimes) {
            SessionStatus::Ended => Standing::Nobody,
            SessionStatus::Live => Standing::Current(Current { session, changed }),
            SessionStatus::Stale => Standing::Stale(session),
        }
    }

    /// The session as it has to be written after its use, if it has to: when this use is to be written down, or when it is another state
    /// than the browser's. One that was ended while its request was under way is not: a late answer must not sign anybody in again. One
    /// that was renewed meanwhile is written as it is then: a late answer must not bring the spent one back.
    #[must_use]
    pub fn to_be_written(&self, current: Current, now: Timestamp) -> Option<Arc<Session>> {
        let newer = self.renewals.newer(&current.session, now);
        let changed = current.changed || newer.is_some();
        let mut session = newer.unwrap_or(current.session);
        let due = session.wants_touch(now, self.lifetimes);
        if !(due || changed) || self.revocations.check(session.as_ref(), now).is_err() {
            return None;
        }
        if due {
            Arc::make_mut(&mut session).last_seen = now;
        }
        Some(session)
    }
}
