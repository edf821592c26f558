//! States that were redeemed already. The cookie of an attempt is removed when it is used, but a copy of it is not: without this a
//! callback could be played again up to the token endpoint.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::domain::{SecretString, Timestamp};

/// Most states remembered; beyond that the oldest goes, and the provider's own rule (a code is good once) remains.
const CAPACITY: usize = 100_000;

/// The states used within the last life of an attempt.
#[derive(Debug, Default)]
pub struct UsedStates(Mutex<Used>);

#[derive(Debug, Default)]
struct Used {
    states: HashSet<String>,
    order: VecDeque<(Timestamp, String)>,
}

impl UsedStates {
    /// Claims `state` for one callback; false when another one had it before. Kept for `ttl`.
    #[must_use]
    pub(super) fn claim(&self, state: &SecretString, now: Timestamp, ttl: Duration) -> bool {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while used.order.len() >= CAPACITY || used.order.front().is_some_and(|(at, _)| at.plus(ttl) < now) {
            let Some((_, oldest)) = used.order.pop_front() else { break };
            used.states.remove(&oldest);
        }
        let first = used.states.insert(state.expose().clone());
        if first {
            used.order.push_back((now, state.expose().clone()));
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_good_once_and_forgotten_after_its_life() {
        let used = UsedStates::default();
        let (state, ttl) = (SecretString::new("s"), Duration::from_secs(10));
        let now = Timestamp::from_secs(100);
        assert!(used.claim(&state, now, ttl));
        assert!(!used.claim(&state, now.plus(ttl), ttl));
        assert!(used.claim(&state, now.plus(ttl * 2), ttl));
    }
}
