//! `doorward check` on files that people bring from elsewhere: a `keycloak.json` without `sidecar`, and what is no JSON of ours.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use identity_server::{Endpoint, Fault};
use serde_json::{Value, json};

use crate::support::{KEY, Options, SECRET, run_doorward};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn check(content: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keycloak.json");
    std::fs::write(&file, content).unwrap();
    run_doorward(&["check", "-c", file.to_str().unwrap()])
}

/// What the console gives, for a realm at `server`.
fn export(server: &str) -> Value {
    json!({
        "realm": "shop", "auth-server-url": server, "ssl-required": "external", "resource": "shop",
        "credentials": { "secret": SECRET }, "confidential-port": 0,
    })
}

/// The addition that was printed, made into JSON as somebody would who pastes it where it says.
fn pasted(printed: &str, into: &Value) -> Value {
    let (_, rest) = printed.split_once("\n\n  \"sidecar\"").unwrap_or_else(|| panic!("nothing to add:\n{printed}"));
    let (block, _) = rest.split_once("\n  },\n").unwrap();
    let file = into.to_string();
    let whole = format!("{{\n  \"sidecar\"{block}\n  }},\n{}", file.strip_prefix('{').unwrap());
    serde_json::from_str(&whole).unwrap_or_else(|error| panic!("{error}:\n{whole}"))
}

#[test]
fn a_bare_keycloak_json_is_told_what_to_add_and_that_makes_it_whole() {
    let (_clock, server, _application, _, _) = Options::keycloak().prepare();
    let file = export(&server.origin());
    let output = check(&file.to_string());
    let (help, faults) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(78), "{help}{faults}");
    assert_eq!(faults.lines().count(), 1, "{faults}");
    assert!(faults.starts_with("sidecar: is required"), "{faults}");
    for words in [
        "the file of a Keycloak adapter",
        "meaning that they have there: realm, auth-server-url, ssl-required, resource, credentials, confidential-port\n",
        "  token-store: absent, it is `cookie`",
        "  verify-token-audience: absent",
        "  ignore-oauth-query-parameter: absent",
        "doorward keygen > ",
        "Valid redirect URIs              https://app.example.com/oauth2/callback\n",
        "Valid post logout redirect URIs  https://app.example.com/oauth2/signed_out\n",
        &format!("identity server: issuer {}\n", server.issuer()),
    ] {
        assert!(help.contains(words), "{words}\n{help}");
    }
    assert!(!help.contains(SECRET) && !help.contains("Refused"), "{help}");
    let whole = pasted(&help, &file).to_string().replace("${file:/run/secrets/cookie-key}", KEY);
    let output = check(&whole);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}{}", text(&output.stderr));
    let at = |words: &str| printed.find(words).unwrap_or_else(|| panic!("{words}:\n{printed}"));
    // What is of interest once stands behind what is always.
    assert!(at("configuration: no fault") < at("to register there") && at("to register there") < at("otherwise than"));
    assert!(printed.contains("Java adapters: token-store: absent"), "{printed}");
}

#[test]
fn what_is_refused_and_unknown_is_named_with_what_to_do() {
    let mut file = export("http://127.0.0.1:9/auth");
    file["policy-enforcer"] = json!({});
    file["realms"] = json!("x");
    let output = check(&file.to_string());
    let (help, faults) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((output.status.code(), faults.lines().count()), (Some(78), 3), "{faults}");
    assert!(help.contains("Refused, as standard error tells: policy-enforcer, realms\n"), "{help}");
    assert!(faults.contains("policy-enforcer: is not supported here") && faults.contains("sidecar.rules"), "{faults}");
    assert!(faults.contains("did you mean `realm`?"), "{faults}");
    // Nobody is asked by a file that cannot be read.
    assert!(!help.contains("identity server:"), "{help}");
}

#[test]
fn an_old_address_of_the_identity_server_is_suspected_when_it_does_not_answer() {
    let (_clock, server, _application, _, _) = Options::keycloak().prepare();
    server.always(Endpoint::Discovery, Fault::status(404));
    let help = |url: &str| text(&check(&export(url).to_string()).stdout);
    let old = help(&format!("{}/auth", server.origin()));
    assert!(old.contains("identity server: ") && old.contains("ends in `/auth`: Keycloak 17"), "{old}");
    let other = help(&server.origin());
    assert!(!other.contains("Keycloak 17") && other.contains("there is no such `realm`"), "{other}");
    let asked = format!("{}/realms/shop/.well-known/openid-configuration answered with status 404", server.origin());
    assert!(other.contains(&format!("identity server: discovery at {asked}")), "{other}");
}

