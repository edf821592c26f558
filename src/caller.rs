//! Who is at the other end, and by which name they know us. `X-Forwarded-*` is believed from listed peers only; `Forwarded`
//! (RFC 7239) is believed from nobody, because a gateway that sets the one often passes a client's other on.

use std::{
    fmt::{self, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU16,
    sync::Arc,
};

use http::{HeaderMap, header};
use ipnet::IpNet;
use url::Url;

use crate::{
    message::{Request, Transport},
    respond::Refusal,
};

/// How this site is reached.
#[derive(Clone, Debug)]
pub struct Config {
    /// The origin users see, for example `https://app.example.com`.
    pub public_url: Option<Origin>,
    /// `host` or `host:port` (lower case) that may name the origin when there is no `public_url`.
    pub allowed_hosts: Vec<String>,
    /// Peers whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<TrustedPeer>,
    /// When plain http is refused (keycloak-adapter: `SslRequired`).
    pub ssl_required: SslRequired,
    /// The port at which the site is visited by https, where that is neither the one of `public_url` nor 443.
    pub confidential_port: Option<NonZeroU16>,
}

/// A peer whose `X-Forwarded-*` are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedPeer {
    /// Addresses.
    Network(IpNet),
    /// Whoever may connect to our unix socket.
    UnixSocket,
}

/// `ssl-required` (keycloak-adapter: `org.keycloak.common.enums.SslRequired`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslRequired {
    /// Every request must come by https.
    All,
    /// Requests from addresses that are not local must.
    External,
    /// None need to.
    None,
}

/// The client and the origin that it sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The client's address; `None` when a unix socket or a trusted proxy leaves it in the dark.
    pub client: Option<IpAddr>,
    /// Whether the client is on this machine or in a private network, so that `ssl-required: external` lets it in. One whose address is
    /// not known is not.
    pub is_local: bool,
    /// The chain for `X-Forwarded-For`: what trusted peers said, then the peer.
    pub forwarded_for: String,
    /// Whether the socket's other end is a trusted proxy.
    pub peer_is_trusted: bool,
    /// The origin as the client sees it.
    pub origin: Origin,
    /// Whether the client came by https.
    pub secure: bool,
}

/// `scheme://host[:port]`, from the configuration or from a host that it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: &'static str,
    /// Shared: the configured one is every request's.
    authority: Arc<str>,
}

impl Origin {
    /// The origin of a configured URL, written as browsers write it.
    #[must_use]
    pub fn of(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        let authority = url.port().map_or_else(|| host.into(), |port| format!("{host}:{port}").into());
        Self { scheme: scheme(url.scheme() == "https"), authority }
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// `host` or `host:port`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

impl Caller {
    /// Reads who calls.
    ///
    /// # Errors
    /// When the request names no host, two hosts, or one that is not ours.
    pub fn of(request: &Request, config: &Config) -> Result<Self, Refusal> {
        let peer_is_trusted = config.trusts(request.peer);
        let Way { secure, client, is_local, chain } =
            Way::of(&request.headers, request.peer, request.transport, config);
        let host = host(&request.headers)?;
        let named = peer_is_trusted.then(|| last_value(&request.headers, "x-forwarded-host")).flatten().unwrap_or(host);
        Ok(Self {
            client,
            is_local,
            forwarded_for: chain.forwarded_for(request.peer),
            peer_is_trusted,
            origin: origin(named, secure, config)?,
            secure,
        })
    }

    /// A path of ours as the client would write it.
    #[must_use]
    pub fn url(&self, path: &str) -> Option<Url> {
        Url::parse(&format!("{}{path}", self.origin)).ok()
    }

    /// Where a browser that came by plain http finds `target` by https (keycloak-adapter: `OAuthRequestAuthenticator.getRequestUrl`). `None`
    /// where it would come back to us by plain http once more, for ever: when users are known to visit by http, and when something
    /// before us ends TLS without our knowing.
    #[must_use]
    pub fn https_url(&self, request: &Request, config: &Config) -> Option<String> {
        let by_http = config.public_url.as_ref().is_some_and(|origin| origin.scheme != "https");
        if self.secure || by_http || seems_secure(&request.headers) {
            return None;
        }
        let mut url = Url::parse(&format!("https://{}", self.origin.authority)).ok()?;
        if config.public_url.is_none() || config.confidential_port.is_some() {
            url.set_port(config.confidential_port.map(NonZeroU16::get)).ok()?;
        }
        Some(format!("{}{}", Origin::of(&url), request.target))
    }

    /// Whether `ssl-required` lets this caller in (keycloak-adapter: `SslRequired.isRequired`).
    #[must_use]
    pub fn satisfies(&self, required: SslRequired) -> bool {
        required.admits(self.secure, self.is_local)
    }
}

/// How a request came, whatever name of ours it uses.
struct Way {
    secure: bool,
    client: Option<IpAddr>,
    is_local: bool,
    chain: Chain,
}

impl Way {
    fn of(headers: &HeaderMap, peer: Option<IpAddr>, transport: Transport, config: &Config) -> Self {
        let peer_is_trusted = config.trusts(peer);
        // A gateway may speak TLS to us, and plain http to the client: what it says of the client goes before.
        let said = peer_is_trusted.then(|| last_value(headers, "x-forwarded-proto")).flatten();
        let secure = said.map_or(transport == Transport::Tls, |proto| proto.eq_ignore_ascii_case("https"));
        let chain = if peer_is_trusted { Chain::read(headers) } else { Chain::default() };
        let client = chain.client(peer, config);
        // A unix socket that nobody speaks for is a process of this machine.
        let is_local = client.map_or(peer.is_none() && chain.is_whole(), is_local);
        Self { secure, client, is_local, chain }
    }
}

const fn scheme(secure: bool) -> &'static str {
    if secure { "https" } else { "http" }
}

/// The one `Host` (RFC 9112, section 3.2).
fn host(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(header::HOST).iter();
    match (values.next().and_then(|v| v.to_str().ok()), values.next()) {
        (Some(host), None) if !host.is_empty() => Ok(host),
        _ => Err(Refusal::BadRequest("The request must name exactly one host (header Host).".into())),
    }
}

fn origin(host: &str, secure: bool, config: &Config) -> Result<Origin, Refusal> {
    if let Some(origin) = &config.public_url {
        return Ok(origin.clone());
    }
    let host = host.to_ascii_lowercase();
    let default_port = if secure { ":443" } else { ":80" };
    let authority = host.strip_suffix(default_port).unwrap_or(&host);
    if config.allowed_hosts.iter().any(|allowed| allowed == authority) {
        Ok(Origin { scheme: scheme(secure), authority: authority.into() })
    } else {
        Err(Refusal::BadRequest("This site is not known by that name (header Host).".into()))
    }
}

/// Whether a request that we take for plain http may have come by https all the same. Browsers send Fetch Metadata to trustworthy origins
/// only (Fetch Metadata Request Headers, section 2), so not by plain http; and gateways that are not trusted may tell the truth.
fn seems_secure(headers: &HeaderMap) -> bool {
    let says_https = |name: &str| {
        let mut values = headers.get_all(name).iter();
        values.any(|value| value.as_bytes().to_ascii_lowercase().windows(5).any(|part| part == b"https"))
    };
    headers.contains_key("sec-fetch-mode") || ["x-forwarded-proto", "forwarded"].into_iter().any(says_https)
}

fn last_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    let last = value.rsplit(',').next()?.trim();
    (!last.is_empty()).then_some(last)
}

