//! The program itself, as operators start it.

use std::{
    fs::{self, File},
    net::SocketAddr,
    process::{Child, Command, Output, Stdio},
    sync::Mutex,
};

use serde_json::Value;
use tempfile::TempDir;

use super::until;

/// A running `doorward serve`. Killed when dropped.
pub(crate) struct Program {
    child: Mutex<Child>,
    /// Holds the configuration and what is printed.
    folder: TempDir,
}

/// Runs a command to its end.
pub(crate) fn run_doorward(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_doorward")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Every command and what stands below it, as it is called: `["sessions"]`, `["sessions", "list"]`.
pub(crate) fn commands() -> Vec<Vec<String>> {
    let (mut known, mut asked) = (vec![vec![]], 0);
    while let Some(command) = known.get(asked).cloned() {
        let line: Vec<&str> = command.iter().map(String::as_str).chain(["-h"]).collect();
        let help = String::from_utf8(run_doorward(&line).stdout).unwrap();
        let below = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
        let names = below.lines().take_while(|line| line.starts_with("  ")).filter_map(|line| line.split(' ').nth(2));
        known.extend(names.filter(|name| *name != "help").map(|name| [&command[..], &[name.to_owned()]].concat()));
        asked += 1;
    }
    known.split_off(1)
}

impl Program {
    /// Starts `doorward serve` with this configuration.
    pub(crate) fn serve(config: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("adapter.json");
        fs::write(&file, config.to_string()).unwrap();
        let [out, log] = ["stdout", "stderr"].map(|name| File::create(folder.path().join(name)).unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.arg("serve").arg("-c").arg(&file).stdin(Stdio::null());
        let child = command.stdout(out).stderr(log).spawn().unwrap();
        Self { child: Mutex::new(child), folder }
    }

    /// Everything printed so far: the log, then standard output.
    pub(crate) fn printed(&self) -> String {
        self.log() + &self.stdout()
    }

    /// What is on standard error so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap()
    }

    /// What is on standard output so far.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.folder.path().join("stdout")).unwrap()
    }

    /// Where a listener listens, once it does.
    pub(crate) fn address(&self, listener: &str) -> SocketAddr {
        until("it listens", || {
            assert!(self.child.lock().unwrap().try_wait().unwrap().is_none(), "it has ended: {}", self.printed());
            self.printed().lines().find_map(|line| address_in(line, listener))
        })
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// Another configuration in the same file.
    pub(crate) fn rewrite(&self, config: &Value) {
        fs::write(self.folder.path().join("adapter.json"), config.to_string()).unwrap();
    }

    /// Waits for its end; its exit code.
    pub(crate) fn wait(&self) -> Option<i32> {
        until("it ends", || self.child.lock().unwrap().try_wait().unwrap()).code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        // One that has ended already needs no killing.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The address in a line that says `listening`, as text or as JSON.
fn address_in(line: &str, listener: &str) -> Option<SocketAddr> {
    if !line.contains("listening") || !line.contains(&format!("\"{listener}\"")) {
        return None;
    }
    let (_, rest) = line.split_once("127.0.0.1:")?;
    let port = rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    format!("127.0.0.1:{port}").parse().ok()
}
