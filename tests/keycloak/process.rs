//! Another program, running for as long as its value lives, and never longer than this process.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::wait;

/// A running program. Dropping it stops it and waits for its end. The work is done by the script `guard`, which also
/// stops the program when this process dies without dropping anything.
pub(crate) struct Process {
    guard: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`, with everything it prints going to the file `log`. `grace` is how many seconds it gets between
    /// SIGTERM and SIGKILL; 0: none, SIGKILL at once.
    pub(crate) fn start(program: &mut Command, grace: u8, log: PathBuf) -> io::Result<Self> {
        // Emptied here and not by the guard: an earlier run's words must not be read as this one's.
        fs::write(&log, [])?;
        let mut guarded = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keycloak/guard"));
        guarded.arg(grace.to_string()).arg(&log).arg(program.get_program()).args(program.get_args());
        guarded.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let guard = guarded.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        Ok(Self { guard, log })
    }

    /// Stops it at once, without the grace that it has otherwise: SIGKILL. Returns when it is gone.
    pub(crate) fn kill(mut self) {
        let pipe = self.guard.stdin.as_mut().expect("held until the end");
        pipe.write_all(b"kill\n").expect("the guard listens");
    }

    /// What it has printed so far.
    pub(crate) fn printed(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Waits until `find` sees what it looks for in what was printed. Fails when the program ends before, or at the limit.
    pub(crate) fn wait_for<T>(&mut self, limit: Duration, find: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        let outcome = wait::within(limit, || {
            let ended = self.guard.try_wait().expect("the state of a child is readable");
            match find(&self.printed()) {
                Some(found) => Some(Ok(found)),
                None => ended.map(|code| Err(format!("ended before ({code}):\n{}", self.printed()))),
            }
        });
        outcome.unwrap_or_else(|| Err(format!("not within {limit:?}; its log is {}", self.log.display())))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // A guard that is gone already needs no waiting for.
        let _ = self.guard.wait();
    }
}
