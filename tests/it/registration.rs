//! The node on the identity server's list: from before it serves until after it has finished, and whatever happens between.

use std::{
    thread,
    time::{Duration, Instant},
};

use identity_server::{
    ClientAuthentication, Endpoint, Endpoint::NodeRegistration, Fault, IdentityServer, http, http::Request,
};
use serde_json::{Value, json};

use crate::support::{Adapter, CLIENT, Options, Program, Scene, until};

const HOST: &str = "node-1.test";

/// A realm, and a node that is to be registered by `keys`.
fn registering(keys: Value) -> Options {
    Options::keycloak().with(json!({ "sidecar": { "node-host": HOST } })).with(keys)
}

fn at_startup() -> Options {
    registering(json!({ "register-node-at-startup": true }))
}

/// The scene, without waiting for readiness.
fn launch(options: Options, prepare: impl FnOnce(&IdentityServer)) -> Scene {
    let (clock, server, application, origin, config) = options.prepare();
    prepare(&server);
    let adapter = Adapter::launch(&config, clock.clone());
    Scene { adapter, server, application, clock, origin }
}

fn is_ready(scene: &Scene) -> Option<()> {
    (scene.adapter.admin("/readyz").status == 200).then_some(())
}

/// When the node last registered, if it is listed.
fn listed(server: &IdentityServer) -> Option<i64> {
    let nodes = server.nodes(CLIENT);
    assert!(nodes.len() <= 1 && nodes.iter().all(|(host, _)| host == HOST), "{nodes:?}");
    nodes.first().map(|(_, at)| *at)
}

fn registrations(scene: &Scene, outcome: &str) -> u64 {
    scene.adapter.metric(&format!("doorward_registrations_total{{outcome=\"{outcome}\"}}"))
}

#[test]
fn a_node_is_registered_before_it_is_ready_and_before_any_request() {
    let scene = launch(at_startup(), |server| server.next(NodeRegistration, Fault::HoldAnswer));
    assert!(scene.server.wait_for_calls(NodeRegistration, 1));
    let report = scene.adapter.admin("/readyz");
    let expected = json!({ "ready": false, "identity_server": true, "registration": false, "draining": false });
    assert_eq!((report.status, report.json()), (503, expected));
    scene.server.release();
    until("ready", || is_ready(&scene));
    assert_eq!(scene.adapter.admin("/readyz").json()["registration"], true);
    assert_eq!(listed(&scene.server), Some(scene.clock_secs()));
    let call = scene.server.last(NodeRegistration).unwrap();
    assert_eq!(call.path, "/realms/shop/clients-managements/register-node");
    assert_eq!(call.form, [("client_cluster_host".to_owned(), HOST.to_owned())]);
    assert!(call.header("authorization").unwrap().starts_with("Basic "));
    assert_eq!((registrations(&scene, "ok"), scene.adapter.metric("doorward_registered")), (1, 1));
    scene.signed_in();
    assert_eq!(scene.server.calls(NodeRegistration), 1, "a request registered it again");
}

/// Keycloak compares the two byte for byte, and drops the host of a sign-in that it does not know.
#[test]
fn a_sign_in_names_the_host_that_is_registered() {
    let scene = at_startup().start();
    scene.signed_in();
    let exchange = scene.server.last(Endpoint::Token).unwrap();
    assert_eq!(exchange.field("client_session_host"), Some(HOST));
    assert!(listed(&scene.server).is_some());
}

#[test]
fn every_way_to_prove_the_client_registers_it_too() {
    let secret = || crate::support::SECRET.to_owned();
    let rows = [
        ("post", ClientAuthentication::SecretPost(secret())),
        ("secret-jwt", ClientAuthentication::SecretJwt(secret())),
    ];
    for (way, authentication) in rows {
        let sidecar = json!({ "sidecar": { "provider": { "client-authentication": way } } });
        let known = |server: &mut identity_server::Options| server.clients[0].authentication = authentication;
        let scene = at_startup().with(sidecar).server(known).start();
        assert_eq!(listed(&scene.server), Some(scene.clock_secs()), "{way}");
    }
}

#[test]
fn nobody_is_registered_who_did_not_ask() {
    let keys = json!({ "register-node-at-startup": false, "register-node-period": -1 });
    let scene = registering(keys).start();
    scene.signed_in();
    assert!(scene.adapter.admin("/readyz").json().get("registration").is_none());
    let server = scene.server;
    drop(scene.adapter);
    assert_eq!(server.calls(NodeRegistration), 0);
}

/// The period alone asks for it.
#[test]
fn a_registration_is_renewed_on_its_period_without_any_request() {
    let scene = registering(json!({ "register-node-period": 1 })).start();
    scene.clock.advance(Duration::from_secs(500));
    until("renewed", || {
        let is_listed = listed(&scene.server) == Some(scene.clock_secs());
        (is_listed && registrations(&scene, "ok") >= 2).then_some(())
    });
}

#[test]
fn a_server_that_comes_late_is_registered_at_when_it_is_there() {
    let mut scene = at_startup().start_without_server();
    assert_eq!(scene.adapter.admin("/readyz").json()["registration"], false);
    scene.server.restart().unwrap();
    until("ready", || is_ready(&scene));
    assert_eq!(listed(&scene.server), Some(scene.clock_secs()));
}

#[test]
fn a_registration_that_fails_is_tried_again_until_it_succeeds() {
    let scene = launch(at_startup(), |server| server.always(NodeRegistration, Fault::status(503)));
    assert!(scene.server.wait_for_calls(NodeRegistration, 3));
    assert_eq!(scene.adapter.admin("/readyz").status, 503);
    assert!(registrations(&scene, "unavailable") >= 2);
    scene.server.behave(NodeRegistration);
    until("ready", || is_ready(&scene));
    assert_eq!(listed(&scene.server), Some(scene.clock_secs()));
}

