//! Two nodes, each with its sessions in its own process, behind a real haproxy that keeps a browser at the node where it began.
//! Keycloak reaches the node that has a session by the host name that the node gave it: `${application.session.host}`.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    adapter::{Adapter, Place, free_port},
    admin::Realm,
    browser::Browser,
    process::Process,
    scene::{self, CLIENT, Person, seen},
    server, wait,
};

/// What this machine, busy or not, needs for anything here.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the nodes are. All of 127.0.0.0/8 is there without set-up.
const HOSTS: [Ipv4Addr; 2] = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)];

/// The cookie by which haproxy knows a browser again; its value is the node's host.
const NODE: &str = "NODE";

/// What users see: a balancer, and the nodes behind it.
struct Site {
    origin: String,
    nodes: [Adapter; 2],
    realm: Realm,
    _balancer: Balancer,
}

impl Site {
    /// Starts all of it, and waits until Keycloak knows both nodes: it takes the host of a session from nobody else.
    fn start() -> Self {
        let admin = free_port(HOSTS[0]);
        let places = HOSTS.map(|host| Place::on(host, admin));
        let balancer = Balancer::start(&places);
        let origin = balancer.origin.clone();
        let realm = Realm::create(realm(&origin, admin));
        let nodes = [0, 1].map(|index| node(places[index], HOSTS[index], &origin, &realm));
        let site = Self { origin, nodes, realm, _balancer: balancer };
        wait::within(PATIENCE, || site.are_registered().then_some(())).expect("both nodes register themselves");
        site
    }

    fn are_registered(&self) -> bool {
        let client = self.realm.get(&format!("clients/{}", self.realm.client(CLIENT)));
        HOSTS.iter().all(|host| client["registeredNodes"].get(host.to_string()).is_some())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Somebody who is signed in at this node, which is the balancer's choice: browsers come until one is sent there.
    fn signed_in_at(&self, index: usize, person: Person) -> Browser {
        let mut browsers = std::iter::repeat_with(Browser::default).take(8);
        let mut here = browsers.find_map(|mut browser| {
            let page = browser.open(self.url("/"));
            (home(&browser) == HOSTS[index]).then_some((browser, page))
        });
        let (browser, page) = here.as_mut().expect("the balancer takes turns");
        seen(&person.sign_in(browser, page));
        browser.clone()
    }
}

/// The node at which haproxy keeps a browser.
fn home(browser: &Browser) -> Ipv4Addr {
    let value = browser.cookies_at("/").find_map(|(name, value)| (name == NODE).then_some(value));
    value.and_then(|value| value.parse().ok()).expect("haproxy names the node")
}

/// The usual realm, whose client is behind the balancer, and whose nodes have a name of their own each.
fn realm(origin: &str, admin: u16) -> Value {
    let mut realm = scene::realm(Place::choose());
    let client = &mut realm["clients"][0];
    client["redirectUris"] = json!([format!("{origin}/oauth2/callback")]);
    client["adminUrl"] = json!(format!("http://${{application.session.host}}:{admin}/"));
    client["frontchannelLogout"] = json!(false);
    realm
}

/// A node. Both have the same cookie keys, so that a sign-in that began at one may end at the other.
fn node(place: Place, host: Ipv4Addr, origin: &str, realm: &Realm) -> Adapter {
    let mut keycloak = scene::keycloak_json(realm);
    keycloak["token-store"] = json!("session");
    keycloak["register-node-at-startup"] = json!(true);
    let sidecar = json!({
        "public-url": origin,
        "node-host": host.to_string(),
        "cookie": { "keys": ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="] },
    });
    Adapter::start(place, &keycloak, &sidecar)
}

/// A running haproxy.
struct Balancer {
    origin: String,
    _process: Process,
    /// Holds its configuration.
    _folder: TempDir,
}

impl Balancer {
    fn start(nodes: &[Place; 2]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("haproxy.cfg");
        let address = format!("{}:{}", HOSTS[0], free_port(HOSTS[0]));
        fs::write(&file, configuration(&address, nodes)).expect("the folder is writable");
        let mut command = Command::new("/usr/sbin/haproxy");
        command.args(["-db", "-f"]).arg(&file);
        let log = server::logs().join(format!("haproxy-{address}.log"));
        let process = Process::start(&mut command, 0, log).expect("haproxy starts: `./test setup` installs it");
        let connected = wait::within(PATIENCE, || TcpStream::connect(&address).ok());
        assert!(connected.is_some(), "haproxy does not listen:\n{}", process.printed());
        Self { origin: format!("http://{address}"), _process: process, _folder: folder }
    }
}

/// Sticky by a cookie. A node that takes no connection is left at once for the other.
fn configuration(address: &str, nodes: &[Place; 2]) -> String {
    let servers = nodes.iter().zip(HOSTS).map(|(place, host)| {
        let target = place.origin().replace("http://", "");
        format!("    server {host} {target} cookie {host} check\n")
    });
    format!(
        "defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    option redispatch 1
    default-server inter 100ms fall 2 rise 1 init-addr last,libc,none
frontend site
    bind {address}
    default_backend nodes
backend nodes
    balance roundrobin
    cookie {NODE} insert indirect nocache httponly
{}",
        servers.collect::<String>()
    )
}

#[test]
fn behind_a_balancer_a_logout_reaches_the_node_that_has_the_session() {
    let site = Site::start();
    let mut anna = site.signed_in_at(0, Person::Anna);
    let mut bert = site.signed_in_at(1, Person::Bert);

    site.realm.log_out("anna");
    assert_eq!(anna.fetch(site.url("/")).status, 401);
    assert_eq!(bert.fetch(site.url("/")).status, 200, "another user's session goes on");
    site.realm.log_out("bert");
    assert_eq!(bert.fetch(site.url("/")).status, 401);
}

#[test]
fn when_a_node_dies_its_users_land_on_the_other_and_sign_in_without_a_form() {
    let mut site = Site::start();
    let mut anna = site.signed_in_at(0, Person::Anna);
    let mut bert = site.signed_in_at(1, Person::Bert);

    site.nodes[0].kill();
    let page = anna.open(site.url("/reports"));
    assert_eq!(seen(&page)["target"], "/reports", "{:#?}", page.trail);
    assert!(page.trail.len() > 1, "her session was in the node that died: {:#?}", page.trail);
    assert_eq!(home(&anna), HOSTS[1]);
    assert_eq!(bert.fetch(site.url("/")).status, 200);

    // The new login told Keycloak the new home.
    site.realm.log_out("anna");
    assert_eq!(anna.fetch(site.url("/")).status, 401);
    assert_eq!(bert.fetch(site.url("/")).status, 200);
}
