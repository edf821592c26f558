//! Text to types. Reads one file, lays the environment over it, and makes every component's `Config`; it alone knows
//! them all, and no component knows it. All faults are found in one run.
//!
//! In this order: the file is read, `${…}` in its texts are replaced, `DOORWARD__` variables are laid over it, and the
//! tree is walked. So a variable's value is never itself searched for `${…}`.

mod adapter_file;
mod address;
mod app_cookies;
mod app_hook;
mod bearer;
mod claims;
mod cookie;
mod credentials;
mod differences;
mod elytron;
mod environment;
mod fault;
mod file;
mod horizon;
mod keycloak;
mod nearest;
mod node;
mod path;
mod pem;
mod provenance;
mod provider;
mod redirect_rewrite;
mod rules;
mod sidecar;
mod source;
mod strip;
mod substitute;
#[cfg(test)]
mod tests;
mod tls;
mod units;
mod value;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use crate::{
    admin,
    background::registration,
    caller,
    domain::NodeHost,
    login, oidc,
    proxy::{self, validity::WhenUnprovable},
    renewal::{self, ProveBy},
    revocation, session, telemetry,
    tls::ListenerTls,
};
use fault::{JsonPath, Report};
use provenance::Fixed;
use value::Node;

pub use adapter_file::AdapterFile;
pub use environment::{Environment, ProcessEnvironment};
pub use fault::{Fault, Faults};
pub use provenance::{Contents, Provenance};

/// The whole of one process: its listeners and its one site.
#[derive(Clone, Debug)]
pub struct Config {
    /// The public listener.
    pub listen: Listen,
    /// TLS of the public listener, if it speaks that.
    pub tls: Option<ListenerTls>,
    /// The admin listener.
    pub admin: admin::Config,
    /// How the site is reached.
    pub caller: caller::Config,
    /// Logs.
    pub telemetry: telemetry::Config,
    /// The site's provider.
    pub oidc: oidc::Config,
    /// What this node is called there.
    pub node_host: NodeHost,
    /// How this node is registered there, if it is to be.
    pub registration: Option<registration::Config>,
    /// The site's sessions.
    pub session: session::Config,
    /// The session cookies of the application itself; empty: they are cookies like any other.
    pub app_cookies: Vec<session::AppCookie>,
    /// Where the application wants to be told of sessions that end from outside, if it does.
    pub app_hook: Option<proxy::event::Config>,
    /// What is believed of sessions, and for how long.
    pub revocation: revocation::Config,
    /// What becomes of sessions in an outage.
    pub when_unprovable: WhenUnprovable,
    /// How sessions are proved.
    pub prove_by: ProveBy,
    /// When the site's sessions are renewed.
    pub renewal: renewal::Config,
    /// The site's sign-in.
    pub login: login::Config,
    /// The site's request path.
    pub proxy: proxy::Config,
    /// How often the files that it was read from are looked at; zero: never.
    pub reload_interval: Duration,
    /// What was accepted but should be known: one sentence each, naming the key.
    pub warnings: Vec<String>,
    /// Where this file's keys do otherwise than in Keycloak's Java adapters: the key, and what it does.
    pub differences: Vec<(&'static str, &'static str)>,
    /// What it was read from.
    pub provenance: Provenance,
}

/// What came of reading a configuration again.
#[derive(Debug)]
pub struct Reread {
    /// What is to be served, or what is wrong.
    pub outcome: Result<Next, Faults>,
    /// The files that were read for it, or tried; and what the running one was read from besides.
    pub provenance: Provenance,
}

/// A configuration that takes the place of a running one.
#[derive(Debug)]
pub struct Next {
    /// What is to be served from now on. It says what the running one says under the keys that only a restart changes.
    pub config: Config,
    /// Those of these keys under which the file now says something else.
    pub wait_for_restart: Vec<&'static str>,
}

impl Config {
    /// Reads the file at `path` with `env` laid over it.
    ///
    /// # Errors
    /// Every fault found; one alone when the file cannot be read or is not JSON.
    pub fn load(path: &Path, env: &dyn Environment) -> Result<Self, Faults> {
        let report = Report::default();
        let read = Self::read_file(path, env, None, &report);
        Self::concluded(report, read)
    }

    /// Reads the file as [`Config::load`] does, to take the place of what was read from `running`. What waits for a restart may be at fault
    /// too, and what is new may not go with what is kept. What is no regular file is a fault: it has been read.
    #[must_use]
    pub fn reload(path: &Path, env: &dyn Environment, running: &Provenance) -> Reread {
        let report = Report::again();
        let read = Self::read_file(path, env, None, &report);
        let provenance = Provenance::new(report.files(), running.fixed().clone());
        let outcome = Self::concluded(report, read).and_then(|config| config.keeping(path, env, running.fixed()));
        Reread { outcome, provenance }
    }

    /// This configuration with what is kept in place of what it says there.
    fn keeping(self, path: &Path, env: &dyn Environment, kept: &Fixed) -> Result<Next, Faults> {
        let wait_for_restart = kept.differing(self.provenance.fixed());
        if wait_for_restart.is_empty() {
            return Ok(Next { config: self, wait_for_restart });
        }
        let report = Report::again();
        let read = Self::read_file(path, env, Some(kept), &report);
        let config = Self::concluded(report, read).map_err(|faults| faults.beside(&wait_for_restart))?;
        Ok(Next { config, wait_for_restart })
    }

    /// Reads `text` as [`Config::load`] reads a file's.
    ///
    /// # Errors
    /// Every fault found; one alone when `text` is not JSON.
    pub fn from_json(text: &str, env: &dyn Environment) -> Result<Self, Faults> {
        let report = Report::default();
        let read = Self::read_text(text, env, None, &report);
        Self::concluded(report, read)
    }

    /// Whether bearer tokens alone count (`bearer-only`), so that nobody is sent to sign in.
    #[must_use]
    pub fn is_bearer_only(&self) -> bool {
        self.proxy.authentication.sign_in == proxy::authenticate::SignIn::Never
    }

    fn read_file(path: &Path, env: &dyn Environment, kept: Option<&Fixed>, report: &Report) -> Option<Self> {
        match file::read_text(path, report) {
            Ok(text) if text.trim().is_empty() => {
                report.fault(&JsonPath::default(), format!("the file `{}` is empty", path.display()));
                None
            }
            Ok(text) => Self::read_text(&text, env, kept, report),
            Err(error) => {
                report.fault(&JsonPath::default(), format!("the file `{}` {error}", path.display()));
                None
            }
        }
    }

    fn read_text(text: &str, env: &dyn Environment, kept: Option<&Fixed>, report: &Report) -> Option<Self> {
        let mut tree = source::parse(text, report)?;
        substitute::substitute(&mut tree, env, report);
        source::overlay(&mut tree, env, report);
        if let Some(kept) = kept {
            kept.lay_over(&mut tree);
        }
        let config = Self::of_tree(&tree, env, report)?;
        Some(Self { provenance: Provenance::new(report.files(), Fixed::of(&tree)), ..config })
    }

    fn concluded(report: Report, read: Option<Self>) -> Result<Self, Faults> {
        let (config, warnings) = report.conclude(read)?;
        Ok(Self { warnings, ..config })
    }

    fn of_tree(tree: &Value, env: &dyn Environment, report: &Report) -> Option<Self> {
        let root = Node::root(tree, report).object(&keycloak::names());
        keycloak::note_effects(&root);
        keycloak::check_choices(&root);
        let config = sidecar::read(&root, env)?;
        Some(Self { differences: differences::of(tree), ..config })
    }
}

/// Where the public listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// TCP; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}
