//! What this node is called at the identity server, and whether it is registered there: `register-node-at-startup`,
//! `register-node-period` and `sidecar.node-host`.

use std::{net::Ipv6Addr, time::Duration};

use super::{
    environment::Environment,
    value::{Node, Object},
};
use crate::{
    background::registration::{Config, LONGEST_PERIOD},
    domain::NodeHost,
    oidc::{self, ClientAuth, ProviderId},
};

/// Where Kubernetes' downward API usually puts a pod's address.
const POD_IP: &str = "POD_IP";
/// The name of a node of which nothing is known.
const NAMELESS: &str = "localhost";
/// Longest name of a host (RFC 1035, section 2.3.4).
const LONGEST_HOST: usize = 253;
/// Periods below it are taken, but are hardly meant.
const SHORT_PERIOD: Duration = Duration::from_secs(10);

/// What this node is called: `node-host`, else the environment's `POD_IP`, else the machine's name. The latter two are
/// trimmed, taken in lower case (keycloak-adapter: `HostUtils`) and passed over where they are no host.
pub(super) fn host(node: &Node<'_>, env: &dyn Environment) -> NodeHost {
    let found = || {
        let all = [env.variable(POD_IP), env.host_name()].into_iter().flatten();
        all.map(|text| text.trim().to_ascii_lowercase()).find_map(|text| host_name(&text).ok())
    };
    if node.is_absent() {
        return found().unwrap_or_else(|| NodeHost::new(NAMELESS));
    }
    node.parse(host_name).unwrap_or_else(|| NodeHost::new(NAMELESS))
}

/// A host as Keycloak keeps it among a client's nodes and puts it into an admin URL: no port, and nothing that has a
/// meaning in a URL.
fn host_name(text: &str) -> Result<NodeHost, &'static str> {
    let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    match text {
        text if text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            Err("must be in lower case, as the identity server compares it")
        }
        text if text.parse::<Ipv6Addr>().is_ok() => Ok(NodeHost::new(text)),
        text if text.len() <= LONGEST_HOST && begins_well && is_name(text) => Ok(NodeHost::new(text)),
        _ => Err("must be a host name or an address without port, of at most 253 characters"),
    }
}

/// Whether this node is registered, and how often it says so again. `-1` and `0` ask for no renewal; Java's adapters took
/// -1 for "with every request", which nobody meant.
pub(super) fn registration(
    root: &Object<'_>,
    node_host: &Node<'_>,
    host: &NodeHost,
    oidc: Option<&oidc::Config>,
) -> Option<Config> {
    let (startup, every) = (root.at("register-node-at-startup"), root.at("register-node-period"));
    let period = period(&every);
    let asking = match (startup.flag().unwrap_or(false), period) {
        (true, _) => &startup,
        (false, Some(_)) => &every,
        (false, None) => return None,
    };
    let oidc = oidc?;
    if matches!(oidc.provider, ProviderId::Plain { .. }) {
        asking.fault("belongs to Keycloak: other providers know no nodes");
        return None;
    }
    if matches!(oidc.client_auth, ClientAuth::None) {
        asking.warn(
            "has no effect: the identity server registers no nodes of a public client; what is ended there reaches this \
             node only by an admin URL that names it",
        );
        return None;
    }
    if node_host.is_absent() && host.as_str() == NAMELESS {
        node_host.fault(
            "is required to register this node: neither `POD_IP` nor the machine's name tells what it is called",
        );
    }
    if period.is_some_and(|period| period < SHORT_PERIOD) {
        every.warn("is short: every node asks the identity server that often");
    }
    Some(Config { period })
}

/// `register-node-period` in whole seconds, at most 30 days.
fn period(node: &Node<'_>) -> Option<Duration> {
    let most = i64::try_from(LONGEST_PERIOD.as_secs()).unwrap_or(i64::MAX);
    let seconds = u64::try_from(node.number(-1..=most)?).ok()?;
    Some(Duration::from_secs(seconds)).filter(|period| !period.is_zero())
}
