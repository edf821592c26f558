//! Cuts: what is older is ended, what is younger is a new login, and between the two the identity server is asked.

use identity_server::AdminAction;
use serde_json::json;

use super::{
    OLD, STORES, act, asked, assert_signs_in_again, ids, log_out, pass, plain, realm, refreshes, sid, signed_in,
    status, statuses,
};
use crate::support::Options;

/// A plain provider that is asked by userinfo, too.
fn by_userinfo(store: &str) -> [Options; 2] {
    [realm(store), plain(store).with(json!({ "sidecar": { "prove-by": "userinfo" } }))]
}

/// The user of an ended client session comes back within the same session at the identity server: the `sid` stays.
#[test]
fn who_signs_in_again_under_the_same_sid_is_let_in_without_a_loop() {
    for store in STORES {
        for options in by_userinfo(store) {
            let scene = options.start();
            let mut browser = signed_in(&scene, "alice");
            let (mut copy, sid_before) = (browser.clone(), sid(&browser));
            pass(&scene, OLD);
            log_out(&scene, Some(&sid_before), None);
            assert_eq!(status(&scene, &mut browser), 401, "{store}");
            // At once, so that the new login is as old as the cut.
            assert_signs_in_again(&scene, &mut browser, store);
            assert_eq!((sid(&browser), status(&scene, &mut copy)), (sid_before.clone(), 401), "{store}");
            for seconds in [1, 4, 10, 60] {
                pass(&scene, seconds);
                assert_eq!(statuses(&scene, [&mut browser, &mut copy]), [200, 401], "{store}: {seconds} s later");
            }
            log_out(&scene, Some(&sid_before), None);
            assert_eq!(status(&scene, &mut browser), 401, "{store}: the second logout");
        }
    }
}

#[test]
fn a_login_that_is_as_old_as_the_logout_is_asked_for_until_the_answer_is_settled() {
    for store in STORES {
        for options in by_userinfo(store) {
            let scene = options.start();
            let mut browser = signed_in(&scene, "alice");
            let before = asked(&scene, &browser);
            pass(&scene, 1);
            log_out(&scene, Some(&sid(&browser)), None);
            let mut seen = Vec::new();
            // Settled after 15 seconds, and 5 for clocks that differ.
            for seconds in [0, 0, 2, 2, 30, 0, 5] {
                pass(&scene, seconds);
                assert_eq!(status(&scene, &mut browser), 200, "{store}");
                seen.push(asked(&scene, &browser) - before);
            }
            assert_eq!(seen, [1, 1, 2, 3, 4, 4, 4], "{store}");
        }
    }
}

/// Keycloak pushes first and commits after: "alive" is no news while it still does.
#[test]
fn an_end_that_is_pushed_before_it_is_committed_is_not_forgotten() {
    for store in STORES {
        let scene = realm(store).start();
        let (mut young, mut other) = (signed_in(&scene, "alice"), signed_in(&scene, "bob"));
        pass(&scene, 1);
        scene.server.hold_commits();
        scene.server.end_session(&sid(&young));
        log_out(&scene, Some(&sid(&young)), None);
        // As far as anybody can tell, this is a login after the logout.
        assert_eq!((status(&scene, &mut young), asked(&scene, &young)), (200, 1), "{store}");
        scene.server.commit();
        pass(&scene, 2);
        assert_eq!(statuses(&scene, [&mut young, &mut other]), [401, 200], "{store}");
        assert_eq!((asked(&scene, &young), refreshes(&scene), asked(&scene, &other)), (2, 1, 0), "{store}");
        assert_eq!((status(&scene, &mut young), asked(&scene, &young)), (401, 2), "{store}: asked for what is dead");
    }
}

#[test]
fn an_old_session_is_ended_by_the_push_alone_while_userinfo_still_says_that_it_lives() {
    for store in STORES {
        let scene = realm(store).start();
        let (mut by_word, mut by_token) = (signed_in(&scene, "alice"), signed_in(&scene, "bob"));
        pass(&scene, OLD);
        scene.server.hold_commits();
        scene.server.end_session(&sid(&by_word));
        scene.server.end_session(&sid(&by_token));
        act(&scene, AdminAction::Logout, ids(&scene, &by_word));
        log_out(&scene, Some(&sid(&by_token)), None);
        assert_eq!(statuses(&scene, [&mut by_word, &mut by_token]), [401, 401], "{store}");
        assert_eq!((asked(&scene, &by_word), asked(&scene, &by_token)), (0, 0), "{store}");
    }
}

/// What every session is proved by in the end, should no push reach us.
#[test]
fn an_end_that_nobody_told_of_is_found_when_the_proof_is_old() {
    for store in STORES {
        let scene = realm(store).start();
        // What was proved right at the start of the node is not covered by what it hears from then on.
        pass(&scene, 60);
        let (mut ended, mut alive) = (signed_in(&scene, "alice"), signed_in(&scene, "bob"));
        scene.server.end_session(&sid(&ended));
        pass(&scene, 599);
        assert_eq!(statuses(&scene, [&mut ended, &mut alive]), [200, 200], "{store}");
        pass(&scene, 2);
        assert_eq!(statuses(&scene, [&mut ended, &mut alive]), [401, 200], "{store}");
        assert_eq!((asked(&scene, &ended), asked(&scene, &alive)), (1, 1), "{store}");
        assert_eq!((status(&scene, &mut alive), asked(&scene, &alive)), (200, 1), "{store}");
    }
}
