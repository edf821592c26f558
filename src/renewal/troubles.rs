//! Whether the identity server is in trouble, as proofs find it: then nobody asks for a moment, so that an outage costs one attempt a second
//! and not one for each session. The trouble of one session is no outage: its own answer may be what cannot be read.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::domain::AdapterSessionId;

/// What proofs have met lately.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<Met>);

#[derive(Debug, Default)]
struct Met {
    /// The sessions whose questions came to nothing since one was last answered, at most [`AN_OUTAGE`].
    unanswered: Vec<AdapterSessionId>,
    until: Option<Instant>,
}

/// So many sessions in a row that nobody could answer for.
const AN_OUTAGE: usize = 3;
/// How long nobody asks then.
const PAUSE: Duration = Duration::from_secs(1);

impl Troubles {
    /// Somebody was answered, whatever the answer was.
    pub(super) fn answered(&self) {
        let mut met = self.met();
        met.unanswered.clear();
        met.until = None;
    }

    /// Nobody could answer for this session.
    pub(super) fn unanswered(&self, id: &AdapterSessionId) {
        let mut met = self.met();
        if met.unanswered.len() < AN_OUTAGE && !met.unanswered.contains(id) {
            met.unanswered.push(id.clone());
        }
        if met.unanswered.len() >= AN_OUTAGE {
            met.until = Some(Instant::now() + PAUSE);
        }
    }

    /// Whether nobody is to ask now.
    pub(super) fn is_pausing(&self) -> bool {
        self.met().until.is_some_and(|until| Instant::now() < until)
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn several_sessions_in_a_row_are_an_outage_and_one_that_fails_again_and_again_is_none() {
        let troubles = Troubles::default();
        let failed = |name: &str| troubles.unanswered(&AdapterSessionId::new(name));
        for _ in 0..10 {
            failed("one");
        }
        failed("two");
        assert!(!troubles.is_pausing());
        failed("three");
        assert!(troubles.is_pausing());
        tokio::time::advance(PAUSE).await;
        assert!(!troubles.is_pausing());
        failed("one");
        assert!(troubles.is_pausing(), "it goes on");
        troubles.answered();
        failed("one");
        assert!(!troubles.is_pausing());
    }
}
