//! What a server tells its clients behind the browser's back, as a test makes it: Keycloak's admin actions and logout
//! tokens (OpenID Connect Back-Channel Logout 1.0), both signed and both wrong in any way, and the ends of sessions
//! that they are about.

use serde_json::{Value, json};

use crate::{
    IdentityServer,
    endings::Ending,
    jws::{self, Draft},
    keys::merge,
    misbehave::TokenFault,
    state::{State, random},
};

/// How long an admin action is good, in seconds (keycloak-adapter: `ResourceAdminManager`).
const ACTION_LIFE: i64 = 30;

/// What Keycloak tells an adapter (keycloak-adapter: `representations/adapters/action`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminAction {
    /// `k_logout`: sessions have ended; everybody's when no ids are named.
    Logout,
    /// `k_push_not_before`: tokens from before an instant are no longer good.
    PushNotBefore,
    /// `k_test_available`: is anybody there?
    TestAvailability,
}

impl AdminAction {
    /// The last segment of the address that it is posted to.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Logout => "k_logout",
            Self::PushNotBefore => "k_push_not_before",
            Self::TestAvailability => "k_test_available",
        }
    }

    /// The member `action`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Logout => "LOGOUT",
            Self::PushNotBefore => "PUSH_NOT_BEFORE",
            Self::TestAvailability => "TEST_AVAILABILITY",
        }
    }
}

/// What a client said of its own session when it got tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSession {
    /// `client_session_state`.
    pub state: String,
    /// `client_session_host`, when one was named.
    pub host: Option<String>,
}

impl IdentityServer {
    /// What a client said of its session within the session `sid`, at its latest code or refresh.
    #[must_use]
    pub fn client_session(&self, client_id: &str, sid: &str) -> Option<ClientSession> {
        self.shared.lock().logins.get(sid)?.client_sessions.get(client_id).cloned()
    }

    /// An admin action for a client as Keycloak signs it: `typ` `JWT`, an `id` that ends with the milliseconds of its making,
    /// an `expiration` in 30 seconds, `resource` and `action`. `fields` are laid over that; without an array of ids
    /// a logout is everybody's. `faults` come last: a member that is missing, claims of other tokens, another key or algorithm.
    #[must_use]
    pub fn admin_action(&self, client_id: &str, action: AdminAction, fields: Value, faults: &[TokenFault]) -> String {
        let now = self.shared.lock().now();
        let mut body = json!({
            "id": format!("{}-{}", random(), now * 1000), "expiration": now + ACTION_LIFE,
            "resource": client_id, "action": action.name(),
        });
        merge(&mut body, fields);
        self.sign("JWT", body, faults)
    }

    /// A logout token for a client (`typ` `logout+jwt`) about a session, a subject, or both, with these faults.
    #[must_use]
    pub fn logout_token(
        &self,
        client_id: &str,
        sid: Option<&str>,
        subject: Option<&str>,
        faults: &[TokenFault],
    ) -> String {
        self.sign("logout+jwt", self.logout_claims(client_id, sid, subject), faults)
    }

    /// Claims of a good logout token (OpenID Connect Back-Channel Logout 1.0, section 2.4); take out or change what you like.
    #[must_use]
    pub fn logout_claims(&self, client_id: &str, sid: Option<&str>, subject: Option<&str>) -> Value {
        let state = self.shared.lock();
        let mut claims = logout_claims(&state, client_id, sid);
        if let Some(subject) = subject {
            claims["sub"] = json!(subject);
        }
        claims
    }

    /// Signs any claims by the present key: logout tokens (`typ` `logout+jwt`), a realm's admin actions (`typ` `JWT`), or
    /// tokens in the wrong place.
    #[must_use]
    pub fn sign(&self, typ: &str, claims: Value, faults: &[TokenFault]) -> String {
        let state = self.shared.lock();
        let draft = Draft { typ, claims, algorithm: state.options.algorithm, secret: b"" };
        jws::sign(&state.keys, draft, faults).unwrap_or_default()
    }

    /// Ends a session without telling anybody: tokens and single-sign-on cookie of it are dead. UserInfo answers 401, and a
    /// refresh `invalid_grant`.
    pub fn end_session(&self, sid: &str) {
        self.shared.lock().end(Ending::Session(sid.to_owned()));
    }

    /// Ends all sessions of a subject. As at Keycloak, what was issued to this user before now is dead besides, and
    /// token responses to this user carry that second as their `not-before-policy`.
    pub fn end_user(&self, subject: &str) {
        self.shared.lock().end(Ending::User(subject.to_owned()));
    }

    /// Ends all sessions without telling anybody.
    pub fn end_all_sessions(&self) {
        self.shared.lock().end(Ending::All);
    }

    /// Ends all sessions as Keycloak's "logout all": everybody's not-before moves to now, too. Gives that instant back
    /// (seconds), which is the action's `notBefore`.
    #[must_use]
    pub fn end_everybody(&self) -> i64 {
        let mut state = self.shared.lock();
        let now = state.now();
        state.end(Ending::NotBefore(now));
        state.end(Ending::All);
        now
    }

    /// Tokens issued before this instant (seconds) are dead; 0 takes it back.
    pub fn set_not_before(&self, instant: i64) {
        self.shared.lock().end(Ending::NotBefore(instant));
    }

    /// What ends from now on does so at [`commit`](Self::commit) only, and is alive for whoever asks until then: Keycloak
    /// tells its adapters before it commits.
    pub fn hold_commits(&self) {
        self.shared.lock().endings.held = true;
    }

    /// Ends what was held, and holds nothing any more.
    pub fn commit(&self) {
        self.shared.lock().commit();
    }

    /// How often UserInfo was asked with access tokens of this session, alive or not.
    #[must_use]
    pub fn userinfo_calls(&self, sid: &str) -> usize {
        self.shared.lock().userinfo.get(sid).copied().unwrap_or_default()
    }
}

/// The claims of a logout token for one session.
pub(crate) fn logout_claims(state: &State, client_id: &str, sid: Option<&str>) -> Value {
    let now = state.now();
    let mut claims = json!({
        "iss": state.issuer(), "aud": client_id, "iat": now, "exp": now + 120, "jti": random(),
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    if let Some(sid) = sid {
        claims["sid"] = json!(sid);
    }
    claims
}
