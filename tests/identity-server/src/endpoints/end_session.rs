//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0), and Keycloak's older logout by refresh token.

use super::{
    authorization::{COOKIE, signed_in},
    client_authentication::authenticate,
    pages, sessions,
};
use crate::{
    jws,
    message::{Answer, Received, with_query},
    misbehave::Endpoint,
    paths::Paths,
    state::State,
};

pub(super) fn end_session(state: &mut State, received: &Received) -> Answer {
    if received.method == "POST" && received.field("refresh_token").is_some() {
        return by_refresh_token(state, received);
    }
    let hinted = match received.field("id_token_hint").map(|hint| Hint::read(state, hint)) {
        Some(None) => return Answer::html(400, pages::message("Sign-out refused", "Invalid id_token_hint.")),
        Some(hint) => hint,
        None => None,
    };
    let client_id = hinted.as_ref().map(|hint| hint.client_id.as_str()).or(received.field("client_id"));
    let target = match received.field("post_logout_redirect_uri").map(|uri| registered(state, client_id, uri)) {
        Some(None) => {
            return Answer::html(400, pages::message("Sign-out refused", "Unknown post_logout_redirect_uri."));
        }
        Some(target) => target,
        None => None,
    };
    // Without a hint the user is asked first (section 2), or any page could sign them out.
    let confirmed = hinted.is_some() || (received.method == "POST" && received.field("confirm").is_some());
    if !confirmed {
        return confirmation(state, received);
    }
    let sid = hinted.as_ref().map(|hint| hint.sid.clone()).or_else(|| signed_in(state, received));
    if let Some(sid) = sid {
        // Its own client knows; the others are told.
        sessions::end_and_tell(state, &sid, client_id);
    }
    signed_out(state, target.as_deref(), received)
}

fn by_refresh_token(state: &mut State, received: &Received) -> Answer {
    let client_id = match authenticate(state, received) {
        Ok(client_id) => client_id,
        Err(refused) => return refused,
    };
    let issued = received.field("refresh_token").and_then(|token| state.refresh_tokens.get(token));
    match issued.filter(|issued| issued.grant.client_id == client_id).map(|issued| issued.grant.sid.clone()) {
        Some(sid) => {
            sessions::end_and_tell(state, &sid, Some(&client_id));
            Answer::empty(204)
        }
        None => Answer::error(400, "invalid_grant", "Invalid refresh token"),
    }
}

/// Whose session an `id_token_hint` is about. Expired hints are good (section 4).
struct Hint {
    client_id: String,
    sid: String,
}

impl Hint {
    fn read(state: &State, token: &str) -> Option<Self> {
        let claims = jws::claims(token);
        let (client_id, sid) = (claims["azp"].as_str()?, claims["sid"].as_str()?);
        let ours = claims["iss"] == state.issuer() && state.logins.get(sid).is_some();
        ours.then(|| Self { client_id: client_id.to_owned(), sid: sid.to_owned() })
    }
}

fn registered(state: &State, client_id: Option<&str>, uri: &str) -> Option<String> {
    let client = state.client(client_id?)?;
    client.post_logout_redirect_uris.iter().find(|known| *known == uri).cloned()
}

fn confirmation(state: &State, received: &Received) -> Answer {
    let fields = received.fields();
    let inputs = fields.iter().map(|(name, value)| pages::hidden(name, value)).collect::<String>();
    let action = pages::escape(&state.url(Endpoint::EndSession));
    let form = format!(
        "<form method=\"post\" action=\"{action}\">{inputs}<button name=\"confirm\" value=\"yes\">Sign out</button></form>"
    );
    Answer::html(200, pages::page("Do you want to sign out?", &form))
}

fn signed_out(state: &State, target: Option<&str>, received: &Received) -> Answer {
    let kept = received.field("state").map(|value| ("state".to_owned(), value.to_owned()));
    let answer = match target {
        Some(uri) => Answer::redirect(&with_query(uri, kept.as_slice())),
        None => Answer::html(200, pages::message("You are signed out", "The session has ended.")),
    };
    let path = Paths::of(&state.options).base;
    answer.header("Set-Cookie", &format!("{COOKIE}=; Path={path}/; Max-Age=0; HttpOnly; SameSite=Lax"))
}
