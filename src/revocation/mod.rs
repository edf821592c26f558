//! What must stop working now. This is the truth; removing cookies and closing sessions is housekeeping that follows.
//!
//! A revocation is a target and a cut, an instant on the identity server's clock, kept until it can hit nothing any more. Beside what was
//! heard stands since when all was heard ([`horizon`]): a session is served without asking only while that covers the time since it was
//! proved, and nothing that was heard hits it.

mod digest;
mod front_channel;
mod held;
pub mod horizon;
mod journal;
mod marks;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use thiserror::Error;

use crate::{
    domain::{AdapterSessionId, NodeIncarnation, Sid, Subject, Timestamp},
    expiring::{Expiring, Room},
};
use digest::{Digest, Digests};
pub use front_channel::Hinted;
use front_channel::Hints;
use held::{Cut, Held, Hit};
pub use horizon::Doubt;
use horizon::Horizon;
use journal::Journal;
pub use journal::{JournalError, Prospect};
pub use marks::{Marks, Proof};

/// What a node believes, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Largest accepted difference of clocks.
    pub skew: Duration,
    /// How long after its push the identity server may still answer "alive": Keycloak pushes first and commits after.
    pub settle: Duration,
    /// How old the last certainty about a session may be.
    pub outage_proof: Duration,
    /// After which every session is proved in any case.
    pub proof_life: Duration,
    /// The directory that keeps revocations of our own making over a restart.
    pub persist: Option<PathBuf>,
}

/// Most revocations held. Beyond that one goes before its time, and what this node has heard up to then counts no more.
const CAPACITY: usize = 1_000_000;
/// While the identity server may still be committing an end, its word that a session lives is believed for this long.
const HELD_WHILE_SETTLING: Duration = Duration::from_secs(1);
/// For how long a bearer token may be good after it was issued and still be hit by what ended its session.
const LONGEST_BEARER: Duration = Duration::from_secs(3600);
const NEVER: i64 = i64::MIN;

/// The revocations that this process knows.
#[derive(Debug)]
pub struct Revocations {
    config: Config,
    horizon: Horizon,
    digests: Digests,
    held: Expiring<Digest, Held>,
    hints: Hints,
    everybody: Everybody,
    not_before: NotBefore,
    journal: Option<Journal>,
}

/// Since when everybody's sessions have ended.
#[derive(Debug)]
struct Everybody {
    /// Tokens from this instant and before count no more, whoever holds them; milliseconds on the identity server's clock.
    at: AtomicI64,
    /// The same as the identity server said it last, with the time when that was heard: sessions of then are asked for.
    there: ArcSwapOption<Cut>,
}

/// The one not-before of the realm or client, as it was pushed last.
#[derive(Debug)]
struct NotBefore {
    /// For readers: milliseconds on the identity server's clock.
    value: AtomicI64,
    /// When the identity server gave the order that stands; whoever changes the value holds it.
    ordered_at: Mutex<Timestamp>,
}

/// Who knows of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The identity server does: a session that is proved to live was not meant.
    IdentityServer,
    /// We alone: no proof takes it back.
    Ours,
}

/// Whom a revocation is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Everybody.
    Everybody,
    /// One login at this adapter, always.
    Session(&'a AdapterSessionId),
    /// The sessions that stand for one session at the identity server.
    Sid(&'a Sid),
    /// All sessions of one user.
    Subject(&'a Subject),
}

/// Something to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation<'a> {
    /// Whom it is meant for.
    pub target: Target<'a>,
    /// What is older than this is meant; the identity server's clock. A single login is meant whatever this says.
    pub cut: Timestamp,
    /// Who knows of it.
    pub source: Source,
    /// Until when it can hit something, on this node's clock.
    pub keep_until: Timestamp,
}

/// Something that was ended before its time.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the session was ended")]
pub struct Revoked;

/// What is known of a session at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it.
    Clear,
    /// It must be proved first.
    Doubtful(Doubt),
    /// It was ended.
    Ended,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            skew: Duration::from_secs(5),
            settle: Duration::from_secs(15),
            outage_proof: Duration::from_secs(30),
            proof_life: Duration::from_secs(10 * 60),
            persist: None,
        }
    }
}

