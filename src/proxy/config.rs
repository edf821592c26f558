//! What one site's request path needs to know, as types without behaviour.

use std::{path::PathBuf, time::Duration};

use super::{StrippedHeader, authenticate, cors, gateway};
use crate::tls::Connector;

/// What one site's request path needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The application.
    pub upstream: Upstream,
    /// In order; the first that matches decides. Nothing matches: a login is needed.
    pub rules: Vec<Rule>,
    /// What the application is told, header by header. Every name here is also stripped from what comes in.
    pub headers: Vec<IdentityHeader>,
    /// What clients may not send besides.
    pub strip_headers: Vec<StrippedHeader>,
    /// Pass the access token on as `Authorization: Bearer`.
    pub forward_access_token: bool,
    /// Origins besides our own whose pages may open a WebSocket, written as browsers write them.
    pub websocket_origins: Vec<String>,
    /// What gateways may ask; `None`: nothing.
    pub gateway: Option<gateway::Config>,
    /// Which credentials count besides sessions.
    pub authentication: authenticate::Config,
    /// How cross-origin requests are answered; `None`: by the application alone.
    pub cors: Option<cors::Config>,
    /// Tell pages of the application the access token (`expose-token`).
    pub expose_token: bool,
    /// Bounds.
    pub limits: Limits,
}

/// Where the application listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// `http://host:port`.
    Tcp {
        /// Host name or address (IPv6 without brackets).
        host: String,
        /// Port.
        port: u16,
    },
    /// `https://host:port`.
    Tls {
        /// Host name or address (IPv6 without brackets).
        host: String,
        /// Port.
        port: u16,
        /// Whom to believe there.
        connector: Connector,
    },
    /// `unix:/path`.
    Unix(PathBuf),
}

/// Who may reach which paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which paths.
    pub path: PathPattern,
    /// Which methods, upper case; empty: all.
    pub methods: Vec<String>,
    /// What the caller must have shown.
    pub access: Access,
    /// Roles that are all needed (`name`, or `client:name`). None is empty.
    pub roles: Vec<String>,
    /// Groups of which one is needed; empty: none is. None is an empty string.
    pub groups: Vec<String>,
}

/// A path as a rule writes it: canonical, literal, compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// `/a/*`: `/a` and everything below it; `/*` is everything. Holds the path without `/*`.
    Below(String),
    /// `/a`: that path alone.
    Exact(String),
}

/// What a caller must have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A bearer token; a session does not count.
    Bearer,
    /// A login, or a bearer token.
    Login,
    /// Nothing. Who is signed in is named all the same.
    Public,
}

/// One request header to the application and the claim it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeader {
    /// The header's name, as written.
    pub name: http::HeaderName,
    /// Where its value comes from.
    pub value: IdentityValue,
}

/// What an identity header carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityValue {
    /// A claim of the ID token or UserInfo, by its name.
    Claim(String),
    /// `email`.
    Email,
    /// `groups`, joined by commas.
    Groups,
    /// Another value, and `sub` where that is absent or empty (`principal-attribute`).
    OrSubject(Box<IdentityValue>),
    /// Roles, joined by commas: those of [`crate::domain::Principal::roles`].
    Roles,
    /// `sub`.
    Subject,
    /// `preferred_username`.
    Username,
}

/// Bounds on what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest request head, in bytes.
    pub header_bytes: usize,
    /// Most request headers.
    pub header_count: usize,
    /// Largest request body, in bytes; `None`: any.
    pub body_bytes: Option<u64>,
    /// Longest time to connect to the application.
    pub connect_timeout: Duration,
    /// Longest time until the application begins its answer.
    pub response_timeout: Duration,
    /// Longest silence while a body streams, either way; of both ends of a WebSocket together.
    pub idle_timeout: Duration,
    /// Longest time that a WebSocket is open; `None`: as long as the session may last.
    pub tunnel_max: Option<Duration>,
    /// Longest time for a client to send its request head.
    pub client_header_timeout: Duration,
    /// How long an idle client connection is kept.
    pub keep_alive: Duration,
    /// Longest time to finish what is in flight after SIGTERM.
    pub drain: Duration,
}
