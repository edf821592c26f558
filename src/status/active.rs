//! Sessions that this process has seen at work since it started: opened here, renewed, proved, written down, or used
//! while another's proof was good. All of those that are kept
//! in the process; of those in cookies, whatever has shown itself. It holds no token, and nobody decides by it who is signed in.

use crate::{
    domain::{AdapterSessionId, NodeIncarnation, Session, Sid, Subject, Timestamp},
    expiring::Expiring,
};

/// Most sessions remembered; about 400 bytes each.
const CAPACITY: usize = 100_000;

/// What was seen.
#[derive(Debug)]
pub struct ActiveSessions {
    sessions: Expiring<AdapterSessionId, ActiveSession>,
    /// So that whoever asks for one costs no walk over all: anybody may ask.
    sids: Expiring<Sid, ()>,
}

/// What is known of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveSession {
    /// Which login it is.
    pub id: AdapterSessionId,
    /// The session at the identity server, when it names one.
    pub sid: Option<Sid>,
    /// The user.
    pub subject: Subject,
    /// The user's name, when the identity server tells it.
    pub username: Option<String>,
    /// `iat` of the login's ID token, the identity server's clock.
    pub established_at: Timestamp,
    /// `iat` of the newest access token, the identity server's clock.
    pub token_iat: Timestamp,
    /// When the login was completed, on the node's clock.
    pub opened_at: Timestamp,
    /// The last use that was written down.
    pub last_seen: Timestamp,
    /// When the identity server last vouched for it.
    pub proved_at: Timestamp,
    /// Which start of which node asked.
    pub proved_by: NodeIncarnation,
}

impl Default for ActiveSessions {
    fn default() -> Self {
        Self { sessions: Expiring::with_capacity(CAPACITY), sids: Expiring::with_capacity(CAPACITY) }
    }
}

impl ActiveSessions {
    /// Notes `session` as it is now; it may last until `ends`. The one that ends first is forgotten when there are too many.
    pub fn see(&self, session: &Session, ends: Timestamp, now: Timestamp) {
        let seen = ActiveSession {
            id: session.adapter_session_id.clone(),
            sid: session.sid.clone(),
            subject: session.principal.subject.clone(),
            username: session.principal.username.clone(),
            established_at: session.established_at,
            token_iat: session.token_iat,
            opened_at: session.opened_at,
            last_seen: session.last_seen,
            proved_at: session.proved_at,
            proved_by: session.proved_by.clone(),
        };
        if let Some(sid) = &session.sid {
            let _ = self.sids.keep(sid, now, ends, |_| ());
        }
        let _ = self.sessions.update(&session.adapter_session_id, now, |_| (seen, ends));
    }

    /// Whether a session that stands for `sid` was seen, or may have been: one that was forgotten since is not told apart.
    #[must_use]
    pub fn may_know(&self, sid: &Sid, now: Timestamp) -> bool {
        self.sids.read(sid, now, |()| ()).is_some()
    }

    /// Forgets one that is over.
    pub fn forget(&self, id: &AdapterSessionId) {
        self.sessions.remove(id);
    }

    /// One of them.
    #[must_use]
    pub fn find(&self, id: &AdapterSessionId, now: Timestamp) -> Option<ActiveSession> {
        self.sessions.read(id, now, Clone::clone)
    }

    /// Those that are `wanted`, at most `most`, in no order.
    #[must_use]
    pub fn list(&self, most: usize, now: Timestamp, wanted: impl Fn(&ActiveSession) -> bool) -> Vec<ActiveSession> {
        self.sessions.collect(most, now, |seen| wanted(seen).then(|| seen.clone()))
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}
