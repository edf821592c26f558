//! TLS to the identity server: whom we believe, who we are there, and through which proxy we go.

use std::{fs, net::SocketAddr, sync::Arc};

use identity_server::{Application, Endpoint, Fault, IdentityServer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Adapter, Options, Scene,
    tls::{Authority, Pair, Relay},
    until,
};

/// The folder of `tests/keystores`.
const STORES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keystores");

fn store(name: &str) -> String {
    format!("{STORES}/TEST-ONLY-{name}")
}

/// A certificate for `localhost` by the authority that every truststore holds.
fn known() -> Pair {
    let read = |name| fs::read_to_string(store(name)).unwrap();
    Pair { certificate: read("server.pem"), key: read("server.key.pem") }
}

/// A realm behind TLS: its metadata names only addresses behind the relay.
struct Behind {
    relay: Relay,
    server: IdentityServer,
    application: Application,
    clock: Arc<doorward::domain::ManualClock>,
    config: Value,
    folder: TempDir,
}

impl Behind {
    fn tls(pair: &Pair, clients: Option<&str>) -> Self {
        let (clock, server, application, _, mut config) = Options::keycloak().prepare();
        let plain = server.origin();
        let target: SocketAddr = plain.strip_prefix("http://").unwrap().parse().unwrap();
        let relay = Relay::ends_tls(pair, target, clients);
        let origin = format!("https://localhost:{}", relay.address.port());
        config["auth-server-url"] = json!(origin);
        let moved = move |text: &str| {
            let mut document: Value = serde_json::from_str(text).unwrap();
            for (name, value) in document.as_object_mut().unwrap() {
                let url = value.as_str().unwrap_or_default();
                if name != "issuer" && url.starts_with(&plain) {
                    *value = json!(url.replacen(&plain, &origin, 1));
                }
            }
            document.to_string()
        };
        server.always(Endpoint::Discovery, Fault::Body(Arc::new(moved)));
        Self { relay, server, application, clock, config, folder: tempfile::tempdir().unwrap() }
    }

    /// With these keys laid over the top level, and these under `sidecar.provider`.
    fn with(mut self, root: &Value, provider: Value) -> Self {
        for (name, value) in root.as_object().unwrap() {
            self.config[name] = value.clone();
        }
        self.config["sidecar"]["provider"] = provider;
        self
    }

    /// The path of a file with this text.
    fn file(&self, text: &str) -> String {
        let path = self.folder.path().join("ca.pem");
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// A user signs in, all calls going by TLS.
    fn works(self) {
        let adapter = Adapter::start(&self.config, self.clock.clone());
        let plain = self.server.origin().strip_prefix("http://").unwrap().parse().unwrap();
        let (server, application, clock) = (self.server, self.application, self.clock);
        let scene = Scene { adapter, server, application, clock, origin: "http://app.test" };
        let mut browser = scene.browser();
        browser.serve_origin(&format!("https://localhost:{}", self.relay.address.port()), plain, &[]);
        let page = scene.sign_in(&mut browser);
        assert_eq!((page.response.status, scene.token_calls()), (200, 1), "{}", page.response.text());
    }

    /// The server is not believed, or does not believe us: it hears nothing, and nobody can sign in.
    fn fails(self, case: &str) {
        let adapter = Adapter::launch(&self.config, self.clock.clone());
        until("it was asked", || (adapter.metric("doorward_discoveries_total{outcome=\"failed\"}") >= 1).then_some(()));
        assert_eq!(self.server.calls(Endpoint::Discovery), 0, "{case}");
        assert_eq!(adapter.admin("/readyz").status, 503, "{case}");
        let (server, application, clock) = (self.server, self.application, self.clock);
        let scene = Scene { adapter, server, application, clock, origin: "http://app.test" };
        assert_eq!(scene.browser().navigate_once(&scene.url("/private")).unwrap().status, 503, "{case}");
    }
}

#[test]
fn an_identity_server_with_a_certificate_of_a_ca_file_is_believed() {
    let authority = Authority::new();
    let behind = Behind::tls(&authority.issue("localhost"), None);
    let ca = behind.file(authority.pem());
    behind.with(&json!({}), json!({ "ca": ca })).works();
}

#[test]
fn an_identity_server_that_is_another_is_not_believed() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    Behind::tls(&authority.issue("localhost"), None).fails("nobody knows its authority");
    let behind = Behind::tls(&stranger.issue("localhost"), None);
    let ca = behind.file(authority.pem());
    behind.with(&json!({}), json!({ "ca": ca })).fails("another authority");
    let behind = Behind::tls(&authority.issue("other.test"), None);
    let ca = behind.file(authority.pem());
    behind.with(&json!({}), json!({ "ca": ca })).fails("another name");
}

