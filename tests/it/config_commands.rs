//! The commands, as operators call them: exit codes, what is printed, and where.

use std::{net::TcpListener, process::Output};

use identity_server::{Endpoint, Fault};
use serde_json::{Value, json};

use crate::support::{Adapter, Options, Program, run_doorward};

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
    assert!(text(&output.stdout).contains("identity server: ") && text(&output.stdout).contains("404"));
    server.stop();
    assert_eq!(with_file("check", &config).status.code(), Some(69));
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
