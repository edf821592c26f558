//! The commands, as operators call them: exit codes, what is printed, and where.

use std::{
    fs,
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Output},
};

use identity_server::{Endpoint, Fault};
use serde_json::{Value, json};

use crate::support::{self, Adapter, Options, Program, run_doorward};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn with_file(command: &str, config: &Value) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("adapter.json");
    std::fs::write(&file, config.to_string()).unwrap();
    run_doorward(&[command, "-c", file.to_str().unwrap()])
}

#[test]
fn a_file_with_ten_faults_prints_ten_lines_and_no_secret() {
    let config = json!({
        "provider-url": "ftp://x", "client-id": "a\u{7}", "ssl-required": "sometimes", "tokenstore": "cookie",
        "policy-enforcer": {}, "sidecar": {
            "listen": "nowhere", "upstream": "ftp://app", "path-prefix": "oauth2",
            "cookie": { "keys": ["planted-cookie-key"] }, "public-url": "http://app.test/path",
            "provider": { "client-secret": SECRET },
        },
    });
    for command in ["serve", "check"] {
        let output = with_file(command, &config);
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{printed}");
        assert_eq!((printed.lines().count(), output.stdout.len()), (10, 0), "{printed}");
        for path in [
            "provider-url",
            "client-id",
            "ssl-required",
            "tokenstore",
            "policy-enforcer",
            "sidecar.listen",
            "sidecar.upstream",
            "sidecar.path-prefix",
            "sidecar.cookie.keys[0]",
            "sidecar.public-url",
        ] {
            assert_eq!(printed.lines().filter(|line| line.starts_with(path)).count(), 1, "{path}:\n{printed}");
        }
        assert!(printed.contains("`token-store`"), "no nearest name:\n{printed}");
        assert!(!printed.contains("planted"), "{printed}");
    }
}

const SECRET: &str = "planted-secret";

#[test]
fn a_file_that_is_not_there_or_no_json_is_one_fault() {
    let missing = run_doorward(&["serve", "-c", "/nonexistent/adapter.json"]);
    assert_eq!((missing.status.code(), text(&missing.stderr).lines().count()), (Some(78), 1));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("adapter.json");
    std::fs::write(&file, "{ \"realm\": ").unwrap();
    let broken = run_doorward(&["check", "-c", file.to_str().unwrap()]);
    assert_eq!((broken.status.code(), text(&broken.stderr).lines().count()), (Some(78), 1));
}

#[test]
fn a_listener_that_is_taken_ends_the_program_with_69() {
    let (_clock, _server, _application, _, config) = Options::default().prepare();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for listener in ["listen", "admin"] {
        let mut config = config.clone();
        config["sidecar"][listener] = if listener == "admin" { json!({ "listen": address }) } else { json!(address) };
        let output = with_file("serve", &config);
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(69), "{printed}");
        assert!(printed.contains(&address), "{printed}");
    }
}

#[test]
fn keygen_prints_a_key_that_a_configuration_accepts_and_nothing_else() {
    let output = run_doorward(&["keygen"]);
    let printed = text(&output.stdout);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    let key = printed.strip_suffix('\n').unwrap();
    assert!(key.len() == 43 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{key}");
    assert_ne!(text(&run_doorward(&["keygen"]).stdout), printed);
    let (clock, _server, _application, _, mut config) = Options::default().prepare();
    config["sidecar"]["cookie"]["keys"] = json!([key]);
    drop(Adapter::start(&config, clock));
}

#[test]
fn check_asks_the_identity_server_and_tells_what_to_register() {
    let (_clock, mut server, _application, _, config) = Options::keycloak().prepare();
    let output = with_file("check", &config);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    for line in [
        "configuration: no fault".to_owned(),
        "response-mode: query; a POST to the callback is answered with 405".to_owned(),
        format!("identity server: issuer {}", server.issuer()),
        "to register there: redirect URI http://app.test/oauth2/callback".to_owned(),
        "to register there: post-logout redirect URI http://app.test/oauth2/signed_out".to_owned(),
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}\n{printed}");
    }
    server.always(Endpoint::Discovery, Fault::status(404));
    let output = with_file("check", &config);
    assert_eq!(output.status.code(), Some(69));
    let printed = text(&output.stdout);
    assert!(printed.contains(&format!("identity server: discovery at {}", server.issuer())), "{printed}");
    assert!(printed.contains("answered with status 404"), "{printed}");
    // What is to be registered does not hang on the answer.
    assert!(printed.contains("to register there: redirect URI http://app.test/oauth2/callback\n"), "{printed}");
    server.stop();
    assert_eq!(with_file("check", &config).status.code(), Some(69));
}

