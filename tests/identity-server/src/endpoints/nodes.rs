//! A realm's list of its clients' nodes (Keycloak's `ClientsManagementService`): whoever authenticates as a confidential
//! client puts hosts on it and takes them off.

use super::client_authentication::authenticate;
use crate::{
    message::{Answer, Received},
    options::ClientAuthentication,
    server::IdentityServer,
    state::State,
};

/// Registers, or by the path's last segment unregisters, a node; in the order of Keycloak's own checks.
pub(super) fn register(state: &mut State, received: &Received) -> Answer {
    let client_id = match authenticate(state, received) {
        Ok(client_id) => client_id,
        Err(refused) => return refused,
    };
    let is_public = |client: &crate::options::Client| matches!(client.authentication, ClientAuthentication::None);
    if state.client(&client_id).is_some_and(is_public) {
        return Answer::error(400, "invalid_client", "Public clients not allowed");
    }
    let Some(host) = received.field("client_cluster_host").filter(|host| !host.is_empty()) else {
        return Answer::error(400, "invalid_request", "Client cluster host not specified");
    };
    let (now, node) = (state.now(), (client_id, host.to_owned()));
    let is_listed = !received.path.ends_with("/unregister-node");
    match (state.nodes.get_mut(&node), is_listed) {
        (Some(listed), true) => *listed = Some(now),
        (Some(listed), false) => *listed = None,
        (None, true) => drop(state.nodes.insert(node, Some(now))),
        (None, false) => {}
    }
    Answer::empty(204)
}

impl IdentityServer {
    /// The nodes that a client has registered, each with when it last did, in seconds; ordered by host.
    #[must_use]
    pub fn nodes(&self, client_id: &str) -> Vec<(String, i64)> {
        let state = self.shared.lock();
        let own = state.nodes.iter().filter(|((client, _), _)| client == client_id);
        let mut nodes: Vec<_> = own.filter_map(|((_, host), listed)| Some((host.clone(), (*listed)?))).collect();
        nodes.sort();
        nodes
    }
}
