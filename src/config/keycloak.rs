//! The keys of Keycloak's `keycloak.json` (keycloak-adapter: `AdapterConfig` and its parents), and the two keys of its
//! successor for other providers (`WildFly` Elytron: `provider-url`, `client-id`). One table says what each key does here.

use std::{num::NonZeroU16, time::Duration};

use serde_json::Value;
use url::{Host, Url};

use super::{
    elytron, tls,
    value::{Node, Object},
};
use crate::{
    caller::{Origin, SslRequired},
    domain::{ClientId, Issuer},
    http_client,
    oidc::ProviderId,
    renewal,
    session::TokenStore,
};

/// What a key of `keycloak.json` does here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    /// What it does in Keycloak.
    Works,
    /// Accepted without effect, with a warning unless its value asks for nothing.
    Ignored(&'static str),
    /// A fault whatever its value: to run without it would weaken what the operator relies on.
    Refused(&'static str),
}

use Effect::{Ignored, Refused, Works};

/// Every key of the top level.
pub(super) const KEYS: [(&str, Effect); 50] = [
    ("adapter-state-cookie-path", Works),
    ("allow-any-hostname", Works),
    ("always-refresh-token", Works),
    ("auth-server-url", Works),
    ("autodetect-bearer-only", Works),
    ("bearer-only", Works),
    ("client-id", Works),
    ("client-key-password", Works),
    ("client-keystore", Works),
    ("client-keystore-password", Works),
    ("confidential-port", Works),
    ("connection-pool-size", Works),
    ("connection-timeout-millis", Works),
    ("connection-ttl-millis", Ignored("connections end by their idle time")),
    ("cors-allowed-headers", Works),
    ("cors-allowed-methods", Works),
    ("cors-exposed-headers", Works),
    ("cors-max-age", Works),
    ("credentials", Works),
    ("disable-trust-manager", Works),
    ("enable-basic-auth", Works),
    ("enable-cors", Works),
    ("enable-pkce", Works),
    ("expose-token", Works),
    ("ignore-oauth-query-parameter", Works),
    ("min-time-between-jwks-requests", Works),
    // The admin console writes `{}` for a policy enforcer that enforces everything with its defaults.
    (
        "policy-enforcer",
        Refused(
            "requests would pass that its policies refuse; take it out, and write its paths as `sidecar.rules` or have the application \
             enforce them",
        ),
    ),
    ("principal-attribute", Works),
    ("provider-url", Works),
    ("proxy-url", Works),
    ("public-client", Works),
    ("public-key-cache-ttl", Works),
    ("realm", Works),
    ("realm-public-key", Works),
    ("redirect-rewrite-rules", Works),
    ("register-node-at-startup", Works),
    ("register-node-period", Works),
    ("resource", Works),
    ("sidecar", Works),
    ("socket-timeout-millis", Works),
    ("ssl-required", Works),
    ("token-cookie-path", Works),
    ("token-minimum-time-to-live", Works),
    ("token-store", Works),
    ("truststore", Works),
    ("truststore-password", Works),
    (
        "turn-off-change-session-id-on-login",
        Ignored("every login gets a session of its own, so that nobody can fix it for another beforehand"),
    ),
    ("use-realm-role-mappings", Works),
    ("use-resource-role-mappings", Works),
    ("verify-token-audience", Works),
];

/// Default of `connection-timeout-millis`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Default of `socket-timeout-millis`.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

/// The names of the top level: those in [`KEYS`], and those that only Elytron's files have.
pub(super) fn names() -> Vec<&'static str> {
    KEYS.iter().chain(&elytron::KEYS).map(|(name, _)| *name).collect()
}

/// Notes what the tables say of the keys that do nothing here.
pub(super) fn note_effects(root: &Object<'_>) {
    for (name, effect) in KEYS.into_iter().chain(elytron::KEYS) {
        let node = root.at(name);
        let asks = node.raw().is_some_and(|value| !asks_for_nothing(value));
        match effect {
            Ignored(why) if asks => node.warn(format!("has no effect: {why}")),
            Refused(why) if !node.is_absent() => node.fault(format!("is not supported here: {why}")),
            _ => {}
        }
    }
}