impl Revocations {
    /// What a process that starts at `now` as `me` knows: what the last one on this machine wrote down, if anything.
    ///
    /// # Errors
    /// When the directory that keeps revocations cannot be used.
    pub fn open(config: Config, me: NodeIncarnation, now: Timestamp) -> Result<Self, JournalError> {
        let mut journal = None;
        let mut kept = Vec::new();
        if let Some(directory) = &config.persist {
            let (opened, entries) = Journal::open(directory, now)?;
            (journal, kept) = (Some(opened), entries);
        }
        let revocations = Self { journal, ..Self::empty(config, me, now, CAPACITY) };
        for entry in &kept {
            revocations.revoke(&entry.revocation(), now);
        }
        Ok(revocations)
    }

    fn empty(config: Config, me: NodeIncarnation, now: Timestamp, capacity: usize) -> Self {
        Self {
            horizon: Horizon::new(config.clone(), me, now),
            config,
            digests: Digests::default(),
            held: Expiring::with_capacity(capacity),
            hints: Hints::default(),
            everybody: Everybody { at: AtomicI64::new(NEVER), there: ArcSwapOption::empty() },
            not_before: NotBefore {
                value: AtomicI64::new(NEVER),
                ordered_at: Mutex::new(Timestamp::from_millis(NEVER)),
            },
            journal: None,
        }
    }

    /// What was heard, and what that covers.
    #[must_use]
    pub fn horizon(&self) -> &Horizon {
        &self.horizon
    }

    /// Until when what the identity server knows must be kept: by then every session has been proved anew, and bearer tokens, which nothing
    /// proves, have ended.
    #[must_use]
    pub fn until_proved(&self, now: Timestamp) -> Timestamp {
        let proved = self.config.proof_life + self.config.settle + self.config.skew;
        now.plus(proved.max(LONGEST_BEARER))
    }

    /// From now on [`Revocations::judge`] refuses what is meant, whoever presents it.
    pub fn revoke(&self, revocation: &Revocation<'_>, now: Timestamp) {
        let Revocation { target, cut, source, keep_until } = *revocation;
        let digest = match target {
            Target::Everybody => return self.revoke_everybody(cut, source, now),
            Target::Session(id) => self.digests.session(id.as_str()),
            Target::Sid(sid) => self.digests.sid(sid.as_str()),
            Target::Subject(subject) => self.digests.subject(subject.as_str()),
        };
        let new = Held::of(target, cut, source, now);
        let room = self.held.keep(&digest, now, keep_until, |held| held.map_or(new, |held| held.joined(new)));
        self.make_good(room);
    }

    fn revoke_everybody(&self, at: Timestamp, source: Source, heard: Timestamp) {
        if source == Source::IdentityServer {
            let newer = Arc::new(Cut { at, heard });
            self.everybody.there.rcu(|held| Some(held.clone().filter(|held| held.at >= at).unwrap_or(newer.clone())));
        }
        self.everybody.at.fetch_max(at.as_millis(), Ordering::AcqRel);
    }

