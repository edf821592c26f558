//! What is known of sessions beyond what their cookies say: the newest state of each, when it was last proved, and whether its refresh token can be in doubt.

use std::{fmt, sync::Arc, time::Duration};

use zeroize::Zeroizing;

use crate::{
    domain::{AdapterSessionId, NodeIncarnation, Session, Timestamp},
    expiring::{Expiring, Room},
    session::SessionCodec,
};

/// Most sessions of which something is known beyond their cookies; about 1.5 KB each.
const CAPACITY: usize = 100_000;

/// Most sessions whose proofs are remembered; about 200 bytes each. One that is forgotten costs a question.
const PROOFS: usize = 200_000;

/// How often a refresh token leaves without an answer before it is given up.
const UNANSWERED_AT_MOST: u8 = 2;

/// What this process has learned of sessions since they were last written into a cookie.
pub(super) struct Known {
    me: NodeIncarnation,
    codec: SessionCodec,
    entries: Expiring<AdapterSessionId, Entry>,
    /// When this process last proved a session. Apart, so that the proofs of many push out nothing that is worth a session.
    proofs: Expiring<AdapterSessionId, Timestamp>,
    keep: Duration,
}

#[derive(Clone, Default)]
struct Entry {
    newest: Option<State>,
    trouble: Option<Trouble>,
}

/// A state, packed: it is read seldom, and there may be many.
#[derive(Clone)]
struct State {
    renewed_at: Timestamp,
    packed: Arc<Zeroizing<Vec<u8>>>,
}

/// What stands against sending a refresh token.
#[derive(Clone, Copy)]
struct Trouble {
    /// Which state's.
    of: Timestamp,
    /// How often it left without an answer.
    unanswered: u8,
    /// Until when nothing is sent.
    pause_until: Timestamp,
}

/// Whether a refresh token can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It has not been sent, as far as anyone knows.
    None,
    /// It left once without an answer.
    Once,
    /// It could not be sent a moment ago.
    Pausing,
    /// It left twice without an answer, or was refused.
    Twice,
}

impl Known {
    pub(super) fn new(me: NodeIncarnation, codec: SessionCodec, keep: Duration) -> Self {
        Self { me, codec, entries: Expiring::with_capacity(CAPACITY), proofs: Expiring::with_capacity(PROOFS), keep }
    }

    /// A newer state of `session`, with the latest use of the two and the latest proof; `None` when it is the newest itself.
    pub(super) fn newer(&self, session: &Session, now: Timestamp) -> Option<Arc<Session>> {
        let id = &session.adapter_session_id;
        let newest = self
            .entries
            .read(id, now, |entry| entry.newest.clone().filter(|state| state.renewed_at > session.renewed_at));
        let newest = newest.flatten().and_then(|state| self.unpacked(&state));
        let proof = self.proofs.read(id, now, |at| *at);
        let proof = proof.filter(|at| is_worth_more(*at, newest.as_ref().unwrap_or(session), now));
        if newest.is_none() && proof.is_none() {
            return None;
        }
        let newest = newest.unwrap_or_else(|| session.clone());
        let newest = Session { last_seen: newest.last_seen.max(session.last_seen), ..newest };
        Some(Arc::new(match proof {
            Some(proved_at) => Session { proved_at, proved_by: self.me.clone(), ..newest },
            None => newest,
        }))
    }

    fn unpacked(&self, state: &State) -> Option<Session> {
        let session = self.codec.decode(&state.packed);
        session.inspect_err(|error| tracing::error!(%error, "what is known of a session cannot be read")).ok()
    }

    /// Writes down what a refresh brought.
    pub(super) fn learn(&self, renewed: &Session, now: Timestamp) {
        let packed = match self.codec.encode(renewed) {
            Ok(packed) => Arc::new(packed),
            Err(error) => return tracing::error!(%error, "what a refresh brought cannot be kept for later requests"),
        };
        let state = State { renewed_at: renewed.renewed_at, packed };
        self.change(renewed, now, |_| Entry { newest: Some(state), trouble: None });
        self.learn_proof(renewed, renewed.proved_at, now);
    }

    /// Writes down that the identity server, asked at `proved_at`, said that `session` lives.
    pub(super) fn learn_proof(&self, session: &Session, proved_at: Timestamp, now: Timestamp) {
        // The clock may have been set back: what lies ahead of it is no proof.
        let later = |held: Option<&Timestamp>| held.filter(|at| **at <= now).map_or(proved_at, |at| proved_at.max(*at));
        let _ = self.proofs.update(&session.adapter_session_id, now, |held| (later(held), now.plus(self.keep)));
    }

    /// Notes that nothing is to be sent before `until`.
    pub(super) fn pause(&self, session: &Session, until: Timestamp, now: Timestamp) {
        self.change(session, now, |entry| {
            let unanswered = entry.trouble_of(session).map_or(0, |trouble| trouble.unanswered);
            let trouble = Trouble { of: session.renewed_at, unanswered, pause_until: until };
            Entry { trouble: Some(trouble), ..entry }
        });
    }

    /// Notes that the session's refresh token left, and was not answered.
    pub(super) fn doubt_more(&self, session: &Session, now: Timestamp) {
        self.unanswered(session, now, |times| times.saturating_add(1));
    }

    /// Notes that the session's refresh token need not be sent again.
    pub(super) fn give_up(&self, session: &Session, now: Timestamp) {
        self.unanswered(session, now, |_| UNANSWERED_AT_MOST);
    }

    fn unanswered(&self, session: &Session, now: Timestamp, times: impl FnOnce(u8) -> u8) {
        self.change(session, now, |entry| {
            let before = entry.trouble_of(session).map_or(0, |trouble| trouble.unanswered);
            let trouble = Trouble { of: session.renewed_at, unanswered: times(before), pause_until: now };
            Entry { trouble: Some(trouble), ..entry }
        });
    }

    /// Whether the session's refresh token can be sent.
    pub(super) fn doubt(&self, session: &Session, now: Timestamp) -> Doubt {
        let trouble = self.entries.read(&session.adapter_session_id, now, |entry| entry.trouble_of(session)).flatten();
        match trouble {
            Some(Trouble { unanswered: UNANSWERED_AT_MOST.., .. }) => Doubt::Twice,
            Some(Trouble { pause_until, .. }) if now < pause_until => Doubt::Pausing,
            Some(Trouble { unanswered: 1, .. }) => Doubt::Once,
            _ => Doubt::None,
        }
    }

    /// Kept for a while after the end of the access token: as long as that lives, no doubt may be forgotten.
    fn change(&self, session: &Session, now: Timestamp, change: impl FnOnce(Entry) -> Entry) {
        let until = session.tokens.access_expires.map_or(now, |end| end.max(now)).plus(self.keep);
        let room = self
            .entries
            .update(&session.adapter_session_id, now, |before| (change(before.cloned().unwrap_or_default()), until));
        if matches!(room, Room::Short(_)) {
            tracing::warn!(capacity = CAPACITY, "too many renewed sessions: what is known of one is forgotten early");
        }
    }
}

/// Whether our own proof of `at` says more than the one that a state bears: it is later, or that one lies ahead of our clock, so that nobody
/// can say how old it is.
fn is_worth_more(at: Timestamp, session: &Session, now: Timestamp) -> bool {
    at <= now && (at > session.proved_at || session.proved_at > now)
}

impl Entry {
    fn trouble_of(&self, session: &Session) -> Option<Trouble> {
        self.trouble.filter(|trouble| trouble.of == session.renewed_at)
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known({:?})", self.entries)
    }
}
