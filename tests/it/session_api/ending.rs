//! Ending sessions: what is meant ends at once, with what it has open, and nothing else does.

use identity_server::{
    Browser,
    http::{Exchange, Request},
};
use serde_json::{Value, json};

use super::{ask, both_stores, field, is_in, listed, options, session_of, signed_in};
use crate::support::Scene;

/// An event stream that is open.
fn events(scene: &Scene, browser: &mut Browser) -> Exchange {
    let mut stream = browser.open(&scene.url("/sse"), Request::get("").header("Accept", "text/event-stream")).unwrap();
    assert_eq!((stream.status, stream.body.read_until_text("\n\n").unwrap().as_str()), (200, "data: open\n\n"));
    stream
}

/// It breaks off: it does not look whole, and nobody waited for its patience to end.
fn breaks_off(stream: Exchange) {
    let error = stream.finish().expect_err("the stream looks whole").to_string();
    assert!(!error.contains("silence") && !error.contains("timed out"), "{error}");
}

fn end(scene: &Scene, target: &str) -> Value {
    let answer = ask(&scene.adapter, "DELETE", target);
    assert_eq!(answer.status, 200, "{target}: {}", answer.text());
    answer.json()
}

fn tally(answer: &Value) -> (bool, u64, u64) {
    let count = |name: &str| answer[name].as_u64().unwrap();
    (answer["known"].as_bool().unwrap(), count("sessions"), count("streams"))
}

#[test]
fn one_users_sessions_end_by_every_name_and_another_users_go_on() {
    for (store, options) in both_stores() {
        let scene = options.start();
        let mut bob = signed_in(&scene, "bob");
        let mut bobs_events = events(&scene, &mut bob);
        let by_id = |session: &Value| format!("/sessions/{}", field(session, "id"));
        let by_their_session = |session: &Value| format!("/sessions?sid={}", field(session, "sid"));
        let by_name = |_: &Value| "/sessions?user=alice".to_owned();
        let by_subject = |_: &Value| "/sessions?user=subject-of-alice".to_owned();
        let ways: [&dyn Fn(&Value) -> String; 4] = [&by_id, &by_their_session, &by_name, &by_subject];
        for way in ways {
            let mut alice = signed_in(&scene, "alice");
            let copy = alice.clone();
            let stream = events(&scene, &mut alice);
            let target = way(&session_of(&scene.adapter, "alice"));
            let answer = end(&scene, &target);
            assert_eq!((tally(&answer), &answer["store"]), ((true, 1, 1), &json!(store)), "{target}");
            breaks_off(stream);
            assert!(!is_in(&scene, &alice) && !is_in(&scene, &copy), "{store} {target}: still in");
            assert!(listed(&scene.adapter, "?user=alice").is_empty(), "{store} {target}: still listed");
            assert!(is_in(&scene, &bob), "{store} {target}: another one's session ended");
        }
        scene.application.tick("still");
        assert_eq!(bobs_events.body.read_until_text("\n\n").unwrap(), "data: still\n\n");
        // In the very second of the end.
        let alice = signed_in(&scene, "alice");
        assert!(is_in(&scene, &alice), "{store}: signed in again, and out at once");
    }
}

#[test]
fn all_sessions_of_a_user_end_and_of_several_only_the_one_that_is_named() {
    for (store, options) in both_stores() {
        let scene = options.start();
        let (first, second) = (signed_in(&scene, "alice"), signed_in(&scene, "alice"));
        let found = listed(&scene.adapter, "?user=alice");
        assert_eq!(found.len(), 2);
        let answer = end(&scene, &format!("/sessions/{}", field(&found[0], "id")));
        assert_eq!(tally(&answer), (true, 1, 0), "{store}");
        assert_ne!(is_in(&scene, &first), is_in(&scene, &second), "{store}: one of two has ended");
        let third = signed_in(&scene, "alice");
        let answer = end(&scene, "/sessions?user=alice");
        assert_eq!((tally(&answer), &answer["subjects"]), ((true, 2, 0), &json!(["alice", "subject-of-alice"])));
        assert!([&first, &second, &third].iter().all(|browser| !is_in(&scene, browser)), "{store}");
    }
}

#[test]
fn everybodys_sessions_end_at_once() {
    for (store, options) in both_stores() {
        let scene = options.start();
        let (mut alice, mut bob) = (signed_in(&scene, "alice"), signed_in(&scene, "bob"));
        let streams = [events(&scene, &mut alice), events(&scene, &mut bob)];
        assert_eq!(tally(&end(&scene, "/sessions?all=true")), (true, 2, 2), "{store}");
        streams.into_iter().for_each(breaks_off);
        assert!(!is_in(&scene, &alice) && !is_in(&scene, &bob), "{store}");
        assert!(listed(&scene.adapter, "").is_empty());
        assert!(is_in(&scene, &signed_in(&scene, "alice")), "{store}: nobody can sign in again");
    }
}

/// A sign-in is dated by the identity server's clock, and an end here by this node's.
#[test]
fn known_sessions_end_also_where_the_identity_servers_clock_is_ahead() {
    for target in ["/sessions?user=alice", "/sessions?all=true", "sid"] {
        for (store, options) in both_stores() {
            let scene = options.start();
            let theirs = scene.clock.clone();
            scene.server.configure(|server| server.now = std::sync::Arc::new(move || secs(&theirs) + 4));
            let alice = signed_in(&scene, "alice");
            let sid = format!("/sessions?sid={}", field(&session_of(&scene.adapter, "alice"), "sid"));
            end(&scene, if target == "sid" { &sid } else { target });
            assert!(!is_in(&scene, &alice), "{store} {target}");
        }
    }
}

fn secs(clock: &doorward::domain::ManualClock) -> i64 {
    doorward::domain::Clock::now(clock).as_secs()
}

#[test]
fn an_id_that_is_not_known_is_ended_where_it_may_be_a_sessions_and_not_found_elsewhere() {
    let scene = options().start();
    let answer = end(&scene, "/sessions/some-id");
    assert_eq!(tally(&answer), (false, 0, 0));
    assert_eq!(tally(&end(&scene, "/sessions?user=nobody")), (false, 0, 0));
    let scene = options().in_process().start();
    let answer = ask(&scene.adapter, "DELETE", "/sessions/some-id");
    assert_eq!((answer.status, answer.json()["error"].is_string()), (404, true));
    assert_eq!(scene.adapter.metric("doorward_revocations"), 0);
}
