//! `sidecar`: all that is ours, and the rules that span several keys.

use std::{net::SocketAddr, time::Duration};

use tracing_subscriber::EnvFilter;
use url::Url;

use super::{
    Config, Listen, Provenance, address, app_cookies, app_hook, bearer, claims, cookie,
    environment::Environment,
    horizon, keycloak, node, path, provider, redirect_rewrite, rules, strip, tls,
    value::{Node, Object},
};
use crate::{
    admin,
    caller::{self, Origin, SslRequired, TrustedPeer},
    domain::SecretString,
    login::{self, ResponseMode},
    oidc,
    proxy::{self, IdentityValue, Limits, gateway},
    renewal,
    telemetry::{self, AuditTo, LogFormat},
};

const KEYS: [&str; 34] = [
    "admin",
    "allowed-hosts",
    "app-logout-hook",
    "app-session-cookies",
    "attempt-ttl",
    "auth",
    "cookie",
    "forward-access-token",
    "frontchannel-logout",
    "headers",
    "limits",
    "listen",
    "log",
    "node-host",
    "outage-proof",
    "path-prefix",
    "persist",
    "proof-life",
    "prove-by",
    "provider",
    "public-url",
    "reload-interval",
    "response-mode",
    "rules",
    "session",
    "settle",
    "skew",
    "strip-headers",
    "tls",
    "trusted-proxies",
    "upstream",
    "upstream-tls",
    "websocket-origins",
    "when-unprovable",
];

/// Keys that are planned: refused, since what they ask for would not happen.
const LATER: [&str; 4] = ["assertion", "peers", "sites", "store"];

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8080);
const ADMIN_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9080);
/// Least length of `admin.token`.
const LEAST_TOKEN: usize = 16;
const PATH_PREFIX: &str = "/oauth2";
const LOG_FILTER: &str = "info";
/// Attempts kept per browser by default: several tabs, without filling the browser's cookies.
const MAX_ATTEMPTS: usize = 5;
/// Largest form that is kept over a sign-in by default, and at most: sealed, it must fit into a form field of its own.
const KEPT_FORM: usize = 64 << 10;
const MAX_KEPT_FORM: u64 = 64 << 10;
const ATTEMPT_TTL: Duration = Duration::from_secs(15 * 60);
const RELOAD_INTERVAL: Duration = Duration::from_secs(5);
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// Largest head: the HTTP parser takes no more than 128 KiB, its own overhead included.
const MAX_HEAD: u64 = 120 << 10;

/// The whole configuration, warnings apart, unless something that has no default is missing or wrong.
pub(super) fn read(root: &Object<'_>, env: &dyn Environment) -> Option<Config> {
    let keys = root.at("sidecar").object_with_later(&KEYS, &LATER);
    let ssl_required = keycloak::ssl_required(root);
    let public_url = public_url(&keys.at("public-url"), ssl_required);
    let oidc = provider::read(root, &keys.at("provider"), public_url.as_ref());
    let node_host = node::host(&keys.at("node-host"), env);
    let registration = node::registration(root, &keys.at("node-host"), &node_host, oidc.as_ref());
    let listen = keys.at("listen").parse(address::listen).unwrap_or(Listen::Tcp(LISTEN));
    let admin = admin(&keys.at("admin"), &listen);
    let path_prefix = keys.at("path-prefix").parse(path::prefix).unwrap_or_else(|| PATH_PREFIX.to_owned());
    if admin.public_path.as_ref() == Some(&path_prefix) {
        keys.at("admin").fault("has the `public-path` that `path-prefix` is: our own endpoints are there");
    }
    let cookie = cookie::read(root, &keys.at("cookie"), public_url.as_ref(), &path_prefix);
    let limits = keys.at("limits").object(&LIMITS);
    let login = login::Config {
        front_channel: keys.at("frontchannel-logout").flag().unwrap_or(true),
        redirect_rewrite: redirect_rewrite::read(root, &path_prefix),
        path_prefix,
        response_mode: response_mode(&keys.at("response-mode"), cookie.secure),
        attempt_ttl: keys.at("attempt-ttl").duration(10 * SECOND..=HOUR).unwrap_or(ATTEMPT_TTL),
        max_attempts: limits.at("concurrent-logins").count(1..=20).unwrap_or(MAX_ATTEMPTS),
        kept_form_bytes: limits
            .at("kept-form-bytes")
            .size(0..=MAX_KEPT_FORM)
            .map_or(KEPT_FORM, |n| usize::try_from(n).unwrap_or(KEPT_FORM)),
    };
    let app_hook = app_hook::read(&keys.at("app-logout-hook"), &login.path_prefix);
    let session = cookie::session(&keys.at("session"), cookie, keycloak::token_store(root));
    let telemetry = telemetry(&keys.at("log"));
    let caller = caller::Config {
        allowed_hosts: allowed_hosts(&keys, public_url.as_ref()),
        trusted_proxies: keys.at("trusted-proxies").each(trusted_proxy),
        public_url: public_url.as_ref().map(Origin::of),
        ssl_required,
        confidential_port: keycloak::confidential_port(root),
    };
    let prove_by = horizon::prove_by(&keys, oidc.as_ref().map(|oidc| &oidc.provider));
    let (proofs_in_flight, proofs_per_second) = horizon::budget(&limits);
    let user = claims::principal_attribute(root);
    let tls = tls::listener(&keys.at("tls"));
    let gateway = gateway(&keys.at("auth"), &caller);
    let app_cookies = app_cookies::read(&keys.at("app-session-cookies"), &session.cookie, gateway.as_ref());
    let more = More { gateway, user, oidc: oidc.as_ref() };
    let proxy = proxy(root, &keys, &listen, read_limits(&limits), more);
    if let Some(proxy) = &proxy {
        cookie::note_keys(&keys.at("cookie"), &session, proxy.authentication.sign_in, &app_cookies);
    }
    Some(Config {
        listen,
        tls,
        admin,
        caller,
        telemetry,
        oidc: oidc?,
        node_host,
        registration,
        session,
        app_cookies,
        app_hook,
        revocation: horizon::revocation(&keys),
        when_unprovable: horizon::when_unprovable(&keys),
        prove_by,
        renewal: renewal::Config { proofs_in_flight, proofs_per_second, ..keycloak::renewal(root) },
        login,
        proxy: proxy?,
        reload_interval: keys.at("reload-interval").duration(Duration::ZERO..=HOUR).unwrap_or(RELOAD_INTERVAL),
        warnings: Vec::new(),
        provenance: Provenance::default(),
        differences: Vec::new(),
    })
}

