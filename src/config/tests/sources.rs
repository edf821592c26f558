//! What comes from where: file, `${…}`, environment.

use serde_json::json;

use super::{COOKIE_KEY, env, file, read};
use crate::config::{Config, Faults, Listen};

fn with_env(tree: &serde_json::Value, variables: &[(&str, &str)]) -> Result<Config, Faults> {
    Config::from_json(&tree.to_string(), &env(variables))
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let tree = file(json!({}), json!({"listen": "127.0.0.1:1000"}));
    let listen = |config: Config| config.listen;
    let tcp = |text: &str| Listen::Tcp(text.parse().unwrap());
    assert_eq!(listen(read(&file(json!({}), json!({}))).unwrap()), tcp("0.0.0.0:8080"));
    assert_eq!(listen(read(&tree).unwrap()), tcp("127.0.0.1:1000"));
    let set = [("DOORWARD__SIDECAR__LISTEN", "127.0.0.1:2000")];
    assert_eq!(listen(with_env(&tree, &set).unwrap()), tcp("127.0.0.1:2000"));
    let empty = [("DOORWARD__SIDECAR__LISTEN", "")];
    assert_eq!(listen(with_env(&tree, &empty).unwrap()), tcp("127.0.0.1:1000"));
}

#[test]
fn the_environment_alone_can_fill_a_console_export() {
    let export = json!({"realm": "a", "auth-server-url": "https://old", "resource": "app", "public-client": false});
    let set = [
        ("DOORWARD__AUTH_SERVER_URL", "https://new.example.com"),
        ("DOORWARD__CREDENTIALS__SECRET", "S-e{c}r${e}t.with.Dots"),
        ("DOORWARD__SIDECAR__UPSTREAM", "http://app"),
        ("DOORWARD__SIDECAR__ALLOWED_HOSTS", "[\"a.example.com\", \"b.example.com\"]"),
        ("DOORWARD__SIDECAR__SESSION__IDLE", "5m"),
        ("DOORWARD_PORT", "tcp://10.0.0.1:80"),
        ("PATH", "/bin"),
    ];
    let config = with_env(&export, &set).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.caller.allowed_hosts, ["a.example.com", "b.example.com"]);
    assert_eq!(config.session.lifetimes.idle.as_secs(), 300);
    let crate::oidc::ClientAuth::SecretBasic(secret) = config.oidc.client_auth else { panic!("a secret") };
    assert_eq!(secret.expose(), "S-e{c}r${e}t.with.Dots");
}

#[test]
fn a_variable_for_an_unknown_key_is_refused_like_the_key() {
    let tree = file(json!({}), json!({}));
    let faults = with_env(&tree, &[("DOORWARD__SIDECAR__LISTENN", "x")]).unwrap_err();
    assert_eq!(faults.to_string(), "sidecar.listenn: is not a known key; did you mean `listen`?");
    for name in ["DOORWARD__sidecar__LISTEN", "DOORWARD__SIDECAR__RULES[99999999999]__PATH"] {
        assert!(with_env(&tree, &[(name, "x")]).unwrap_err().to_string().contains("A to Z"), "{name}");
    }
    let clash = [("DOORWARD__SIDECAR__LOG", "{}"), ("DOORWARD__SIDECAR__LOG__FILTER", "info")];
    assert!(with_env(&tree, &clash).unwrap_err().to_string().contains("set the same key"));
}

#[test]
fn the_case_of_the_files_own_keys_is_kept() {
    let tree = file(json!({}), json!({"provider": {"params": {"kcIdpHint": "x"}}}));
    let set = [("DOORWARD__SIDECAR__PROVIDER__USERINFO", "false")];
    let config = with_env(&tree, &set).unwrap();
    assert_eq!(config.oidc.authorization_params, [("kcIdpHint".to_owned(), "x".to_owned())]);
    assert!(!config.oidc.userinfo);
}

fn realm(text: &str, variables: &[(&str, &str)]) -> (String, Vec<String>) {
    let config = with_env(&file(json!({"realm": text}), json!({})), variables).unwrap_or_else(|f| panic!("{f}"));
    let crate::oidc::ProviderId::Keycloak { realm, .. } = config.oidc.provider else { panic!("a realm") };
    (realm, config.warnings)
}

#[test]
fn texts_are_substituted_as_keycloak_does() {
    let set = [("A", "one"), ("B", "two"), ("E", ""), ("RAW", "${env.A}")];
    let cases = [
        ("${env.A}", "one"),
        ("x-${env.A}-${env.B}-y", "x-one-two-y"),
        ("${env.NO:fallback}", "fallback"),
        ("a${env.NO:}b", "ab"),
        ("a${env.E:unused}b", "ab"),
        ("${env.NO,env.B:x}", "two"),
        ("${env.NO,env.NOR:x:y}", "x:y"),
        ("${env.NO:${env.A}}", "one"),
        ("${env.RAW}", "${env.A}"),
        ("$5 {x}", "$5 {x}"),
        ("${:}", ":"),
    ];
    for (text, expected) in cases {
        let (realm, warnings) = realm(text, &set);
        assert_eq!((realm.as_str(), warnings), (expected, vec![]), "{text}");
    }
}

#[test]
fn what_nothing_resolves_is_left_as_written_with_a_warning() {
    let (text, warnings) = realm("${env.NO}", &[]);
    assert_eq!(text, "${env.NO}");
    assert!(warnings[0].starts_with("realm: the variable `NO`"), "{warnings:?}");
    let (text, warnings) = realm("${user.home:x}", &[]);
    assert_eq!(text, "x");
    assert!(warnings[0].starts_with("realm: holds a `${…}` that names a JVM"), "{warnings:?}");
    let (text, _) = realm("${open", &[]);
    assert_eq!(text, "${open");
}

#[test]
fn a_mounted_file_is_read_without_its_last_newline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("realm");
    std::fs::write(&path, "from-file\n").unwrap();
    let (text, _) = realm(&format!("${{file:{}}}", path.display()), &[]);
    assert_eq!(text, "from-file");
    let place = path.display().to_string();
    let (text, _) = realm("${file:${env.PLACE}}", &[("PLACE", &place)]);
    assert_eq!(text, "from-file");
}

#[test]
fn a_mounted_file_that_is_missing_is_a_fault_naming_key_and_file() {
    let tree = file(json!({"credentials": {"secret": "${file:/nowhere/secret}"}}), json!({}));
    let faults = read(&tree).unwrap_err().to_string();
    assert!(faults.contains("credentials.secret: the file `/nowhere/secret` cannot be read"), "{faults}");
}

#[test]
fn the_example_is_a_good_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("client-secret"), "s3cret\n").unwrap();
    std::fs::write(folder.path().join("cookie-key"), format!("{COOKIE_KEY}\n")).unwrap();
    let example = include_str!("../../../adapter.json.example");
    let here = example.replace("/run/secrets", &folder.path().display().to_string());
    let path = folder.path().join("adapter.json");
    std::fs::write(&path, here).unwrap();
    let config = Config::load(&path, &env(&[("LOG_FORMAT", "json")])).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(config.session.cookie.keys.len(), 1);
    assert_eq!(config.proxy.rules.len(), 5);
}