    /// Revokes all of these, and returns when that will outlive this process, if that was asked for. What the identity server knows is not
    /// written down.
    ///
    /// # Errors
    /// When it could not be written down. It counts here all the same.
    pub async fn revoke_for_good(&self, revocations: &[Revocation<'_>], now: Timestamp) -> Result<(), JournalError> {
        for revocation in revocations {
            self.revoke(revocation, now);
        }
        let ours = revocations.iter().filter(|revocation| revocation.source == Source::Ours);
        let ours: Vec<Revocation<'_>> = ours.copied().collect();
        match &self.journal {
            Some(journal) if !ours.is_empty() => journal.append(&ours, now).await,
            _ => Ok(()),
        }
    }

    /// Sets the not-before that holds for everybody, as the identity server ordered at `ordered_at` (its clock). The newest order stands,
    /// and nothing (0) takes the value back. Says whether this order stands.
    pub fn set_not_before(&self, value: Option<Timestamp>, ordered_at: Timestamp) -> bool {
        let mut stands_since = self.not_before.ordered_at.lock().unwrap_or_else(PoisonError::into_inner);
        if ordered_at < *stands_since {
            return false;
        }
        *stands_since = ordered_at;
        self.not_before.value.store(value.map_or(NEVER, Timestamp::as_millis), Ordering::Release);
        true
    }

    /// Raises the not-before of one subject: what was issued to that user before `value` counts no more; what was issued in that very
    /// instant does (keycloak-adapter: `RefreshableKeycloakSecurityContext.isActive`). It only goes up, and is kept for `keep`, the longest
    /// life of what it can hit.
    ///
    /// Never everybody's: Keycloak sends the greatest of realm, client *and user* with each token response.
    pub fn raise_not_before(&self, subject: &Subject, value: Timestamp, now: Timestamp, keep: Duration) {
        let digest = self.digests.subject_not_before(subject.as_str());
        let is_held = |held: &Held| matches!(held, Held::NotBefore(cut) if cut.at == value);
        if self.held.read(&digest, now, is_held) == Some(true) {
            return;
        }
        let new = Held::NotBefore(Cut { at: value, heard: now });
        let room = self.held.keep(&digest, now, now.plus(keep), |held| held.map_or(new, |held| held.joined(new)));
        self.make_good(room);
    }

    /// Notes that somebody says that a session at the identity server ended. Says whether there was room for it.
    pub fn hint(&self, sid: &Sid, hinted: Hinted, now: Timestamp) -> bool {
        let keep = self.config.proof_life + self.config.settle + self.config.skew;
        self.hints.note(self.digests.sid(sid.as_str()), hinted, now, keep)
    }

    /// Whether what bears these marks may still be used at `now`, as far as was heard; whether it must be proved is not looked at.
    ///
    /// # Errors
    /// When it was ended.
    pub fn check<'a>(&self, marks: impl Into<Marks<'a>>, now: Timestamp) -> Result<(), Revoked> {
        match self.hit(&marks.into(), now) {
            Hit::Ended => Err(Revoked),
            Hit::None | Hit::Asks { .. } => Ok(()),
        }
    }

