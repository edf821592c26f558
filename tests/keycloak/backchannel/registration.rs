//! What Keycloak knows of our nodes: registered before any login, renewed, and gone with them.

use std::net::Ipv4Addr;

use identity_server::Application;
use serde_json::{Value, json};

use crate::{
    actions,
    adapter::{Adapter, Place, free_port},
    admin::Realm,
    backchannel::{PATIENCE, Plan, enters, realm},
    browser::Browser,
    party::{NEIGHBOUR, Party},
    scene::{CLIENT, Person},
    wait,
};

/// Loopback addresses of nodes.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const THIRD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);

/// A realm whose client may have nodes at all of them, with one admin port.
struct Cluster {
    realm: Realm,
    application: Application,
    places: Vec<Place>,
    admin: u16,
}

impl Cluster {
    /// `change` is told the admin port and changes the client.
    fn new(hosts: &[Ipv4Addr], change: impl FnOnce(&mut Value, u16)) -> Self {
        let admin = free_port(Ipv4Addr::LOCALHOST);
        let places: Vec<Place> = hosts.iter().map(|host| Place::on(*host, admin)).collect();
        let mut representation = realm(places[0], &Party::new(NEIGHBOUR));
        let client = &mut representation["clients"][0];
        let callbacks: Vec<String> = places.iter().map(|place| format!("{}/oauth2/callback", place.origin())).collect();
        client["redirectUris"] = json!(callbacks);
        client["adminUrl"] = json!(format!("http://${{application.session.host}}:{admin}/"));
        change(client, admin);
        assert_eq!(representation["clients"][2], actions::account_program());
        let realm = Realm::create(representation);
        Self { realm, application: Application::start().expect("an application"), places, admin }
    }

    /// Starts the node at one of the places, which registers under its address.
    fn node(&self, at: usize, store: &'static str, period: i64) -> Adapter {
        let place = self.places[at];
        let mut plan = Plan::new(store);
        plan.keycloak = json!({ "register-node-at-startup": true, "register-node-period": period });
        plan.sidecar = json!({ "node-host": place.host().to_string() });
        plan.adapter(place, &self.realm, &self.application)
    }

    fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = self.realm.nodes(CLIENT).into_iter().map(|(host, _)| host).collect();
        hosts.sort();
        hosts
    }

    /// Waits until exactly these are registered.
    fn wait_for(&self, hosts: &[Ipv4Addr]) {
        let hosts: Vec<String> = hosts.iter().map(Ipv4Addr::to_string).collect();
        let found = wait::within(PATIENCE, || (self.hosts() == hosts).then_some(()));
        assert!(found.is_some(), "registered: {:?}, expected: {hosts:?}", self.hosts());
    }

    /// The address of a node's admin listener as Keycloak names it in its answers.
    fn names(&self, told: &Value, hosts: &[Ipv4Addr]) -> bool {
        let mut told: Vec<String> =
            told.as_array().into_iter().flatten().filter_map(|url| url.as_str().map(str::to_owned)).collect();
        told.sort();
        let hosts: Vec<String> = hosts.iter().map(|host| format!("http://{host}:{}", self.admin)).collect();
        told.len() == hosts.len() && told.iter().zip(&hosts).all(|(told, host)| told.trim_end_matches('/') == host)
    }
}

#[test]
fn a_node_is_registered_before_any_login_renewed_while_it_lives_and_gone_after_sigterm() {
    let cluster = Cluster::new(&[FIRST], |_, _| ());
    let mut node = cluster.node(0, "cookie", 1);
    cluster.wait_for(&[FIRST]);
    assert_eq!(cluster.realm.session_count(CLIENT), 0, "nobody has signed in");
    let (_, first) = cluster.realm.nodes(CLIENT).remove(0);
    let renewed =
        wait::within(PATIENCE, || cluster.realm.nodes(CLIENT).first().is_some_and(|(_, at)| *at > first).then_some(()));
    assert!(renewed.is_some(), "it is not renewed");
    node.stop();
    assert_eq!(cluster.hosts(), Vec::<String>::new(), "it has left");
}

