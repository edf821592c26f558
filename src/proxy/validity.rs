//! Stage 3: still true? Here sessions, bearer tokens, revocations and renewal meet; what passes is [`Current`].

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use thiserror::Error;
use tokio::time::timeout;

use crate::{
    audit,
    domain::{Lifetimes, Principal, SecretString, Session, SessionStatus, Timestamp},
    endings::Endings,
    oidc::Bearer,
    renewal::{Outcome, Renewals, Spending},
    respond::Refusal,
    revocation::{Doubt, Marks, Proof, Verdict},
    status::{Metrics, Owner, TokenOwner},
};

/// Longest wait for a refresh before the access token has ended.
const EARLY_PATIENCE: Duration = Duration::from_secs(2);

/// Most questions on behalf of one request: something may be heard after each.
const MOST_QUESTIONS: usize = 3;

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
    /// Until the identity server says that it lives it opens nothing, but it can still be signed out.
    Unproved(Arc<Session>, Doubt),
}

/// What becomes of a session that must be proved while the identity server cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnprovable {
    /// It waits: 503.
    Refuse,
    /// It is served to the end of its access token, counted and logged.
    Serve,
}

/// Whether a session may be renewed before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewing {
    /// Its browser would not learn what it became. It is still asked for whether it lives, where that spends nothing.
    Never,
    /// When it is time.
    WhenDue,
}

/// Judges sessions: by the clock, by what was revoked, and by what the provider says when it is asked.
#[derive(Clone, Debug)]
pub struct Judge {
    /// How long sessions live.
    pub lifetimes: Lifetimes,
    /// What was ended, and what ends.
    pub endings: Endings,
    /// What renews.
    pub renewals: Arc<Renewals>,
    /// What becomes of sessions in an outage.
    pub when_unprovable: WhenUnprovable,
    /// What is counted.
    pub metrics: Arc<Metrics>,
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

    /// For whom the streams are that it opens.
    #[must_use]
    pub fn owner(&self) -> Owner {
        match &self.0 {
            Shown::Session { session, .. } => Owner::Session(session.clone()),
            Shown::Token(bearer) => Owner::Token(TokenOwner {
                sid: bearer.sid().cloned(),
                subject: bearer.principal().subject.clone(),
                issued_at: bearer.issued_at(),
                ends: bearer.ends(),
            }),
        }
    }
}

impl<'a> From<&'a Current> for Marks<'a> {
    fn from(current: &'a Current) -> Self {
        match &current.0 {
            Shown::Session { session, .. } => session.as_ref().into(),
            Shown::Token(bearer) => bearer.as_ref().into(),
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
            Self::Unproved(..) => Some("unproved"),
        }
    }
}

impl Judge {
    /// Judges a presented session at `now` (this node's clock), by the newest state of it that is known. Asks nobody.
    #[must_use]
    pub fn judge(&self, presented: Arc<Session>, now: Timestamp) -> Standing {
        // What the browser brings tells of others, not what is known here.
        self.listen_for_others(&presented, now);
        let newer = self.renewals.newer(&presented, now);
        let changed = newer.is_some();
        self.verdict(newer.unwrap_or(presented), changed, now)
    }

    /// Renews what should be renewed before it is used, proves what must be proved, and judges again.
    ///
    /// # Errors
    /// When that must be done first and cannot be done now: the session is kept, and the client may come again.
    pub async fn renew(&self, mut standing: Standing, renewing: Renewing) -> Result<Standing, Refusal> {
        for _ in 0..MOST_QUESTIONS {
            let Some(outcome) = self.ask(&standing, renewing).await else { return Ok(standing) };
            standing = match self.settle(standing, outcome)? {
                ControlFlow::Break(settled) => return Ok(settled),
                ControlFlow::Continue(doubtful) => doubtful,
            };
        }
        Err(Refusal::Busy)
    }

    /// What comes of asking the identity server, where that has to be done.
    async fn ask(&self, standing: &Standing, renewing: Renewing) -> Option<Outcome> {
        let session = match standing {
            Standing::Current(Current(Shown::Session { session, .. }))
            | Standing::Stale(session)
            | Standing::Unproved(session, _) => session.clone(),
            Standing::Current(Current(Shown::Token(_))) | Standing::Nobody | Standing::Revoked => return None,
        };
        if renewing == Renewing::WhenDue && self.renewals.is_due(&session, self.endings.clock.now()) {
            // Boxed: it is seldom, and its state would be moved along with every request.
            let renewing = Box::pin(self.renewals.renew(session));
            return Some(match standing {
                // What is still good is not kept waiting for something better; that goes on by itself, and later requests have it.
                Standing::Current(_) => timeout(EARLY_PATIENCE, renewing).await.unwrap_or(Outcome::Unavailable),
                _ => renewing.await,
            });
        }
        let Standing::Unproved(_, doubt) = standing else { return None };
        let spending = match renewing {
            Renewing::Never => Spending::Forbidden,
            Renewing::WhenDue => Spending::Allowed,
        };
        Some(Box::pin(self.renewals.prove(session, *doubt, spending)).await)
    }

