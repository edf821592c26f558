//! When tokens are renewed, and what a provider may leave out of its answer.

use identity_server::{Endpoint, Fault, Patch, http::Request};
use serde_json::json;

use super::{LIFE, STORES, get, pass, refreshes, rotating, sign_ins, spent, stale, status, told, with_store};
use crate::support::Options;

#[test]
fn a_token_is_renewed_when_it_has_ended_and_not_before() {
    for store in STORES {
        let scene = rotating(store).start();
        let mut browser = scene.signed_in();
        pass(&scene, LIFE - 1);
        assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (200, 0), "{store}");
        let before = told(&scene, "authorization");
        pass(&scene, 1);
        assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (200, 1), "{store}");
        assert_ne!(told(&scene, "authorization"), before);
        assert_eq!((status(&scene, &mut browser), refreshes(&scene), sign_ins(&scene)), (200, 1, 1), "{store}");
    }
}

#[test]
fn token_minimum_time_to_live_renews_so_long_before_the_end_but_not_before_half_time() {
    for store in STORES {
        for (seconds, before_the_end) in [(60, 60), (200, LIFE / 2), (86_400, LIFE / 2)] {
            let scene = rotating(store).with(json!({ "token-minimum-time-to-live": seconds })).start();
            let mut browser = scene.signed_in();
            for round in 1..=3 {
                pass(&scene, LIFE - before_the_end - 1);
                assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (200, round - 1), "{store} {seconds}");
                pass(&scene, 1);
                assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (200, round), "{store} {seconds}");
                assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (200, round), "{store} {seconds}");
            }
        }
    }
}

#[test]
fn always_refresh_token_renews_with_every_request() {
    for store in STORES {
        let scene = rotating(store).with(json!({ "always-refresh-token": true })).start();
        let mut browser = scene.signed_in();
        let before = refreshes(&scene);
        for round in 1..=3 {
            assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (200, before + round), "{store}");
        }
        assert_eq!(sign_ins(&scene), 1, "{store}");
    }
}

#[test]
fn a_long_day_costs_one_call_for_each_token() {
    for store in STORES {
        let scene = rotating(store).start();
        let mut browser = scene.signed_in();
        for minute in 1..=60 {
            pass(&scene, 60);
            assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (200, minute / 5), "{store}");
        }
        assert_eq!(sign_ins(&scene), 1, "{store}");
    }
}

/// RFC 6749, section 6: the old refresh token stays. OpenID Connect Core 1.0, section 12.2: there may be no ID token.
#[test]
fn a_provider_that_gives_neither_a_refresh_token_nor_an_id_token_anew_is_renewed_from_again_and_again() {
    for store in STORES {
        let scene = with_store(Options::default(), store).server(|server| server.rotate_refresh = false).start();
        let mut browser = stale(&scene);
        for round in 1..=3 {
            let silent = ["refresh_token", "id_token"].map(Patch::remove);
            scene.server.next(Endpoint::Token, Fault::Json(silent.into()));
            assert_eq!((status(&scene, &mut browser), refreshes(&scene)), (200, round), "{store}");
            assert_eq!(told(&scene, "x-forwarded-roles").as_deref(), Some("buyer"));
            pass(&scene, LIFE);
        }
        let spent = spent(&scene);
        assert!(spent.iter().all(|token| *token == spent[0]));
        let out = scene.sign_out(&mut browser);
        assert!(out.header("location").unwrap().contains("id_token_hint=ey"), "the ID token of the sign-in is gone");
        assert_eq!(scene.server.last(Endpoint::Revocation).unwrap().field("token"), Some(spent[0].as_str()));
    }
}

#[test]
fn without_a_refresh_token_the_end_of_the_access_token_is_a_sign_in() {
    for store in STORES {
        let scene = rotating(store).start();
        scene.server.next(Endpoint::Token, Fault::remove("refresh_token"));
        let mut browser = stale(&scene);
        assert_eq!(status(&scene, &mut browser), 401, "{store}");
        assert_eq!(scene.sign_in(&mut browser).response.status, 200, "{store}");
        assert_eq!((refreshes(&scene), sign_ins(&scene)), (0, 2), "{store}");
    }
}

#[test]
fn our_own_userinfo_renews() {
    for store in STORES {
        let scene = rotating(store).start();
        let mut browser = stale(&scene);
        scene.server.configure(|server| server.users[0].groups = vec!["/managers".to_owned()]);
        let answer = browser.fetch(&scene.url("/oauth2/userinfo"), Request::get("")).unwrap();
        assert_eq!((answer.status, &answer.json()["groups"]), (200, &json!(["/managers"])), "{store}");
        assert_eq!(refreshes(&scene), 1, "{store}");
        // Its answer need not carry the cookie: what was learned is found by the old one.
        assert_eq!((get(&scene, &mut browser, "/private").status, refreshes(&scene)), (200, 1), "{store}");
    }
}
