//! A refresh token that left and was not answered: nobody knows whether it is spent (case 44).

use std::time::Duration;

use identity_server::{Browser, Endpoint, Fault};
use serde_json::json;

use super::{LIFE, STORES, counted, pass, refreshes, rotating, sign_ins, status};
use crate::support::{Options, Scene};

/// Renewed a minute before the end.
fn early(store: &str) -> Options {
    rotating(store).with(json!({ "token-minimum-time-to-live": 60, "socket-timeout-millis": 1000 }))
}

/// A browser whose access token lives for another minute, and whose refresh token was sent without an answer.
fn in_doubt(scene: &Scene, case: &str, fault: Fault) -> Browser {
    let mut browser = scene.signed_in();
    let before = refreshes(scene);
    pass(scene, LIFE - 60);
    scene.server.next(Endpoint::Token, fault);
    for _ in 0..6 {
        assert_eq!((status(scene, &mut browser), refreshes(scene)), (200, before + 1), "{case}: sent again");
        scene.clock.advance(Duration::from_millis(9_900));
    }
    pass(scene, 1);
    browser
}

#[test]
fn an_answer_that_was_lost_after_the_commit_costs_one_silent_sign_in() {
    for store in STORES {
        let scene = early(store).start();
        let mut browser = in_doubt(&scene, store, Fault::LoseAnswer);
        let (read, copy) = (scene.server.calls(Endpoint::Discovery), browser.clone());
        // Sent once more: the provider has spent it, and says so.
        let page = scene.sign_in(&mut browser);
        assert_eq!((page.response.status, refreshes(&scene), sign_ins(&scene)), (200, 2, 2), "{store}");
        assert_eq!(scene.server.calls(Endpoint::Discovery), read + 1, "{store}: no harmless call came first");
        assert_eq!((counted(&scene, "uncertain"), counted(&scene, "ended")), (1, 1), "{store}");
        assert_eq!((status(&scene, &mut browser), status(&scene, &mut copy.clone())), (200, 401), "{store}");
        assert_eq!(refreshes(&scene), 2, "{store}");
    }
}

/// Where nothing was spent, the second time works and nobody notices.
#[test]
fn an_answer_that_was_lost_costs_nothing_where_refresh_tokens_stay() {
    for store in STORES {
        let scene = early(store).server(|server| server.rotate_refresh = false).start();
        let mut browser = in_doubt(&scene, store, Fault::LoseAnswer);
        assert_eq!((status(&scene, &mut browser), refreshes(&scene), sign_ins(&scene)), (200, 2, 1), "{store}");
    }
}

#[test]
fn a_token_in_doubt_is_not_sent_to_a_provider_that_answers_nothing_harmless() {
    for store in STORES {
        let scene = early(store).start();
        let mut browser = in_doubt(&scene, store, Fault::LoseAnswer);
        for fault in [Fault::status(503), Fault::LoseAnswer, Fault::Hang, Fault::text(200, "text/html", "<html>")] {
            scene.server.next(Endpoint::Discovery, fault);
            assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (503, 1), "{store}");
            let read = scene.server.calls(Endpoint::Discovery);
            assert_eq!(status(&scene, &mut browser), 503, "{store}");
            assert_eq!(scene.server.calls(Endpoint::Discovery), read, "{store}: no pause");
            pass(&scene, 1);
        }
        assert_eq!(scene.sign_in(&mut browser).response.status, 200, "{store}");
        assert_eq!((refreshes(&scene), sign_ins(&scene)), (2, 2), "{store}");
    }
}

#[test]
fn a_token_that_was_lost_twice_is_never_sent_again_and_its_user_signs_in_silently() {
    for store in STORES {
        let scene = early(store).start();
        let mut browser = in_doubt(&scene, store, Fault::DropConnection);
        scene.server.next(Endpoint::Token, Fault::DropConnection);
        assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (503, 2), "{store}");
        for _ in 0..3 {
            assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (401, 2), "{store}");
            pass(&scene, 1);
        }
        let asked = sign_ins(&scene);
        assert_eq!(scene.sign_in(&mut browser).response.status, 200, "{store}");
        assert_eq!((refreshes(&scene), sign_ins(&scene)), (2, asked + 1), "{store}");
        assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (200, 2), "{store}");
    }
}

/// Whatever is no answer of a token endpoint may hide one.
#[test]
fn an_answer_that_cannot_be_read_leaves_the_token_in_doubt() {
    let rows = [
        ("closed", Fault::DropConnection),
        ("lost", Fault::LoseAnswer),
        ("too slow", Fault::HoldAnswer),
        ("502", Fault::status(502)),
        ("504", Fault::status(504)),
        ("a page", Fault::text(200, "text/html", "<html>")),
        ("empty", Fault::status(200)),
        ("a list", Fault::text(200, "application/json", "[]")),
        ("no access token", Fault::remove("access_token")),
        ("token_type mac", Fault::set("token_type", "mac")),
        ("400 without a word", Fault::status(400)),
        ("huge", Fault::Huge(8 << 20)),
    ];
    for store in STORES {
        let scene = early(store).start();
        for (uncertain, (case, fault)) in (1..).zip(rows.clone()) {
            in_doubt(&scene, case, fault);
            assert_eq!(counted(&scene, "uncertain"), uncertain, "{store}: {case}");
        }
    }
}
