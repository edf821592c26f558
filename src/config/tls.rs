//! TLS: the listeners' certificates, and whom we believe when we call the application or the identity server. Files are read here once, so
//! that what is wrong with them is told with everything else.

use std::{path::Path, time::Duration};

use rustls::pki_types::ServerName;

use super::{
    address::{self, Application},
    keycloak::asks_for_nothing,
    value::{Node, Object},
};
use crate::{
    domain::SecretString,
    http_client::ForwardProxy,
    proxy::Upstream,
    tls::{
        CertificateDer, Connector, Identity, ListenerTls, MinimumVersion, PairError, PairFiles, Roots, Trust,
        Verification, Watch,
        keystore::{Keystore, Passwords},
    },
};

/// Default of `reload-interval`: soon enough for a certificate that is renewed days before its end.
const RELOAD_INTERVAL: Duration = Duration::from_secs(5);
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
const HOUR: Duration = Duration::from_secs(3600);

/// TLS of one listener: `certificate`, `key`, `minimum-version`, `reload-interval`.
pub(super) fn listener(node: &Node<'_>) -> Option<ListenerTls> {
    if node.is_absent() {
        return None;
    }
    let keys = node.object(&["certificate", "key", "minimum-version", "reload-interval"]);
    let versions = [("1.2", MinimumVersion::Tls12), ("1.3", MinimumVersion::Tls13)];
    let minimum = keys.at("minimum-version").one_of(&versions).unwrap_or(MinimumVersion::Tls12);
    let interval = keys.at("reload-interval").duration(SHORTEST_INTERVAL..=HOUR).unwrap_or(RELOAD_INTERVAL);
    let [certificate, key] = ["certificate", "key"].map(|name| keys.at(name).required());
    let files = PairFiles { certificate: certificate.text()?.into(), key: key.text()?.into() };
    match Watch::begin(files) {
        Ok(pair) => Some(ListenerTls { pair, minimum, reload_interval: interval }),
        Err(PairError::Certificate(wrong)) => refuse(&certificate, format!("names a file that {wrong}")),
        Err(PairError::Key(wrong)) => refuse(&key, format!("names a file that {wrong}")),
    }
}

/// The application, with `upstream-tls` where it is https: `ca` and `server-name`.
pub(super) fn upstream(node: &Node<'_>, tls: &Node<'_>) -> Option<Upstream> {
    let keys = tls.object(&["ca", "server-name"]);
    match node.parse(address::upstream)? {
        Application::Plain(upstream) => {
            if !tls.is_absent() {
                tls.fault("is for an `upstream` that begins with `https://`");
            }
            Some(upstream)
        }
        Application::Tls { host, port } => {
            let ca = keys.at("ca");
            let roots = if ca.is_absent() { Roots::default() } else { Roots::Only(authorities(&ca)?) };
            let named = keys.at("server-name");
            let name = if named.is_absent() { server_name(&host).ok() } else { named.parse(server_name) };
            let trust = Trust { roots, verification: Verification::Full };
            match Connector::new(name?, &trust) {
                Ok(connector) => Some(Upstream::Tls { host, port, connector }),
                Err(error) => refuse(if ca.is_absent() { node } else { &ca }, error),
            }
        }
    }
}

/// Whose certificates are believed of the identity server: `truststore`, `disable-trust-manager`, `allow-any-hostname`, and our
/// `provider.ca` and `provider.insecure-tls`.
pub(super) fn trust(root: &Object<'_>, provider: &Object<'_>) -> Trust {
    let ca = provider.at("ca");
    let mut added = if ca.is_absent() { Vec::new() } else { authorities(&ca).unwrap_or_default() };
    let store = root.at("truststore");
    let password = root.at("truststore-password");
    let roots = if is_given(&store) {
        let trusted = keystore(&store, Passwords { store: secret(&password).as_ref(), key: None })
            .and_then(|read| or_fault(&store, read.into_trusted()));
        added.extend(trusted.unwrap_or_default());
        Roots::Only(added)
    } else {
        tell_useless(&[&password], "truststore");
        Roots::Usual(added)
    };
    let trust = Trust { roots, verification: verification(root, provider) };
    // What no client can be made of is told here, with its key.
    let named = if is_given(&store) { &store } else { &ca };
    if !named.is_absent()
        && let Err(error) = trust.client(None)
    {
        named.fault(error);
    }
    trust
}