/// What `X-Forwarded-For` says: addresses, nearest last, back to the first that cannot be read.
#[derive(Debug, Default)]
struct Chain {
    hops: Vec<IpAddr>,
    /// Something stands before the hops that is no address.
    broken: bool,
}

impl Chain {
    fn read(headers: &HeaderMap) -> Self {
        let values = headers.get_all("x-forwarded-for");
        let texts: Option<Vec<&str>> = values.iter().map(|value| value.to_str().ok()).collect();
        let Some(text) = texts.map(|texts| texts.join(",")) else {
            return Self { hops: Vec::new(), broken: true };
        };
        let entries: Vec<&str> = text.rsplit(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
        let mut hops: Vec<IpAddr> = entries.iter().map_while(|entry| address(entry)).collect();
        let broken = hops.len() < entries.len();
        hops.reverse();
        Self { hops, broken }
    }

    fn is_whole(&self) -> bool {
        !self.broken
    }

    /// The nearest address that is not a trusted proxy; where there is none, the farthest proxy itself. `None` when what stands there cannot
    /// be read.
    fn client(&self, peer: Option<IpAddr>, config: &Config) -> Option<IpAddr> {
        let hops = self.hops.iter().copied().chain(peer).rev();
        let mut farthest = None;
        for hop in hops {
            if !config.trusts(Some(hop)) {
                return Some(hop);
            }
            farthest = Some(hop);
        }
        farthest.filter(|_| self.is_whole())
    }

    fn forwarded_for(&self, peer: Option<IpAddr>) -> String {
        let mut text = String::new();
        for hop in self.hops.iter().copied().chain(peer) {
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{hop}");
        }
        text
    }
}

/// An address, which some gateways write with the port.
fn address(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let read = bare.parse::<IpAddr>().or_else(|_| entry.parse::<SocketAddr>().map(|socket| socket.ip()));
    read.ok().map(|address| address.to_canonical())
}

impl SslRequired {
    fn admits(self, secure: bool, is_local: bool) -> bool {
        match self {
            Self::All => secure,
            Self::External => secure || is_local,
            Self::None => true,
        }
    }
}

impl Config {
    /// Whether `ssl-required` lets in what came with these headers from `peer`, whatever name of ours it used: for the admin listener,
    /// which goes by no name.
    #[must_use]
    pub fn admits(&self, headers: &HeaderMap, peer: Option<IpAddr>, transport: Transport) -> bool {
        let way = Way::of(headers, peer, transport, self);
        self.ssl_required.admits(way.secure, way.is_local)
    }

    /// Whether `X-Forwarded-*` of this peer are believed.
    fn trusts(&self, peer: Option<IpAddr>) -> bool {
        self.trusted_proxies.iter().any(|trusted| match (trusted, peer) {
            (TrustedPeer::Network(network), Some(address)) => network.contains(&address),
            (TrustedPeer::UnixSocket, None) => true,
            _ => false,
        })
    }
}

/// What Keycloak's newer adapters take for local: loopback, RFC 1918, link-local and unique local addresses.
fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4 == Ipv4Addr::UNSPECIFIED,
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests;
