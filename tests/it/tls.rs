//! TLS on our listeners and to the application: certificates of a story's own authority, over real sockets.

use std::{fs, io::ErrorKind, sync::Arc, time::Duration};

use doorward::domain::{Clock, SystemClock};
use identity_server::{Application, Browser, http, http::Request};
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Adapter, Options, Scene,
    proxied::{Door, Wire},
    tls::{Authority, Relay, TlsWire, shake},
    until,
};

const ASK: &str = "GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n";

/// A door under TLS that is open to everybody, and the folder with its pair.
fn open(authority: &Authority, more: &Value) -> (Scene, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let tls = authority.issue("app.test").write(folder.path());
    let rules = json!({ "sidecar": { "tls": tls, "rules": [{ "path": "/*", "access": "public" }] } });
    let mut options = Options::default().with(rules).with(json!({ "sidecar": more }));
    options.origin = "https://app.test";
    (options.start(), folder)
}

fn ask(wire: &mut TlsWire) -> u16 {
    wire.say(ASK);
    wire.answer().status
}

#[test]
fn a_sign_in_by_https_needs_no_proxy_before_us() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let tls = authority.issue("app.test").write(folder.path());
    let mut options = Options::default().with(json!({ "ssl-required": "all", "sidecar": { "tls": tls } }));
    options.origin = "https://app.test";
    let scene = options.start();
    let relay = Relay::begins_tls(scene.adapter.public_address, &authority, "app.test");
    let clock = scene.clock.clone();
    let mut browser = Browser::with_clock(Arc::new(move || clock.now().as_secs()));
    browser.serve_origin(scene.origin, relay.address, &[]);
    let page = scene.sign_in(&mut browser);
    assert_eq!((page.response.status, page.url.as_str()), (200, "https://app.test/private"));
    assert_eq!(scene.session_cookie(), "__Host-KEYCLOAK_ADAPTER_STATE");
    assert!(scene.holds_session(&browser));
    assert_eq!(scene.application.last().unwrap().header("x-forwarded-proto"), Some("https"));
}

#[test]
fn without_tls_the_same_site_refuses_who_comes_in_clear() {
    let mut options = Options::default().with(json!({ "ssl-required": "all" }));
    options.origin = "https://app.test";
    let scene = options.start();
    let request = Request::get("/private").header("Host", "app.test").header("X-Forwarded-Proto", "https");
    assert_eq!(http::send(scene.adapter.public_address, &request).unwrap().status, 403);
}

#[test]
fn what_a_trusted_proxy_says_of_the_client_goes_before_its_own_tls() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let tls = authority.issue("app.test").write(folder.path());
    for (trusted, said, status) in [
        (json!(["127.0.0.1"]), "", 200),
        (json!(["127.0.0.1"]), "X-Forwarded-Proto: https\r\n", 200),
        (json!(["127.0.0.1"]), "X-Forwarded-Proto: http\r\n", 403),
        (json!([]), "X-Forwarded-Proto: http\r\n", 200),
    ] {
        let rules = json!([{ "path": "/*", "access": "public" }]);
        let sidecar = json!({ "tls": tls, "rules": rules, "trusted-proxies": trusted });
        let mut options = Options::default().with(json!({ "ssl-required": "all", "sidecar": sidecar }));
        options.origin = "https://app.test";
        let scene = options.start();
        let (mut wire, _) = shake(scene.adapter.public_address, &authority, &[&TLS13], &[]).unwrap();
        wire.say(format!("GET /x HTTP/1.1\r\nHost: app.test\r\n{said}\r\n"));
        assert_eq!(wire.answer().status, status, "{said} {trusted}");
    }
}

#[test]
fn plain_http_is_not_answered_under_tls() {
    let authority = Authority::new();
    let (scene, _folder) = open(&authority, &json!({}));
    let mut wire = Wire::connect(scene.adapter.public_address);
    wire.say(ASK);
    let said = wire.rest();
    assert!(!said.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&said));
    assert_eq!(scene.application.heard(), []);
}

#[test]
fn a_client_that_does_not_shake_hands_is_given_up_and_holds_up_nobody() {
    let authority = Authority::new();
    let (scene, _folder) = open(&authority, &json!({ "limits": { "client-header-timeout": "150ms", "drain": "1ms" } }));
    let address = scene.adapter.public_address;
    let start = SystemClock.now();
    let mut silent: Vec<_> = (0..50).map(|_| Wire::connect(address)).collect();
    let (mut wire, _) = shake(address, &authority, &[&TLS13], &[]).unwrap();
    assert_eq!(ask(&mut wire), 200);
    for wire in &mut silent {
        assert_eq!(wire.rest(), b"");
    }
    assert!(SystemClock.now().since(start) < Duration::from_secs(5));
}

#[test]
fn a_new_certificate_is_served_without_closing_what_is_open() {
    let authority = Authority::new();
    let (scene, folder) = open(&authority, &json!({}));
    let address = scene.adapter.public_address;
    let (mut old, first) = shake(address, &authority, &[&TLS13], &[]).unwrap();
    assert_eq!(ask(&mut old), 200);
    let renewed = authority.issue("app.test");
    assert!(!first.is(&renewed));
    renewed.write(folder.path());
    let changes = |outcome| {
        scene
            .adapter
            .metric(&format!("doorward_certificate_changes_total{{listener=\"public\",outcome=\"{outcome}\"}}"))
    };
    until("it is served", || (changes("replaced") == 1).then_some(()));
    let (mut new, shown) = shake(address, &authority, &[&TLS13], &[]).unwrap();
    assert!(shown.is(&renewed));
    assert_eq!((ask(&mut old), ask(&mut new)), (200, 200));
}

