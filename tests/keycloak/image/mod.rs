//! The image as a container engine would run it: its files alone, read-only, an unprivileged user, no capabilities. Keycloak is asked by
//! TLS, under a name that only a name server knows. `./test image` makes the image and runs these.

mod container;
mod names;

use std::{net::Ipv4Addr, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    adapter::{Place, free_port},
    admin::Realm,
    application::Application,
    browser::Browser,
    http::Request,
    process::Process,
    scene::{self, CLIENT, Person, SECRET, seen},
    server::Keycloak,
    tls::Authority,
    wait,
};
use container::Container;
use names::Names;

/// How users know the site; the certificate of the public listener is for it.
const SITE: &str = "app.doorward.test";
/// How `/etc/hosts` calls the application.
const APPLICATION: &str = "application.doorward.test";
/// What this machine, busy or not, needs for anything here.
const PATIENCE: Duration = Duration::from_secs(60);

/// A container with all that it needs at run time.
struct Scene {
    container: Container,
    realm: Realm,
    names: Names,
    origin: String,
    admin: String,
}

impl Scene {
    /// With `truststore` as all that the identity server is believed by, and `sidecar` laid over the least that is needed.
    fn new(truststore: &Authority, sidecar: &Value) -> Self {
        let [port, admin] = [(); 2].map(|()| free_port(Ipv4Addr::LOCALHOST));
        let origin = format!("https://{SITE}:{port}");
        let (realm, names) = (Realm::create(realm(&origin)), Names::start(Keycloak::NAME));
        let container = Container::new();
        let scene = Self { container, realm, names, origin, admin: format!("127.0.0.1:{admin}") };
        scene.mount(truststore, port, sidecar);
        scene
    }

