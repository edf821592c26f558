//! Stage 3: still true? Here sessions, bearer tokens, revocations and renewal meet; what passes is [`Current`].

use std::{sync::Arc, time::Duration};

use thiserror::Error;
use tokio::time::timeout;

use crate::{
    audit,
    domain::{Lifetimes, Principal, SecretString, Session, SessionStatus, Timestamp},
    oidc::Bearer,
    renewal::{Outcome, Renewals},
    respond::Refusal,
    revocation::{Marks, Revocations},
    status::StreamKey,
};

/// Longest wait for a refresh before the access token has ended.
const EARLY_PATIENCE: Duration = Duration::from_secs(2);

/// A session or a bearer token that was found true for this request. Only [`Judge`] makes one.
#[derive(Debug)]
pub struct Current(Shown);

#[derive(Debug)]
enum Shown {
    Session {
        session: Arc<Session>,
        /// It is another state than the one that was presented, and has to be written.
        changed: bool,
    },
    Token(Arc<Bearer>),
}

/// Why a bearer token that was verified counts no more.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TokenEnded {
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// Ended before its time.
    #[error("the token was revoked")]
    Revoked,
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
        match &self.0 {
            Shown::Session { session, .. } => &session.principal,
            Shown::Token(bearer) => bearer.principal(),
        }
    }

    /// The access token.
    #[must_use]
    pub fn access_token(&self) -> &SecretString {
        match &self.0 {
            Shown::Session { session, .. } => &session.tokens.access,
            Shown::Token(bearer) => bearer.token(),
        }
    }

    /// The session, unless a bearer token was presented.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        match &self.0 {
            Shown::Session { session, .. } => Some(session),
            Shown::Token(_) => None,
        }
    }

    /// The bearer token, unless a session was presented.
    #[must_use]
    pub fn bearer(&self) -> Option<&Bearer> {
        match &self.0 {
            Shown::Session { .. } => None,
            Shown::Token(bearer) => Some(bearer),
        }
    }

    /// When it ends at the latest, on this node's clock, however much it is used.
    #[must_use]
    pub fn lasts_until(&self, lifetimes: Lifetimes) -> Timestamp {
        match &self.0 {
            Shown::Session { session, .. } => session.opened_at.plus(lifetimes.max),
            Shown::Token(bearer) => bearer.ends(),
        }
    }

    /// By what the streams that it opens are known.
    #[must_use]
    pub fn stream_key(&self) -> StreamKey {
        match &self.0 {
            Shown::Session { session, .. } => StreamKey::of(session),
            Shown::Token(bearer) => StreamKey {
                session: None,
                issuer: bearer.issuer().clone(),
                sid: bearer.sid().cloned(),
                subject: bearer.principal().subject.clone(),
            },
        }
    }
}

/// What can end a bearer token: whatever ends its subject's tokens of its age.
fn marks_of(bearer: &Bearer) -> Marks<'_> {
    Marks { adapter_session_id: None, subject: &bearer.principal().subject, token_iat: bearer.issued_at() }
}

impl<'a> From<&'a Current> for Marks<'a> {
    fn from(current: &'a Current) -> Self {
        match &current.0 {
            Shown::Session { session, .. } => session.as_ref().into(),
            Shown::Token(bearer) => marks_of(bearer),
        }
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
            Standing::Current(Current(Shown::Session { session, .. })) | Standing::Stale(session) => session,
            Standing::Current(Current(Shown::Token(_))) | Standing::Nobody | Standing::Revoked => return Ok(standing),
        };
        if !self.renewals.is_due(session, now) {
            return Ok(standing);
        }
        // Boxed: it is seldom, and its state would be moved along with every request.
        let renewing = Box::pin(self.renewals.renew(session.clone()));
        let outcome = match &standing {
            // What is still good is not kept waiting for something better; that goes on by itself, and later requests have it.
            Standing::Current(_) => timeout(EARLY_PATIENCE, renewing).await.unwrap_or(Outcome::Unavailable),
            _ => renewing.await,
        };
        match outcome {
            Outcome::Ended => Ok(Standing::Revoked),
            Outcome::Lost => Ok(standing),
            Outcome::Renewed(renewed) => Ok(self.verdict(renewed, true, now)),
            Outcome::Unavailable => match standing {
                Standing::Stale(_) => Err(Refusal::NotReady),
                standing => Ok(standing),
            },
        }
    }

    /// Judges a bearer token at `now` (this node's clock). Asked at every request, since what is remembered of a token is no verdict.
    ///
    /// # Errors
    /// When it counts no more.
    pub fn judge_token(&self, bearer: Arc<Bearer>, now: Timestamp) -> Result<Current, TokenEnded> {
        if now >= bearer.ends() {
            return Err(TokenEnded::Expired);
        }
        self.revocations.check(marks_of(&bearer), now).map_err(|_| TokenEnded::Revoked)?;
        Ok(Current(Shown::Token(bearer)))
    }

    /// Takes the provider's word that tokens of `principal` from before `value` (the provider's clock) count no more.
    pub fn hear_not_before(&self, principal: &Principal, value: Timestamp, now: Timestamp) {
        self.revocations.raise_not_before(&principal.subject, value, now, self.lifetimes.max);
    }

    fn verdict(&self, session: Arc<Session>, changed: bool, now: Timestamp) -> Standing {
        if self.revocations.check(session.as_ref(), now).is_err() {
            audit::refused("revoked", &session, now);
            return Standing::Revoked;
        }
        match session.status(now, self.lifetimes) {
            SessionStatus::Ended => Standing::Nobody,
            SessionStatus::Live => Standing::Current(Current(Shown::Session { session, changed })),
            SessionStatus::Stale => Standing::Stale(session),
        }
    }

    /// The session as it has to be written after its use, if it has to: when this use is to be written down, or when it is another state
    /// than the browser's. One that was ended while its request was under way is not: a late answer must not sign anybody in again. One
    /// that was renewed meanwhile is written as it is then: a late answer must not bring the spent one back.
    #[must_use]
    pub fn to_be_written(&self, current: Current, now: Timestamp) -> Option<Arc<Session>> {
        let Current(Shown::Session { session, changed }) = current else { return None };
        let newer = self.renewals.newer(&session, now);
        let changed = changed || newer.is_some();
        let mut session = newer.unwrap_or(session);
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
