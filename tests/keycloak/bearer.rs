//! Tokens that services and users get from the identity server themselves, and bring along.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use url::Url;

use crate::{
    adapter::{Adapter, Place},
    admin::Realm,
    browser::Browser,
    http::{Request, Response},
    scene::{self, CLIENT, Person, SECRET, seen},
    server::Keycloak,
};

/// Another client of the realm, whose tokens name us only in the second case.
const OTHER: &str = "other";
const FRIEND: &str = "friend";

/// A realm with these clients, and an adapter with these further keys.
fn start(more: &Value) -> (Realm, Adapter) {
    let place = Place::choose();
    let mut representation = scene::realm(place);
    let own = &mut representation["clients"][0];
    own["serviceAccountsEnabled"] = json!(true);
    own["directAccessGrantsEnabled"] = json!(true);
    own["webOrigins"] = json!(["http://friend.test"]);
    let service = |id: &str| json!({ "clientId": id, "secret": SECRET, "serviceAccountsEnabled": true });
    let mut friend = service(FRIEND);
    friend["protocolMappers"] = json!([{
        "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
        "config": { "included.client.audience": CLIENT, "access.token.claim": "true" },
    }]);
    let clients = representation["clients"].as_array_mut().expect("clients");
    clients.extend([service(OTHER), friend]);
    let realm = Realm::create(representation);
    let mut keycloak = scene::keycloak_json(&realm);
    for (key, value) in more.as_object().into_iter().flatten() {
        keycloak[key] = value.clone();
    }
    let rules = json!({ "rules": [{ "path": "/api/*", "access": "bearer" }] });
    let adapter = Adapter::start(place, &keycloak, &rules);
    (realm, adapter)
}

/// An access token by this grant.
fn token(realm: &Realm, client: &str, fields: &[(&str, &str)]) -> String {
    let path = format!("/realms/{}/protocol/openid-connect/token", realm.name());
    let url = Keycloak::get().url().join(&path).expect("a well-formed path");
    let own = [("client_id", client), ("client_secret", SECRET)];
    let answer = Request::new("POST", url).form(own.into_iter().chain(fields.iter().copied())).send();
    let answer = answer.expect("Keycloak answers");
    let tokens: Value = serde_json::from_slice(&answer.body).expect("a token response");
    tokens["access_token"].as_str().unwrap_or_else(|| panic!("no token: {tokens}")).to_owned()
}

fn of_service(realm: &Realm, client: &str) -> String {
    token(realm, client, &[("grant_type", "client_credentials")])
}

fn ask(adapter: &Adapter, path: &str, authorization: &str) -> Response {
    let url = Url::parse(&adapter.url(path)).expect("an address");
    Request::new("GET", url).header("Authorization", authorization).send().expect("the adapter answers")
}

fn with_token(adapter: &Adapter, token: &str) -> Response {
    ask(adapter, "/api/x", &format!("Bearer {token}"))
}

fn json_of(answer: &Response) -> Value {
    assert_eq!(answer.status, 200, "{:?} {}", answer.header("www-authenticate"), answer.text());
    serde_json::from_slice(&answer.body).expect("what the application saw")
}

#[test]
fn services_and_users_bring_tokens_that_are_ours_or_name_us() {
    let (realm, adapter) = start(&json!({}));
    let own = json_of(&with_token(&adapter, &of_service(&realm, CLIENT)));
    assert_eq!(own["headers"]["x-forwarded-preferred-username"], "service-account-app");
    json_of(&with_token(&adapter, &of_service(&realm, FRIEND)));
    let by_password = [("grant_type", "password"), ("username", "anna"), ("password", "annaanna")];
    let anna = json_of(&with_token(&adapter, &token(&realm, CLIENT, &by_password)));
    assert_eq!(anna["headers"]["x-forwarded-preferred-username"], "anna");
    let others = with_token(&adapter, &of_service(&realm, OTHER));
    assert_eq!(others.status, 401);
    let said = others.header("www-authenticate").unwrap_or_default();
    assert!(said.starts_with(&format!("Bearer realm=\"{}\", error=\"invalid_token\"", realm.name())), "{said}");
}

#[test]
fn verify_token_audience_asks_for_the_mapper() {
    let (realm, adapter) = start(&json!({ "verify-token-audience": true }));
    json_of(&with_token(&adapter, &of_service(&realm, FRIEND)));
    assert_eq!(with_token(&adapter, &of_service(&realm, CLIENT)).status, 401);
}

#[test]
fn a_user_and_a_password_open_the_door_and_a_wrong_password_does_not() {
    let (_realm, adapter) = start(&json!({ "enable-basic-auth": true }));
    let basic = |pair: &str| ask(&adapter, "/api/x", &format!("Basic {}", BASE64_STANDARD.encode(pair)));
    let anna = json_of(&basic("anna:annaanna"));
    assert_eq!(anna["headers"]["x-forwarded-preferred-username"], "anna");
    assert_eq!(anna["headers"]["authorization"], Value::Null);
    for _ in 0..3 {
        let wrong = basic("bert:wrong");
        assert_eq!(wrong.status, 401);
        let said = wrong.header("www-authenticate").unwrap_or_default();
        assert!(said.contains("error=\"no_token\""), "{said}");
    }
}

#[test]
fn a_session_is_lent_to_the_web_origins_of_the_client() {
    let (_realm, adapter) = start(&json!({ "enable-cors": true }));
    let mut browser = Browser::default();
    seen(&Person::Anna.open(&mut browser, &adapter.url("/")));
    let friend = browser.fetch_from("http://friend.test", adapter.url("/"));
    assert_eq!(friend.header("access-control-allow-origin"), Some("http://friend.test"));
    assert_eq!(json_of(&friend)["headers"]["x-forwarded-preferred-username"], "anna");
    assert_eq!(browser.fetch_from("http://stranger.test", adapter.url("/")).status, 403);
}
