//! So many at once, and so many per second in the long run: a bound on what strangers can make us write or keep.

use std::sync::{Mutex, PoisonError};

use crate::domain::Timestamp;

/// A rate that is kept.
#[derive(Debug)]
pub struct Rate {
    burst: u32,
    per_second: u32,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    left: u32,
    filled_at: Timestamp,
}

impl Rate {
    /// `burst` at once, and `per_second` in each second.
    #[must_use]
    pub fn new(burst: u32, per_second: u32) -> Self {
        let bucket = Mutex::new(Bucket { left: burst, filled_at: Timestamp::from_secs(0) });
        Self { burst, per_second, bucket }
    }

    /// Whether one more is within the rate at `now` (this node's clock); if so, it counts.
    pub fn admits(&self, now: Timestamp) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not stop the filling.
        bucket.filled_at = bucket.filled_at.min(now);
        let seconds = u32::try_from(now.since(bucket.filled_at).as_secs()).unwrap_or(u32::MAX);
        if seconds > 0 {
            bucket.left = bucket.left.saturating_add(seconds.saturating_mul(self.per_second)).min(self.burst);
            bucket.filled_at = now;
        }
        let has_one = bucket.left > 0;
        bucket.left = bucket.left.saturating_sub(1);
        has_one
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_at_once_and_then_so_many_in_each_second_whatever_the_clock_does() {
        let rate = Rate::new(100, 20);
        let admitted = |now: Timestamp| (0..1_000).filter(|_| rate.admits(now)).count();
        let now = Timestamp::from_secs(1_000);
        assert_eq!(admitted(now), 100);
        assert_eq!(admitted(now.plus(Duration::from_secs(1))), 20);
        assert_eq!(admitted(now.minus(Duration::from_secs(500))), 0, "set back");
        assert_eq!(admitted(now.minus(Duration::from_secs(499))), 20);
    }
}
