//! Waiting for what another process does: asked again and again until it is so, or until a deadline. Never a fixed time.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How often is asked. No test depends on it.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks until there is an answer; `None` after `limit`.
#[expect(clippy::disallowed_methods, reason = "other processes do not run on a clock of ours")]
pub(crate) fn within<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        match ask() {
            None if start.elapsed() < limit => thread::sleep(PAUSE),
            answer => return answer,
        }
    }
}
