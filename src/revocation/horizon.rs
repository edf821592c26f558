//! The revocation horizon: how long a session's proof may be believed without asking the identity server again. Pure arithmetic on
//! instants; what a node has heard is a value, and so is the time.
//!
//! A node that starts has heard nothing of what was ended while it was away: until a session has been proved to it, it does not serve it.
//! From then on it hears of every end, and need not ask until the proof is older than `proof-life`. A proof that was given while the
//! identity server may still have been committing an end (it pushes first, `settle`) covers nothing.

use std::{
    fmt,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use arc_swap::ArcSwap;

use super::{Config, Proof};
use crate::domain::{NodeIncarnation, Timestamp};

/// Since when, and until when, a node has heard of every revocation; on its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// Since when, without a gap. Ahead of now: it hears nothing that counts.
    pub ground: Timestamp,
    /// Until when.
    pub heard: Timestamp,
    /// The same of the last interval before a gap.
    pub before: Option<Interval>,
}

/// An interval without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Its beginning.
    pub ground: Timestamp,
    /// Its end.
    pub heard: Timestamp,
}

/// Why a session must be proved before it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Its proof is older than `proof-life`, or lies ahead of now.
    Age,
    /// Something that may have ended it was heard, and the identity server decides.
    Cut,
    /// Other nodes hear a part of what is pushed, so that nothing covers the time since its proof.
    Deaf,
    /// What this node has heard does not cover the time since its proof.
    Gap,
    /// A front-channel logout names it, which anybody may send.
    Hint,
}

impl Doubt {
    /// A word for metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Cut => "cut",
            Self::Deaf => "deaf",
            Self::Gap => "gap",
            Self::Hint => "hint",
        }
    }
}

impl Hearing {
    /// Up to when it is known that a session was not ended, whose proof was asked for at `proved_at` on a clock that differs by `skew` at most.
    #[must_use]
    pub fn vouched(&self, proved_at: Timestamp, skew: Duration, settle: Duration) -> Timestamp {
        let covers = |ground: Timestamp| proved_at >= ground.plus(settle).plus(skew);
        match self.before {
            _ if covers(self.ground) => self.heard,
            Some(before) if covers(before.ground) => proved_at.max(before.heard),
            _ => proved_at,
        }
    }

    /// Whether certainty about a session is fresh enough at `now`: no older than `outage-proof`, shortened by `share` so that the proofs
    /// which one gap makes due are spread.
    #[must_use]
    pub fn is_certain(&self, proof: Proof<'_>, skew: Duration, share: Share, config: &Config, now: Timestamp) -> bool {
        now.since(self.vouched(proof.at, skew, config.settle)) <= share.of(config.outage_proof)
    }
}

/// Between a half and all of something, fixed for one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u16);

impl Share {
    const WHOLE: u32 = 1024;

    /// The share of what is known by this text, which is random.
    #[must_use]
    pub fn of_id(text: &str) -> Self {
        let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Self(u16::try_from(hash >> 16).unwrap_or_default() % 513)
    }

    /// That share of `whole`.
    #[must_use]
    pub fn of(self, whole: Duration) -> Duration {
        whole * (Self::WHOLE / 2 + u32::from(self.0)) / Self::WHOLE
    }
}

/// What one process has heard, and how it judges proofs.
pub struct Horizon {
    config: Config,
    me: NodeIncarnation,
    started: Timestamp,
    ground: ArcSwap<Ground>,
    /// By how many milliseconds the identity server's clock was certainly ahead of ours when it was last heard.
    offset: AtomicI64,
}

/// How far `stamped`, which is cut to whole seconds, is certainly ahead of a moment between `asked` and `answered`; less than zero: behind.
fn offset(stamped: Timestamp, asked: Timestamp, answered: Timestamp) -> i64 {
    let (least, most) = (stamped.as_millis(), stamped.as_millis().saturating_add(999));
    let (asked, answered) = (asked.as_millis(), answered.as_millis());
    if least > answered {
        least - answered
    } else if most < asked {
        most - asked
    } else {
        0
    }
}

/// What a process knows of what it has heard, up to now.
#[derive(Clone, Copy, Debug)]
struct Ground {
    since: Timestamp,
    before: Option<Interval>,
}

impl Horizon {
    /// The horizon of a process that starts at `now` as `me`, alone: it has heard nothing yet, and hears all from now on, since every push
    /// for it comes to it.
    #[must_use]
    pub fn new(config: Config, me: NodeIncarnation, now: Timestamp) -> Self {
        let ground = ArcSwap::from_pointee(Ground { since: now, before: None });
        Self { config, me, started: now, ground, offset: AtomicI64::new(0) }
    }