/// Whether a value is the one that Keycloak takes when the key is absent. Keycloak's own exports spell many out
/// (`confidential-port: 0`).
pub(super) fn asks_for_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => matches!(number.as_i64(), Some(0 | -1)),
        Value::String(text) => matches!(text.as_str(), "" | "false" | "0" | "-1"),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

/// The provider and our name there: `realm`, `auth-server-url`, `resource`, or `provider-url`, `client-id`. A relative
/// `auth-server-url` is below `public_url`.
pub(super) fn provider(root: &Object<'_>, public_url: Option<&Url>) -> Option<(ProviderId, ClientId)> {
    let plain = ["provider-url", "client-id"].map(|name| root.at(name));
    let keycloak = ["auth-server-url", "realm", "resource"].map(|name| root.at(name));
    let mut own = keycloak.iter().filter(|node| !node.is_absent());
    match (plain.iter().find(|node| !node.is_absent()), own.next()) {
        (Some(plain), Some(keycloak)) => {
            let both =
                format!("belongs to another form than `{}`: name a Keycloak realm or a provider", keycloak.path());
            plain.fault(both);
            None
        }
        (Some(_), None) => {
            let [url, client] = plain.map(Node::required);
            let issuer = url.parse(issuer).inspect(|issuer| warn_of_plain_http(&url, issuer.as_str()));
            let client = client.parse(client_id);
            Some((ProviderId::Plain { issuer: issuer? }, client?))
        }
        (None, _) => keycloak_realm(keycloak, public_url),
    }
}

fn keycloak_realm(nodes: [Node<'_>; 3], public_url: Option<&Url>) -> Option<(ProviderId, ClientId)> {
    let [url, realm, client] = nodes.map(Node::required);
    let auth_server_url = url.parse(|text| auth_server_url(text, public_url));
    if let Some(read) = &auth_server_url {
        warn_of_plain_http(&url, read.as_str());
    }
    let realm = realm.parse(realm_name);
    let client = client.parse(client_id);
    let provider = ProviderId::Keycloak { auth_server_url: auth_server_url?, realm: realm? };
    Some((provider, client?))
}

/// A whole URL, or a path at our own origin (keycloak-adapter: `AdapterDeploymentContext` makes it of each request's `Host`; here it is
/// that of the configuration alone, since whoever sends a request would else choose who vouches for users).
fn auth_server_url(text: &str, public_url: Option<&Url>) -> Result<Url, &'static str> {
    let mut url = match (text.strip_prefix('/'), public_url) {
        (None, _) => http_url(text)?,
        (Some(path), _) if path.starts_with(['/', '\\']) => {
            return Err("must be a URL, or a path that begins with one `/`");
        }
        (Some(_), None) => return Err("is relative, which needs `sidecar.public-url`: write that, or the whole URL"),
        (Some(_), Some(origin)) => http_url(&format!("{}{text}", Origin::of(origin)))?,
    };
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// An issuer has neither query nor fragment (OpenID Connect Discovery 1.0, section 3) and is kept as it is written.
fn issuer(text: &str) -> Result<Issuer, &'static str> {
    http_url(text).map(|_| Issuer::new(text))
}

fn http_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be a URL with scheme and host")?;
    match &url {
        url if !matches!(url.scheme(), "http" | "https") => Err("must begin with `https://` or `http://`"),
        url if !url.username().is_empty() || url.password().is_some() => Err("must not hold a user or password"),
        url if url.query().is_some() || url.fragment().is_some() => Err("must hold neither `?` nor `#`"),
        _ => Ok(url),
    }
}

fn warn_of_plain_http(node: &Node<'_>, url: &str) {
    let is_loopback = |url: &Url| match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if Url::parse(url).is_ok_and(|url| url.scheme() == "http" && !is_loopback(&url)) {
        node.warn("is plain http: tokens and secrets cross the network in clear");
    }
}

/// A realm's name is one segment of its URLs.
fn realm_name(text: &str) -> Result<String, &'static str> {
    if matches!(text, "." | "..") || text.contains('/') {
        return Err("must not hold `/`, nor be `.` or `..`");
    }
    printable(text)
}

