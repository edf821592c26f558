//! What a node forgets when it is killed, and what it must not. The binary itself is killed here, without a word of warning.
//!
//! A node that was away has not heard what was ended meanwhile: it believes a proof from before for as long as `outage-proof` says, here the
//! least, and then asks.

use serde_json::json;
use tempfile::TempDir;

use crate::{
    backchannel::{PATIENCE, Plan, STORES, Scene, Visit, enters},
    scene::Person,
    wait,
};

/// A scene whose node keeps what it must remember in a directory, and believes nothing for long that it has not heard itself.
fn scene(store: &'static str) -> (Scene, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut plan = Plan::new(store);
    plan.sidecar = json!({ "persist": folder.path(), "outage-proof": "1s", "settle": "0s" });
    (plan.start(), folder)
}

/// Panics unless a copy of the cookies opens nothing any more, now or when the proof has grown too old.
fn assert_refused_at_last(visit: &Visit, story: &str) {
    let refused = wait::within(PATIENCE, || (visit.copy().browser.fetch(&visit.url).status == 401).then_some(()));
    assert!(refused.is_some(), "{story}: the old cookie is still good");
    visit.assert_refused(story);
}

#[test]
fn a_cookie_copied_before_the_logout_is_refused_after_it_and_after_a_killed_node_came_back() {
    for store in STORES {
        let (mut scene, _folder) = scene(store);
        let anna = scene.signed_in(Person::Anna);
        scene.realm.delete_sessions_of("anna");
        anna.assert_refused(store);
        scene.adapter.kill();
        scene.adapter.start_again();
        assert_refused_at_last(&anna, store);
    }
}

#[test]
fn a_logout_while_the_node_is_down_is_found_when_it_is_back() {
    for store in STORES {
        let (mut scene, _folder) = scene(store);
        let (anna, mut bert) = (scene.signed_in(Person::Anna), scene.signed_in(Person::Bert));
        scene.adapter.kill();
        scene.realm.log_out("anna");
        assert_eq!(scene.tap.last().status, 502, "{store}: nobody was told");
        scene.adapter.start_again();
        assert_refused_at_last(&anna, store);
        assert!(enters(Person::Bert, &mut bert.browser, &bert.url), "{store}: he may go on");
    }
}

#[test]
fn a_living_cookie_outlives_a_killed_node_at_the_price_of_one_userinfo_call() {
    let (mut scene, _folder) = scene("cookie");
    let mut anna = scene.signed_in(Person::Anna);
    assert!(anna.is_let_in());
    let asked = |scene: &Scene| ["USER_INFO_REQUEST", "REFRESH_TOKEN", "LOGIN"].map(|kind| scene.realm.events(kind));
    let [before, refreshes, logins] = asked(&scene);
    scene.adapter.kill();
    scene.adapter.start_again();
    let proved = wait::within(PATIENCE, || {
        assert!(anna.is_let_in(), "nobody is signed out");
        (asked(&scene)[0] > before).then_some(())
    });
    assert!(proved.is_some(), "it is never proved");
    // From now on the node has heard everything since the proof, however long ago that is.
    let until = wait::second() + 3;
    wait::within(PATIENCE, || {
        assert!(anna.is_let_in());
        (wait::second() > until).then_some(())
    });
    assert_eq!(asked(&scene), [before + 1, refreshes, logins], "userinfo, refreshes, sign-ins");
}
