//! The program itself: SIGHUP, what its log tells, and many readings under load.

use std::{
    fs,
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use identity_server::http::{self, Request};
use serde_json::{Value, json};

use crate::support::{KEY, Options, Program, SECRET, until};

/// How often the configuration is changed under load.
const CHANGES: usize = 200;
/// How many ask all the time meanwhile.
const CLIENTS: usize = 4;
/// What a process may grow by between the middle and the end of it, in KiB: far less than one snapshot a change.
const GROWTH: u64 = 6 << 10;

fn served(program: &Program) -> usize {
    program.log().matches("the configuration was read again and is served").count()
}

fn public(config: &mut Value, header: &str) {
    config["sidecar"]["rules"] = json!([{ "path": "/*", "access": "public" }]);
    config["sidecar"]["headers"] = json!({ header: "email" });
}

#[test]
fn sighup_reads_the_file_again_and_a_fault_is_told_by_its_key_and_without_a_secret() {
    let (_clock, _server, _application, _, mut config) = Options::default().prepare();
    let program = Program::serve(&config);
    let address = program.address("public");
    let ask = || http::send(address, &Request::get("/x").header("Host", "app.test")).unwrap().status;
    assert_eq!(ask(), 401);
    config["sidecar"]["secret-of-whom"] = json!(SECRET);
    program.rewrite(&config);
    program.hang_up();
    until("it is told", || program.log().contains("secret-of-whom").then_some(()));
    assert_eq!(ask(), 401);
    config["sidecar"].as_object_mut().unwrap().remove("secret-of-whom");
    public(&mut config, "X-One");
    program.rewrite(&config);
    program.hang_up();
    until("it is served", || (served(&program) == 1).then_some(()));
    assert_eq!(ask(), 200);
    let printed = program.printed();
    assert!(!printed.contains(SECRET) && !printed.contains(KEY), "{printed}");
    program.terminate();
    assert_eq!(program.wait(), Some(0));
}

/// It must not kill a process that has only begun, nor be lost on it.
#[test]
fn sighup_right_at_the_start_is_heard() {
    let (_clock, _server, _application, _, mut config) = Options::keycloak().prepare();
    config["turn-off-change-session-id-on-login"] = json!(true);
    config["sidecar"]["reload-interval"] = json!("0s");
    let program = Program::serve(&config);
    until("it starts", || program.printed().contains("turn-off-change-session-id-on-login").then_some(()));
    program.hang_up();
    until("it is heard", || (served(&program) == 1).then_some(()));
    program.terminate();
    assert_eq!(program.wait(), Some(0), "{}", program.printed());
}

/// Whoever opened it would wait for a writer for ever, and keep the process from its end.
#[test]
fn a_pipe_is_not_read_again_and_keeps_no_process_from_its_end() {
    let (_clock, _server, _application, _, mut config) = Options::default().prepare();
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    config["sidecar"]["provider"]["client-secret"] = json!(format!("${{file:{}}}", pipe.display()));
    let written = pipe.clone();
    let writer = thread::spawn(move || fs::write(written, SECRET).unwrap());
    let program = Program::serve(&config);
    writer.join().unwrap();
    program.address("public");
    program.hang_up();
    until("it is told", || program.log().contains("is no regular file").then_some(()));
    assert_eq!(served(&program), 0);
    program.terminate();
    assert_eq!(program.wait(), Some(0), "{}", program.printed());
}

/// Resident memory, in KiB.
fn memory(program: &Program) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Stops the load, also where the story fails: it would be waited for.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn two_hundred_changes_under_load_lose_no_request_and_keep_no_memory() {
    let (_clock, _server, _application, _, mut config) = Options::default().prepare();
    public(&mut config, "X-Zero");
    let program = Program::serve(&config);
    let address = program.address("public");
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let _at_the_end = Stop(&stop);
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let answer = http::send(address, &Request::get("/x").header("Host", "app.test")).unwrap();
                    assert_eq!(answer.status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut halfway = 0;
        for change in 1..=CHANGES {
            public(&mut config, if change % 2 == 0 { "X-Even" } else { "X-Odd" });
            program.rewrite(&config);
            program.hang_up();
            let before = answered.load(Ordering::Relaxed);
            until("it is served", || (served(&program) == change).then_some(()));
            until("requests pass", || (answered.load(Ordering::Relaxed) > before).then_some(()));
            if change == CHANGES / 2 {
                halfway = memory(&program);
            }
        }
        let end = memory(&program);
        assert!(end < halfway + GROWTH, "from {halfway} KiB halfway to {end} KiB");
    });
}