#[test]
fn an_adapters_file_of_a_service_needs_no_cookie_and_no_redirect() {
    let (_clock, server, _application, _, _) = Options::keycloak().prepare();
    let mut file = export(&server.origin());
    file["bearer-only"] = json!(true);
    file.as_object_mut().unwrap().remove("credentials");
    let help = text(&check(&file.to_string()).stdout);
    assert!(!help.contains("cookie-key") && !help.contains("/oauth2/callback"), "{help}");
    assert!(help.contains("  Admin URL    ") && !help.contains("Front channel logout"), "{help}");
    let output = check(&pasted(&help, &file).to_string());
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(!printed.contains("redirect URI") && !printed.contains("response-mode"), "{printed}");
    assert!(printed.contains("to set there: Admin URL http://NODE:9080/ "), "{printed}");
}

#[test]
fn a_cookie_path_brings_endpoints_within_it() {
    let (_clock, server, _application, _, _) = Options::keycloak().prepare();
    let mut file = export(&server.origin());
    file["adapter-state-cookie-path"] = json!("/shop");
    let help = text(&check(&file.to_string()).stdout);
    assert!(help.contains("\"path-prefix\": \"/shop/oauth2\""), "{help}");
    assert!(help.contains("https://app.example.com/shop/oauth2/callback"), "{help}");
}

#[test]
fn a_byte_order_mark_is_no_fault_and_a_comment_is_called_one() {
    let (_clock, server, _application, _, config) = Options::keycloak().prepare();
    drop(server);
    let marked = check(&format!("\u{feff}{config}"));
    assert!(text(&marked.stdout).contains("configuration: no fault"), "{}", text(&marked.stderr));
    for comment in ["// ours", "/* ours */", "# ours"] {
        for file in [format!("{comment}\n{{}}"), format!("{{\n  {comment}\n  \"realm\": \"a\"\n}}")] {
            let output = check(&file);
            assert_eq!(output.status.code(), Some(78));
            assert!(text(&output.stderr).ends_with("; JSON has no comments\n"), "{}", text(&output.stderr));
        }
    }
}

#[test]
fn a_file_of_another_kind_is_called_by_its_name() {
    for (content, words) in [
        ("<secure-deployment name=\"shop.war\"><realm>shop</realm></secure-deployment>", "This is XML"),
        ("keycloak.realm=shop\nkeycloak.auth-server-url=https://sso\n", "Spring Boot"),
        ("discovery-url: https://sso/realms/shop\n", "docs/migration/gogatekeeper.md"),
        ("oidc_issuer_url = \"https://sso\"\n", "docs/migration/oauth2-proxy.md"),
    ] {
        let output = check(content);
        let faults = text(&output.stderr);
        assert_eq!((output.status.code(), faults.lines().count()), (Some(78), 1), "{faults}");
        assert!(faults.starts_with("is not JSON") && text(&output.stdout).contains(words), "{content}");
    }
}

#[test]
fn a_file_for_another_provider_is_told_what_to_add_without_words_of_keycloak() {
    let (_clock, server, _application, _, _) = Options::default().prepare();
    let file = json!({ "provider-url": server.issuer(), "client-id": "shop", "credentials": { "secret": SECRET } });
    let output = check(&file.to_string());
    let (help, faults) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(78), "{help}{faults}");
    assert!(faults.starts_with("sidecar: is required") && faults.lines().count() == 1, "{faults}");
    assert!(help.starts_with("This file lacks `sidecar`") && !help.contains("Keycloak"), "{help}");
    assert!(help.contains("redirect URI              https://app.example.com/oauth2/callback\n"), "{help}");
    let whole = pasted(&help, &file).to_string().replace("${file:/run/secrets/cookie-key}", KEY);
    let printed = text(&check(&whole).stdout);
    assert!(printed.contains("configuration: no fault") && !printed.contains("Java"), "{printed}");
}

#[test]
fn a_pipe_is_helped_as_a_file_is() {
    let (_clock, server, _application, _, _) = Options::keycloak().prepare();
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.args(["check", "-c", "/dev/stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(export(&server.origin()).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(text(&output.stdout).contains("the file of a Keycloak adapter"), "{}", text(&output.stderr));
}

#[test]
fn an_empty_file_is_called_empty_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("adapter.json");
    for content in ["", "\n \n"] {
        std::fs::write(&file, content).unwrap();
        for command in ["check", "serve"] {
            let output = run_doorward(&[command, "-c", file.to_str().unwrap()]);
            let told = format!("the file `{}` is empty\n", file.display());
            assert_eq!((output.status.code(), text(&output.stderr)), (Some(78), told));
        }
    }
}
