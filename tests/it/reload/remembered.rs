//! What must outlive a configuration: what was spent, what was used, and what was ended.

use std::time::Duration;

use identity_server::{Endpoint, Fault};
use serde_json::json;

use super::{Changing, locked_below};
use crate::support::{Adapter, Options, Scene, until};

/// Case 43: a spent refresh token that came back would end the session at the identity server.
#[test]
fn a_refresh_token_that_was_spent_before_is_not_spent_again() {
    for store in ["cookie", "session"] {
        let options = Options::keycloak().server(|server| server.rotate_refresh = true);
        let mut door = Changing::start(options.with(json!({ "token-store": store })));
        let browser = door.scene.signed_in();
        door.scene.clock.advance(Duration::from_secs(300));
        // Two tabs with the cookie from before.
        let (mut one, mut two) = (browser.clone(), browser);
        assert_eq!(door.status(&mut one, "/private"), 200);
        let calls = door.scene.token_calls();
        door.change(|config| config["sidecar"]["rules"] = locked_below("/a/*"));
        assert_eq!(door.status(&mut two, "/private"), 200, "{store}");
        assert_eq!(door.scene.token_calls(), calls, "{store}: it was spent twice");
        assert_eq!(door.sign_ins(), 1);
    }
}

#[test]
fn a_sign_in_that_is_under_way_comes_to_its_end_and_is_not_played_again() {
    let mut door = Changing::start(Options::default());
    let mut browser = door.scene.browser();
    let authorization = door.scene.begin(&mut browser, "/private");
    door.change(|config| config["sidecar"]["rules"] = locked_below("/a/*"));
    let kept = browser.clone();
    let callback = door.scene.callback(&mut browser, &authorization);
    assert_eq!(browser.navigate(callback.as_str()).unwrap().response.status, 200);
    door.change(|config| config["sidecar"]["rules"] = locked_below("/b/*"));
    door.scene.assert_used_up("after another configuration", kept, &callback);
}

#[test]
fn a_session_that_was_ended_stays_ended() {
    for store in ["cookie", "session"] {
        let mut door = Changing::start(Options::default().with(json!({ "token-store": store })));
        let mut browser = door.scene.signed_in();
        let mut copy = browser.clone();
        door.scene.sign_out(&mut browser);
        door.change(|config| config["sidecar"]["rules"] = locked_below("/a/*"));
        assert_eq!(door.status(&mut copy, "/private"), 401, "{store}");
    }
}

#[test]
fn what_was_learned_of_the_identity_server_is_not_asked_again() {
    let mut door = Changing::start(Options::default());
    let calls = door.scene.server.calls(Endpoint::Discovery);
    door.change(|config| config["sidecar"]["rules"] = locked_below("/a/*"));
    // Even when it is away: what is known will do.
    door.scene.server.stop();
    let mut browser = door.scene.browser();
    door.scene.begin(&mut browser, "/private");
    assert_eq!(door.scene.server.calls(Endpoint::Discovery), calls);
}

/// What is read meanwhile is read for a provider that is no longer the one that counts.
#[test]
fn a_change_during_the_first_discovery_leaves_no_node_that_is_ready_and_knows_nothing() {
    let (clock, server, application, origin, config) = Options::default().prepare();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("adapter.json");
    std::fs::write(&file, config.to_string()).unwrap();
    server.always(Endpoint::Discovery, Fault::Hang);
    let adapter = Adapter::launch_from(&file, clock.clone());
    assert!(server.wait_for_calls(Endpoint::Discovery, 1));
    adapter.nudge();
    until("it is served", || (adapter.metric("doorward_config_reloads_total{outcome=\"served\"}") == 1).then_some(()));
    server.behave(Endpoint::Discovery);
    server.release();
    until("it is ready", || (adapter.admin("/readyz").status == 200).then_some(()));
    let mut door = Changing { scene: Scene { adapter, server, application, clock, origin }, config, folder };
    assert!(door.scene.server.wait_for_calls(Endpoint::Discovery, 2), "nobody reads for the one that counts");
    // What it knows, it knows without asking.
    until("it knows", || {
        let calls = door.scene.server.calls(Endpoint::Discovery);
        let mut browser = door.scene.browser();
        door.scene.begin(&mut browser, "/private");
        (door.scene.server.calls(Endpoint::Discovery) == calls).then_some(())
    });
    door.scene.server.stop();
    let mut browser = door.scene.browser();
    door.scene.begin(&mut browser, "/private");
}
