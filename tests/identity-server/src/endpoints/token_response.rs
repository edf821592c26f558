//! The tokens themselves, in Keycloak's shapes, and the response that carries them (OpenID Connect Core 1.0,
//! section 3.1.3.3).

use serde_json::{Value, json};

use super::token_faults;
use crate::{
    jws::{self, Draft},
    keys::{Algorithm, merge},
    message::Answer,
    misbehave::Fault,
    options::{AccessFormat, RefreshFormat},
    state::{Grant, Issued, State, random},
};

/// Makes and remembers the tokens of a grant. `kept` is a refresh token that stays good.
pub(super) fn hand_out(state: &mut State, grant: &Grant, kept: Option<String>, faults: &[Fault]) -> Answer {
    let tokens = make(state, grant, kept, faults);
    let Some((access, refresh, id)) = tokens else {
        return Answer::error(500, "server_error", "no token could be made");
    };
    remember(state, grant, &access, &refresh);
    let mut response = json!({
        "access_token": access, "token_type": "Bearer", "expires_in": state.options.access_lifetime,
        "refresh_token": refresh, "id_token": id, "scope": grant.scope,
    });
    if state.options.realm.is_some() {
        let keycloak = json!({
            "refresh_expires_in": state.options.refresh_lifetime,
            "not-before-policy": state.not_before_of_session(&grant.sid),
            "session_state": grant.sid,
        });
        merge(&mut response, keycloak);
    }
    Answer::json(200, &response)
}

fn make(state: &State, grant: &Grant, kept: Option<String>, faults: &[Fault]) -> Option<(String, String, String)> {
    let access_faults = token_faults(faults, |fault| match fault {
        Fault::AccessToken(faults) => Some(faults),
        _ => None,
    });
    let id_faults = token_faults(faults, |fault| match fault {
        Fault::IdToken(faults) => Some(faults),
        _ => None,
    });
    let access = match state.options.access_format {
        AccessFormat::Jwt => state.sign("JWT", &grant.client_id, access_claims(state, grant)?, &access_faults)?,
        AccessFormat::Opaque => random(),
    };
    let refresh = match kept {
        Some(kept) => kept,
        None => refresh_token(state, grant)?,
    };
    let id = state.sign("JWT", &grant.client_id, id_claims(state, grant, &access)?, &id_faults)?;
    Some((access, refresh, id))
}

fn remember(state: &mut State, grant: &Grant, access: &str, refresh: &str) {
    let now = state.now();
    let issued = |lifetime| Issued { grant: grant.clone(), made_at: now, expires: now + lifetime, spent: false };
    let (access_life, refresh_life) = (state.options.access_lifetime, state.options.refresh_lifetime);
    state.access_tokens.insert(access.to_owned(), issued(access_life));
    state.refresh_tokens.insert(refresh.to_owned(), issued(refresh_life));
    if let Some(login) = state.logins.get_mut(&grant.sid)
        && !login.clients.contains(&grant.client_id)
    {
        login.clients.push(grant.client_id.clone());
    }
}

/// What all tokens of a grant say.
fn common(state: &State, grant: &Grant, typ: &str, lifetime: i64) -> Option<Value> {
    let now = state.now();
    let login = state.live_login(&grant.sid)?;
    Some(json!({
        "exp": now + lifetime, "iat": now, "jti": random(), "iss": state.issuer(), "typ": typ,
        "azp": grant.client_id, "sid": grant.sid, "sub": state.user(&login.username)?.subject,
    }))
}

fn access_claims(state: &State, grant: &Grant) -> Option<Value> {
    let mut claims = common(state, grant, "Bearer", state.options.access_lifetime)?;
    let login = state.live_login(&grant.sid)?;
    let user = state.user(&login.username)?;
    merge(&mut claims, json!({ "aud": "account", "auth_time": login.auth_time, "acr": "1", "scope": grant.scope }));
    merge(&mut claims, user.profile());
    merge(&mut claims, user.roles());
    let origins = state.client(&grant.client_id).map(|client| client.web_origins.clone()).unwrap_or_default();
    if state.options.realm.is_some() && !origins.is_empty() {
        claims["allowed-origins"] = json!(origins);
    }
    Some(claims)
}

fn id_claims(state: &State, grant: &Grant, access: &str) -> Option<Value> {
    let mut claims = common(state, grant, "ID", state.options.access_lifetime)?;
    let login = state.live_login(&grant.sid)?;
    let user = state.user(&login.username)?;
    let at_hash = jws::at_hash(state.options.algorithm, access);
    let own = json!({ "aud": grant.client_id, "auth_time": login.auth_time, "acr": "1", "at_hash": at_hash });
    merge(&mut claims, own);
    merge(&mut claims, user.profile());
    // A realm's ID token has no roles (seen at Keycloak); at a plain provider nobody may look into the access token.
    if state.options.realm.is_none() {
        merge(&mut claims, user.roles());
    }
    if let Some(nonce) = &grant.nonce {
        claims["nonce"] = json!(nonce);
    }
    Some(claims)
}

fn refresh_token(state: &State, grant: &Grant) -> Option<String> {
    if state.options.refresh_format == RefreshFormat::Opaque {
        return Some(random());
    }
    let mut claims = common(state, grant, "Refresh", state.options.refresh_lifetime)?;
    merge(&mut claims, json!({ "aud": state.issuer(), "scope": grant.scope }));
    // Nobody checks this signature: the server knows its tokens by heart.
    let secret = random();
    let draft = Draft { typ: "JWT", claims, algorithm: Algorithm::Hs512, secret: secret.as_bytes() };
    jws::sign(&state.keys, draft, &[]).ok()
}
