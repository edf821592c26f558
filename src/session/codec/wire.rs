//! A session as it is written. The one place of this folder where tokens are exposed; they leave it sealed only.
//!
//! What repeats stands together: the three tokens first, then what was taken from them, so that a name, a role or a
//! `sid` costs a back reference and not its letters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    CodecError,
    token::{Part, Segment, pack, split, unpack},
};
use crate::domain::{
    AdapterSessionId, Issuer, NodeIncarnation, Principal, SecretString, Session, Sid, Subject, Timestamp, TokenSet,
};

/// The fields' order is the format.
#[derive(Serialize, Deserialize)]
pub(super) struct Wire<'a> {
    #[serde(borrow)]
    access: Vec<Segment<'a>>,
    #[serde(borrow)]
    id: Vec<Segment<'a>>,
    #[serde(borrow)]
    refresh: Option<Vec<Segment<'a>>>,
    issuer: &'a str,
    sid: Option<&'a str>,
    #[serde(borrow)]
    principal: WirePrincipal<'a>,
    #[serde(borrow)]
    adapter_session_id: Vec<Segment<'a>>,
    #[serde(borrow)]
    proved_by: Vec<Segment<'a>>,
    times: WireTimes,
}

#[derive(Serialize, Deserialize)]
struct WirePrincipal<'a> {
    subject: &'a str,
    username: Option<&'a str>,
    email: Option<&'a str>,
    #[serde(borrow)]
    groups: Vec<&'a str>,
    #[serde(borrow)]
    roles: Vec<&'a str>,
    #[serde(borrow)]
    claims: BTreeMap<&'a str, Vec<&'a str>>,
}

/// Milliseconds; all but the first count from the first, which makes them short.
#[derive(Serialize, Deserialize)]
struct WireTimes {
    established_at: i64,
    token_iat: i64,
    renewed_at: i64,
    proved_at: i64,
    opened_at: i64,
    last_seen: i64,
    access_expires: Option<i64>,
}

/// What of a session must be decoded before it is written. Borrows or wipes every secret.
pub(super) struct Parts<'a> {
    session: &'a Session,
    access: Vec<Part<'a>>,
    id: Vec<Part<'a>>,
    refresh: Option<Vec<Part<'a>>>,
    adapter_session_id: Vec<Part<'a>>,
    proved_by: Vec<Part<'a>>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(session: &'a Session) -> Self {
        Self {
            session,
            access: split(session.tokens.access.expose()),
            id: split(session.tokens.id.expose()),
            refresh: session.tokens.refresh.as_ref().map(|token| split(token.expose())),
            adapter_session_id: split(session.adapter_session_id.as_str()),
            proved_by: split(session.proved_by.as_str()),
        }
    }

    /// No less than what the tail will take.
    pub(super) fn tail_bound(&self) -> usize {
        let refresh = self.refresh.iter().flatten();
        let parts = self.access.iter().chain(&self.id).chain(refresh).chain(&self.adapter_session_id);
        let len = |part: &Part<'_>| if let Part::Bytes(bytes) = part { bytes.len() } else { 0 };
        parts.chain(&self.proved_by).map(len).sum()
    }

    pub(super) fn wire(&'a self, tail: &mut Vec<u8>) -> Wire<'a> {
        Wire {
            access: pack(&self.access, tail),
            id: pack(&self.id, tail),
            refresh: self.refresh.as_ref().map(|parts| pack(parts, tail)),
            issuer: self.session.issuer.as_str(),
            sid: self.session.sid.as_ref().map(Sid::as_str),
            principal: WirePrincipal::of(&self.session.principal),
            adapter_session_id: pack(&self.adapter_session_id, tail),
            proved_by: pack(&self.proved_by, tail),
            times: WireTimes::of(self.session),
        }
    }
}

impl Wire<'_> {
    /// The session that was written; `tail` must be used up.
    pub(super) fn into_session(self, mut tail: &[u8]) -> Result<Session, CodecError> {
        let tail = &mut tail;
        let at = |from_first: i64| Timestamp::from_millis(self.times.established_at.wrapping_add(from_first));
        let access = SecretString::new(unpack(&self.access, tail)?);
        let id = SecretString::new(unpack(&self.id, tail)?);
        let refresh = self.refresh.map(|token| unpack(&token, tail)).transpose()?.map(SecretString::new);
        let session = Session {
            tokens: TokenSet { access, access_expires: self.times.access_expires.map(at), refresh, id },
            issuer: Issuer::new(self.issuer),
            sid: self.sid.map(Sid::new),
            principal: self.principal.into_principal(),
            adapter_session_id: AdapterSessionId::new(unpack(&self.adapter_session_id, tail)?),
            proved_by: NodeIncarnation::new(unpack(&self.proved_by, tail)?),
            established_at: at(0),
            token_iat: at(self.times.token_iat),
            renewed_at: at(self.times.renewed_at),
            proved_at: at(self.times.proved_at),
            opened_at: at(self.times.opened_at),
            last_seen: at(self.times.last_seen),
        };
        if tail.is_empty() { Ok(session) } else { Err(CodecError::Malformed) }
    }
}

impl<'a> WirePrincipal<'a> {
    fn of(principal: &'a Principal) -> Self {
        Self {
            subject: principal.subject.as_str(),
            username: principal.username.as_deref(),
            email: principal.email.as_deref(),
            groups: borrowed(&principal.groups),
            roles: borrowed(&principal.roles),
            claims: principal.claims.iter().map(|(name, values)| (name.as_str(), borrowed(values))).collect(),
        }
    }

    fn into_principal(self) -> Principal {
        Principal {
            subject: Subject::new(self.subject),
            username: self.username.map(str::to_owned),
            email: self.email.map(str::to_owned),
            groups: owned(self.groups),
            roles: owned(self.roles),
            claims: self.claims.into_iter().map(|(name, values)| (name.to_owned(), owned(values))).collect(),
        }
    }
}

impl WireTimes {
    fn of(session: &Session) -> Self {
        let first = session.established_at.as_millis();
        let from_first = |at: Timestamp| at.as_millis().wrapping_sub(first);
        Self {
            established_at: first,
            token_iat: from_first(session.token_iat),
            renewed_at: from_first(session.renewed_at),
            proved_at: from_first(session.proved_at),
            opened_at: from_first(session.opened_at),
            last_seen: from_first(session.last_seen),
            access_expires: session.tokens.access_expires.map(from_first),
        }
    }
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}
