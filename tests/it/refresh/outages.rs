//! A provider that cannot renew now signs nobody out (case 47).

use std::thread;

use identity_server::{Browser, Endpoint, Fault};
use serde_json::json;

use super::{LIFE, STORES, counted, get, pass, refreshes, rotating, sign_ins, stale, status, told};
use crate::support::{Options, Scene, until};

/// Renewed a minute before the end.
fn early(store: &str) -> Options {
    rotating(store).with(json!({ "token-minimum-time-to-live": 60, "socket-timeout-millis": 1000 }))
}

fn unavailable(scene: &Scene) -> u64 {
    scene.adapter.metric("doorward_sessions_lapsed_total{reason=\"unavailable\"}")
}

/// Nothing can be renewed at this moment: who has a living access token is let in, who has not gets 503 and is asked to come again.
fn assert_waits(scene: &Scene, case: &str, browser: &mut Browser, is_alive: bool) {
    let (before, asked) = (unavailable(scene), sign_ins(scene));
    let script = get(scene, browser, "/private");
    let person = browser.navigate_once(&scene.url("/private")).unwrap();
    if is_alive {
        assert_eq!((script.status, person.status), (200, 200), "{case}");
    } else {
        assert_eq!((script.status, person.status), (503, 503), "{case}");
        let retry = |answer: &identity_server::http::Response| answer.header("retry-after").map(str::to_owned);
        assert!(retry(&script).is_some() && retry(&person).is_some(), "{case}: no Retry-After");
        assert!(script.header("set-cookie").is_none() && person.header("set-cookie").is_none(), "{case}");
    }
    assert_eq!(unavailable(scene) - before, if is_alive { 0 } else { 2 }, "{case}: lapsed sessions");
    assert_eq!(sign_ins(scene), asked, "{case}: somebody was sent to sign in");
}

#[test]
fn a_refusal_that_is_not_about_the_session_keeps_it() {
    let rows = [
        ("500", Fault::status(500)),
        ("500 that says invalid_grant", Fault::error(500, "invalid_grant")),
        ("503", Fault::status(503)),
        ("429", Fault::status(429)),
        ("404", Fault::status(404)),
        ("403", Fault::error(403, "access_denied")),
        ("invalid_client", Fault::error(401, "invalid_client")),
        ("unauthorized_client", Fault::error(400, "unauthorized_client")),
        ("temporarily_unavailable", Fault::error(400, "temporarily_unavailable")),
        ("a redirect", Fault::redirect("http://127.0.0.1:1/")),
    ];
    for store in STORES {
        let scene = early(store).start();
        for (case, fault) in rows.clone() {
            let mut browser = scene.signed_in();
            let copy = browser.clone();
            scene.server.always(Endpoint::Token, fault);
            pass(&scene, LIFE - 60);
            assert_waits(&scene, case, &mut browser, true);
            pass(&scene, 60);
            assert_waits(&scene, case, &mut browser, false);
            scene.server.behave(Endpoint::Token);
            pass(&scene, 1);
            let asked = sign_ins(&scene);
            assert_eq!(status(&scene, &mut copy.clone()), 200, "{store}: {case}");
            assert_eq!((status(&scene, &mut browser), sign_ins(&scene)), (200, asked), "{store}: {case}");
        }
    }
}

/// Some providers say so of a refresh token that is spent, revoked or too old, for as long as they are asked.
#[test]
fn a_refresh_token_refused_by_invalid_request_is_not_sent_again_and_its_user_is_signed_in_anew() {
    for store in STORES {
        let scene = early(store).start();
        let mut browser = scene.signed_in();
        scene.server.always(Endpoint::Token, Fault::error(400, "invalid_request"));
        pass(&scene, LIFE - 60);
        for _ in 0..3 {
            assert_waits(&scene, "alive", &mut browser, true);
            pass(&scene, 1);
        }
        assert_eq!((refreshes(&scene), counted(&scene, "refused")), (1, 1), "{store}");
        pass(&scene, 60);
        assert_eq!(
            get(&scene, &mut browser, "/private").status,
            401,
            "{store}: a script is told that nobody is signed in"
        );
        scene.server.behave(Endpoint::Token);
        let page = browser.navigate(&scene.url("/private")).unwrap();
        assert_eq!(page.response.status, 200, "{store}: without a form");
        assert_eq!((refreshes(&scene), sign_ins(&scene)), (1, 2), "{store}");
    }
}

/// A 500 or 503 may come from behind a refresh that was done, or from a proxy in the place of the provider.
#[test]
fn a_refresh_token_that_met_a_5xx_is_not_sent_again_while_the_access_token_lives() {
    for store in STORES {
        for status_code in [500, 503] {
            let scene = early(store).start();
            let mut browser = scene.signed_in();
            scene.server.always(Endpoint::Token, Fault::status(status_code));
            pass(&scene, LIFE - 60);
            for _ in 0..5 {
                assert_waits(&scene, "alive", &mut browser, true);
                pass(&scene, 10);
            }
            assert_eq!((refreshes(&scene), counted(&scene, "trouble")), (1, 1), "{store}: {status_code}");
            pass(&scene, 10);
            assert_waits(&scene, "dead", &mut browser, false);
            assert_eq!(refreshes(&scene), 2, "{store}: {status_code}");
            scene.server.behave(Endpoint::Token);
            pass(&scene, 1);
            assert_eq!((status(&scene, &mut browser), sign_ins(&scene)), (200, 1), "{store}: {status_code}");
        }
    }
}

