//! What nearly every story begins with: a realm with two people, a client, an adapter in front of an application.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    adapter::{Adapter, Place},
    admin::Realm,
    browser::{Browser, Page},
    html::Form,
    server::Keycloak,
};

/// The client that each realm has.
pub(crate) const CLIENT: &str = "app";
/// Its secret, where it has one.
pub(crate) const SECRET: &str = "kept-by-app-alone";

/// Somebody with an account in each realm; the password is the name doubled.
#[derive(Clone, Copy)]
pub(crate) enum Person {
    /// In the group `engineering`, with the realm role `staff` and the client role `editor`.
    Anna,
    /// In no group, with no role of ours.
    Bert,
}

impl Person {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Anna => "anna",
            Self::Bert => "bert",
        }
    }

    /// Fills in Keycloak's login form.
    pub(crate) fn sign_in(self, browser: &mut Browser, page: &Page) -> Page {
        let password = self.name().repeat(2);
        browser.submit(page, &page.form("password"), &[("username", self.name()), ("password", &password)])
    }

    /// Opens an address, meets the login form, and signs in there.
    pub(crate) fn open(self, browser: &mut Browser, url: &str) -> Page {
        let page = browser.open(url);
        self.sign_in(browser, &page)
    }
}

/// Signs out as the application's button does.
pub(crate) fn sign_out(browser: &mut Browser, page: &Page) -> Page {
    let form = Form { action: "/oauth2/sign_out".into(), post: true, fields: Vec::new() };
    browser.submit(page, &form, &[])
}

/// The realm of a story, for an adapter at `place`.
pub(crate) fn realm(place: Place) -> Value {
    json!({
        "enabled": true,
        "sslRequired": "none",
        // These passwords are no secrets: one round for each, since many sign in.
        "passwordPolicy": "hashIterations(1)",
        "roles": { "realm": [{ "name": "staff" }], "client": { CLIENT: [{ "name": "editor" }] } },
        "groups": [{ "name": "engineering" }],
        "clients": [client(place)],
        "users": [
            user(Person::Anna, &json!({
                "groups": ["/engineering"], "realmRoles": ["staff"], "clientRoles": { CLIENT: ["editor"] }
            })),
            user(Person::Bert, &json!({})),
        ],
    })
}

/// A confidential client with a secret, which must use PKCE and may return to that place only.
fn client(place: Place) -> Value {
    json!({
        "clientId": CLIENT,
        "secret": SECRET,
        "redirectUris": [format!("{}/oauth2/callback", place.origin())],
        "attributes": {
            "pkce.code.challenge.method": "S256",
            "post.logout.redirect.uris": format!("{}/oauth2/signed_out", place.origin()),
        },
        "protocolMappers": [{
            "name": "groups",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-group-membership-mapper",
            "config": {
                "claim.name": "groups", "full.path": "false",
                "id.token.claim": "true", "access.token.claim": "true", "userinfo.token.claim": "true",
            },
        }],
    })
}

/// Complete and verified: Keycloak would otherwise ask for the rest at the first login.
fn user(person: Person, more: &Value) -> Value {
    let mut user = json!({
        "username": person.name(),
        "email": format!("{}@example.com", person.name()),
        "emailVerified": true,
        "firstName": person.name(),
        "lastName": "Example",
        "enabled": true,
        "credentials": [{ "type": "password", "value": person.name().repeat(2), "temporary": false }],
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        user[key] = value.clone();
    }
    user
}

/// The adapter's configuration in Keycloak's form, for the client with a secret.
pub(crate) fn keycloak_json(realm: &Realm) -> Value {
    json!({
        "realm": realm.name(),
        "auth-server-url": Keycloak::get().url().as_str(),
        "ssl-required": "none",
        "resource": CLIENT,
        "credentials": { "secret": SECRET },
    })
}

/// The usual scene: that realm, that client, and an adapter with these further `sidecar` keys.
pub(crate) fn usual(sidecar: &Value) -> (Realm, Adapter) {
    changed(|_| (), sidecar)
}

/// The usual scene with something changed in the realm before it is made.
pub(crate) fn changed(change: impl FnOnce(&mut Value), sidecar: &Value) -> (Realm, Adapter) {
    let place = Place::choose();
    let mut representation = realm(place);
    change(&mut representation);
    let realm = Realm::create(representation);
    let adapter = Adapter::start(place, &keycloak_json(&realm), sidecar);
    (realm, adapter)
}

/// What the application saw of the request that ended at this page. Panics, showing the page, when it saw none.
pub(crate) fn seen(page: &Page) -> Value {
    let answer = serde_json::from_slice(&page.response.body).ok().filter(|_| page.response.status == 200);
    answer.unwrap_or_else(|| {
        panic!(
            "the application did not answer: {} at {:#?}\n{}",
            page.response.status,
            page.trail,
            page.response.text()
        )
    })
}

/// The header of the access token that the application was given, where `forward-access-token` is on.
pub(crate) fn token_header(seen: &Value) -> Value {
    let token = seen["headers"]["authorization"].as_str().and_then(|value| value.strip_prefix("Bearer "));
    let header = token.and_then(|token| token.split('.').next()).expect("a bearer token reached the application");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(header).expect("a JOSE header is base64url");
    serde_json::from_slice(&bytes).expect("a JOSE header is JSON")
}
