//! What must stop working now. This is the truth; removing cookies and closing sessions is housekeeping that follows.
//!
//! A revocation is `(key, keep-until)`: it outlives every session that it can hit. Today the keys are adapter session ids,
//! ended by sign-out at this node; the identity server's own revocations will join them here.

use std::{collections::VecDeque, sync::Mutex, sync::PoisonError};

use dashmap::DashMap;
use thiserror::Error;

use crate::domain::{AdapterSessionId, Session, Timestamp};

/// Most revocations held. The oldest goes first; it is counted and logged, since a copied cookie could then live again until
/// its own end.
const CAPACITY: usize = 1_000_000;

/// The revocations that this process knows.
#[derive(Debug)]
pub struct Revocations {
    ended: DashMap<AdapterSessionId, Timestamp>,
    /// The same keys, oldest first, so that the bound can be kept.
    order: Mutex<VecDeque<AdapterSessionId>>,
    capacity: usize,
}

/// A session that was ended before its time.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the session was ended")]
pub struct Revoked;

impl Default for Revocations {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl Revocations {
    fn with_capacity(capacity: usize) -> Self {
        Self { ended: DashMap::new(), order: Mutex::new(VecDeque::new()), capacity }
    }

    /// Ends one session: from now on [`Revocations::check`] refuses it, whoever presents it. `keep_until` is when it would
    /// have ended by itself.
    pub fn end_session(&self, id: &AdapterSessionId, keep_until: Timestamp, now: Timestamp) {
        if self.ended.insert(id.clone(), keep_until).is_some() {
            return;
        }
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order.push_back(id.clone());
        self.drop_passed(&mut order, now);
        if order.len() > self.capacity {
            tracing::warn!(capacity = self.capacity, "too many revocations: the oldest is forgotten");
            self.drop_oldest(&mut order);
        }
    }

    /// Whether `session` may still be used.
    ///
    /// # Errors
    /// When it was ended.
    pub fn check(&self, session: &Session) -> Result<(), Revoked> {
        if self.ended.contains_key(&session.adapter_session_id) { Err(Revoked) } else { Ok(()) }
    }

    /// How many revocations are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ended.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty()
    }

    /// Forgets those at the front whose sessions have ended by themselves.
    fn drop_passed(&self, order: &mut VecDeque<AdapterSessionId>, now: Timestamp) {
        while order.front().is_some_and(|id| self.ended.get(id).is_none_or(|until| *until < now)) {
            self.drop_oldest(order);
        }
    }

    fn drop_oldest(&self, order: &mut VecDeque<AdapterSessionId>) {
        if let Some(id) = order.pop_front() {
            self.ended.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn id(n: u32) -> AdapterSessionId {
        AdapterSessionId::new(n.to_string())
    }

    #[test]
    fn what_has_passed_is_forgotten_and_the_bound_holds() {
        let revocations = Revocations::with_capacity(3);
        let later = NOW.plus(Duration::from_secs(10));
        for n in 0..5 {
            revocations.end_session(&id(n), later, NOW);
            revocations.end_session(&id(n), later, NOW);
        }
        assert_eq!(revocations.len(), 3);
        assert!(revocations.ended.contains_key(&id(4)) && !revocations.ended.contains_key(&id(1)));
        revocations.end_session(&id(9), later.plus(Duration::from_secs(9)), later.plus(Duration::from_secs(1)));
        assert_eq!(revocations.len(), 1);
    }
}