fn admin(node: &Node<'_>, public: &Listen) -> admin::Config {
    let keys = node.object(&["listen", "public-path", "tls", "token"]);
    let listen = keys.at("listen").parse(address::tcp).unwrap_or(ADMIN_LISTEN);
    if *public == Listen::Tcp(listen) && listen.port() != 0 {
        keys.at("listen").fault("must not be the public listener's address");
    }
    admin::Config {
        listen,
        tls: tls::listener(&keys.at("tls")),
        token: admin_token(&keys.at("token")),
        public_path: keys.at("public-path").parse(path::prefix),
    }
}

/// Whoever has it ends anybody's session: it must not be guessed.
fn admin_token(node: &Node<'_>) -> Option<SecretString> {
    let token = node.secret()?;
    if token.expose().len() < LEAST_TOKEN || !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        node.fault(format!(
            "must have at least {LEAST_TOKEN} visible ASCII characters, as `doorward keygen` makes them"
        ));
        return None;
    }
    Some(token)
}

fn trusted_proxy(node: &Node<'_>) -> Option<TrustedPeer> {
    let peer = node.parse(address::trusted_peer)?;
    if matches!(peer, TrustedPeer::Network(network) if network.prefix_len() == 0) {
        node.warn("is every address: whoever can connect says which address, host and scheme a request came by");
    }
    Some(peer)
}

fn public_url(node: &Node<'_>, ssl_required: SslRequired) -> Option<Url> {
    let url = node.parse(address::origin)?;
    if ssl_required == SslRequired::All && url.scheme() != "https" {
        node.fault("must be https, since `ssl-required` is `all`");
    }
    Some(url)
}

/// `query` or `form_post`; the latter posts from the provider's site, where browsers send only `SameSite=None; Secure`.
fn response_mode(node: &Node<'_>, secure: bool) -> ResponseMode {
    let choices = [("query", ResponseMode::Query), ("form_post", ResponseMode::FormPost)];
    let mode = node.one_of(&choices).unwrap_or(ResponseMode::Query);
    if mode == ResponseMode::FormPost && !secure {
        node.fault("is `form_post`, which needs secure cookies: an https `public-url`, or `cookie.secure`");
    }
    mode
}

fn telemetry(node: &Node<'_>) -> telemetry::Config {
    let keys = node.object(&["audit", "filter", "format"]);
    let filter = |text: &str| match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("must be a filter, for example `info` or `doorward=debug,info`"),
    };
    let audit = [("stdout", AuditTo::Stdout), ("stderr", AuditTo::Stderr), ("off", AuditTo::Off)];
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    telemetry::Config {
        format: keys.at("format").one_of(&formats).unwrap_or(LogFormat::Text),
        audit: keys.at("audit").one_of(&audit).unwrap_or(AuditTo::Stdout),
        filter: keys.at("filter").parse(filter).unwrap_or_else(|| LOG_FILTER.to_owned()),
    }
}

