//! The protocol: one file an endpoint, each a plain function of the state and a request.

mod authorization;
mod client_authentication;
mod discovery;
mod end_session;
mod nodes;
mod pages;
mod revocation;
mod sessions;
mod token;
mod token_response;
mod userinfo;

use serde_json::Value;

use crate::{
    message::{Answer, Received},
    misbehave::{Endpoint, Fault, TokenFault},
    state::State,
};

/// Answers a request, with the faults that are about content.
pub(crate) fn answer(state: &mut State, endpoint: Endpoint, received: &Received, faults: &[Fault]) -> Answer {
    let answer = match (endpoint, received.method.as_str()) {
        (Endpoint::Discovery, "GET") => discovery::metadata(state),
        (Endpoint::Jwks, "GET") => discovery::jwks(state),
        (Endpoint::Authorization, "GET" | "POST") => authorization::authorize(state, received, faults),
        (Endpoint::Login, "POST") => authorization::log_in(state, received, faults),
        (Endpoint::Token, "POST") => token::token(state, received, faults),
        (Endpoint::UserInfo, "GET" | "POST") => userinfo::userinfo(state, received, faults),
        (Endpoint::EndSession, "GET" | "POST") => end_session::end_session(state, received),
        (Endpoint::Revocation, "POST") => revocation::revoke(state, received),
        (Endpoint::NodeRegistration, "POST") => nodes::register(state, received),
        (Endpoint::Sessions, "GET") => sessions::list(state),
        (Endpoint::Sessions, "POST") => sessions::end(state, received),
        (Endpoint::Unknown, _) => Answer::empty(404),
        _ => Answer::empty(405),
    };
    faults.iter().fold(answer, spoil)
}

fn spoil(mut answer: Answer, fault: &Fault) -> Answer {
    match fault {
        Fault::Json(patches) => {
            let mut value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            for patch in patches {
                patch.apply(&mut value);
            }
            answer.body = value.to_string().into_bytes();
        }
        Fault::Body(rewrite) => answer.body = rewrite(&String::from_utf8_lossy(&answer.body)).into_bytes(),
        Fault::Huge(padding) => answer.body.resize(answer.body.len() + padding, b' '),
        _ => {}
    }
    answer
}

/// All token faults that `select` finds.
fn token_faults(faults: &[Fault], select: impl Fn(&Fault) -> Option<&Vec<TokenFault>>) -> Vec<TokenFault> {
    faults.iter().filter_map(select).flatten().cloned().collect()
}
