//! Text to types.

use std::{net::SocketAddr, path::PathBuf};

use crate::{admin, login, oidc, proxy, session, telemetry};

/// The whole of one process: its listeners and its one site.
#[derive(Clone, Debug)]
pub struct Config {
    /// The public listener.
    pub listen: Listen,
    /// The admin listener.
    pub admin: admin::Config,
    /// Logs.
    pub telemetry: telemetry::Config,
    /// The site's provider.
    pub oidc: oidc::Config,
    /// The site's sessions.
    pub session: session::Config,
    /// The site's sign-in.
    pub login: login::Config,
    /// The site's request path.
    pub proxy: proxy::Config,
    /// What was accepted but should be known: one sentence each, naming the key.
    pub warnings: Vec<String>,
}

/// Where the public listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// TCP; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}