    /// What has been heard at `now`.
    #[must_use]
    pub fn hearing(&self, now: Timestamp) -> Hearing {
        let ground = self.ground.load();
        Hearing { ground: ground.since, heard: now, before: ground.before }
    }

    /// Why a session with this proof must be proved before a request of it is served; `None` when it need not.
    #[must_use]
    pub fn doubts(&self, proof: Proof<'_>, share: Share, now: Timestamp) -> Option<Doubt> {
        if proof.at > now.plus(self.config.skew) || now.since(proof.at) > self.config.proof_life {
            return Some(Doubt::Age);
        }
        // However young: nobody knows what was heard between that proof and this start.
        if !self.is_own(proof) && !self.betrays_others(proof) {
            return Some(Doubt::Gap);
        }
        let doubt = if self.is_deaf(now) { Doubt::Deaf } else { Doubt::Gap };
        (!self.is_certain(proof, share, now)).then_some(doubt)
    }

    /// Whether what was heard is enough to go on without asking, whatever the age of the proof: for streams, which live on revocations alone.
    #[must_use]
    pub fn is_certain(&self, proof: Proof<'_>, share: Share, now: Timestamp) -> bool {
        self.hearing(now).is_certain(proof, self.skew_of(proof), share, &self.config, now)
    }

    /// What may differ between the clock that stamped a proof and ours: nothing where it is ours.
    pub(super) fn skew_of(&self, proof: Proof<'_>) -> Duration {
        if self.is_own(proof) { Duration::ZERO } else { self.config.skew }
    }

    /// Whether this process asked for it.
    #[must_use]
    pub fn is_own(&self, proof: Proof<'_>) -> bool {
        *proof.by == self.me
    }

    /// Whether another node proved a session since this process started: then others share the work, and nothing tells us what they hear.
    #[must_use]
    pub fn betrays_others(&self, proof: Proof<'_>) -> bool {
        !self.is_own(proof) && proof.at > self.started.plus(self.config.skew)
    }

    /// Hears nothing that counts until `proof-life` after `at`. Says whether that is news.
    pub fn deafen(&self, at: Timestamp, now: Timestamp) -> bool {
        let until = at.plus(self.config.proof_life);
        if until <= now {
            return false;
        }
        let is_news = !self.is_deaf(now);
        self.ground.rcu(|ground| Ground { since: ground.since.max(until), before: None });
        is_news
    }

    /// Takes note of the identity server's clock: it wrote `stamped` (whole seconds) between `asked` and `answered` on ours. A node whose clock
    /// differs by more than `skew`, twice in a row, cannot tell what came before what, and hears nothing that counts. Gives the difference in
    /// milliseconds.
    pub fn hear_clock(&self, stamped: Timestamp, asked: Timestamp, answered: Timestamp) -> i64 {
        let offset = offset(stamped, asked, answered);
        let before = self.offset.swap(offset, Ordering::Relaxed);
        let is_beyond = |offset: i64| Duration::from_millis(offset.unsigned_abs()) > self.config.skew;
        if is_beyond(offset) && is_beyond(before) && self.deafen(answered, answered) {
            tracing::warn!(
                offset_ms = offset,
                "the identity server's clock differs from this node's by more than `skew`"
            );
        }
        offset
    }

    /// What the identity server's clock says at `now`, as far as it was ever heard.
    #[must_use]
    pub fn at_the_identity_server(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.as_millis().saturating_add(self.offset.load(Ordering::Relaxed)))
    }

    /// Whether nothing that is heard counts now.
    #[must_use]
    pub fn is_deaf(&self, now: Timestamp) -> bool {
        now < self.ground.load().since
    }

    /// Forgets that it has heard what came up to `at`: a revocation had to go that had been heard then.
    pub fn raise_ground(&self, at: Timestamp) {
        // What was heard before may have lost something earlier in the same way.
        self.ground.rcu(|ground| match **ground {
            ground if at < ground.since => ground,
            _ => Ground { since: at.plus(Duration::from_millis(1)), before: None },
        });
    }

    /// How long after its end a session may be served at the longest, as things stand at `now`: not at all while every end is heard, and no
    /// proof of before that is young enough to be believed.
    #[must_use]
    pub fn bound(&self, now: Timestamp) -> Duration {
        let Config { outage_proof, settle, skew, .. } = self.config;
        let hears_all_since = self.ground.load().since.plus(settle).plus(skew).plus(outage_proof);
        if now < hears_all_since { outage_proof + settle + skew } else { Duration::ZERO }
    }
}

impl fmt::Debug for Horizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Horizon({:?})", self.ground.load())
    }
}

#[cfg(test)]
mod tests;
