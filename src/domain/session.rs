//! A login and what is known of it. Everything a node needs to judge a session later (also one that another
//! node opened) is in here from the start.

use std::time::Duration;

use super::{AdapterSessionId, Issuer, NodeIncarnation, Principal, SecretString, Sid, Timestamp};

/// The tokens of one login (RFC 6749, section 5.1; OpenID Connect Core 1.0, section 3.1.3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSet {
    /// The access token, opaque to us unless the provider is Keycloak.
    pub access: SecretString,
    /// When the access token ends, on this node's clock: moment of the request plus `expires_in`. `None` when the
    /// provider did not say.
    pub access_expires: Option<Timestamp>,
    /// The refresh token, if the provider gave one.
    pub refresh: Option<SecretString>,
    /// The newest ID token; sent back as `id_token_hint` at sign-out.
    pub id: SecretString,
}

/// One login of one user at one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// One login, one id; random.
    pub adapter_session_id: AdapterSessionId,
    /// Who vouched for the user.
    pub issuer: Issuer,
    /// The session at the identity server, when it names one.
    pub sid: Option<Sid>,
    /// The user.
    pub principal: Principal,
    /// The tokens.
    pub tokens: TokenSet,
    /// `iat` of the ID token of the login; the identity server's clock.
    pub established_at: Timestamp,
    /// `iat` of the newest access token (of the ID token when the access token is opaque); the identity server's clock.
    pub token_iat: Timestamp,
    /// When the request was sent that brought these tokens, on the sending node's clock. Of two states of a session the one renewed later is
    /// the newer; a proof changes it not.
    pub renewed_at: Timestamp,
    /// When the node in `proved_by` sent the request to which the identity server answered "alive"; that node's clock.
    pub proved_at: Timestamp,
    /// Which start of which node stamped `proved_at`.
    pub proved_by: NodeIncarnation,
    /// When the login was completed, on the node's clock; the absolute limit counts from here.
    pub opened_at: Timestamp,
    /// The last use that was written down, on the node's clock; the idle limit counts from here.
    pub last_seen: Timestamp,
}

/// How long sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Longest time between two uses.
    pub idle: Duration,
    /// Longest time since the login.
    pub max: Duration,
}

/// What the clock says of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStatus {
    /// Its idle or absolute limit has passed.
    Ended,
    /// Within its limits, its access token is good.
    Live,
    /// Within its limits, but its access token has ended.
    Stale,
}

impl Session {
    /// What `now` (this node's clock) says of the session.
    #[must_use]
    pub fn status(&self, now: Timestamp, lifetimes: Lifetimes) -> SessionStatus {
        if now >= self.ends_at(lifetimes) {
            SessionStatus::Ended
        } else if self.tokens.access_expires.is_some_and(|at| now >= at) {
            SessionStatus::Stale
        } else {
            SessionStatus::Live
        }
    }

    /// The earlier of the idle and the absolute limit.
    #[must_use]
    pub fn ends_at(&self, lifetimes: Lifetimes) -> Timestamp {
        let idle = self.last_seen.plus(lifetimes.idle);
        idle.min(self.opened_at.plus(lifetimes.max))
    }

    /// Whether `last_seen` is old enough to be written again: older than a tenth of the idle limit, so that
    /// at most one response in ten of that time carries a new cookie.
    #[must_use]
    pub fn wants_touch(&self, now: Timestamp, lifetimes: Lifetimes) -> bool {
        now.since(self.last_seen) > lifetimes.idle / 10
    }
}
