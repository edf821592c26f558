//! A client without an adapter: does the code flow by hand. The neighbour in the same single sign-on session, and what an adapter looks
//! like from Keycloak's side where a story needs to be in its place.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use url::Url;

use crate::{
    admin::{Realm, text},
    application::Application,
    browser::{Browser, Page},
    http::Request,
    scene::{Person, SECRET, seen},
    server::Keycloak,
};

/// The client id of the neighbour.
pub(crate) const NEIGHBOUR: &str = "neighbour";

/// A client and where its users come back to.
pub(crate) struct Party {
    client_id: &'static str,
    callback: String,
}

impl Party {
    /// A client whose application echoes what it is called with.
    pub(crate) fn new(client_id: &'static str) -> Self {
        Self { client_id, callback: Application::start().url() }
    }

    /// What a realm says of it.
    pub(crate) fn representation(&self) -> Value {
        json!({
            "clientId": self.client_id,
            "secret": SECRET,
            "redirectUris": [self.callback],
            "attributes": { "post.logout.redirect.uris": self.callback },
        })
    }

    /// Where users come back to.
    pub(crate) fn callback(&self) -> &str {
        &self.callback
    }

    /// The address at which a sign-in begins.
    pub(crate) fn authorization(&self, realm: &Realm) -> Url {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier().as_bytes()));
        let fields = [
            ("response_type", "code"),
            ("scope", "openid"),
            ("client_id", self.client_id),
            ("redirect_uri", &self.callback),
            ("code_challenge_method", "S256"),
            ("code_challenge", &challenge),
        ];
        let mut url = address(realm, "auth");
        url.query_pairs_mut().extend_pairs(fields);
        url
    }

    /// Signs a user in, through Keycloak's form if it shows one, and redeems the code together with `more`. The token response.
    pub(crate) fn sign_in(&self, realm: &Realm, browser: &mut Browser, person: Person, more: &[(&str, &str)]) -> Value {
        let page = browser.open(self.authorization(realm));
        let page = if page.find_form("password").is_some() { person.sign_in(browser, &page) } else { page };
        let code = code(&page).unwrap_or_else(|| panic!("no code: {:#?}", page.trail));
        let (verifier, own) = (verifier(), [("client_id", self.client_id), ("client_secret", SECRET)]);
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &self.callback),
            ("code_verifier", &verifier),
        ];
        let fields = own.into_iter().chain(grant).chain(more.iter().copied());
        let answer = Request::new("POST", address(realm, "token")).form(fields).send().expect("Keycloak answers");
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).expect("a token response")
    }

    /// RP-initiated logout: the user's session at Keycloak ends, and with it every client's.
    pub(crate) fn sign_out(&self, realm: &Realm, browser: &mut Browser, tokens: &Value) -> Page {
        let mut url = address(realm, "logout");
        let fields =
            [("id_token_hint", text(&tokens["id_token"])), ("post_logout_redirect_uri", self.callback.clone())];
        url.query_pairs_mut().extend_pairs(fields);
        browser.open(url)
    }
}

fn verifier() -> String {
    "v".repeat(43)
}

/// One of the realm's OpenID Connect endpoints.
pub(crate) fn address(realm: &Realm, endpoint: &str) -> Url {
    let path = format!("/realms/{}/protocol/openid-connect/{endpoint}", realm.name());
    Keycloak::get().url().join(&path).expect("a well-formed path")
}

/// The code with which the application was called, if it was.
pub(crate) fn code(page: &Page) -> Option<String> {
    let target = seen(page)["target"].as_str()?.to_owned();
    let url = page.url.join(&target).ok()?;
    url.query_pairs().find(|(name, _)| name == "code").map(|(_, value)| value.into_owned())
}
