//! Token revocation (RFC 7009). A refresh token takes its session's tokens for that client with it, as at Keycloak.

use super::client_authentication::authenticate;
use crate::{
    message::{Answer, Received},
    state::State,
};

pub(super) fn revoke(state: &mut State, received: &Received) -> Answer {
    let client_id = match authenticate(state, received) {
        Ok(client_id) => client_id,
        Err(refused) => return refused,
    };
    let Some(token) = received.field("token") else {
        return Answer::error(400, "invalid_request", "token is missing");
    };
    let issued = state.refresh_tokens.get(token).filter(|issued| issued.grant.client_id == client_id);
    if let Some(sid) = issued.map(|issued| issued.grant.sid.clone()) {
        let of_session = |grant: &crate::state::Grant| grant.sid == sid && grant.client_id == client_id;
        let all = state.refresh_tokens.values_mut().chain(state.access_tokens.values_mut());
        all.filter(|issued| of_session(&issued.grant)).for_each(|issued| issued.expires = 0);
    } else if let Some(issued) = state.access_tokens.get_mut(token)
        && issued.grant.client_id == client_id
    {
        issued.expires = 0;
    }
    // An unknown token is no error (section 2.2).
    Answer::empty(200)
}