    /// As [`Revocations::check`], without what a later order may take back.
    ///
    /// # Errors
    /// When it was ended for good.
    pub fn check_for_good<'a>(&self, marks: impl Into<Marks<'a>>, now: Timestamp) -> Result<(), Revoked> {
        let marks = marks.into();
        let is_hit = self.means_everybody(&marks) || self.hit_by_name(&marks, now) == Hit::Ended;
        if is_hit { Err(Revoked) } else { Ok(()) }
    }

    /// Whether what bears these marks may be used at `now` without asking.
    pub fn judge<'a>(&self, marks: impl Into<Marks<'a>>, now: Timestamp) -> Verdict {
        let marks = marks.into();
        let hit = self.hit(&marks, now);
        if hit == Hit::Ended {
            return Verdict::Ended;
        }
        let Some(proof) = marks.proof else { return Verdict::Clear };
        if let Hit::Asks { heard } = hit
            && !self.has_answered(proof, heard, now)
        {
            return Verdict::Doubtful(Doubt::Cut);
        }
        if self.is_hinted(&marks, proof, now) {
            return Verdict::Doubtful(Doubt::Hint);
        }
        self.horizon.doubts(proof, marks.share(), now).map_or(Verdict::Clear, Verdict::Doubtful)
    }

    /// Whether what has just been proved may be used at `now`: whether its proof answers all that was heard.
    /// If not, it was ended, or must be proved once more, since something was heard after that proof was asked for.
    pub fn judge_proved<'a>(&self, marks: impl Into<Marks<'a>>, now: Timestamp) -> Verdict {
        let marks = marks.into();
        let Some(proof) = marks.proof else { return self.judge(marks, now) };
        let is_older = |heard: Timestamp| proof.at < heard;
        match self.hit(&marks, now) {
            Hit::Ended => Verdict::Ended,
            Hit::Asks { heard } if is_older(heard) => Verdict::Doubtful(Doubt::Cut),
            _ if self.hinted_at(&marks, now).is_some_and(is_older) => Verdict::Doubtful(Doubt::Hint),
            Hit::Asks { .. } | Hit::None => Verdict::Clear,
        }
    }

    /// As [`Revocations::judge`] for what is open already: it lives on what is heard alone, however old its proof is.
    pub fn judge_stream<'a>(&self, marks: impl Into<Marks<'a>>, now: Timestamp) -> Verdict {
        let marks = marks.into();
        match (self.judge(marks, now), marks.proof) {
            (Verdict::Doubtful(Doubt::Age), Some(proof)) if self.horizon.is_certain(proof, marks.share(), now) => {
                Verdict::Clear
            }
            (verdict, _) => verdict,
        }
    }

    fn hit(&self, marks: &Marks<'_>, now: Timestamp) -> Hit {
        let is_before = marks.token_iat.as_millis() < self.not_before.value.load(Ordering::Acquire);
        if is_before || self.means_everybody(marks) {
            return Hit::Ended;
        }
        self.asks_everybody(marks).or(self.hit_by_name(marks, now))
    }

    /// A login, or a refresh, of while the end of everybody's sessions was being committed may have been ended with the others.
    fn asks_everybody(&self, marks: &Marks<'_>) -> Hit {
        let there = self.everybody.there.load();
        let asks =
            there.as_deref().filter(|_| marks.proof.is_some()).map(|cut| cut.asks(marks.established_at, &self.config));
        match asks {
            Some(Hit::Ended) => {
                Hit::Asks { heard: there.as_deref().map_or(Timestamp::from_millis(NEVER), |cut| cut.heard) }
            }
            asks => asks.unwrap_or(Hit::None),
        }
    }

    fn means_everybody(&self, marks: &Marks<'_>) -> bool {
        marks.token_iat.as_millis() <= self.everybody.at.load(Ordering::Acquire)
    }

    fn hit_by_name(&self, marks: &Marks<'_>, now: Timestamp) -> Hit {
        if self.held.is_empty() {
            return Hit::None;
        }
        let session = marks.adapter_session_id.map(|id| self.digests.session(id.as_str()));
        let sid = marks.sid.map(|sid| self.digests.sid(sid.as_str()));
        let subject = self.digests.subject(marks.subject.as_str());
        let not_before = self.digests.subject_not_before(marks.subject.as_str());
        let digests = [session, sid, Some(subject), Some(not_before)].into_iter().flatten();
        let hits = digests.filter_map(|digest| self.held.read(&digest, now, |held| held.hits(marks, &self.config)));
        hits.fold(Hit::None, Hit::or)
    }

    fn is_hinted(&self, marks: &Marks<'_>, proof: Proof<'_>, now: Timestamp) -> bool {
        self.hinted_at(marks, now).is_some_and(|heard| !self.has_answered(proof, heard, now))
    }

    fn hinted_at(&self, marks: &Marks<'_>, now: Timestamp) -> Option<Timestamp> {
        let sid = marks.sid.filter(|_| !self.hints.is_empty())?;
        self.hints.heard(self.digests.sid(sid.as_str()), now)
    }

    /// Whether a proof answers what was heard: it was asked for when an end must have been committed; until then, if it is of this moment.
    fn has_answered(&self, proof: Proof<'_>, heard: Timestamp, now: Timestamp) -> bool {
        let skew = self.horizon.skew_of(proof);
        let is_settled = proof.at >= heard.plus(self.config.settle).plus(skew);
        let is_of_now = self.horizon.is_own(proof) && proof.at >= heard && now.since(proof.at) <= HELD_WHILE_SETTLING;
        is_settled || is_of_now
    }

    /// Nothing is forgotten in silence: what this node had heard up to then covers no proof any more.
    fn make_good(&self, room: Room<Held>) {
        let Room::Short(lost) = room else { return };
        self.horizon.raise_ground(lost.heard());
        if lost.is_ours() {
            tracing::error!(capacity = CAPACITY, "too many revocations: one that nobody else knows is forgotten");
        } else {
            tracing::warn!(
                capacity = CAPACITY,
                "too many revocations: one is forgotten, and older sessions are asked for"
            );
        }
    }

    /// How many revocations are held.
    #[must_use]
    pub fn len(&self) -> usize {
        let registers = [self.everybody.at.load(Ordering::Relaxed), self.not_before.value.load(Ordering::Relaxed)];
        self.held.len() + registers.iter().filter(|register| **register != NEVER).count()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
