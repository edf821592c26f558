//! How one session of ours is known at a Keycloak realm: `client_session_state` and `client_session_host`, form parameters of the token
//! endpoint (Keycloak's `OAuth2Constants`, `OAuth2GrantTypeBase`). The realm keeps the last pair per client and session of its own, and
//! names the state, at that host, when it ends. Without them it never sends a `k_logout` for the session.

use super::Provider;
use crate::domain::{AdapterSessionId, NodeHost};

/// One session of ours, for the realm to call it by.
#[derive(Clone, Copy, Debug)]
pub struct ClientSession<'a> {
    /// Comes back in `adapterSessionIds`.
    pub state: &'a AdapterSessionId,
    /// Which node the realm calls, where its admin URL leaves that open (`${application.session.host}`). Counts only under the very name
    /// that the node is registered by.
    pub host: &'a NodeHost,
}

impl Provider {
    /// The parameters that say so; none to other providers, whom they mean nothing to.
    pub(super) fn client_session_params(&self, session: Option<ClientSession<'_>>) -> Vec<(&'static str, String)> {
        let Some(session) = session.filter(|_| self.is_keycloak()) else { return Vec::new() };
        vec![
            ("client_session_state", session.state.as_str().to_owned()),
            ("client_session_host", session.host.as_str().to_owned()),
        ]
    }
}
