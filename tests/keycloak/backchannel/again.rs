//! A session at Keycloak that goes on after our part of it has ended: the same `sid` comes back.

use serde_json::json;

use crate::{
    backchannel::{Plan, STORES},
    browser::{Browser, Page},
    scene::{CLIENT, Person},
};

/// Says yes on Keycloak's page that asks whether the client may know the user.
fn consent(browser: &mut Browser, page: &Page) -> Page {
    let mut form = page.form("accept");
    form.fields.retain(|(name, _)| name != "cancel");
    browser.submit(page, &form, &[])
}

#[test]
fn a_user_who_signs_in_again_in_the_same_session_after_a_client_logout_is_let_in_without_a_loop() {
    for store in STORES {
        let scene = Plan::new(store).changed(|realm, _, _| realm["clients"][0]["consentRequired"] = json!(true));
        let (mut browser, url) = (Browser::default(), scene.adapter.url("/"));
        let page = Person::Anna.open(&mut browser, &url);
        let page = consent(&mut browser, &page);
        assert_eq!(page.response.status, 200, "{store}: {:#?}", page.trail);
        // The neighbour's part keeps the session alive, as it does in a single sign-on.
        scene.neighbour.sign_in(&scene.realm, &mut browser, Person::Anna, &[]);
        let sid = scene.realm.sessions_of("anna");
        let mut copy = browser.clone();
        copy.forget_all_but("/");

        scene.realm.take_back_consent("anna", CLIENT);
        let push = scene.tap.last();
        assert_eq!((push.word(), &push.claims["keycloakSessionIds"]), ("k_logout", &json!(sid)), "{store}");
        assert_eq!(copy.fetch(&url).status, 401, "{store}: the old cookie");

        let page = browser.open(&url);
        let page = consent(&mut browser, &page);
        assert_eq!(page.response.status, 200, "{store}: {:#?}\n{}", page.trail, page.response.text());
        assert_eq!(scene.realm.sessions_of("anna"), sid, "{store}: the same session at Keycloak");
        for round in 1..=3 {
            assert_eq!(browser.fetch(&url).status, 200, "{store}: request {round} of the new session");
        }
        assert_eq!(copy.fetch(&url).status, 401, "{store}: the old cookie again");
    }
}
