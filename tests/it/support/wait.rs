//! Waiting for what another thread or process does: asked again and again until it is so, or until a deadline. Never a
//! fixed time.

use std::{
    thread,
    time::{Duration, Instant},
};

use identity_server::http::PATIENCE;

/// How often is asked. No story depends on it.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks until there is an answer.
///
/// # Panics
/// When there is none within the patience of the tests.
#[expect(clippy::disallowed_methods, reason = "threads and processes do not run on a clock of ours")]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(PAUSE);
    }
}
