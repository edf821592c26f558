//! Keycloak's admin REST API, as much of it as the stories need.

use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};
use url::Url;

use crate::{
    http::{Request, Response},
    server::{ADMINISTRATOR, Keycloak},
};

/// A realm of a story's own, with nobody else's sessions, keys or faults in it. It goes with the server.
pub(crate) struct Realm {
    name: String,
    server: Url,
    /// The administrator's access token; good for a minute, then asked for again.
    token: Mutex<String>,
}

impl Realm {
    /// Makes a realm from a representation that has everything but its name: clients, roles, groups and users can be made
    /// in the same call.
    pub(crate) fn create(mut representation: Value) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("story-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let server = Keycloak::get().url().clone();
        let realm = Self { name, server, token: Mutex::default() };
        representation["realm"] = json!(realm.name);
        realm.call("POST", "/admin/realms", Some(&representation));
        realm
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The internal id of a client.
    pub(crate) fn client(&self, client_id: &str) -> String {
        let found = self.get(&format!("clients?clientId={client_id}"));
        text(&found[0]["id"])
    }

    /// Has Keycloak make a key pair for a client that signs its assertions (RS256), as its console does. Keycloak keeps the
    /// certificate. Returns the private key, PKCS#8 in base64.
    pub(crate) fn generate_client_key(&self, client_id: &str) -> String {
        let client = self.client(client_id);
        text(&self.post(&format!("clients/{client}/certificates/jwt.credential/generate"), &json!({}))["privateKey"])
    }

    /// Adds a key pair that signs from now on, since nothing has a higher priority. `provider` is for example
    /// `rsa-generated` or `eddsa-generated`.
    pub(crate) fn add_key(&self, provider: &str, mut config: Value) {
        config["priority"] = json!(["1000"]);
        let name = format!("{provider}-added");
        let component = json!({"name": name, "providerId": provider, "providerType": KEY_PROVIDER, "config": config});
        self.post("components", &component);
    }

    /// Takes every older key pair of that provider out of use: its keys sign no more, and are published no more.
    pub(crate) fn disable_older_keys(&self, provider: &str) {
        let components = self.get(&format!("components?type={KEY_PROVIDER}"));
        let all = components.as_array().into_iter().flatten();
        let mine = all.filter(|component| component["providerId"] == provider);
        for component in mine.filter(|component| component["name"] != format!("{provider}-added")) {
            let mut component = component.clone();
            component["config"]["active"] = json!(["false"]);
            component["config"]["enabled"] = json!(["false"]);
            let path = format!("components/{}", text(&component["id"]));
            self.call("PUT", &self.path(&path), Some(&component));
        }
    }

    /// The id of the key that signs with an algorithm.
    pub(crate) fn active_key(&self, algorithm: &str) -> String {
        text(&self.get("keys")["active"][algorithm])
    }

    /// The public half of the key that signs with an algorithm, as the console shows it: base64 of a DER `SubjectPublicKeyInfo`.
    pub(crate) fn active_public_key(&self, algorithm: &str) -> String {
        let keys = self.get("keys");
        let active = &keys["active"][algorithm];
        let key = keys["keys"].as_array().into_iter().flatten().find(|key| key["kid"] == *active);
        text(&key.expect("the active key is listed")["publicKey"])
    }

    /// How many sessions a client has.
    pub(crate) fn session_count(&self, client_id: &str) -> u64 {
        let client = self.client(client_id);
        self.get(&format!("clients/{client}/session-count"))["count"].as_u64().expect("a count")
    }

    /// How many events of a kind are in the realm's log, which must be on.
    pub(crate) fn events(&self, kind: &str) -> usize {
        self.get(&format!("events?type={kind}&max=1000")).as_array().expect("a list of events").len()
    }

    /// The clients in the sessions of a user, one entry for each session and client.
    pub(crate) fn clients_in_sessions_of(&self, username: &str) -> Vec<String> {
        let sessions = self.get(&format!("users/{}/sessions", self.user(username)));
        let all = sessions.as_array().into_iter().flatten();
        all.flat_map(|session| session["clients"].as_object().into_iter().flat_map(|clients| clients.values()))
            .map(text)
            .collect()
    }

    /// Takes a realm role from a user.
    pub(crate) fn take_role(&self, username: &str, role: &str) {
        let role = self.get(&format!("roles/{role}"));
        let path = format!("users/{}/role-mappings/realm", self.user(username));
        self.call("DELETE", &self.path(&path), Some(&json!([role])));
    }

    /// Ends all sessions of a user.
    pub(crate) fn log_out(&self, username: &str) {
        self.post(&format!("users/{}/logout", self.user(username)), &json!({}));
    }

    /// The internal id of a user.
    pub(crate) fn user(&self, username: &str) -> String {
        text(&self.get(&format!("users?exact=true&username={username}"))[0]["id"])
    }

    /// Reads what is at a path below the realm.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.call("GET", &self.path(path), None)
    }

    /// Posts to a path below the realm.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &self.path(path), Some(body))
    }

    /// The whole of a path below the realm.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("/admin/realms/{}/{path}", self.name)
    }

    /// One call; panics with the server's answer when that is no success. An answer without a body is `null`.
    pub(crate) fn call(&self, method: &'static str, path: &str, body: Option<&Value>) -> Value {
        let mut answer = self.attempt(method, path, body);
        if answer.status == 401 {
            *self.token.lock().expect("no one panics holding it") = administrator_token(&self.server);
            answer = self.attempt(method, path, body);
        }
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
    }

    fn attempt(&self, method: &'static str, path: &str, body: Option<&Value>) -> Response {
        let token = self.token.lock().expect("no one panics holding it").clone();
        let url = self.server.join(path).expect("admin paths are well-formed");
        let request = Request::new(method, url).header("Authorization", format!("Bearer {token}"));
        body.map_or(request.clone(), |body| request.json(body)).send().expect("Keycloak answers")
    }
}

const KEY_PROVIDER: &str = "org.keycloak.keys.KeyProvider";

fn administrator_token(server: &Url) -> String {
    let url = server.join("/realms/master/protocol/openid-connect/token").expect("a well-formed path");
    let (username, password) = ADMINISTRATOR;
    let fields =
        [("grant_type", "password"), ("client_id", "admin-cli"), ("username", username), ("password", password)];
    let answer = Request::new("POST", url).form(fields).send().expect("Keycloak answers");
    let answer: Value = serde_json::from_slice(&answer.body).expect("a token response");
    text(&answer["access_token"])
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("expected a string, got {value}")).to_owned()
}
