//! Not-before: the register that Keycloak pushes, and the instant of one user that comes with token responses.

use identity_server::AdminAction;
use serde_json::json;

use super::{
    OLD, STORES, act, asked, assert_signs_in_again, assert_taken, pass, realm, refreshes, signed_in, status, statuses,
};
use crate::support::{CLIENT, Scene};

fn not_before(scene: &Scene, instant: i64) {
    act(scene, AdminAction::PushNotBefore, json!({ "notBefore": instant }));
}

/// The status of the last page of a sign-in.
fn sign_in(scene: &Scene) -> u16 {
    let mut browser = scene.browser();
    scene.sign_in(&mut browser).response.status
}

#[test]
fn a_pushed_not_before_ends_what_is_older_and_nothing_else() {
    for store in STORES {
        let scene = realm(store).start();
        let (mut alice, mut bob) = (signed_in(&scene, "alice"), signed_in(&scene, "bob"));
        let mut copy = alice.clone();
        pass(&scene, OLD);
        let mut young = signed_in(&scene, "bob");
        let now = scene.clock_secs();
        scene.server.set_not_before(now);
        not_before(&scene, now);
        let all = [&mut copy, &mut alice, &mut bob, &mut young];
        assert_eq!(statuses(&scene, all), [401, 401, 401, 200], "{store}: iat == notBefore is good");
        assert_signs_in_again(&scene, &mut alice, store);
        assert_eq!((status(&scene, &mut copy), asked(&scene, &young)), (401, 0), "{store}");
    }
}

/// An administrator's clock may be ahead: a redirect would go round for ever.
#[test]
fn a_not_before_that_is_ahead_refuses_new_logins_with_a_page_until_it_is_taken_back() {
    for store in STORES {
        let scene = realm(store).start();
        not_before(&scene, scene.clock_secs() + 600);
        assert_eq!(sign_in(&scene), 403, "{store}");
        pass(&scene, 1);
        not_before(&scene, 0);
        assert_eq!(sign_in(&scene), 200, "{store}: 0 does not take it back");
    }
}

/// Case 53, its last part: the newest order stands, whatever arrives last.
#[test]
fn an_older_order_changes_nothing_when_it_is_sent_again() {
    for store in STORES {
        let scene = realm(store).start();
        let ahead = scene.clock_secs() + 600;
        let order = |instant: i64| {
            let fields = json!({ "notBefore": instant });
            scene.server.admin_action(CLIENT, AdminAction::PushNotBefore, fields, &[])
        };
        let (nothing, then_ahead) = (order(0), {
            pass(&scene, 5);
            order(ahead)
        });
        let send = |message: &str| assert_taken(&scene, AdminAction::PushNotBefore, message);
        send(&then_ahead);
        send(&nothing);
        assert_eq!(sign_in(&scene), 403, "{store}: an older order took it back");
        pass(&scene, 5);
        send(&order(0));
        send(&then_ahead);
        assert_eq!(sign_in(&scene), 200, "{store}: an older order raised it");
    }
}

/// Keycloak writes the greatest of realm, client and user into a token response: it is this user's, never everybody's.
#[test]
fn the_not_before_of_a_token_response_ends_older_sessions_of_that_user_alone() {
    for store in STORES {
        let scene = realm(store).start();
        let (mut old, mut bob) = (signed_in(&scene, "alice"), signed_in(&scene, "bob"));
        pass(&scene, OLD);
        scene.server.end_user("subject-of-alice");
        assert_eq!(status(&scene, &mut old), 200, "{store}: nobody was told yet");
        let mut new = signed_in(&scene, "alice");
        assert_eq!(statuses(&scene, [&mut old, &mut bob, &mut new]), [401, 200, 200], "{store}");
        assert_eq!((asked(&scene, &bob), refreshes(&scene)), (0, 0), "{store}");
    }
}

/// The whole story of an administrator who signs a user out, who then comes back.
#[test]
fn another_users_session_goes_on_after_a_user_was_signed_out_and_came_back() {
    for store in STORES {
        let scene = realm(store).start();
        let (mut alice, mut bob) = (signed_in(&scene, "alice"), signed_in(&scene, "bob"));
        pass(&scene, OLD);
        scene.server.hold_commits();
        scene.server.end_user("subject-of-alice");
        act(&scene, AdminAction::Logout, super::ids(&scene, &alice));
        scene.server.commit();
        assert_eq!(statuses(&scene, [&mut alice, &mut bob]), [401, 200], "{store}");
        scene.server.configure(|options| options.auto_login = Some("alice".to_owned()));
        assert_signs_in_again(&scene, &mut alice, store);
        for _ in 0..3 {
            pass(&scene, 60);
            assert_eq!(statuses(&scene, [&mut alice, &mut bob]), [200, 200], "{store}");
        }
    }
}