fn client_id(text: &str) -> Result<ClientId, &'static str> {
    printable(text).map(ClientId::new)
}

fn printable(text: &str) -> Result<String, &'static str> {
    let is_printable = !text.contains(char::is_control);
    is_printable.then(|| text.to_owned()).ok_or("must not hold control characters")
}

/// Keys that choose among things of which one is there: the others are faults, or warnings where nothing is lost.
pub(super) fn check_choices(root: &Object<'_>) {
    root.at("enable-pkce").flag();
}

/// `token-store`. By default `cookie`, other than in Keycloak: it needs nothing that nodes share, and survives a restart.
pub(super) fn token_store(root: &Object<'_>) -> TokenStore {
    let node = root.at("token-store");
    let choices = [("cookie", TokenStore::Cookie), ("session", TokenStore::Session)];
    let store = node.one_of(&choices).unwrap_or(TokenStore::Cookie);
    if store == TokenStore::Session {
        node.warn("is `session`: sessions end with this process, and no other node knows them");
    }
    store
}

/// `ssl-required`, by default `external`.
pub(super) fn ssl_required(root: &Object<'_>) -> SslRequired {
    let choices = [("all", SslRequired::All), ("external", SslRequired::External), ("none", SslRequired::None)];
    root.at("ssl-required").one_of(&choices).unwrap_or(SslRequired::External)
}

/// `confidential-port`: the port at which the site is visited by https; 0 and -1, which Keycloak's exports spell out, name none.
pub(super) fn confidential_port(root: &Object<'_>) -> Option<NonZeroU16> {
    let port = root.at("confidential-port").number(-1..=65_535)?;
    u16::try_from(port).ok().and_then(NonZeroU16::new)
}

/// `min-time-between-jwks-requests` (10 s) and `public-key-cache-ttl` (a day), both whole seconds.
pub(super) fn key_lifetimes(root: &Object<'_>) -> (Duration, Duration) {
    let seconds = |name, most: Duration| root.at(name).duration(Duration::from_secs(1)..=most);
    let cooldown = seconds("min-time-between-jwks-requests", HOUR).unwrap_or(Duration::from_secs(10));
    let ttl = seconds("public-key-cache-ttl", 24 * 365 * HOUR).unwrap_or(24 * HOUR);
    (cooldown, ttl)
}

/// `always-refresh-token`, and `token-minimum-time-to-live` in whole seconds.
pub(super) fn renewal(root: &Object<'_>) -> renewal::Config {
    renewal::Config {
        always: root.at("always-refresh-token").flag().unwrap_or(false),
        minimum_life: root.at("token-minimum-time-to-live").duration(Duration::ZERO..=24 * HOUR).unwrap_or_default(),
        ..renewal::Config::default()
    }
}

/// `connection-pool-size`, `connection-timeout-millis` and `socket-timeout-millis`. The last bounds a whole call here.
/// As in Keycloak, no positive timeout means the default, and no positive size means 10 (`HttpClientBuilder`).
pub(super) fn http(root: &Object<'_>, provider: &Object<'_>) -> http_client::Config {
    let millis = |name, default| {
        let number = root.at(name).number(-1..=600_000)?;
        let millis = u64::try_from(number).ok().filter(|millis| *millis > 0);
        Some(millis.map_or(default, Duration::from_millis))
    };
    let pool_size = root.at("connection-pool-size").number(-1..=1000);
    http_client::Config {
        trust: tls::trust(root, provider),
        identity: tls::identity(root),
        proxy: tls::forward_proxy(root),
        connect_timeout: millis("connection-timeout-millis", CONNECT_TIMEOUT).unwrap_or(CONNECT_TIMEOUT),
        total_timeout: millis("socket-timeout-millis", TOTAL_TIMEOUT).unwrap_or(TOTAL_TIMEOUT),
        pool_size: pool_size.map_or(20, |size| usize::try_from(size).ok().filter(|size| *size > 0).unwrap_or(10)),
    }
}
