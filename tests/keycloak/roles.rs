//! Rules that ask for roles, with Keycloak's two kinds of them.

use serde_json::{Value, json};

use crate::{
    browser::Browser,
    scene::{self, Person, seen},
};

#[test]
fn a_realm_role_opens_the_paths_that_ask_for_it() {
    let (_realm, adapter) = scene::usual(&rules());
    seen(&Person::Anna.open(&mut Browser::default(), &adapter.url("/staff/rota")));
}

#[test]
fn a_client_role_opens_the_paths_that_ask_for_it() {
    let (_realm, adapter) = scene::usual(&rules());
    seen(&Person::Anna.open(&mut Browser::default(), &adapter.url("/edit/page")));
}

#[test]
fn who_lacks_the_role_is_forbidden_and_stays_signed_in() {
    let (_realm, adapter) = scene::usual(&rules());
    let mut browser = Browser::default();
    let page = Person::Bert.open(&mut browser, &adapter.url("/staff/rota"));
    assert_eq!(page.response.status, 403, "{:#?}", page.trail);
    assert_eq!(browser.open(adapter.url("/edit/page")).response.status, 403);
    assert_eq!(seen(&browser.open(adapter.url("/")))["headers"]["x-forwarded-preferred-username"], "bert");
}

#[test]
fn a_client_role_is_no_realm_role_of_the_same_name() {
    let rules = json!({ "rules": [{ "path": "/edit/*", "access": "login", "roles": ["editor"] }] });
    let (_realm, adapter) = scene::usual(&rules);
    let page = Person::Anna.open(&mut Browser::default(), &adapter.url("/edit/page"));
    assert_eq!(page.response.status, 403, "{:#?}", page.trail);
}

fn rules() -> Value {
    json!({ "rules": [
        { "path": "/staff/*", "access": "login", "roles": ["staff"] },
        { "path": "/edit/*", "access": "login", "roles": ["app:editor"] },
    ] })
}
