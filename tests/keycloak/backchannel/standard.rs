//! The standards' own ways: back-channel logout by a logout token, and front-channel logout by a browser that has no cookie of ours there.

use serde_json::{Value, json};
use url::Url;

use crate::{
    adapter::Place,
    backchannel::{PATIENCE, Plan, STORES, Scene, Visit, enters},
    browser::{Browser, Page},
    html,
    scene::Person,
    wait,
};

/// Where the logout token goes, on which listener.
type Address = fn(tap: &str, place: Place) -> String;

/// A client that is told by logout tokens. `session` as the switch "backchannel logout session required".
fn told_by_tokens(client: &mut Value, url: &str, session: &str) {
    client["attributes"]["backchannel.logout.url"] = json!(url);
    client["attributes"]["backchannel.logout.session.required"] = json!(session);
}

#[test]
fn a_logout_token_ends_the_session_at_either_listener_with_sid_and_without() {
    let admin: Address = |tap, _| format!("{tap}/any/backchannel-logout");
    let public: Address = |_, place| format!("{}/oauth2/backchannel-logout", place.origin());
    for (store, address, session) in [
        ("cookie", admin, "true"),
        ("session", admin, "false"),
        ("cookie", public, "false"),
        ("session", public, "true"),
    ] {
        let scene = Plan::new(store).changed(|realm, tap, place| {
            told_by_tokens(&mut realm["clients"][0], &address(tap, place), session);
        });
        let (anna, mut bert) = (scene.signed_in(Person::Anna), scene.signed_in(Person::Bert));
        scene.realm.log_out("anna");
        let story = format!("{store}, session {session}, {:?}", scene.tap.words());
        assert!(!scene.tap.words().contains(&"k_logout".to_owned()), "{story}");
        anna.assert_refused(&story);
        assert!(bert.is_let_in(), "{story}");
        let mut again = anna.browser.clone();
        assert!(enters(Person::Anna, &mut again, &anna.url), "{story}: she signs in again");
        assert_eq!(again.fetch(&anna.url).status, 200, "{story}: and stays");
        assert!(bert.is_let_in(), "{story}: and he");
    }
}

#[test]
fn a_logout_token_ends_open_streams() {
    for store in STORES {
        let scene = Plan::new(store).changed(|realm, tap, _| {
            told_by_tokens(&mut realm["clients"][0], &format!("{tap}/backchannel-logout"), "true");
        });
        let (anna, bert) = (scene.signed_in(Person::Anna), scene.signed_in(Person::Bert));
        let (hers, his) = (scene.streams(&anna), scene.streams(&bert));
        scene.realm.delete_sessions_of("anna");
        let at = scene.tap.last().at;
        for stream in &hers {
            let ended = stream.ended(PATIENCE);
            let after = ended.at.saturating_duration_since(at);
            wait::report(&format!("{store}: a stream ended {after:?} after the logout token"));
        }
        assert!(his.iter().all(crate::streams::Stream::is_open), "{store}: his go on");
    }
}

#[test]
fn logging_everybody_out_and_not_before_reach_the_admin_url_beside_a_url_for_logout_tokens() {
    for store in STORES {
        let scene = Plan::new(store).changed(|realm, tap, _| {
            told_by_tokens(&mut realm["clients"][0], &format!("{tap}/backchannel-logout"), "true");
        });
        let anna = scene.signed_in(Person::Anna);
        scene.realm.log_out_all();
        assert!(scene.tap.words().contains(&"k_logout".to_owned()), "{store}: {:?}", scene.tap.words());
        anna.assert_refused(store);
    }
}

/// The addresses of the frames on Keycloak's page of a sign-out.
fn frames(page: &Page) -> Vec<Url> {
    let found = html::frames(&page.response.text());
    found.iter().map(|address| page.url.join(address).expect("a well-formed address")).collect()
}

/// Anna signs out at the neighbour, whose page has a frame for us. Returns what the frame was told, asked as a browser does that sends no
/// cookie of ours to a frame of another site.
fn signs_out_at_the_neighbour(scene: &Scene, anna: &Visit) -> u16 {
    let mut browser = anna.browser.clone();
    let tokens = scene.neighbour.sign_in(&scene.realm, &mut browser, Person::Anna, &[]);
    let page = scene.neighbour.sign_out(&scene.realm, &mut browser, &tokens);
    let frames = frames(&page);
    let [frame] = &frames[..] else { panic!("{frames:?} at {}:\n{}", page.url, page.response.text()) };
    let pairs: Vec<String> = frame.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert!(pairs.contains(&"iss".to_owned()) && pairs.contains(&"sid".to_owned()), "{frame}");
    Browser::default().frame(frame).status
}

#[test]
fn a_front_channel_sign_out_that_comes_without_our_cookie_ends_the_session() {
    for store in STORES {
        let scene = Plan::new(store).changed(|realm, _, place| {
            let client = &mut realm["clients"][0];
            client["frontchannelLogout"] = json!(true);
            client["attributes"]["frontchannel.logout.url"] =
                json!(format!("{}/oauth2/frontchannel-logout", place.origin()));
            client["attributes"]["frontchannel.logout.session.required"] = json!("true");
        });
        let (anna, mut bert) = (scene.signed_in(Person::Anna), scene.signed_in(Person::Bert));
        assert_eq!(signs_out_at_the_neighbour(&scene, &anna), 200, "{store}");
        assert_eq!(scene.tap.words(), Vec::<String>::new(), "{store}: the switch silences the back channel");
        let refused = wait::within(PATIENCE, || (anna.copy().browser.fetch(&anna.url).status == 401).then_some(()));
        assert!(refused.is_some(), "{store}: the old cookie is still good");
        anna.assert_refused(store);
        assert!(bert.is_let_in(), "{store}: he stays");
    }
}
