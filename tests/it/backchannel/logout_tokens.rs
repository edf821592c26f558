//! OpenID Connect Back-Channel Logout 1.0: whom a good logout token ends.

use std::thread;

use identity_server::{Algorithm, Endpoint, Fault, TokenFault, http::Request};

use super::{
    OLD, STORES, asked, assert_logged_out, assert_signs_in_again, everywhere, log_out, pass, plain, realm, sid,
    signed_in, status, statuses,
};
use crate::support::CLIENT;

/// Case 52.
#[test]
fn a_subject_alone_is_all_its_sessions_and_a_sid_is_one() {
    for (case, options) in everywhere() {
        let scene = options.start();
        let mut alices = [(); 5].map(|()| signed_in(&scene, "alice"));
        let mut bob = signed_in(&scene, "bob");
        pass(&scene, OLD);
        log_out(&scene, Some(&sid(&alices[0])), Some("subject-of-alice"));
        assert_eq!(statuses(&scene, alices.each_mut()), [401, 200, 200, 200, 200], "{case}: sid and sub");
        log_out(&scene, Some(&sid(&alices[1])), None);
        assert_eq!(statuses(&scene, alices.each_mut()), [401, 401, 200, 200, 200], "{case}: sid");
        log_out(&scene, None, Some("subject-of-alice"));
        assert_eq!(statuses(&scene, alices.each_mut()), [401; 5], "{case}: sub");
        assert_eq!(status(&scene, &mut bob), 200, "{case}: another user");
        scene.server.end_user("subject-of-alice");
        scene.server.configure(|options| options.auto_login = Some("alice".to_owned()));
        assert_signs_in_again(&scene, &mut alices[0], &case);
    }
}

#[test]
fn an_unknown_or_ended_session_is_a_success_all_the_same() {
    for (case, options) in everywhere() {
        let scene = options.start();
        let mut browser = signed_in(&scene, "alice");
        pass(&scene, OLD);
        log_out(&scene, Some("nobody's"), None);
        log_out(&scene, None, Some("nobody"));
        // Opaque, compared as bytes.
        log_out(&scene, Some(&sid(&browser).to_uppercase()), None);
        log_out(&scene, Some(&format!("{} ", sid(&browser))), None);
        log_out(&scene, Some("~!@#$%^&*()_+ \"'\\/<>|ä"), None);
        assert_eq!((status(&scene, &mut browser), asked(&scene, &browser)), (200, 0), "{case}");
        log_out(&scene, Some(&sid(&browser)), None);
        log_out(&scene, Some(&sid(&browser)), None);
        assert_eq!(status(&scene, &mut browser), 401, "{case}");
    }
}

/// Case 51: it can hit only what is older than it.
#[test]
fn a_logout_token_that_comes_again_has_no_second_effect() {
    for (case, options) in everywhere() {
        let scene = options.start();
        let mut browser = signed_in(&scene, "alice");
        let tokens = [(Some(sid(&browser)), None), (None, Some("subject-of-alice"))]
            .map(|(sid, subject)| scene.server.logout_token(CLIENT, sid.as_deref(), subject, &[]));
        for token in &tokens {
            assert_logged_out(&scene, token);
        }
        pass(&scene, OLD);
        let mut new = signed_in(&scene, "alice");
        pass(&scene, 1);
        for token in &tokens {
            assert_logged_out(&scene, token);
            assert_eq!(status(&scene, &mut new), 200, "{case}: a login after it ended");
        }
        assert_eq!(asked(&scene, &new), 0, "{case}: there was a doubt");
        scene.server.end_session(&sid(&browser));
        assert_eq!(status(&scene, &mut browser), 401, "{case}");
    }
}

#[test]
fn every_kind_of_logout_token_that_may_be_sent_is_taken() {
    let rows = [
        ("typ JWT", vec![TokenFault::header("typ", "JWT")]),
        ("no typ", vec![TokenFault::Header(identity_server::Patch::remove("typ"))]),
        ("Keycloak's", vec![TokenFault::set("typ", "Logout")]),
        ("two audiences", vec![TokenFault::set("aud", serde_json::json!([CLIENT]))]),
        ("a minute old", vec![]),
    ];
    for (case, faults) in rows {
        let scene = plain("cookie").start();
        let mut browser = signed_in(&scene, "alice");
        pass(&scene, OLD);
        let token = scene.server.logout_token(CLIENT, Some(&sid(&browser)), None, &faults);
        pass(&scene, if case.starts_with("a minute") { 60 } else { 0 });
        assert_logged_out(&scene, &token);
        assert_eq!(status(&scene, &mut browser), 401, "{case}");
    }
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.name().starts_with("HS")) {
        let scene = plain("cookie").server(|server| server.algorithm = algorithm).start();
        let mut browser = signed_in(&scene, "alice");
        pass(&scene, OLD);
        log_out(&scene, Some(&sid(&browser)), None);
        assert_eq!(status(&scene, &mut browser), 401, "{algorithm:?}");
    }
}

#[test]
fn other_fields_of_the_form_are_ignored() {
    let scene = plain("cookie").start();
    let mut browser = signed_in(&scene, "alice");
    pass(&scene, OLD);
    let token = scene.server.logout_token(CLIENT, Some(&sid(&browser)), None, &[]);
    let fields = [("state", "x"), ("logout_token", token.as_str()), ("sid", "nobody's")];
    let request = Request::form("/oauth2/backchannel-logout?logout_token=x", &fields).header("Host", "app.test");
    let answer = identity_server::http::send(scene.adapter.public_address, &request).unwrap();
    assert_eq!((answer.status, status(&scene, &mut browser)), (200, 401), "{}", answer.text());
}

/// The identity server tells of the very session that our own request to it ends, before it answers that request.
#[test]
fn a_logout_token_about_a_session_that_is_being_signed_out_waits_for_nothing() {
    for store in STORES {
        for options in [plain(store), realm(store)] {
            let scene = options.start();
            let mut browser = signed_in(&scene, "alice");
            let mut copy = browser.clone();
            let session = sid(&browser);
            pass(&scene, OLD);
            scene.server.next(Endpoint::Revocation, Fault::Hang);
            thread::scope(|scope| {
                let leaving = scope.spawn(|| scene.sign_out(&mut browser));
                assert!(scene.server.wait_for_calls(Endpoint::Revocation, 1));
                log_out(&scene, Some(&session), Some("subject-of-alice"));
                scene.server.release();
                assert_eq!(leaving.join().unwrap().status, 303, "{store}");
            });
            assert_eq!(status(&scene, &mut copy), 401, "{store}");
        }
    }
}
