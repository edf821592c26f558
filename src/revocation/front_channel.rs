//! What front-channel logouts say. They are unauthenticated by nature (OpenID Connect Front-Channel Logout 1.0, section 2), so they end nothing:
//! a session that one of them names is proved before it is served again. They live in a small table of their own, at a limited rate, so that
//! a flood of them costs nobody else's revocations their place.

use std::time::Duration;

use super::digest::Digest;
use crate::{
    domain::Timestamp,
    expiring::{Expiring, Room},
    rate::Rate,
};

/// Most hints held; at the rate below no more come in the life of one.
const CAPACITY: usize = 16_384;
/// Most hints taken at once, and per second in the long run.
const BURST: u32 = 100;
const PER_SECOND: u32 = 20;

/// Whose claim a hint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hinted {
    /// The session is known here, which nobody can guess: taken without a limit.
    Known,
    /// Nothing is known of it.
    Unknown,
}

/// The hints that are held.
#[derive(Debug)]
pub(super) struct Hints {
    held: Expiring<Digest, Timestamp>,
    rate: Rate,
}

impl Default for Hints {
    fn default() -> Self {
        Self { held: Expiring::with_capacity(CAPACITY), rate: Rate::new(BURST, PER_SECOND) }
    }
}

impl Hints {
    /// Notes that the session at the identity server with this digest may have ended. Says whether there was room for it.
    pub(super) fn note(&self, sid: Digest, hinted: Hinted, now: Timestamp, keep: Duration) -> bool {
        let is_held = self.held.read(&sid, now, |_| ()).is_some();
        if hinted == Hinted::Unknown && !is_held && !self.rate.admits(now) {
            return false;
        }
        match self.held.update(&sid, now, |_| (now, now.plus(keep))) {
            Room::Enough | Room::Short(_) => true,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// When a hint about it was heard last.
    pub(super) fn heard(&self, sid: Digest, now: Timestamp) -> Option<Timestamp> {
        self.held.read(&sid, now, |heard| *heard)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::digest::Digests, *};

    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const KEEP: Duration = Duration::from_secs(600);

    #[test]
    fn a_flood_of_strangers_is_limited_and_what_is_known_here_passes() {
        let (hints, digests) = (Hints::default(), Digests::default());
        let sid = |n: u32| digests.sid(&format!("sid {n}"));
        let taken = (0..1_000).filter(|n| hints.note(sid(*n), Hinted::Unknown, NOW, KEEP)).count();
        assert_eq!(taken, usize::try_from(BURST).unwrap());
        assert!(hints.note(sid(5_000), Hinted::Known, NOW, KEEP));
        assert_eq!(hints.heard(sid(5_000), NOW), Some(NOW));
        let later = NOW.plus(Duration::from_secs(1));
        let taken = (2_000..3_000).filter(|n| hints.note(sid(*n), Hinted::Unknown, later, KEEP)).count();
        assert_eq!(taken, usize::try_from(PER_SECOND).unwrap());
    }

    #[test]
    fn the_rate_cannot_push_a_hint_out_before_its_end() {
        assert!(u64::from(PER_SECOND) * (KEEP.as_secs() + 5) + u64::from(BURST) < CAPACITY as u64);
    }
}
