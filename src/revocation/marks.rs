//! By what a session or a bearer token can be hit.

use super::horizon::Share;
use crate::domain::{AdapterSessionId, NodeIncarnation, Session, Sid, Subject, Timestamp};

/// What a session or a bearer token can be hit by.
#[derive(Clone, Copy, Debug)]
pub struct Marks<'a> {
    /// Which login it is; a bearer token is none of ours.
    pub adapter_session_id: Option<&'a AdapterSessionId>,
    /// The session at the identity server, when it names one.
    pub sid: Option<&'a Sid>,
    /// The user.
    pub subject: &'a Subject,
    /// `iat` of the ID token of the login, of the token itself for a bearer token; the identity server's clock.
    pub established_at: Timestamp,
    /// `iat` of the newest access token, the identity server's clock.
    pub token_iat: Timestamp,
    /// When it was last vouched for; a bearer token is good by itself until it expires.
    pub proof: Option<Proof<'a>>,
}

/// That the identity server answered "alive".
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// When it was asked, on the clock of who asked.
    pub at: Timestamp,
    /// Who asked.
    pub by: &'a NodeIncarnation,
}

impl Marks<'_> {
    pub(super) fn share(&self) -> Share {
        Share::of_id(self.adapter_session_id.map_or("", AdapterSessionId::as_str))
    }
}

impl<'a> From<&'a Session> for Marks<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            adapter_session_id: Some(&session.adapter_session_id),
            sid: session.sid.as_ref(),
            subject: &session.principal.subject,
            established_at: session.established_at,
            token_iat: session.token_iat,
            proof: Some(Proof { at: session.proved_at, by: &session.proved_by }),
        }
    }
}