#[test]
fn a_provider_that_is_down_signs_nobody_out() {
    for store in STORES {
        let mut scene = early(store).start();
        let mut browser = scene.signed_in();
        scene.server.stop();
        pass(&scene, LIFE - 60);
        assert_waits(&scene, "down", &mut browser, true);
        pass(&scene, 60);
        for _ in 0..5 {
            assert_waits(&scene, "down", &mut browser, false);
            pass(&scene, 60);
        }
        scene.server.restart().unwrap();
        assert_eq!((status(&scene, &mut browser), sign_ins(&scene)), (200, 1), "{store}");
        assert_eq!(counted(&scene, "uncertain"), 0, "{store}");
    }
}

const ALL: [Endpoint; 4] = [Endpoint::Discovery, Endpoint::Jwks, Endpoint::Token, Endpoint::UserInfo];

/// A provider that takes connections and says nothing, as behind a network that swallows everything.
#[test]
fn a_provider_that_hangs_signs_nobody_out_however_long() {
    for store in STORES {
        let scene = early(store).start();
        let mut browser = scene.signed_in();
        for endpoint in ALL {
            scene.server.always(endpoint, Fault::Hang);
        }
        pass(&scene, LIFE - 60);
        assert_waits(&scene, "hangs", &mut browser, true);
        pass(&scene, 60);
        for _ in 0..4 {
            assert_waits(&scene, "hangs", &mut browser, false);
            pass(&scene, 120);
        }
        assert_eq!(refreshes(&scene), 1, "{store}: sent again though nobody answered");
        for endpoint in ALL {
            scene.server.behave(endpoint);
        }
        assert_eq!((status(&scene, &mut browser), sign_ins(&scene)), (200, 1), "{store}");
        assert_eq!(refreshes(&scene), 2, "{store}");
    }
}

#[test]
fn a_provider_that_hangs_has_one_call_of_a_session_in_flight() {
    for store in STORES {
        let scene = rotating(store).start();
        let browser = stale(&scene);
        scene.server.next(Endpoint::Token, Fault::Hang);
        thread::scope(|scope| {
            let ask = || status(&scene, &mut browser.clone());
            let asking: Vec<_> = (0..20).map(|_| scope.spawn(ask)).collect();
            assert!(scene.server.wait_for_calls(Endpoint::Token, 2));
            // A stranger who comes after all of them is answered at once.
            assert_eq!(scene.browser().navigate_once(&scene.url("/oauth2/signed_out")).unwrap().status, 200);
            assert_eq!(refreshes(&scene), 1);
            scene.server.release();
            for asking in asking {
                assert_eq!(asking.join().unwrap(), 200);
            }
        });
        assert_eq!(refreshes(&scene), 1, "{store}");
    }
}

/// The call itself may take a minute, and ends with the answer, for whoever comes then.
#[test]
fn a_living_access_token_does_not_wait_for_a_slow_provider() {
    for store in STORES {
        let scene = early(store).with(json!({ "socket-timeout-millis": 60_000 })).start();
        let browser = scene.signed_in();
        pass(&scene, LIFE - 60);
        scene.server.next(Endpoint::Token, Fault::HoldAnswer);
        // Not released before it was answered: who waited for the provider would not be.
        assert_eq!(status(&scene, &mut browser.clone()), 200, "{store}");
        assert_eq!((refreshes(&scene), counted(&scene, "ok")), (1, 0), "{store}");
        scene.server.release();
        until("the refresh's end", || (counted(&scene, "ok") == 1).then_some(()));
        pass(&scene, 60);
        assert_eq!((status(&scene, &mut browser.clone()), refreshes(&scene)), (200, 1), "{store}: renewed once");
    }
}

#[test]
fn a_provider_in_trouble_is_asked_once_a_second_for_a_session() {
    for store in STORES {
        let scene = rotating(store).start();
        let mut browser = stale(&scene);
        scene.server.always(Endpoint::Token, Fault::status(503));
        for second in 1..=3 {
            for _ in 0..10 {
                assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (503, second), "{store}");
            }
            pass(&scene, 1);
        }
        scene.server.behave(Endpoint::Token);
        assert_eq!((status(&scene, &mut browser), sign_ins(&scene)), (200, 1), "{store}");
    }
}

#[test]
fn a_public_page_is_served_to_nobody_in_particular_when_it_cannot_be_told_who_asks() {
    let rules = json!({ "sidecar": { "rules": [{ "path": "/news/*", "access": "public" }] } });
    for store in STORES {
        let mut scene = rotating(store).with(rules.clone()).start();
        let mut browser = stale(&scene);
        scene.server.stop();
        let answer = get(&scene, &mut browser, "/news/1");
        assert_eq!((answer.status, answer.header("set-cookie")), (200, None), "{store}");
        assert_eq!((told(&scene, "x-forwarded-user"), told(&scene, "authorization")), (None, None), "{store}");
        assert_eq!(get(&scene, &mut browser, "/oauth2/userinfo").status, 503, "{store}");
        scene.server.restart().unwrap();
        pass(&scene, 1);
        assert_eq!(get(&scene, &mut browser, "/news/1").status, 200, "{store}");
        assert_eq!(told(&scene, "x-forwarded-user").as_deref(), Some("subject-of-alice"), "{store}");
    }
}