#[test]
fn a_pair_that_does_not_fit_is_told_of_once_and_the_old_one_stays() {
    let authority = Authority::new();
    let (scene, folder) = open(&authority, &json!({}));
    let address = scene.adapter.public_address;
    let (_, first) = shake(address, &authority, &[&TLS13], &[]).unwrap();
    let changes = |outcome| {
        scene
            .adapter
            .metric(&format!("doorward_certificate_changes_total{{listener=\"public\",outcome=\"{outcome}\"}}"))
    };
    let renewed = authority.issue("app.test");
    // One file alone, as when a rotation stops halfway.
    let swap = |name: &str, text: &str| {
        // At once: a look at half a file would be told of too.
        let half = folder.path().join("half");
        fs::write(&half, text).unwrap();
        fs::rename(half, folder.path().join(name)).unwrap();
    };
    swap("key.pem", &renewed.key);
    until("it is told", || (changes("kept") == 1).then_some(()));
    let current = || scene.adapter.metric("doorward_certificate_current{listener=\"public\"}");
    assert_eq!(current(), 0);
    let (mut wire, shown) = shake(address, &authority, &[&TLS13], &[]).unwrap();
    assert_eq!((shown.certificate, ask(&mut wire)), (first.certificate, 200));
    swap("chain.pem", &renewed.certificate);
    until("it is served", || (changes("replaced") == 1).then_some(()));
    assert_eq!((changes("kept"), current()), (1, 1));
    assert!(shake(address, &authority, &[&TLS13], &[]).unwrap().1.is(&renewed));
}

#[test]
fn versions_older_than_the_minimum_are_refused() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let mut tls = authority.issue("app.test").write(folder.path());
    for (minimum, old) in [(json!(null), true), (json!("1.2"), true), (json!("1.3"), false)] {
        tls["minimum-version"] = minimum;
        let scene = Options::default().with(json!({ "sidecar": { "tls": tls } })).start();
        let address = scene.adapter.public_address;
        assert_eq!(shake(address, &authority, &[&TLS12], &[]).is_ok(), old);
        assert!(shake(address, &authority, &[&TLS13], &[]).is_ok());
    }
}

#[test]
fn http_1_1_is_the_one_protocol_above_tls() {
    let authority = Authority::new();
    let (scene, _folder) = open(&authority, &json!({}));
    let address = scene.adapter.public_address;
    let (mut wire, shown) = shake(address, &authority, &[&TLS13], &[b"h2", b"http/1.1"]).unwrap();
    assert_eq!((shown.protocol.as_deref(), ask(&mut wire)), (Some(&b"http/1.1"[..]), 200));
    let other = shake(address, &authority, &[&TLS13], &[b"h2"]).err();
    assert_eq!(other.map(|error| error.kind()), Some(ErrorKind::InvalidData));
}

#[test]
fn the_admin_listener_speaks_tls_where_it_is_told_to() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let tls = authority.issue("app.test").write(folder.path());
    let (clock, _server, _application, _, config) =
        Options::default().with(json!({ "sidecar": { "admin": { "tls": tls } } })).prepare();
    let adapter = Adapter::launch(&config, clock);
    assert!(http::send(adapter.admin_address, &Request::get("/healthz")).is_err());
    let relay = Relay::begins_tls(adapter.admin_address, &authority, "app.test");
    let ask = || http::send(relay.address, &Request::get("/readyz")).unwrap().status;
    until("it is ready", || (ask() == 200).then_some(()));
}

/// A door before an application that speaks TLS as `name`; its status, and how many connections failed for TLS.
fn through(authority: &Authority, name: &str, tls: &Value) -> (u16, String) {
    let application = Application::start().unwrap();
    let target = application.upstream().strip_prefix("http://").unwrap().parse().unwrap();
    let relay = Relay::ends_tls(&authority.issue(name), target, None);
    let mut sidecar = json!({ "upstream": format!("https://localhost:{}", relay.address.port()) });
    if !tls.is_null() {
        sidecar["upstream-tls"] = tls.clone();
    }
    let answer = Door::open(sidecar).send(&Request::get("/x"));
    assert_eq!(application.heard().len(), usize::from(answer.status == 200));
    (answer.status, answer.text())
}

#[test]
fn the_application_may_speak_tls_and_must_be_the_one_that_is_meant() {
    let (authority, stranger, folder) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, authority.pem()).unwrap();
    assert_eq!(through(&authority, "localhost", &json!({ "ca": ca })).0, 200);
    assert_eq!(through(&authority, "inner.test", &json!({ "ca": ca, "server-name": "inner.test" })).0, 200);
    for (whose, name, tls) in [
        (&authority, "localhost", json!(null)),
        (&stranger, "localhost", json!({ "ca": ca })),
        (&authority, "inner.test", json!({ "ca": ca })),
        (&authority, "localhost", json!({ "ca": ca, "server-name": "inner.test" })),
    ] {
        let (status, text) = through(whose, name, &tls);
        assert_eq!(status, 502, "{name} {tls}");
        assert!(!text.contains("localhost"), "{text}");
    }
}

/// Whoever looked at it would wait for a writer; sign-ins and refreshes run on the same thread.
#[test]
fn a_pipe_in_place_of_a_certificate_is_told_and_holds_up_nothing() {
    let authority = Authority::new();
    let (scene, folder) = open(&authority, &json!({}));
    let address = scene.adapter.public_address;
    let chain = folder.path().join("chain.pem");
    fs::remove_file(&chain).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&chain).status().unwrap().success());
    until("it is told", || {
        (scene.adapter.metric("doorward_certificate_current{listener=\"public\"}") == 0).then_some(())
    });
    let (mut wire, _) = shake(address, &authority, &[&TLS13], &[]).unwrap();
    assert_eq!(ask(&mut wire), 200);
}
