//! What Keycloak sends by itself: these stories have no adapter, only a listener at the admin URL.

use serde_json::{Value, json};

use crate::{
    adapter::Place,
    admin::{Realm, text},
    backchannel::realm,
    browser::Browser,
    party::{NEIGHBOUR, Party},
    scene::{CLIENT, Person},
    tap::Tap,
};

/// How a session is ended, given the browser that has it.
type Way<'a> = &'a dyn Fn(&mut Browser);

/// Two clients without an adapter, and a listener where Keycloak expects the first one's.
struct Stage {
    realm: Realm,
    tap: Tap,
    party: Party,
    neighbour: Party,
}

impl Stage {
    fn set(logout_tokens: Option<&str>) -> Self {
        let (party, neighbour, tap) = (Party::new(CLIENT), Party::new(NEIGHBOUR), Tap::alone());
        let mut representation = realm(Place::choose(), &neighbour);
        let client = &mut representation["clients"][0];
        client["redirectUris"] = json!([party.callback()]);
        client["adminUrl"] = json!(tap.url());
        if let Some(attribute) = logout_tokens {
            client["attributes"][attribute] = json!(format!("{}/backchannel-logout", tap.url()));
            client["attributes"]["backchannel.logout.session.required"] = json!("true");
        }
        Self { realm: Realm::create(representation), tap, party, neighbour }
    }

    /// Signs Anna in at the first client, as an adapter does that calls its session `ours`.
    fn sign_in(&self) -> Browser {
        let mut browser = Browser::default();
        let ours = [("client_session_state", "ours"), ("client_session_host", "127.0.0.1")];
        self.party.sign_in(&self.realm, &mut browser, Person::Anna, &ours);
        browser
    }

    /// Panics unless exactly one `k_logout` of our session was sent since.
    fn assert_one_logout(&self, before: usize, story: &str) {
        let pushes = self.tap.pushes();
        let [push] = &pushes[before..] else { panic!("{story}: {pushes:#?}") };
        assert_eq!((push.word(), &push.claims["adapterSessionIds"]), ("k_logout", &json!(["ours"])), "{story}");
    }
}

#[test]
fn keycloak_sends_a_logout_with_our_session_id_for_each_way_to_end_a_session() {
    let stage = Stage::set(None);
    let neighbours = |browser: &mut Browser| {
        let tokens = stage.neighbour.sign_in(&stage.realm, browser, Person::Anna, &[]);
        stage.neighbour.sign_out(&stage.realm, browser, &tokens);
    };
    let ways: [(&str, Way); 4] = [
        ("the session is deleted", &|_| stage.realm.delete_sessions_of("anna")),
        ("the user is logged out", &|_| stage.realm.log_out("anna")),
        ("the account console", &|_| stage.realm.sign_out_other_devices("anna")),
        ("another client", &neighbours),
    ];
    for (name, end) in ways {
        let mut browser = stage.sign_in();
        let before = stage.tap.words().len();
        end(&mut browser);
        stage.assert_one_logout(before, name);
    }
}

#[test]
fn keycloak_sends_a_logout_without_ids_for_everybody_and_not_before_when_it_is_pushed() {
    let stage = Stage::set(None);
    stage.sign_in();
    let told: Value = stage.realm.log_out_all();
    assert_eq!(told["successRequests"], json!([stage.tap.url()]), "{told}");
    let push = stage.tap.last();
    assert_eq!((push.word(), &push.claims["adapterSessionIds"]), ("k_logout", &Value::Null));
    stage.realm.push_not_before(1_700_000_000);
    assert_eq!(
        (stage.tap.last().word(), &stage.tap.last().claims["notBefore"]),
        ("k_push_not_before", &json!(1_700_000_000))
    );
    stage.realm.push_not_before_of(CLIENT, 1_700_000_001);
    assert_eq!(stage.tap.last().claims["notBefore"], 1_700_000_001);
    stage.realm.push_not_before_of(CLIENT, 0);
    stage.realm.push_not_before(0);
    assert_eq!(stage.tap.last().claims["notBefore"], 0);
}

#[test]
fn a_url_for_logout_tokens_silences_the_admin_messages_about_sessions() {
    let stage = Stage::set(Some("backchannel.logout.url"));
    stage.sign_in();
    let session = stage.realm.sessions_of("anna");
    stage.realm.delete_sessions_of("anna");
    assert_eq!(stage.tap.words(), ["backchannel-logout"]);
    let push = stage.tap.last();
    assert_eq!((&push.header["typ"], vec![text(&push.claims["sid"])]), (&json!("logout+jwt"), session));
    stage.realm.log_out_all();
    assert_eq!(stage.tap.last().word(), "k_logout", "of everybody");
}

#[test]
fn keycloak_tests_the_nodes_that_it_knows() {
    let stage = Stage::set(None);
    let told = stage.realm.test_nodes(CLIENT);
    assert_eq!(
        (stage.tap.words(), &told["successRequests"]),
        (vec!["k_test_available".to_owned()], &json!([stage.tap.url()]))
    );
}