#[test]
fn a_killed_node_is_pruned_after_the_timeout_by_the_next_message_to_all() {
    let cluster = Cluster::new(&[FIRST, SECOND], |client, _| client["nodeReRegistrationTimeout"] = json!(3));
    let (mut killed, _living) = (cluster.node(0, "cookie", 1), cluster.node(1, "cookie", 1));
    cluster.wait_for(&[FIRST, SECOND]);
    killed.kill();
    let pruned = wait::within(PATIENCE, || {
        cluster.realm.push_not_before_of(CLIENT, 0);
        (cluster.hosts() == [SECOND.to_string()]).then_some(())
    });
    assert!(pruned.is_some(), "{:?}", cluster.hosts());
}

#[test]
fn the_test_of_availability_succeeds_for_two_nodes_and_reports_the_dead_third() {
    let cluster = Cluster::new(&[FIRST, SECOND, THIRD], |_, _| ());
    let _living = (cluster.node(0, "cookie", 60), cluster.node(1, "session", 60));
    let mut dead = cluster.node(2, "cookie", 60);
    cluster.wait_for(&[FIRST, SECOND, THIRD]);
    let told = cluster.realm.test_nodes(CLIENT);
    assert!(cluster.names(&told["successRequests"], &[FIRST, SECOND, THIRD]), "{told}");
    dead.kill();
    let told = cluster.realm.test_nodes(CLIENT);
    assert!(cluster.names(&told["successRequests"], &[FIRST, SECOND]), "{told}");
    assert!(cluster.names(&told["failedRequests"], &[THIRD]), "{told}");
}

#[test]
fn with_a_place_holder_in_the_admin_url_a_logout_reaches_the_node_that_has_the_session() {
    for store in ["cookie", "session"] {
        let cluster = Cluster::new(&[FIRST, SECOND], |_, _| ());
        let nodes = [cluster.node(0, store, 60), cluster.node(1, store, 60)];
        cluster.wait_for(&[FIRST, SECOND]);
        for (node, person) in nodes.iter().zip([Person::Anna, Person::Bert]) {
            let (mut browser, url) = (Browser::default(), node.url("/"));
            assert!(enters(person, &mut browser, &url), "{store}");
            let mut copy = browser.clone();
            copy.forget_all_but("/");
            cluster.realm.delete_sessions_of(person.name());
            assert_eq!(copy.fetch(&url).status, 401, "{store} {url}");
            assert!(copy.open(&url).find_form("password").is_some(), "{store} {url}");
        }
    }
}

/// Panics unless none of these browsers is let in at its address.
fn assert_refused(everybody: [(Browser, String); 2], story: &str) {
    for (mut browser, url) in everybody {
        assert_eq!(browser.fetch(&url).status, 401, "{story} {url}");
    }
}

#[test]
fn logging_everybody_out_and_not_before_reach_every_registered_node() {
    for store in ["cookie", "session"] {
        let cluster = Cluster::new(&[FIRST, SECOND], |_, _| ());
        let nodes = [cluster.node(0, store, 60), cluster.node(1, store, 60)];
        cluster.wait_for(&[FIRST, SECOND]);
        let sign_in = || {
            nodes.each_ref().map(|node| {
                let (mut browser, url) = (Browser::default(), node.url("/"));
                let entered = wait::within(PATIENCE, || enters(Person::Anna, &mut browser, &url).then_some(()));
                assert!(entered.is_some(), "{store} {url}");
                browser.forget_all_but("/");
                (browser, url)
            })
        };
        let everybody = sign_in();
        let told = cluster.realm.log_out_all();
        assert!(cluster.names(&told["successRequests"], &[FIRST, SECOND]), "{store}: {told}");
        assert_refused(everybody, store);
        let everybody = sign_in();
        let told = cluster.realm.push_not_before_of(CLIENT, wait::second() + 1);
        assert!(cluster.names(&told["successRequests"], &[FIRST, SECOND]), "{store}: {told}");
        assert_refused(everybody, store);
    }
}

#[test]
fn a_public_client_warns_once_and_serves() {
    let cluster = Cluster::new(&[FIRST], |client, _| {
        client["publicClient"] = json!(true);
        client.as_object_mut().expect("an object").remove("secret");
    });
    let mut plan = Plan::new("cookie");
    plan.keycloak = json!({ "public-client": true, "credentials": {}, "register-node-at-startup": true });
    let node = plan.adapter(cluster.places[0], &cluster.realm, &cluster.application);
    assert!(enters(Person::Anna, &mut Browser::default(), &node.url("/")));
    assert_eq!(cluster.hosts(), Vec::<String>::new());
}
