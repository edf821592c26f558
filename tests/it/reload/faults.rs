//! A configuration that has a fault.

use std::fs;

use serde_json::json;

use super::{Changing, locked_below};
use crate::support::{Options, until};

fn current(door: &Changing) -> u64 {
    door.scene.adapter.metric("doorward_config_current")
}

#[test]
fn a_fault_changes_nothing_and_is_told_until_it_is_mended() {
    let mut door = Changing::start(Options::default());
    let mut browser = door.scene.signed_in();
    door.change_to("refused", |config| {
        config["sidecar"]["rules"] = locked_below("/a/*");
        config["sidecar"]["upstreem"] = json!("http://127.0.0.1:1");
    });
    assert_eq!((current(&door), door.status(&mut browser, "/a/x")), (0, 200));
    door.change(|config| drop(config["sidecar"].as_object_mut().unwrap().remove("upstreem")));
    assert_eq!((current(&door), door.status(&mut browser, "/a/x")), (1, 403));
}

/// What waits for a restart is read all the same: the restart must not be what tells.
#[test]
fn a_fault_in_what_waits_for_a_restart_is_told_too() {
    let mut door = Changing::start(Options::default());
    door.change_to("refused", |config| config["sidecar"]["listen"] = json!("nowhere"));
    assert_eq!(current(&door), 0);
}

#[test]
fn a_file_that_is_no_json_or_gone_is_a_fault() {
    let mut door = Changing::start(Options::default());
    let good = door.config.to_string();
    for broken in [&good[..good.len() / 2], ""] {
        let before = door.counted("refused");
        fs::write(door.file(), broken).unwrap();
        door.scene.adapter.nudge();
        until("it is refused", || (door.counted("refused") > before).then_some(()));
    }
    let before = door.counted("refused");
    fs::remove_file(door.file()).unwrap();
    door.scene.adapter.nudge();
    until("it is refused", || (door.counted("refused") > before).then_some(()));
    door.change(|_| {});
    assert_eq!(current(&door), 1);
}

/// Nobody asks again: a secret that was not there yet is found, and a fault that stays the same is counted once.
#[test]
fn a_fault_is_looked_at_again_without_being_asked_and_told_once() {
    let mut door = Changing::start(Options::default().with(json!({ "sidecar": { "reload-interval": "20ms" } })));
    let secret = door.folder.path().join("not-yet");
    let mut config = door.config.clone();
    config["sidecar"]["provider"]["client-secret"] = json!(format!("${{file:{}}}", secret.display()));
    fs::write(door.file(), config.to_string()).unwrap();
    until("it is refused", || (door.counted("refused") == 1 && current(&door) == 0).then_some(()));
    fs::write(&secret, crate::support::SECRET).unwrap();
    until("it is served", || (current(&door) == 1).then_some(()));
    assert_eq!((door.counted("refused"), door.counted("served")), (1, 1));
    door.config = config;
    door.scene.signed_in();
}
