//! Every way in which Keycloak ends sessions, in both stores: the next request with the old cookie goes to login, open streams close at
//! once, and whoever was not meant goes on.

use serde_json::{Value, json};

use crate::{
    backchannel::{Plan, STORES, Scene, Visit, assert_closed, enters, enters_at_last},
    scene::{CLIENT, Person},
    streams::Stream,
    wait,
};

/// A way to end Anna's sessions, or everybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    SessionDeleted,
    UserLoggedOut,
    AccountConsole,
    OtherClient,
    Everybody,
    NotBeforeOfRealm,
    NotBeforeOfClient,
}

impl Ending {
    /// Whom it meets.
    fn meets_everybody(self) -> bool {
        matches!(self, Self::Everybody | Self::NotBeforeOfRealm | Self::NotBeforeOfClient)
    }

    /// The word that Keycloak pushes.
    fn word(self) -> &'static str {
        if matches!(self, Self::NotBeforeOfRealm | Self::NotBeforeOfClient) { "k_push_not_before" } else { "k_logout" }
    }

    /// Does it. The not-before is of the next second, since it spares what was issued in its own.
    fn happens(self, scene: &Scene, anna: &Visit) {
        match self {
            Self::SessionDeleted => scene.realm.delete_sessions_of("anna"),
            Self::UserLoggedOut => scene.realm.log_out("anna"),
            Self::AccountConsole => scene.realm.sign_out_other_devices("anna"),
            Self::OtherClient => {
                let mut browser = anna.browser.clone();
                let tokens = scene.neighbour.sign_in(&scene.realm, &mut browser, Person::Anna, &[]);
                scene.neighbour.sign_out(&scene.realm, &mut browser, &tokens);
            }
            Self::Everybody => succeeds(&scene.realm.log_out_all(), scene),
            Self::NotBeforeOfRealm => succeeds(&scene.realm.push_not_before(wait::second() + 1), scene),
            Self::NotBeforeOfClient => succeeds(&scene.realm.push_not_before_of(CLIENT, wait::second() + 1), scene),
        }
    }
}

/// Panics unless Keycloak counts our node among those that were told with success.
fn succeeds(told: &Value, scene: &Scene) {
    assert_eq!(told["successRequests"], json!([scene.tap.url()]), "{told}");
}

/// Panics unless Keycloak knows one session id of ours, which opens nothing: it is no part of the cookies.
fn assert_names_ours(visit: &Visit, ids: &Value, story: &str) {
    let [Value::String(id)] = &ids.as_array().expect("a list of ids")[..] else { panic!("{story}: {ids}") };
    assert!(id.len() >= 16, "{story}: {id}");
    assert!(visit.browser.cookies_at("/").all(|(_, value)| !value.contains(id.as_str())), "{story}: {id}");
}

/// The whole story of one ending, in both stores.
fn assert_ends(ending: Ending) {
    for store in STORES {
        let story = format!("{ending:?} {store}");
        let scene = Plan::new(store).start();
        let (anna, mut bert) = (scene.signed_in(Person::Anna), scene.signed_in(Person::Bert));
        let (hers, his) = (scene.streams(&anna), scene.streams(&bert));
        ending.happens(&scene, &anna);
        let push = scene.tap.last();
        assert_eq!((push.word(), push.status), (ending.word(), 200), "{story}: {push:?}");
        if !ending.meets_everybody() {
            assert_names_ours(&anna, &push.claims["adapterSessionIds"], &story);
        }
        anna.assert_refused(&story);
        assert_closed(&hers, &push, &story);
        if ending.meets_everybody() {
            bert.assert_refused(&story);
            assert_closed(&his, &push, &story);
        }
        // In a browser of its own, as somebody does who comes back.
        let mut again = anna.clone().browser;
        assert!(enters_at_last(Person::Anna, &mut again, &anna.url), "{story}: she cannot sign in again");
        anna.assert_refused(&story);
        if ending.meets_everybody() {
            assert!(enters_at_last(Person::Bert, &mut bert.browser, &bert.url), "{story}: he cannot sign in again");
        } else {
            assert!(bert.is_let_in(), "{story}: he is still signed in");
            assert!(his.iter().all(Stream::is_open), "{story}: his streams go on");
        }
        assert!(enters(Person::Anna, &mut again, &anna.url), "{story}: she stays");
    }
}

#[test]
fn a_session_that_the_administrator_deletes_ends_here_at_once() {
    assert_ends(Ending::SessionDeleted);
}

#[test]
fn a_user_whom_the_administrator_logs_out_is_logged_out_here_and_nobody_else_also_after_signing_in_again() {
    assert_ends(Ending::UserLoggedOut);
}

#[test]
fn a_session_that_its_user_ends_in_the_account_console_ends_here_at_once() {
    assert_ends(Ending::AccountConsole);
}

#[test]
fn a_sign_out_at_another_client_of_the_same_session_ends_ours() {
    assert_ends(Ending::OtherClient);
}

#[test]
fn after_all_sessions_were_logged_out_nobody_is_signed_in_here() {
    assert_ends(Ending::Everybody);
}

#[test]
fn the_realms_not_before_ends_everything_that_is_older() {
    assert_ends(Ending::NotBeforeOfRealm);
}

#[test]
fn the_clients_not_before_ends_everything_that_is_older() {
    assert_ends(Ending::NotBeforeOfClient);
}
