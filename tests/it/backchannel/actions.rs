//! Keycloak's `k_logout`: whom it names, and nobody else.

use identity_server::{AdminAction, Browser, Endpoint};
use serde_json::{Value, json};

use super::{
    OLD, STORES, act, adapter_session, asked, assert_signs_in_again, assert_taken, ids, pass, realm, refreshes, sid,
    signed_in, status, statuses,
};
use crate::support::{Adapter, CLIENT, Scene};

/// Two sessions of one user and one of another, as old as can be.
fn three(scene: &Scene) -> (Browser, Browser, Browser) {
    let three = (signed_in(scene, "alice"), signed_in(scene, "alice"), signed_in(scene, "bob"));
    pass(scene, OLD);
    three
}

/// An id that says nothing of the cookie, so that whoever reads it at the identity server can do nothing with it.
#[test]
fn a_session_is_announced_by_an_id_that_is_no_key_to_it() {
    for store in STORES {
        let scene = realm(store).with(json!({ "sidecar": { "node-host": "node-1" } })).start();
        let (one, other) = (signed_in(&scene, "alice"), signed_in(&scene, "alice"));
        let said = scene.server.client_session(CLIENT, &sid(&one)).unwrap();
        assert_eq!(said.host.as_deref(), Some("node-1"), "{store}");
        assert!(said.state.len() >= 22, "{store}: {} can be guessed", said.state);
        assert_ne!(said.state, adapter_session(&scene, &other), "{store}");
        let mut thief = scene.browser();
        for cookie in one.jar().cookies() {
            assert!(!cookie.value.contains(&said.state), "{store}: {} holds the id", cookie.name);
            thief.jar_mut().insert(identity_server::Cookie { value: said.state.clone(), ..cookie.clone() });
        }
        assert_eq!(status(&scene, &mut thief), 401, "{store}");
    }
}

/// After a failover, Keycloak must speak to the node that has the session now.
#[test]
fn a_session_moves_home_when_another_node_renews_it() {
    let options = realm("cookie").server(|server| server.access_lifetime = 300);
    let (clock, server, application, origin, mut config) = options.prepare();
    config["sidecar"]["node-host"] = json!("node-1");
    let adapter = Adapter::start(&config, clock.clone());
    config["sidecar"]["node-host"] = json!("node-2");
    let second = Adapter::start(&config, clock.clone());
    let scene = Scene { adapter, server, application, clock, origin };
    let mut browser = signed_in(&scene, "alice");
    let before = scene.server.client_session(CLIENT, &sid(&browser)).unwrap();
    browser.serve_origin(origin, second.public_address, &[("X-Forwarded-Proto", "http")]);
    pass(&scene, 300);
    assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (200, 1));
    let after = scene.server.client_session(CLIENT, &sid(&browser)).unwrap();
    assert_eq!((after.state, after.host.as_deref()), (before.state, Some("node-2")));
}

/// Case 55, as far as this node goes: copies of the cookie from before are refused at once.
#[test]
fn a_logout_that_names_a_session_ends_it_with_all_copies_of_its_cookie_and_no_other() {
    for store in STORES {
        let scene = realm(store).start();
        let (mut ended, mut same_user, mut other) = three(&scene);
        let mut copy = ended.clone();
        act(&scene, AdminAction::Logout, ids(&scene, &ended));
        assert_eq!(
            statuses(&scene, [&mut copy, &mut ended, &mut same_user, &mut other]),
            [401, 401, 200, 200],
            "{store}"
        );
        assert_eq!((asked(&scene, &ended), refreshes(&scene)), (0, 0), "{store}: there was a doubt");
        pass(&scene, 3600);
        assert_eq!(statuses(&scene, [&mut copy, &mut ended]), [401, 401], "{store}: it came back");
        scene.server.end_session(&sid(&ended));
        assert_signs_in_again(&scene, &mut ended, store);
        assert_eq!(status(&scene, &mut copy), 401, "{store}: the copy lives by the new login");
    }
}

/// One login each, so there is nothing to doubt even in the second of the login.
#[test]
fn a_logout_by_our_own_id_holds_however_young_the_session_is() {
    for store in STORES {
        let scene = realm(store).start();
        let mut browser = signed_in(&scene, "alice");
        let fields = json!({ "adapterSessionIds": [adapter_session(&scene, &browser)], "keycloakSessionIds": [] });
        act(&scene, AdminAction::Logout, fields);
        assert_eq!((status(&scene, &mut browser), asked(&scene, &browser)), (401, 0), "{store}");
        assert_signs_in_again(&scene, &mut browser, store);
    }
}

