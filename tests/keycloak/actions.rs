//! What an administrator does to sessions, clients and nodes, and a user to the sessions of an account: every way in which Keycloak ends
//! something that an adapter serves.

use serde_json::{Value, json};

use crate::{
    admin::{Realm, text},
    http::Request,
    server::Keycloak,
};

/// A public client by which a user's program reaches the account REST API; a realm has it when a story asks for it.
pub(crate) const ACCOUNT_PROGRAM: &str = "account-program";

/// Its representation.
pub(crate) fn account_program() -> Value {
    json!({ "clientId": ACCOUNT_PROGRAM, "publicClient": true, "directAccessGrantsEnabled": true, "standardFlowEnabled": false })
}

impl Realm {
    /// The ids (`sid`) of a user's sessions.
    pub(crate) fn sessions_of(&self, username: &str) -> Vec<String> {
        let sessions = self.get(&format!("users/{}/sessions", self.user(username)));
        sessions.as_array().into_iter().flatten().map(|session| text(&session["id"])).collect()
    }

    /// "Sign out" of each of a user's sessions in the console.
    pub(crate) fn delete_sessions_of(&self, username: &str) {
        for session in self.sessions_of(username) {
            self.call("DELETE", &self.path(&format!("sessions/{session}")), None);
        }
    }

    /// "Sign out all active sessions" in the console. The clients that were told with success, and those that were not.
    pub(crate) fn log_out_all(&self) -> Value {
        self.post("logout-all", &json!({}))
    }

    /// Sets the realm's not-before, in seconds, and pushes it to every client. 0: clears it.
    pub(crate) fn push_not_before(&self, value: u64) -> Value {
        self.call("PUT", &format!("/admin/realms/{}", self.name()), Some(&json!({ "notBefore": value })));
        self.post("push-revocation", &json!({}))
    }

    /// Sets a client's not-before, in seconds, and pushes it to its nodes.
    pub(crate) fn push_not_before_of(&self, client_id: &str, value: u64) -> Value {
        self.change_client(client_id, |client| client["notBefore"] = json!(value));
        self.post(&format!("clients/{}/push-revocation", self.client(client_id)), &json!({}))
    }

    /// "Test cluster availability" in the console: `successRequests` and `failedRequests`, addresses of nodes.
    pub(crate) fn test_nodes(&self, client_id: &str) -> Value {
        self.get(&format!("clients/{}/test-nodes-available", self.client(client_id)))
    }

    /// Where a client's nodes are, each with the second of its latest registration.
    pub(crate) fn nodes(&self, client_id: &str) -> Vec<(String, u64)> {
        let client = self.get(&format!("clients/{}", self.client(client_id)));
        let nodes = client["registeredNodes"].as_object().into_iter().flatten();
        nodes.map(|(host, at)| (host.clone(), at.as_u64().unwrap_or_default())).collect()
    }

    /// Changes a client's representation.
    pub(crate) fn change_client(&self, client_id: &str, change: impl FnOnce(&mut Value)) {
        let path = format!("clients/{}", self.client(client_id));
        let mut client = self.get(&path);
        change(&mut client);
        self.call("PUT", &self.path(&path), Some(&client));
    }

    /// Takes back what a user has consented to: the client's part of each of the user's sessions ends, the sessions stay.
    pub(crate) fn take_back_consent(&self, username: &str, client_id: &str) {
        let path = format!("users/{}/consents/{client_id}", self.user(username));
        self.call("DELETE", &self.path(&path), None);
    }

    /// "Sign out all other devices" in the account console, from a device of its own: the user's program signs in by password, and ends
    /// every session but its own. The realm needs [`account_program`], and the user the role `manage-account`.
    pub(crate) fn sign_out_other_devices(&self, username: &str) {
        let fields = [
            ("grant_type", "password"),
            ("client_id", ACCOUNT_PROGRAM),
            ("username", username),
            ("password", &username.repeat(2)),
        ];
        let url = |path: &str| Keycloak::get().url().join(&format!("/realms/{}/{path}", self.name())).expect("a path");
        let answer = Request::new("POST", url("protocol/openid-connect/token")).form(fields).send().expect("an answer");
        let tokens: Value = serde_json::from_slice(&answer.body).expect("a token response");
        let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("no token: {tokens}"));
        let request = Request::new("DELETE", url("account/sessions")).header("Accept", "application/json");
        let answer = request.header("Authorization", format!("Bearer {token}")).send().expect("an answer");
        assert_eq!(answer.status, 204, "{}", answer.text());
    }
}
