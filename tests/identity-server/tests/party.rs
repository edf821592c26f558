//! A relying party that does each step when told, and checks nothing of its own accord.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use identity_server::{
    Browser, Client, Endpoint, IdentityServer, Options, User,
    http::{self, Request, Response},
};
use ring::digest::{SHA256, digest};
use serde_json::Value;

pub(crate) const CALLBACK: &str = "http://app.example.com/oauth2/callback";
pub(crate) const VERIFIER: &str = "a-verifier-that-is-long-enough-for-rfc-7636-0123456789";

/// The relying party, its server, and the server's clock.
pub(crate) struct Party {
    pub(crate) server: IdentityServer,
    pub(crate) browser: Browser,
    pub(crate) time: Arc<AtomicI64>,
}

impl Party {
    pub(crate) fn new(change: impl FnOnce(&mut Options)) -> Self {
        let time = Arc::new(AtomicI64::new(1_000_000));
        let clock = Arc::clone(&time);
        let mut client = Client::confidential("app", "s3:cret &+%", CALLBACK);
        client.post_logout_redirect_uris = vec!["http://app.example.com/bye".to_owned()];
        let user = User::named("ada").role("admin").group("/staff");
        let mut options = Options::new(client, user).now(move || clock.load(Ordering::SeqCst));
        change(&mut options);
        Self { server: IdentityServer::start(options).unwrap(), browser: Browser::new(), time }
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn authorization_url(&self, more: &str) -> String {
        let challenge = BASE64URL.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let url = self.server.url(Endpoint::Authorization);
        format!(
            "{url}?client_id=app&response_type=code&scope=openid%20email&state=st&nonce=no&redirect_uri={CALLBACK}\
             &code_challenge={challenge}&code_challenge_method=S256{more}"
        )
    }

    /// The callback's parameters.
    pub(crate) fn callback(&mut self, more: &str) -> Vec<(String, String)> {
        let response = self.browser.navigate_once(&self.authorization_url(more)).unwrap();
        parameters(&response)
    }

    pub(crate) fn post(&self, endpoint: Endpoint, fields: &[(&str, &str)]) -> Response {
        let basic = STANDARD.encode("app:s3%3Acret+%26%2B%25");
        self.send(endpoint, Request::form("", fields).header("Authorization", &format!("Basic {basic}")))
    }

    pub(crate) fn send(&self, endpoint: Endpoint, mut request: Request) -> Response {
        request.target = path(&self.server.url(endpoint));
        http::send(self.server.address(), &request).unwrap()
    }

    pub(crate) fn redeem(&self, code: &str) -> Response {
        let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
        self.post(Endpoint::Token, &[fields.as_slice(), &[("code_verifier", VERIFIER)]].concat())
    }

    pub(crate) fn sign_in(&mut self) -> Value {
        let parameters = self.callback("");
        let response = self.redeem(value(&parameters, "code"));
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    }

    pub(crate) fn refresh(&self, token: &Value) -> Response {
        self.post(Endpoint::Token, &[("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap())])
    }

    pub(crate) fn userinfo(&self, tokens: &Value) -> Response {
        let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
        self.send(Endpoint::UserInfo, Request::get("").header("Authorization", &bearer))
    }

    pub(crate) fn get(&self, endpoint: Endpoint) -> Response {
        self.send(endpoint, Request::get(""))
    }
}

pub(crate) fn path(url: &str) -> String {
    url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap()
}

pub(crate) fn parameters(response: &Response) -> Vec<(String, String)> {
    let location = url::Url::parse(response.header("location").unwrap()).unwrap();
    location.query_pairs().into_owned().collect()
}

pub(crate) fn value<'a>(parameters: &'a [(String, String)], name: &str) -> &'a str {
    parameters.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