#[test]
fn a_truststore_counts_in_each_form() {
    for (name, password) in [("authority.pem", None), ("trust.jks", Some("changeit")), ("trust.p12", Some("changeit"))]
    {
        let keys = json!({ "truststore": store(name), "truststore-password": password });
        Behind::tls(&known(), None).with(&keys.clone(), json!({})).works();
        Behind::tls(&Authority::new().issue("localhost"), None).with(&keys, json!({})).fails(name);
    }
}

#[test]
fn checks_are_left_out_only_as_far_as_is_said_twice() {
    let meant = || json!({ "insecure-tls": true });
    let authority = Authority::new();
    let any_host = json!({ "allow-any-hostname": true });
    let behind = Behind::tls(&authority.issue("other.test"), None);
    let ca = behind.file(authority.pem());
    behind.with(&any_host.clone(), json!({ "insecure-tls": true, "ca": ca })).works();
    Behind::tls(&authority.issue("other.test"), None).with(&any_host, meant()).fails("any host, but not any authority");
    let anything = json!({ "disable-trust-manager": true });
    Behind::tls(&authority.issue("other.test"), None).with(&anything, meant()).works();
}

#[test]
fn a_client_certificate_is_shown_to_a_server_that_demands_one() {
    let clients = fs::read_to_string(store("authority.pem")).unwrap();
    let trust = |keys: Value| {
        let mut all = json!({ "truststore": store("authority.pem") });
        all.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        all
    };
    for (name, key_password) in [
        ("client.pem", None),
        ("client.jks", Some("other-changeit")),
        ("client.p12", None),
        ("client-legacy.p12", None),
    ] {
        let password = (name != "client.pem").then_some("changeit");
        let keys = json!({
            "client-keystore": store(name), "client-keystore-password": password, "client-key-password": key_password,
        });
        Behind::tls(&known(), Some(&clients)).with(&trust(keys), json!({})).works();
    }
    Behind::tls(&known(), Some(&clients)).with(&trust(json!({})), json!({})).fails("nothing to show");
}

#[test]
fn calls_go_through_the_forward_proxy_and_to_nobody_else() {
    let proxy = Relay::forward_proxy();
    let url = format!("http://door:open%20sesame@{}", proxy.address);
    let keys = json!({ "truststore": store("authority.pem"), "proxy-url": url });
    let behind = Behind::tls(&known(), None).with(&keys, json!({}));
    let port = behind.relay.address.port();
    behind.works();
    let heads = proxy.heads.lock().unwrap();
    assert!(!heads.is_empty());
    for head in heads.iter() {
        assert!(head.starts_with(&format!("CONNECT localhost:{port} HTTP/1.1\r\n")), "{head}");
        // `door:open sesame` in base64 (RFC 7617).
        assert!(head.to_lowercase().contains(&"proxy-authorization: Basic ZG9vcjpvcGVuIHNlc2FtZQ==".to_lowercase()));
    }
    // A proxy that is gone is not gone round.
    drop(heads);
    let gone = format!("http://{}", Relay::forward_proxy().address);
    let keys = json!({ "truststore": store("authority.pem"), "proxy-url": gone });
    Behind::tls(&known(), None).with(&keys, json!({})).fails("no proxy");
}
