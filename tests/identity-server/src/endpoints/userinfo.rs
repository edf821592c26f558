//! The UserInfo endpoint (OpenID Connect Core 1.0, section 5.3; RFC 6750).

use serde_json::json;

use super::token_faults;
use crate::{
    keys::merge,
    message::{Answer, Received},
    misbehave::Fault,
    state::State,
};

pub(super) fn userinfo(state: &mut State, received: &Received, faults: &[Fault]) -> Answer {
    let bearer = received.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    count(state, bearer);
    let issued = bearer.and_then(|token| state.access_tokens.get(token)).filter(|issued| state.is_good(issued));
    let user = issued.and_then(|issued| state.user(&state.live_login(&issued.grant.sid)?.username));
    let (Some(issued), Some(user)) = (issued, user) else {
        return Answer::empty(401).header("WWW-Authenticate", "Bearer error=\"invalid_token\"");
    };
    let mut claims = user.profile();
    if state.options.realm.is_none() {
        merge(&mut claims, user.roles());
    }
    if !faults.iter().any(|fault| matches!(fault, Fault::SignedUserInfo(_))) {
        return Answer::json(200, &claims);
    }
    let token_faults = token_faults(faults, |fault| match fault {
        Fault::SignedUserInfo(faults) => Some(faults),
        _ => None,
    });
    merge(&mut claims, json!({ "iss": state.issuer(), "aud": issued.grant.client_id }));
    let signed = state.sign("JWT", &issued.grant.client_id, claims, &token_faults).unwrap_or_default();
    Answer { status: 200, headers: Vec::new(), body: signed.into_bytes() }.header("Content-Type", "application/jwt")
}

/// Counts a question about a session, whether it lives or not.
fn count(state: &mut State, bearer: Option<&str>) {
    let Some(sid) = bearer.and_then(|token| state.access_tokens.get(token)).map(|issued| issued.grant.sid.clone())
    else {
        return;
    };
    let asked = state.userinfo.get(&sid).copied().unwrap_or_default();
    state.userinfo.insert(sid, asked + 1);
}