/// A second login in the same session at Keycloak overwrites the first one's id there: only the `sid` names both.
#[test]
fn a_logout_by_keycloaks_ids_reaches_every_login_of_that_session() {
    for store in STORES {
        for our_ids in [Value::Null, json!([])] {
            let scene = realm(store).start();
            let mut first = signed_in(&scene, "alice");
            let mut second = first.clone();
            second.jar_mut().find_mut(&scene.session_cookie()).unwrap().value.clear();
            assert_eq!(scene.sign_in(&mut second).response.status, 200);
            assert_eq!(sid(&first), sid(&second));
            let mut other = signed_in(&scene, "alice");
            pass(&scene, OLD);
            let mut fields = json!({ "keycloakSessionIds": [sid(&first)], "notBefore": 0 });
            if !our_ids.is_null() {
                fields["adapterSessionIds"] = our_ids;
            }
            act(&scene, AdminAction::Logout, fields);
            assert_eq!(statuses(&scene, [&mut first, &mut second, &mut other]), [401, 401, 200], "{store}");
        }
    }
}

/// What a logout says, at an instant.
type Fields = fn(i64) -> Value;

#[test]
fn a_logout_without_ids_is_everybodys_and_one_with_no_ids_is_nobodys() {
    for store in STORES {
        let rows: [(&str, Fields, u16); 7] = [
            ("no ids", |now| json!({ "notBefore": now }), 401),
            ("nothing at all", |_| json!({}), 401),
            ("ids that are null", |_| json!({ "adapterSessionIds": null, "keycloakSessionIds": null }), 401),
            ("empty ids", |_| json!({ "adapterSessionIds": [], "keycloakSessionIds": [], "notBefore": 0 }), 200),
            ("empty ids of ours", |_| json!({ "adapterSessionIds": [] }), 200),
            ("empty ids of theirs", |_| json!({ "keycloakSessionIds": [] }), 200),
            ("unknown ids", |_| json!({ "adapterSessionIds": ["x"], "keycloakSessionIds": ["y"] }), 200),
        ];
        for (case, fields, expected) in rows {
            let scene = realm(store).start();
            let (mut one, mut two, mut three) = three(&scene);
            act(&scene, AdminAction::Logout, fields(scene.clock_secs()));
            assert_eq!(statuses(&scene, [&mut one, &mut two, &mut three]), [expected; 3], "{store}: {case}");
            pass(&scene, 1);
            if expected == 401 {
                assert_signs_in_again(&scene, &mut one, case);
                assert_eq!(status(&scene, &mut two), 401, "{store}: {case}");
            }
        }
    }
}

/// Case 51, for Keycloak's words: they can be sent again for thirty seconds.
#[test]
fn a_logout_that_is_sent_again_harms_nobody_who_came_after_it() {
    for store in STORES {
        let scene = realm(store).start();
        let (mut one, mut two, _) = three(&scene);
        let named = scene.server.admin_action(CLIENT, AdminAction::Logout, ids(&scene, &one), &[]);
        let all = scene.server.admin_action(CLIENT, AdminAction::Logout, json!({}), &[]);
        assert_taken(&scene, AdminAction::Logout, &named);
        assert_taken(&scene, AdminAction::Logout, &all);
        assert_eq!(statuses(&scene, [&mut one, &mut two]), [401, 401], "{store}");
        pass(&scene, OLD);
        assert_signs_in_again(&scene, &mut one, store);
        assert_signs_in_again(&scene, &mut two, store);
        for message in [&named, &all, &named] {
            assert_taken(&scene, AdminAction::Logout, message);
            assert_eq!(statuses(&scene, [&mut one, &mut two]), [200, 200], "{store}: it had a second effect");
        }
    }
}

/// Keycloak does it within the request of an administrator, one node after the other.
#[test]
fn a_logout_is_answered_while_the_identity_server_answers_nothing() {
    let scene = realm("session").start();
    let (mut one, ..) = three(&scene);
    let message = scene.server.admin_action(CLIENT, AdminAction::Logout, ids(&scene, &one), &[]);
    for endpoint in [Endpoint::Jwks, Endpoint::UserInfo, Endpoint::Token, Endpoint::Discovery] {
        scene.server.always(endpoint, identity_server::Fault::Hang);
    }
    assert_taken(&scene, AdminAction::Logout, &message);
    assert_eq!(status(&scene, &mut one), 401);
}

#[test]
fn the_test_of_availability_is_answered_and_changes_nothing() {
    let scene = realm("cookie").start();
    let (mut one, ..) = three(&scene);
    act(&scene, AdminAction::TestAvailability, json!({}));
    assert_eq!((status(&scene, &mut one), asked(&scene, &one)), (200, 0));
}
