//! How long to wait after each failure: twice as long each time, up to a limit, and never all nodes at once.

use std::time::Duration;

use crate::domain::Random;

/// Growing delays.
#[derive(Clone, Debug)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// Delays between `least` and `most`; the longer of the two is the limit.
    #[must_use]
    pub fn new(least: Duration, most: Duration) -> Self {
        let most = most.max(least);
        Self { least, most, next: least }
    }

    /// The next delay: between half of it and all of it, by chance.
    pub fn delay(&mut self, random: &dyn Random) -> Duration {
        let full = self.next;
        self.next = (full * 2).min(self.most);
        let mut byte = [0];
        random.fill(&mut byte);
        full / 2 + (full / 2) * u32::from(byte[0]) / 255
    }

    /// Begins anew after a success.
    pub fn reset(&mut self) {
        self.next = self.least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SystemRandom;

    #[test]
    fn delays_double_up_to_the_limit_and_begin_anew() {
        let (least, most) = (Duration::from_millis(100), Duration::from_millis(500));
        let mut backoff = Backoff::new(least, most);
        for full in [100, 200, 400, 500, 500] {
            let delay = backoff.delay(&SystemRandom).as_millis();
            assert!((full / 2..=full).contains(&delay), "{delay} of {full}");
        }
        backoff.reset();
        assert!(backoff.delay(&SystemRandom) <= least);
    }
}