#[test]
fn check_finds_out_whether_the_identity_server_takes_the_clients_secret() {
    for options in [Options::keycloak(), Options::default()] {
        let (_clock, _server, _application, _, config) = options.prepare();
        let output = with_file("check", &config);
        let printed = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{printed}");
        assert!(printed.contains("identity server: it accepts the client's credentials\n"), "{printed}");
        let wrong = config.to_string().replace(support::SECRET, "another-secret");
        let output = with_file("check", &serde_json::from_str(&wrong).unwrap());
        let printed = text(&output.stdout);
        assert_eq!(output.status.code(), Some(78), "{printed}");
        assert!(printed.contains("fault: the identity server does not accept the client's credentials"), "{printed}");
        assert!(!printed.contains("another-secret"), "{printed}");
    }
}

#[test]
fn check_and_serve_name_a_key_that_does_nothing() {
    let (_clock, _server, _application, _, mut config) = Options::keycloak().prepare();
    config["turn-off-change-session-id-on-login"] = json!(true);
    let printed = text(&with_file("check", &config).stdout);
    assert!(printed.lines().any(|line| line.starts_with("warning: turn-off-change-session-id-on-login")), "{printed}");
    let program = Program::serve(&config);
    program.address("public");
    assert!(program.printed().contains("turn-off-change-session-id-on-login"));
}

/// Path; inode, owner and mode; when it was changed; bytes.
type State = (PathBuf, (u64, u32, u32), (i64, i64), Vec<u8>);

/// All that could have been changed of a directory and of what is in it.
fn state_of(directory: &Path) -> Vec<State> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.chain([directory.to_owned()]).collect();
    paths.sort();
    let state = |path: PathBuf| {
        let found = fs::metadata(&path).unwrap();
        let bytes = if found.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        (path, (found.ino(), found.uid(), found.mode()), (found.mtime(), found.mtime_nsec()), bytes)
    };
    paths.into_iter().map(state).collect()
}

#[test]
fn check_changes_nothing_where_a_running_node_keeps_what_was_ended() {
    let (clock, _server, _application, _, mut config) = Options::keycloak().prepare();
    let kept = tempfile::tempdir().unwrap();
    config["sidecar"]["persist"] = json!(kept.path());
    let _node = Adapter::start(&config, clock);
    // What would be written anew: a line that has passed, and one that cannot be read.
    let past = "{\"end\":\"everybody\",\"cut\":0,\"until\":1}\n{\"end\":\n";
    fs::write(kept.path().join("revocations.jsonl"), past).unwrap();
    let before = state_of(kept.path());
    let output = with_file("check", &config);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(printed.contains("warning: sidecar.persist: 1 lines"), "{printed}");
    assert_eq!(state_of(kept.path()), before);
    assert_eq!(before.len(), 2);
}

#[test]
fn check_makes_no_directory_and_says_that_a_start_does() {
    let (_clock, _server, _application, _, mut config) = Options::keycloak().prepare();
    let above = tempfile::tempdir().unwrap();
    config["sidecar"]["persist"] = json!(above.path().join("a/b"));
    let output = with_file("check", &config);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(printed.contains("b` is not there; it is made at start\n"), "{printed}");
    assert_eq!(fs::read_dir(above.path()).unwrap().count(), 0);
    fs::write(above.path().join("a"), "").unwrap();
    let output = with_file("check", &config);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(78), "{printed}");
    assert!(printed.contains("fault: ") && printed.contains("(sidecar.persist)"), "{printed}");
}

/// As somebody who is not root, which this process may be.
#[test]
fn what_the_user_of_the_check_may_not_do_with_persist_is_a_warning() {
    let (_clock, _server, _application, _, mut config) = Options::keycloak().prepare();
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    fs::create_dir(&kept).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o555)).unwrap();
    let file = folder.path().join("adapter.json");
    let mut binary = PathBuf::from(env!("CARGO_BIN_EXE_doorward"));
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if is_root {
        // Where it is, nobody else may be let in.
        let there = std::mem::replace(&mut binary, folder.path().join("doorward"));
        fs::hard_link(&there, &binary).or_else(|_| fs::copy(&there, &binary).map(drop)).unwrap();
    }
    for persist in [kept.clone(), kept.join("below")] {
        config["sidecar"]["persist"] = json!(persist);
        fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new(&binary);
        if is_root {
            command.uid(65_534);
        }
        let output = command.args(["check", "-c", file.to_str().unwrap()]).output().unwrap();
        let printed = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{printed}{}", text(&output.stderr));
        assert!(printed.contains("warning: sidecar.persist: by the user of this check"), "{printed}");
        assert!(printed.contains("denied") && printed.contains("configuration: no fault"), "{printed}");
    }
}