    /// How a session stands now that somebody was asked; what was heard while its request waited counts as well. It may have to be asked for
    /// once more.
    fn settle(&self, standing: Standing, outcome: Outcome) -> Result<ControlFlow<Standing, Standing>, Refusal> {
        let now = self.endings.clock.now();
        match (outcome, standing) {
            (Outcome::Ended, _) => Ok(ControlFlow::Break(Standing::Revoked)),
            (Outcome::Renewed(renewed), _) => Ok(self.verdict_on_proved(renewed, now)),
            (_, Standing::Current(Current(Shown::Session { session, changed }))) => {
                Ok(match self.verdict(session, changed, now) {
                    doubtful @ Standing::Unproved(..) => ControlFlow::Continue(doubtful),
                    settled => ControlFlow::Break(settled),
                })
            }
            (Outcome::Lost, standing) => Ok(ControlFlow::Break(standing)),
            (Outcome::Busy, _) => Err(Refusal::Busy),
            (Outcome::Unavailable, Standing::Unproved(session, doubt)) => self.unproved(session, doubt, now),
            (Outcome::Unavailable, _) => Err(Refusal::NotReady),
        }
    }

    /// What becomes of a session that nobody vouches for now. One that something was heard of is never served.
    fn unproved(
        &self,
        session: Arc<Session>,
        doubt: Doubt,
        now: Timestamp,
    ) -> Result<ControlFlow<Standing, Standing>, Refusal> {
        let may_serve = match self.endings.revocations.judge(session.as_ref(), now) {
            Verdict::Ended => return Ok(ControlFlow::Break(Standing::Revoked)),
            Verdict::Clear | Verdict::Doubtful(Doubt::Age | Doubt::Deaf | Doubt::Gap) => {
                self.when_unprovable == WhenUnprovable::Serve
            }
            Verdict::Doubtful(Doubt::Cut | Doubt::Hint) => false,
        };
        // To the end of its access token, which may have come while it waited.
        if !may_serve || session.status(now, self.lifetimes) != SessionStatus::Live {
            return Err(Refusal::NotReady);
        }
        tracing::warn!(subject = %session.principal.subject, "a session is served without proof");
        self.metrics.proof(doubt.word(), "served_unproved");
        Ok(ControlFlow::Break(Standing::Current(Current(Shown::Session { session, changed: false }))))
    }

    /// Judges a bearer token at `now` (this node's clock). Asked at every request, since what is remembered of a token is no verdict.
    ///
    /// # Errors
    /// When it counts no more.
    pub fn judge_token(&self, bearer: Arc<Bearer>, now: Timestamp) -> Result<Current, TokenEnded> {
        if now >= bearer.ends() {
            return Err(TokenEnded::Expired);
        }
        self.endings.revocations.check(bearer.as_ref(), now).map_err(|_| TokenEnded::Revoked)?;
        Ok(Current(Shown::Token(bearer)))
    }

    fn verdict(&self, session: Arc<Session>, changed: bool, now: Timestamp) -> Standing {
        match self.endings.revocations.judge(session.as_ref(), now) {
            Verdict::Ended => {
                audit::refused("revoked", &session, now);
                Standing::Revoked
            }
            Verdict::Clear => self.by_the_clock(session, changed, None, now),
            Verdict::Doubtful(doubt) => self.by_the_clock(session, changed, Some(doubt), now),
        }
    }

    /// The verdict on what the identity server has just vouched for: only what was heard since it was asked speaks against it.
    fn verdict_on_proved(&self, session: Arc<Session>, now: Timestamp) -> ControlFlow<Standing, Standing> {
        match self.endings.revocations.judge_proved(session.as_ref(), now) {
            Verdict::Ended => ControlFlow::Break(Standing::Revoked),
            Verdict::Clear => ControlFlow::Break(self.by_the_clock(session, true, None, now)),
            Verdict::Doubtful(doubt) => ControlFlow::Continue(self.by_the_clock(session, true, Some(doubt), now)),
        }
    }

    fn by_the_clock(&self, session: Arc<Session>, changed: bool, doubt: Option<Doubt>, now: Timestamp) -> Standing {
        match (session.status(now, self.lifetimes), doubt) {
            (SessionStatus::Ended, _) => Standing::Nobody,
            (SessionStatus::Stale, _) => Standing::Stale(session),
            (SessionStatus::Live, Some(doubt)) => Standing::Unproved(session, doubt),
            (SessionStatus::Live, None) => {
                self.note_unseen(&session, now);
                Standing::Current(Current(Shown::Session { session, changed }))
            }
        }
    }

    /// Whatever this process proved it has seen; what an earlier one or another node proved is known here from its first use on.
    fn note_unseen(&self, session: &Session, now: Timestamp) {
        let (active, proof) = (&self.endings.active, Proof { at: session.proved_at, by: &session.proved_by });
        let is_own = self.endings.revocations.horizon().is_own(proof);
        if !is_own && active.find(&session.adapter_session_id, now).is_none() {
            active.see(session, session.ends_at(self.lifetimes), now);
        }
    }

    /// A node that finds another's fresh proofs hears only a part of what is pushed.
    fn listen_for_others(&self, session: &Session, now: Timestamp) {
        let horizon = self.endings.revocations.horizon();
        let proof = Proof { at: session.proved_at, by: &session.proved_by };
        if horizon.betrays_others(proof) && horizon.deafen(proof.at, now) {
            tracing::warn!(
                "several nodes without `store` or `peers`: what the others hear is not heard here, so that sessions are proved again and again"
            );
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
        if !(due || changed) || self.endings.revocations.check(session.as_ref(), now).is_err() {
            return None;
        }
        if due {
            Arc::make_mut(&mut session).last_seen = now;
        }
        self.endings.active.see(&session, session.ends_at(self.lifetimes), now);
        Some(session)
    }
}
