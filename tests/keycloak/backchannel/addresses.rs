//! Where Keycloak may be told that we are.

use serde_json::json;

use crate::{
    backchannel::{Plan, STORES},
    http::Request,
    scene::{CLIENT, Person},
    tap::Tap,
    wait,
};

#[test]
fn admin_messages_are_heard_under_any_path_of_the_admin_listener() {
    for store in STORES {
        let scene = Plan::new(store).changed(|realm, tap, _| {
            realm["clients"][0]["adminUrl"] = json!(format!("{tap}/some/where/"));
        });
        let anna = scene.signed_in(Person::Anna);
        scene.realm.delete_sessions_of("anna");
        assert_eq!((scene.tap.last().path.as_str(), scene.tap.last().status), ("/some/where/k_logout", 200), "{store}");
        anna.assert_refused(store);
    }
}

#[test]
fn admin_messages_are_heard_on_the_public_listener_below_the_path_for_them_and_nowhere_else() {
    for store in STORES {
        let mut plan = Plan::new(store);
        plan.sidecar = json!({ "admin": { "listen": "127.0.0.1:0", "public-path": "/admin-words" } });
        let mut public = String::new();
        let scene = plan.changed(|realm, _, place| {
            public = place.origin();
            // As most write it: relative to the client's root.
            realm["clients"][0]["rootUrl"] = json!(public);
            realm["clients"][0]["adminUrl"] = json!("/admin-words");
        });
        let (anna, mut bert) = (scene.signed_in(Person::Anna), scene.signed_in(Person::Bert));
        let told = scene.realm.test_nodes(CLIENT);
        assert_eq!(told["successRequests"], json!([format!("{public}/admin-words")]), "{store}: {told}");
        scene.realm.delete_sessions_of("anna");
        anna.assert_refused(store);
        assert!(bert.is_let_in(), "{store}");
        let told = scene.realm.push_not_before_of(CLIENT, wait::second() + 1);
        assert_eq!(told["successRequests"], json!([format!("{public}/admin-words")]), "{store}: {told}");
        bert.assert_refused(store);

        let elsewhere = Tap::before(&public);
        scene.realm.change_client(CLIENT, |client| client["adminUrl"] = json!(elsewhere.url()));
        let told = scene.realm.test_nodes(CLIENT);
        assert_eq!(told["failedRequests"], json!([elsewhere.url()]), "{store}: {told}");
        assert_eq!(elsewhere.words(), ["k_test_available"], "{store}");
    }
}

#[test]
fn a_message_is_refused_where_it_is_not_for_us_or_not_signed() {
    let scene = Plan::new("cookie").start();
    let mut anna = scene.signed_in(Person::Anna);
    let post = |word: &str, body: &str| {
        let url = format!("{}/{word}", scene.tap.url()).parse().expect("an address");
        let request = Request::new("POST", url).text(body);
        request.send().expect("the admin listener answers").status
    };
    assert_eq!((post("k_logout", ""), post("k_logout", "a.b.c")), (403, 403));
    assert!(anna.is_let_in());
}
