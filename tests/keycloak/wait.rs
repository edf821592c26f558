//! Waiting for what another process does: asked again and again until it is so, or until a deadline. Never a fixed time.

use std::{
    thread,
    time::{Duration, Instant, SystemTime},
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

/// The time of this machine, to measure how long another process takes.
#[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The second of this machine's calendar, which is also the identity server's.
#[expect(clippy::disallowed_methods, reason = "other processes do not run on a clock of ours")]
pub(crate) fn second() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("this machine's clock is set").as_secs()
}

/// A figure for whoever reads the output of a run (`--nocapture`, or a failure).
#[expect(clippy::print_stdout, reason = "the harness keeps it beside the story")]
pub(crate) fn report(figure: &str) {
    println!("{figure}");
}
