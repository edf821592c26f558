//! The authorization endpoint (OpenID Connect Core 1.0, section 3.1.2) and the login page behind it.

use super::pages;
use crate::{
    http::Headers,
    message::{Answer, Received, with_query},
    misbehave::{Endpoint, Fault},
    paths::Paths,
    state::{Code, Grant, Login, State, random},
};

/// The single-sign-on cookie: `sid.secret`.
pub(super) const COOKIE: &str = "IDENTITY_SERVER_SESSION";

/// A request whose client and redirect URI are known, so that it can be answered by a redirect.
struct Asked {
    client_id: String,
    redirect_uri: String,
    form_post: bool,
    state: Option<String>,
    /// Query or form, as it came: the login page's form carries it on.
    fields: Headers,
}

impl Asked {
    /// Refuses with a page, never a redirect, what may not be sent anywhere (RFC 6749, section 4.1.2.1).
    fn read(state: &State, received: &Received) -> Result<Self, Answer> {
        let refuse = |why: &str| Answer::html(400, pages::message("Sign-in refused", why));
        let client_id = received.field("client_id").unwrap_or_default();
        let client = state.client(client_id).ok_or_else(|| refuse("Unknown client_id."))?;
        let redirect_uri = received.field("redirect_uri").unwrap_or_default();
        if !client.redirect_uris.iter().any(|uri| uri == redirect_uri) {
            return Err(refuse("This redirect_uri is not registered."));
        }
        let mut fields = received.fields();
        fields.retain(|(name, _)| name != "username" && name != "password");
        Ok(Self {
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            form_post: received.field("response_mode") == Some("form_post"),
            state: received.field("state").map(str::to_owned),
            fields,
        })
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What else is wrong, as an OAuth error.
    fn fault(&self, require_pkce: bool) -> Option<(&'static str, &'static str)> {
        let names = self.fields.iter().map(|(name, _)| name);
        let repeated = names.clone().any(|name| names.clone().filter(|other| *other == name).count() > 1);
        let openid = self.field("scope").unwrap_or_default().split(' ').any(|scope| scope == "openid");
        let challenged = match (self.field("code_challenge"), self.field("code_challenge_method")) {
            (Some(challenge), Some("S256")) => challenge.len() == 43,
            (None, None) => !require_pkce,
            _ => false,
        };
        if repeated {
            Some(("invalid_request", "a parameter comes twice"))
        } else if self.field("response_type") != Some("code") {
            Some(("unsupported_response_type", "response_type must be code"))
        } else if !openid {
            Some(("invalid_scope", "openid is missing"))
        } else if !challenged {
            Some(("invalid_request", "PKCE with S256 is needed"))
        } else if !matches!(self.field("response_mode"), None | Some("query" | "form_post")) {
            Some(("invalid_request", "response_mode"))
        } else {
            None
        }
    }

    fn prompts(&self, prompt: &str) -> bool {
        self.field("prompt").unwrap_or_default().split(' ').any(|word| word == prompt)
    }

    /// Sends the browser back to the client.
    fn answer(&self, state: &State, mut parameters: Headers, faults: &[Fault]) -> Answer {
        if let Some(value) = &self.state {
            parameters.push(("state".to_owned(), value.clone()));
        }
        parameters.push(("iss".to_owned(), state.issuer()));
        for fault in faults {
            if let Fault::Callback(changes) = fault {
                for change in changes {
                    change.apply(&mut parameters);
                }
            }
        }
        if self.form_post {
            Answer::html(200, pages::form_post(&self.redirect_uri, &parameters))
        } else {
            Answer::redirect(&with_query(&self.redirect_uri, &parameters))
        }
    }

    fn refuse(&self, state: &State, (error, description): (&str, &str), faults: &[Fault]) -> Answer {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        self.answer(state, vec![pair("error", error), pair("error_description", description)], faults)
    }
}

/// The authorization endpoint.
pub(super) fn authorize(state: &mut State, received: &Received, faults: &[Fault]) -> Answer {
    let asked = match Asked::read(state, received) {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    if let Some(fault) = asked.fault(state.options.require_pkce) {
        return asked.refuse(state, fault, faults);
    }
    let signed_in = signed_in(state, received);
    if let Some(sid) = signed_in.as_ref().filter(|sid| !asked.prompts("login") && is_recent(state, sid, &asked)) {
        return grant(state, &asked, &sid.clone(), faults);
    }
    if let Some(username) = state.options.auto_login.clone() {
        return enter(state, &asked, &username, signed_in, faults);
    }
    if asked.prompts("none") {
        return asked.refuse(state, ("login_required", "nobody is signed in"), faults);
    }
    login_page(state, &asked, None)
}

/// The login form was posted. Its action carries the whole authorization request, which is checked again.
pub(super) fn log_in(state: &mut State, received: &Received, faults: &[Fault]) -> Answer {
    let asked = match Asked::read(state, received) {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    if let Some(fault) = asked.fault(state.options.require_pkce) {
        return asked.refuse(state, fault, faults);
    }
    let username = received.field("username").unwrap_or_default();
    let user = state.user(username).filter(|user| Some(user.password.as_str()) == received.field("password"));
    match user.map(|user| user.username.clone()) {
        Some(username) => {
            let signed_in = signed_in(state, received);
            enter(state, &asked, &username, signed_in, faults)
        }
        None => login_page(state, &asked, Some("Wrong user name or password.")),
    }
}

fn login_page(state: &State, asked: &Asked, complaint: Option<&str>) -> Answer {
    let action = with_query(&state.url(Endpoint::Login), &asked.fields);
    let hint = state.options.users.first().map(|user| (user.username.as_str(), user.password.as_str()));
    Answer::html(200, pages::login(&action, hint, complaint))
}

/// The session that the browser's cookie names, if it lives.
pub(super) fn signed_in(state: &State, received: &Received) -> Option<String> {
    let (sid, secret) = received.cookie(COOKIE)?.split_once('.')?;
    state.live_login(sid).filter(|login| login.secret == secret).map(|_| sid.to_owned())
}

/// Whether the user proved who they are within `max_age` (OpenID Connect Core 1.0, section 3.1.2.1).
fn is_recent(state: &State, sid: &str, asked: &Asked) -> bool {
    let max_age = asked.field("max_age").and_then(|text| text.parse::<i64>().ok());
    let auth_time = state.live_login(sid).map(|login| login.auth_time);
    max_age.is_none_or(|max_age| auth_time.is_some_and(|time| state.now() - time <= max_age))
}

/// Signs a user in. Who was signed in already as the same user stays in the same session, as at Keycloak.
fn enter(state: &mut State, asked: &Asked, username: &str, signed_in: Option<String>, faults: &[Fault]) -> Answer {
    let now = state.now();
    let same = signed_in.filter(|sid| state.live_login(sid).is_some_and(|login| login.username == username));
    let sid = same.unwrap_or_else(random);
    if let Some(login) = state.logins.get_mut(&sid) {
        login.auth_time = now;
    } else {
        state.logins.insert(sid.clone(), Login::new(username, now));
    }
    grant(state, asked, &sid, faults)
}

/// Hands out a code, and the single-sign-on cookie.
fn grant(state: &mut State, asked: &Asked, sid: &str, faults: &[Fault]) -> Answer {
    let code = random();
    let bound = Code {
        grant: Grant {
            client_id: asked.client_id.clone(),
            sid: sid.to_owned(),
            scope: asked.field("scope").unwrap_or_default().to_owned(),
            nonce: asked.field("nonce").map(str::to_owned),
        },
        redirect_uri: asked.redirect_uri.clone(),
        challenge: asked.field("code_challenge").map(str::to_owned),
        expires: state.now() + state.options.code_lifetime,
        spent: false,
    };
    state.codes.insert(code.clone(), bound);
    let parameters = vec![("session_state".to_owned(), sid.to_owned()), ("code".to_owned(), code)];
    let secret = state.live_login(sid).map(|login| login.secret.clone()).unwrap_or_default();
    let cookie = format!("{COOKIE}={sid}.{secret}; Path={}/; HttpOnly; SameSite=Lax", Paths::of(&state.options).base);
    asked.answer(state, parameters, faults).header("Set-Cookie", &cookie)
}