#[test]
fn a_server_in_lasting_trouble_with_its_list_does_not_keep_the_node_out_of_service() {
    let scene = launch(at_startup(), |server| server.always(NodeRegistration, Fault::DropConnection));
    assert!(scene.server.wait_for_calls(NodeRegistration, 1));
    scene.clock.advance(Duration::from_secs(29));
    let asked = scene.server.calls(NodeRegistration);
    assert!(scene.server.wait_for_calls(NodeRegistration, asked + 2));
    assert_eq!(scene.adapter.admin("/readyz").status, 503, "it did not wait");
    scene.clock.advance(Duration::from_secs(1));
    until("ready", || is_ready(&scene));
    assert_eq!(listed(&scene.server), None);
    scene.signed_in();
    scene.server.behave(NodeRegistration);
    until("registered all the same", || listed(&scene.server));
}

#[test]
fn a_refusal_does_not_keep_the_node_out_of_service_and_is_not_asked_again_at_once() {
    for (status, error) in [(401, "invalid_client"), (403, "invalid_request"), (400, "invalid_request")] {
        let scene = launch(at_startup(), |server| server.always(NodeRegistration, Fault::error(status, error)));
        until("ready", || is_ready(&scene));
        scene.signed_in();
        assert_eq!((registrations(&scene, "refused"), scene.adapter.metric("doorward_registered")), (1, 0));
        let server = scene.server;
        drop(scene.adapter);
        // Nor is there anything to take back.
        assert_eq!(server.calls(NodeRegistration), 1, "{status}");
    }
}

#[test]
fn a_renewal_that_fails_takes_the_node_out_of_nobodys_service() {
    let scene = registering(json!({ "register-node-period": 1 })).start();
    scene.server.always(NodeRegistration, Fault::status(500));
    until("noticed", || (registrations(&scene, "unavailable") >= 1).then_some(()));
    assert_eq!((scene.adapter.admin("/readyz").status, scene.adapter.metric("doorward_registered")), (200, 0));
}

#[test]
fn a_node_that_stops_answers_first_and_leaves_the_list_then() {
    let rules = json!({ "sidecar": { "rules": [{ "path": "/*", "access": "public" }] } });
    let scene = at_startup().with(rules).start();
    thread::scope(|scope| {
        let address = scene.adapter.public_address;
        let slow = scope.spawn(move || http::send(address, &Request::get("/slow").header("Host", "app.test")));
        assert!(scene.application.wait_for_requests(1));
        scene.adapter.begin_to_stop();
        until("not ready", || (scene.adapter.admin("/readyz").json()["draining"] == true).then_some(()));
        // As long as it drains, admin messages must find it. One that left at once would be gone within these.
        for _ in 0..50 {
            assert_eq!(scene.adapter.admin("/readyz").status, 503);
            assert!(listed(&scene.server).is_some(), "it left before it had finished");
        }
        scene.application.release();
        assert_eq!(slow.join().unwrap().unwrap().status, 200);
    });
    let server = scene.server;
    drop(scene.adapter);
    assert_eq!(listed(&server), None);
    assert_eq!(server.last(NodeRegistration).unwrap().path, "/realms/shop/clients-managements/unregister-node");
}

/// The answer to the last attempt comes after the stop; what it did must be undone nevertheless.
#[test]
fn a_registration_under_way_at_the_stop_is_undone_too() {
    let scene = launch(at_startup(), |server| server.next(NodeRegistration, Fault::HoldAnswer));
    assert!(scene.server.wait_for_calls(NodeRegistration, 1));
    let server = scene.server;
    drop(scene.adapter);
    assert_eq!((listed(&server), server.calls(NodeRegistration)), (None, 2));
}

/// Calls to the identity server may take a minute here; the end of the process may not.
#[test]
fn a_server_that_does_not_answer_at_the_end_is_not_waited_for() {
    let scene = at_startup().with(json!({ "socket-timeout-millis": 60_000 })).start();
    scene.server.always(NodeRegistration, Fault::Hang);
    let (server, took) = (scene.server, time_to_end(scene.adapter));
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert_eq!(server.calls(NodeRegistration), 2);
}

#[expect(clippy::disallowed_methods, reason = "the end of a process does not run on a clock of ours")]
fn time_to_end(adapter: Adapter) -> Duration {
    let start = Instant::now();
    drop(adapter);
    start.elapsed()
}

#[test]
fn a_public_client_is_warned_of_once_and_never_registered() {
    let options = at_startup().with(json!({ "public-client": true, "register-node-period": 1 }));
    let (_clock, server, _application, _origin, mut config) =
        options.server(|server| server.clients[0].authentication = ClientAuthentication::None).prepare();
    config.as_object_mut().unwrap().remove("credentials");
    let program = Program::serve(&config);
    let admin = program.address("admin");
    let ready = || http::send(admin, &Request::get("/readyz")).is_ok_and(|answer| answer.status == 200);
    until("ready", || ready().then_some(()));
    program.terminate();
    assert_eq!(program.wait(), Some(0));
    let printed = program.printed();
    let told: Vec<_> = printed.lines().filter(|line| line.contains("regist")).collect();
    assert!(told.len() == 1 && told[0].contains("register-node-at-startup: has no effect"), "{printed}");
    assert_eq!(server.calls(NodeRegistration), 0);
}

#[test]
fn sigterm_takes_the_program_off_the_list() {
    let (_clock, server, _application, _origin, config) = at_startup().prepare();
    let program = Program::serve(&config);
    until("listed", || listed(&server));
    program.terminate();
    assert_eq!((program.wait(), listed(&server)), (Some(0), None), "{}", program.printed());
}