/// What is not checked must be said twice: once in Keycloak's words, which many a file has since its first day, and once in ours.
fn verification(root: &Object<'_>, provider: &Object<'_>) -> Verification {
    let meant = provider.at("insecure-tls").flag().unwrap_or(false);
    let is_on = |name, what: &str| {
        let node = root.at(name);
        let on = is_given(&node) && node.flag() == Some(true);
        if on && meant {
            node.warn(format!("{what}: whoever is between us and the identity server can sign in as anybody"));
        } else if on {
            node.fault(format!("{what}: if that is meant, set `sidecar.provider.insecure-tls` to true as well"));
        }
        on
    };
    let any_hostname = is_on("allow-any-hostname", "makes a certificate for any other host count");
    let any_certificate = is_on("disable-trust-manager", "makes any certificate count");
    if meant && !any_certificate && !any_hostname {
        let idle = "has no effect: neither `disable-trust-manager` nor `allow-any-hostname` is on";
        provider.at("insecure-tls").warn(idle);
    }
    match (any_certificate, any_hostname) {
        (true, _) => Verification::AnyCertificate,
        (false, true) => Verification::AnyHostname,
        (false, false) => Verification::Full,
    }
}

/// What we show to the identity server: `client-keystore`, `client-keystore-password`, `client-key-password`.
pub(super) fn identity(root: &Object<'_>) -> Option<Identity> {
    let store = root.at("client-keystore");
    let [password, key_password] = ["client-keystore-password", "client-key-password"].map(|name| root.at(name));
    if !is_given(&store) {
        tell_useless(&[&password, &key_password], "client-keystore");
        return None;
    }
    let (opens_store, opens_key) = (secret(&password), secret(&key_password));
    let read = keystore(&store, Passwords { store: opens_store.as_ref(), key: opens_key.as_ref() })?;
    let entry = or_fault(&store, read.into_key(None))?;
    match entry.identity() {
        Ok(identity) => Some(identity),
        Err(error) => refuse(&store, format!("names a file whose key or certificate {error}")),
    }
}

/// `proxy-url`. Read as a secret, since it may hold a password.
pub(super) fn forward_proxy(root: &Object<'_>) -> Option<ForwardProxy> {
    let node = root.at("proxy-url");
    let url = secret(&node)?;
    match ForwardProxy::parse(url.expose()) {
        Ok(proxy) => Some(proxy),
        Err(error) => refuse(&node, error),
    }
}

/// The store that `node` names, whatever its form.
pub(super) fn keystore(node: &Node<'_>, passwords: Passwords<'_>) -> Option<Keystore> {
    let path = node.text()?;
    if path.starts_with("classpath:") {
        return refuse(node, "names a file inside of a Java archive: take it out and write its path");
    }
    let bytes = or_fault(node, node.read_bytes(Path::new(path)))?;
    or_fault(node, Keystore::read(&bytes, passwords))
}

/// The certificates of the PEM file that `node` names.
fn authorities(node: &Node<'_>) -> Option<Vec<CertificateDer<'static>>> {
    let read = keystore(node, Passwords::default())?;
    or_fault(node, read.into_trusted())
}

fn server_name(text: &str) -> Result<ServerName<'static>, &'static str> {
    ServerName::try_from(text.to_owned()).map_err(|_| "must be a DNS name or an IP address")
}

/// Exports spell out what is not set (`"truststore": ""`).
fn is_given(node: &Node<'_>) -> bool {
    node.raw().is_some_and(|value| !asks_for_nothing(value))
}

fn secret(node: &Node<'_>) -> Option<SecretString> {
    if is_given(node) { node.secret() } else { None }
}

fn tell_useless(passwords: &[&Node<'_>], store: &str) {
    for password in passwords.iter().filter(|password| is_given(password)) {
        password.warn(format!("has no effect without `{store}`"));
    }
}

fn or_fault<T, E: std::fmt::Display>(node: &Node<'_>, read: Result<T, E>) -> Option<T> {
    read.map_or_else(|error| refuse(node, format!("names a file that {error}")), Some)
}

fn refuse<T>(node: &Node<'_>, message: impl std::fmt::Display) -> Option<T> {
    node.fault(message);
    None
}