    fn mount(&self, truststore: &Authority, port: u16, sidecar: &Value) {
        let ours = Authority::get().issue(SITE);
        let files = [
            ("/etc/hosts", format!("127.0.0.1 localhost\n127.0.0.1 {APPLICATION}\n")),
            ("/etc/resolv.conf", self.names.resolv_conf()),
            ("/etc/doorward/adapter.json", self.configuration(port, sidecar).to_string()),
            ("/run/secrets/truststore.pem", truststore.pem().to_owned()),
            ("/run/secrets/client-secret", SECRET.to_owned()),
            ("/run/secrets/cookie-key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned()),
            ("/run/secrets/tls.crt", ours.certificate),
            ("/run/secrets/tls.key", ours.key),
        ];
        for (path, content) in files {
            self.container.mount(path, content);
        }
    }

    fn configuration(&self, port: u16, sidecar: &Value) -> Value {
        let upstream = Application::start().url().replace("127.0.0.1", APPLICATION);
        let mut configuration = json!({
            "realm": self.realm.name(),
            "auth-server-url": Keycloak::get().secure_url(),
            "resource": CLIENT,
            "credentials": { "secret": "${file:/run/secrets/client-secret}" },
            "truststore": "/run/secrets/truststore.pem",
            "sidecar": {
                "listen": format!("127.0.0.1:{port}"),
                "tls": { "certificate": "/run/secrets/tls.crt", "key": "/run/secrets/tls.key" },
                "admin": { "listen": self.admin },
                "public-url": self.origin,
                "upstream": upstream,
                "cookie": { "keys": ["${file:/run/secrets/cookie-key}"] },
                "log": { "format": "json" },
            },
        });
        for (key, value) in sidecar.as_object().into_iter().flatten() {
            configuration["sidecar"][key] = value.clone();
        }
        configuration
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Starts it, and waits until it may be sent users.
    fn start(&self, name: &str) -> Process {
        let process = self.container.start(name);
        let ready = wait::within(PATIENCE, || (self.admin("/readyz") == 200).then_some(()));
        ready.unwrap_or_else(|| panic!("the image does not become ready:\n{}", process.printed()));
        process
    }

    /// The status of an answer of the admin listener.
    fn admin(&self, path: &str) -> u16 {
        let url = format!("http://{}{path}", self.admin).parse().expect("a well-formed address");
        Request::new("GET", url).send().expect("the admin listener answers").status
    }
}

/// The usual realm, with tokens of four seconds and a log of what happens, whose client is at `origin`.
fn realm(origin: &str) -> Value {
    let mut realm = scene::realm(Place::choose());
    realm["sslRequired"] = json!("all");
    realm["accessTokenLifespan"] = json!(4);
    realm["eventsEnabled"] = json!(true);
    realm["enabledEventTypes"] = json!(["LOGIN", "REFRESH_TOKEN"]);
    let client = &mut realm["clients"][0];
    client["redirectUris"] = json!([format!("{origin}/oauth2/callback")]);
    client["attributes"]["post.logout.redirect.uris"] = json!(format!("{origin}/oauth2/signed_out"));
    realm
}

#[test]
#[ignore = "`./test image` runs it, which makes the image first"]
fn users_sign_in_stay_signed_in_and_sign_out_at_the_bare_image() {
    let scene = Scene::new(Authority::get(), &json!({}));
    let process = scene.start("story");
    let mut browser = Browser::default();
    let page = Person::Anna.open(&mut browser, &scene.url("/reports?year=2026"));
    let told = seen(&page);
    assert_eq!(
        (&told["target"], &told["headers"]["x-forwarded-proto"]),
        (&json!("/reports?year=2026"), &json!("https"))
    );
    assert_eq!(told["headers"]["x-forwarded-preferred-username"], "anna");
    let login = page.trail.iter().find(|url| url.host_str() == Some(Keycloak::NAME));
    assert!(login.is_some_and(|url| url.scheme() == "https"), "{:#?}", page.trail);
    assert!(scene.names.was_asked(Keycloak::NAME), "nobody asked the name server");

    let renewed = wait::within(PATIENCE, || {
        assert_eq!(browser.fetch(scene.url("/")).status, 200);
        (scene.realm.events("REFRESH_TOKEN") >= 2).then_some(())
    });
    renewed.expect("two refreshes");
    assert_eq!((scene.realm.events("LOGIN"), scene.admin("/readyz")), (1, 200));

    let page = scene::sign_out(&mut browser, &page);
    assert!(page.url.as_str().starts_with(&scene.url("/oauth2/signed_out")), "{:#?}", page.trail);
    assert_eq!(scene.realm.session_count(CLIENT), 0);
    assert!(browser.open(scene.url("/")).find_form("password").is_some(), "single sign-on still lives");
    let told = process.printed();
    assert!(!told.contains(r#""level":"ERROR""#) && !told.contains(r#""level":"WARN""#), "{told}");
}

#[test]
#[ignore = "`./test image` runs it, which makes the image first"]
fn the_process_is_nobody_in_particular_with_no_power_and_no_library() {
    let scene = Scene::new(Authority::get(), &json!({}));
    let _process = scene.start("process");
    let status = scene.container.proc("status");
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).map(str::to_owned);
    for (name, value) in [("CapEff:", "0000000000000000"), ("CapPrm:", "0000000000000000"), ("NoNewPrivs:", "1")] {
        assert_eq!(line(name).as_deref(), Some(value), "{name} {status}");
    }
    assert_eq!(line("Groups:").as_deref(), Some(""), "{status}");
    let maps = scene.container.proc("maps");
    assert!(!maps.contains(".so") && maps.contains("/doorward"), "{maps}");
}

#[test]
#[ignore = "`./test image` runs it, which makes the image first"]
fn an_image_that_shall_write_where_it_may_not_says_so_and_ends() {
    let scene = Scene::new(Authority::get(), &json!({ "persist": "/var/lib/doorward" }));
    let output = scene.container.run(None);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("/var/lib/doorward") && said.contains("Read-only file system"), "{said}");
}

#[test]
#[ignore = "`./test image` runs it, which makes the image first"]
fn who_believes_another_authority_lets_nobody_sign_in_and_says_why() {
    let scene = Scene::new(&Authority::new("Somebody else"), &json!({}));
    let process = scene.container.start("distrust");
    let why = |printed: &str| printed.contains("invalid peer certificate: UnknownIssuer").then_some(());
    wait::within(PATIENCE, || why(&process.printed())).expect("the log tells why");
    let page = Browser::default().open(scene.url("/"));
    assert_eq!((page.response.status, scene.admin("/readyz"), scene.admin("/healthz")), (503, 503, 200));
}

#[test]
#[ignore = "`./test image` runs it, which makes the image first"]
fn a_binary_that_needs_a_library_does_not_start_in_the_image() {
    let container = Container::new();
    container.replace_program(Path::new(env!("CARGO_BIN_EXE_doorward")));
    let output = container.run(Some(&["--version"]));
    assert_eq!(output.status.code(), Some(127), "{output:?}");
}

#[test]
#[ignore = "`./test image` runs it, which makes the image first"]
fn with_nothing_mounted_at_all_a_key_is_made() {
    let output = Container::new().run(Some(&["keygen"]));
    let key = String::from_utf8(output.stdout).expect("base64url");
    assert!(output.status.success() && key.trim().len() == 43, "{key}");
}
