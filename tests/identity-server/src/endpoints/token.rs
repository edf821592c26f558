//! The token endpoint: codes (RFC 6749, section 4.1.3; RFC 7636, section 4.6), refresh tokens (RFC 6749, section 6) and passwords
//! (RFC 6749, section 4.3).

use ring::digest::{SHA256, digest};

use super::{client_authentication::authenticate, token_response::hand_out};
use crate::{
    back_channel::ClientSession,
    keys::encode,
    message::{Answer, Received},
    misbehave::Fault,
    state::{Grant, Login, State, random},
};

pub(super) fn token(state: &mut State, received: &Received, faults: &[Fault]) -> Answer {
    let client_id = match authenticate(state, received) {
        Ok(client_id) => client_id,
        Err(refused) => return refused,
    };
    let granted = match received.field("grant_type") {
        Some("authorization_code") => redeem(state, received, &client_id).map(|grant| (grant, None)),
        Some("refresh_token") => refresh(state, received, &client_id),
        // Keycloak's status for a wrong password.
        Some("password") => match by_password(state, received, &client_id) {
            Some(grant) => Ok((grant, None)),
            None => return Answer::error(401, "invalid_grant", "Invalid user credentials"),
        },
        _ => return Answer::error(400, "unsupported_grant_type", "code, refresh token or password"),
    };
    match granted {
        Ok((grant, kept)) => {
            note_client_session(state, &grant, received);
            hand_out(state, &grant, kept, faults)
        }
        Err(why) => Answer::error(400, "invalid_grant", why),
    }
}

/// Keeps what the client says of its own session, at the exchange of a code as at a refresh: the latest word counts, and a
/// host counts with a session only (keycloak-adapter: `OAuth2GrantTypeBase`).
fn note_client_session(state: &mut State, grant: &Grant, received: &Received) {
    let Some(id) = received.field("client_session_state") else { return };
    let session =
        ClientSession { state: id.to_owned(), host: received.field("client_session_host").map(str::to_owned) };
    if let Some(login) = state.logins.get_mut(&grant.sid) {
        login.client_sessions.insert(grant.client_id.clone(), session);
    }
}

/// Spends a code. One that comes again ends the session (RFC 6749, section 4.1.2).
fn redeem(state: &mut State, received: &Received, client_id: &str) -> Result<Grant, &'static str> {
    let now = state.now();
    let code = state.codes.get_mut(received.field("code").unwrap_or_default()).ok_or("Code not valid")?;
    if std::mem::replace(&mut code.spent, true) {
        let sid = code.grant.sid.clone();
        state.end_login(&sid);
        return Err("Code not valid");
    }
    let code = code.clone();
    let verifier =
        received.field("code_verifier").map(|verifier| encode(digest(&SHA256, verifier.as_bytes()).as_ref()));
    if code.grant.client_id != client_id {
        Err("Code is another client's")
    } else if received.field("redirect_uri") != Some(code.redirect_uri.as_str()) {
        Err("Incorrect redirect_uri")
    } else if code.challenge != verifier {
        Err("PKCE verification failed")
    } else if code.expires <= now || state.live_login(&code.grant.sid).is_none() {
        Err("Code is expired")
    } else {
        Ok(code.grant)
    }
}

/// A session of its own for a user who shows the password, as at Keycloak.
fn by_password(state: &mut State, received: &Received, client_id: &str) -> Option<Grant> {
    let user = state.user(received.field("username")?)?;
    if received.field("password") != Some(user.password.as_str()) {
        return None;
    }
    let (login, sid) = (Login::new(&user.username, state.now()), random());
    state.logins.insert(sid.clone(), login);
    let scope = received.field("scope").unwrap_or_default().to_owned();
    Some(Grant { client_id: client_id.to_owned(), sid, scope, nonce: None })
}

/// Uses a refresh token; the second part is the token itself when it stays good. A spent one that comes again ends the
/// session, as at Keycloak.
fn refresh(state: &mut State, received: &Received, client_id: &str) -> Result<(Grant, Option<String>), &'static str> {
    let token = received.field("refresh_token").unwrap_or_default();
    let issued = state.refresh_tokens.get(token).ok_or("Invalid refresh token")?.clone();
    if issued.grant.client_id != client_id {
        return Err("Token client and authorized client don't match");
    }
    if issued.spent {
        state.end_login(&issued.grant.sid);
        return Err("Maximum allowed refresh token reuse exceeded");
    }
    if !state.is_good(&issued) {
        return Err("Token is not active");
    }
    // No nonce in the ID token of a refresh (OpenID Connect Core 1.0, section 12.2: SHOULD NOT).
    let grant = Grant { nonce: None, ..issued.grant };
    if !state.options.rotate_refresh {
        return Ok((grant, Some(token.to_owned())));
    }
    if let Some(issued) = state.refresh_tokens.get_mut(token) {
        issued.spent = true;
    }
    Ok((grant, None))
}
