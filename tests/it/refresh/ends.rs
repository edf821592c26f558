//! How a session ends by a refresh, and how a sign-out meets one.

use std::thread;

use identity_server::{Browser, Endpoint, Fault};

use super::{LIFE, STORES, counted, get, pass, realm, refreshes, rotating, sign_ins, spent, stale, status};
use crate::support::Scene;

fn revoked(scene: &Scene) -> String {
    scene.server.last(Endpoint::Revocation).unwrap().field("token").unwrap().to_owned()
}

/// Case 47: `invalid_grant` is the one word that ends a session, with all copies of its cookie.
#[test]
fn a_session_that_is_over_at_the_provider_ends_here_and_its_user_signs_in_anew() {
    for store in STORES {
        for options in [rotating(store), realm(store)] {
            let scene = options.start();
            let browser = stale(&scene);
            scene.server.end_all_sessions();
            let mut other = scene.signed_in();
            let mut copies = vec![browser.clone(); 3];
            for copy in &mut copies {
                assert_eq!(status(&scene, copy), 401, "{store}");
            }
            assert_eq!(
                (refreshes(&scene), counted(&scene, "ended")),
                (1, 1),
                "{store}: asked again for a dead session"
            );
            assert!(scene.adapter.metric("doorward_sessions_lapsed_total{reason=\"revoked\"}") >= 1);
            assert_eq!(scene.sign_in(&mut copies[0]).response.status, 200, "{store}");
            assert_eq!((status(&scene, &mut copies[0]), status(&scene, &mut copies[1])), (200, 401), "{store}");
            assert_eq!((status(&scene, &mut other), refreshes(&scene)), (200, 1), "{store}");
        }
    }
}

/// A stale session can be signed out without being renewed first; what is revoked is the newest token that is known.
#[test]
fn the_sign_out_of_a_stale_session_revokes_the_newest_refresh_token() {
    for store in STORES {
        let scene = rotating(store).start();
        let mut old_tab = stale(&scene);
        let copy = old_tab.clone();
        assert_eq!(status(&scene, &mut copy.clone()), 200);
        pass(&scene, LIFE);
        let answer = scene.sign_out(&mut old_tab);
        assert_eq!(answer.status, 303, "{store}");
        assert!(answer.header("location").unwrap().contains("id_token_hint="), "{store}");
        assert_ne!(revoked(&scene), spent(&scene)[0], "{store}: the spent one was revoked");
        assert_eq!((status(&scene, &mut copy.clone()), refreshes(&scene)), (401, 1), "{store}: a copy lives on");
    }
}

/// Signs out while a refresh waits for its answer; what whoever waited got, and the browser that had asked.
fn signed_out_during_a_refresh(scene: &Scene, fault: Fault) -> (u16, Browser) {
    let browser = stale(scene);
    scene.server.next(Endpoint::Token, fault);
    let (mut asking, mut leaving) = (browser.clone(), browser);
    let answer = thread::scope(|scope| {
        let waiting = scope.spawn(|| get(scene, &mut asking, "/private"));
        assert!(scene.server.wait_for_calls(Endpoint::Token, 2));
        assert_eq!(scene.sign_out(&mut leaving).status, 303);
        scene.server.release();
        waiting.join().unwrap()
    });
    (answer.status, asking)
}

#[test]
fn a_late_answer_brings_no_session_back_that_was_signed_out_meanwhile() {
    for store in STORES {
        for options in [rotating(store), realm(store)] {
            let scene = options.start();
            let heard = scene.application.heard().len();
            let (answer, mut asked) = signed_out_during_a_refresh(&scene, Fault::HoldAnswer);
            assert_eq!(answer, 401, "{store}");
            assert_eq!(scene.application.heard().len(), heard + 1, "the application was only asked at the sign-in");
            assert_eq!((counted(&scene, "too_late"), status(&scene, &mut asked)), (1, 401), "{store}: it came back");
            assert_eq!(
                scene.server.calls(Endpoint::Revocation),
                2,
                "{store}: what it brought lives on at the provider"
            );
            assert_eq!(refreshes(&scene), 1, "{store}");
        }
    }
}

/// The provider looks at the refresh only after the sign-out has revoked its token.
#[test]
fn a_refresh_that_arrives_after_the_sign_out_is_refused_and_changes_nothing() {
    for store in STORES {
        let scene = rotating(store).start();
        let (answer, mut asked) = signed_out_during_a_refresh(&scene, Fault::Hang);
        assert_eq!((answer, status(&scene, &mut asked)), (401, 401), "{store}");
        assert_eq!((counted(&scene, "ended"), refreshes(&scene), sign_ins(&scene)), (1, 1, 1), "{store}");
    }
}
