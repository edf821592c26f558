//! The page of sessions, where one is ended "from elsewhere", and the back channel that tells the clients
//! (OpenID Connect Back-Channel Logout 1.0, section 2.5).

use std::{net::ToSocketAddrs, thread};

use url::Url;

use super::pages;
use crate::{
    back_channel::logout_claims,
    http::{self, Request},
    message::{Answer, Received},
    misbehave::Endpoint,
    state::{Login, State},
};

pub(super) fn list(state: &State) -> Answer {
    let action = pages::escape(&state.url(Endpoint::Sessions));
    let live = state.logins.iter().filter(|(_, login)| !login.ended);
    let items: Vec<_> = live.map(|(sid, login)| item(&action, sid, login)).collect();
    let markup = if items.is_empty() {
        "<p>Nobody is signed in.</p>".to_owned()
    } else {
        format!("<ul>{}</ul>", items.concat())
    };
    Answer::html(200, pages::page("Sessions", &markup))
}

fn item(action: &str, sid: &str, login: &Login) -> String {
    let (user, clients) = (pages::escape(&login.username), pages::escape(&login.clients.join(", ")));
    let sid = pages::hidden("sid", sid);
    format!("<li><form method=\"post\" action=\"{action}\">{user} at {clients} {sid}<button>End</button></form></li>")
}

pub(super) fn end(state: &mut State, received: &Received) -> Answer {
    end_and_tell(state, received.field("sid").unwrap_or_default(), None);
    Answer::empty(303).header("Location", &state.url(Endpoint::Sessions))
}

/// Ends a session and posts a logout token to each of its clients that asked for it, except the one that knows.
pub(super) fn end_and_tell(state: &mut State, sid: &str, knows: Option<&str>) {
    let clients = state.live_login(sid).map(|login| login.clients.clone()).unwrap_or_default();
    for client_id in clients.iter().filter(|id| Some(id.as_str()) != knows) {
        let target = state.client(client_id).and_then(|client| client.backchannel_logout_uri.clone());
        let token = state.sign("logout+jwt", client_id, logout_claims(state, client_id, Some(sid)), &[]);
        if let (Some(target), Some(token)) = (target, token) {
            // On a thread of its own: the client may call back before it answers.
            thread::spawn(move || tell(&target, &token));
        }
    }
    state.end_login(sid);
}

/// Nobody retries a back channel; what fails here is the client's loss.
fn tell(target: &str, token: &str) -> Option<()> {
    let url = Url::parse(target).ok()?;
    let address = (url.host_str()?, url.port_or_known_default()?).to_socket_addrs().ok()?.next()?;
    http::send(address, &Request::form(url.path(), &[("logout_token", token)])).ok().map(drop)
}
