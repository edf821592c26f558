//! How much the identity server may be asked for proofs: so many at a time, and so many per second. A node that starts must ask for every
//! session that comes, and must not take the identity server down with that.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until, timeout_at},
};

/// A budget.
#[derive(Debug)]
pub(super) struct Budget {
    in_flight: Semaphore,
    interval: Duration,
    /// When the next may leave.
    next: Mutex<Option<Instant>>,
}

/// Leave to ask once; gives its place back when dropped.
#[derive(Debug)]
pub(super) struct Leave<'a>(#[expect(dead_code, reason = "held for its drop")] SemaphorePermit<'a>);

/// Longest wait for a place.
const PATIENCE: Duration = Duration::from_secs(5);

impl Budget {
    /// At most `in_flight` at a time, and `per_second` in each second.
    pub(super) fn new(in_flight: usize, per_second: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { in_flight: Semaphore::new(in_flight), interval, next: Mutex::new(None) }
    }

    /// Waits for leave; `None` when that would take too long.
    pub(super) async fn leave(&self) -> Option<Leave<'_>> {
        let now = Instant::now();
        let (at, latest) = (self.slot(now)?, now + PATIENCE);
        sleep_until(at).await;
        let place = timeout_at(latest, self.in_flight.acquire()).await;
        place.ok()?.ok().map(Leave)
    }

    /// Who would have to wait too long takes nobody's turn.
    fn slot(&self, now: Instant) -> Option<Instant> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = next.map_or(now, |next| next.max(now));
        if at > now + PATIENCE {
            return None;
        }
        *next = Some(at + self.interval);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_leave_in_a_second_and_who_would_wait_too_long_is_told_at_once() {
        let budget = Budget::new(1_000, 10);
        let began = Instant::now();
        let waiting = futures_util::future::join_all((0..100).map(|_| budget.leave())).await;
        assert_eq!(waiting.iter().flatten().count(), 51, "one at once, and ten in each of five seconds");
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_under_way_at_a_time() {
        let budget = Budget::new(2, 1_000);
        let first = (budget.leave().await, budget.leave().await);
        assert!(budget.leave().await.is_none(), "both places are taken");
        drop(first);
        assert!(budget.leave().await.is_some());
    }
}