/// `auth`: that it is there switches `<prefix>/auth` on, unless it says otherwise. Only trusted proxies are answered.
fn gateway(node: &Node<'_>, caller: &caller::Config) -> Option<gateway::Config> {
    let keys = node.object(&["enabled", "set-cookie"]);
    let set_cookie = keys.at("set-cookie").flag().unwrap_or(false);
    if node.is_absent() || keys.at("enabled").flag() == Some(false) {
        return None;
    }
    if caller.trusted_proxies.is_empty() {
        node.fault("needs `trusted-proxies`: the gateway that asks must be listed there, and nobody else is answered");
    }
    Some(gateway::Config { set_cookie })
}

/// What was read before of what the request path needs.
struct More<'a> {
    gateway: Option<gateway::Config>,
    user: IdentityValue,
    oidc: Option<&'a oidc::Config>,
}

fn proxy(
    root: &Object<'_>,
    keys: &Object<'_>,
    listen: &Listen,
    limits: Limits,
    more: More<'_>,
) -> Option<proxy::Config> {
    let node = keys.at("upstream").required();
    let upstream = tls::upstream(&node, &keys.at("upstream-tls"));
    if upstream.as_ref().is_some_and(|upstream| address::is_own(upstream, listen)) {
        node.fault("is the public listener itself");
    }
    let rules = rules::rules(&keys.at("rules"));
    let headers = rules::headers(&keys.at("headers"), more.user);
    let strip_headers = strip::headers(&keys.at("strip-headers"));
    strip::warn_of_gaps(&keys.at("strip-headers"), &strip_headers, &headers);
    let forward_access_token = keys.at("forward-access-token").flag().unwrap_or(false);
    let websocket_origins = keys.at("websocket-origins").each(websocket_origin);
    let cors = bearer::cors(root);
    let expose_token = root.at("expose-token").flag().unwrap_or(false);
    let authentication = bearer::authentication(root, more.oidc.map(|oidc| &oidc.provider));
    Some(proxy::Config {
        upstream: upstream?,
        rules,
        headers,
        strip_headers,
        forward_access_token,
        websocket_origins,
        authentication: authentication?,
        cors,
        expose_token,
        gateway: more.gateway,
        limits,
    })
}

/// An origin as browsers write it in `Origin`.
fn websocket_origin(node: &Node<'_>) -> Option<String> {
    node.parse(address::origin).map(|url| Origin::of(&url).to_string())
}

/// `allowed-hosts`, by default the host of `public-url`. Without either, whoever sends a request would choose where
/// users are sent back to.
fn allowed_hosts(keys: &Object<'_>, public_url: Option<&Url>) -> Vec<String> {
    let node = keys.at("allowed-hosts");
    let hosts = node.each(|item| item.parse(address::host));
    match public_url {
        Some(url) if hosts.is_empty() => vec![address::host_of(url)],
        None if node.raw().is_none_or(|list| list.as_array().is_some_and(Vec::is_empty))
            && keys.at("public-url").is_absent() =>
        {
            keys.at("public-url").fault("is required, unless `allowed-hosts` lists the hosts that may stand for it");
            hosts
        }
        _ => hosts,
    }
}

const LIMITS: [&str; 14] = [
    "body-bytes",
    "client-header-timeout",
    "concurrent-logins",
    "connect-timeout",
    "drain",
    "header-bytes",
    "header-count",
    "idle-timeout",
    "keep-alive",
    "kept-form-bytes",
    "proofs-in-flight",
    "proofs-per-second",
    "response-timeout",
    "tunnel-max",
];

fn read_limits(keys: &Object<'_>) -> Limits {
    let time = |name, default| keys.at(name).duration(MILLISECOND..=HOUR).unwrap_or(default);
    let head = keys.at("header-bytes").size(1 << 10..=MAX_HEAD);
    Limits {
        header_bytes: head.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(64 << 10),
        header_count: keys.at("header-count").count(1..=96).unwrap_or(96),
        body_bytes: keys.at("body-bytes").size(1..=1 << 50),
        connect_timeout: time("connect-timeout", 2 * SECOND),
        response_timeout: time("response-timeout", 60 * SECOND),
        // Event streams are silent for minutes.
        idle_timeout: time("idle-timeout", 300 * SECOND),
        tunnel_max: keys.at("tunnel-max").duration(MILLISECOND..=30 * 24 * HOUR),
        client_header_timeout: time("client-header-timeout", 10 * SECOND),
        keep_alive: time("keep-alive", 75 * SECOND),
        drain: time("drain", 25 * SECOND),
    }
}
