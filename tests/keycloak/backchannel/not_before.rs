//! A not-before that lies ahead, and how it is taken back.

use crate::{
    backchannel::{Plan, STORES, enters, enters_at_last},
    browser::Browser,
    scene::{CLIENT, Person},
    wait,
};

/// Far enough ahead that no story reaches it.
const HOUR: u64 = 3600;

#[test]
fn a_not_before_that_lies_ahead_refuses_every_sign_in_with_a_page_and_no_loop_until_it_is_cleared() {
    for store in STORES {
        let scene = Plan::new(store).start();
        let anna = scene.signed_in(Person::Anna);
        scene.realm.push_not_before_of(CLIENT, wait::second() + HOUR);
        anna.assert_refused(store);
        let mut browser = Browser::default();
        let page = browser.open(&anna.url);
        let page = Person::Bert.sign_in(&mut browser, &page);
        assert_eq!(page.response.status, 403, "{store}: {:#?}\n{}", page.trail, page.response.text());

        let told = scene.realm.push_not_before_of(CLIENT, 0);
        assert_eq!(scene.tap.last().claims["notBefore"], 0, "{store}: {told}");
        assert!(enters_at_last(Person::Bert, &mut browser, &anna.url), "{store}: it was cleared");
    }
}

#[test]
fn what_a_not_before_had_refused_is_served_again_once_it_is_cleared() {
    for store in STORES {
        let scene = Plan::new(store).start();
        let mut anna = scene.signed_in(Person::Anna);
        scene.realm.push_not_before(wait::second() + HOUR);
        assert_eq!(scene.tap.last().status, 200, "{store}");
        scene.realm.push_not_before(0);
        assert_eq!(scene.tap.last().claims["notBefore"], 0, "{store}");
        // Nobody asked in between, so nothing was taken from the session itself.
        assert!(enters(Person::Anna, &mut anna.browser, &anna.url), "{store}");
        assert!(enters(Person::Bert, &mut Browser::default(), &anna.url), "{store}");
    }
}
