//! Who is at the other end, and by which name they know us. `X-Forwarded-*` is believed from listed peers only; `Forwarded`
//! (RFC 7239) is believed from nobody, because a gateway that sets the one often passes a client's other on.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, header};
use ipnet::IpNet;
use url::Url;

use crate::{message::Request, respond::Refusal};

/// How this site is reached.
#[derive(Clone, Debug)]
pub struct Config {
    /// The origin users see, for example `https://app.example.com`: scheme, host and port only.
    pub public_url: Option<Url>,
    /// `host` or `host:port` (lower case) that may name the origin when there is no `public_url`.
    pub allowed_hosts: Vec<String>,
    /// Peers whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// When plain http is refused (keycloak-adapter: `SslRequired`).
    pub ssl_required: SslRequired,
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
    /// The client's address; `None` when it came by a unix socket that says nothing of it.
    pub client: Option<IpAddr>,
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
    authority: String,
}

impl Origin {
    /// The origin of a configured URL, written as browsers write it.
    #[must_use]
    pub fn of(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
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

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

impl Caller {
    /// Reads who calls.
    ///
    /// # Errors
    /// When the request names no host, two hosts, or one that is not ours.
    pub fn of(request: &Request, config: &Config) -> Result<Self, Refusal> {
        let trusted = |address: &IpAddr| config.trusted_proxies.iter().any(|net: &IpNet| net.contains(address));
        let peer_is_trusted = request.peer.as_ref().is_some_and(trusted);
        let said = |name: &str| peer_is_trusted.then(|| last_value(&request.headers, name)).flatten();
        let secure = said("x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        let host = host(&request.headers)?;
        let named = said("x-forwarded-host").unwrap_or(host);
        let chain = if peer_is_trusted { forwarded_chain(&request.headers) } else { Vec::new() };
        Ok(Self {
            client: client(request.peer, &chain, trusted),
            forwarded_for: forwarded_for(&chain, request.peer),
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

    /// Whether `ssl-required` lets this caller in (keycloak-adapter: `SslRequired.isRequired`).
    #[must_use]
    pub fn satisfies(&self, required: SslRequired) -> bool {
        match required {
            SslRequired::All => self.secure,
            SslRequired::External => self.secure || self.client.is_none_or(is_local),
            SslRequired::None => true,
        }
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
    if let Some(url) = &config.public_url {
        return Ok(Origin::of(url));
    }
    let host = host.to_ascii_lowercase();
    let default_port = if secure { ":443" } else { ":80" };
    let authority = host.strip_suffix(default_port).unwrap_or(&host);
    if config.allowed_hosts.iter().any(|allowed| allowed == authority) {
        Ok(Origin { scheme: scheme(secure), authority: authority.to_owned() })
    } else {
        Err(Refusal::BadRequest("This site is not known by that name (header Host).".into()))
    }
}

fn last_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    let last = value.rsplit(',').next()?.trim();
    (!last.is_empty()).then_some(last)
}

/// The addresses of `X-Forwarded-For`, nearest last, from the first on that everything after is readable.
fn forwarded_chain(headers: &HeaderMap) -> Vec<IpAddr> {
    let values = headers.get_all("x-forwarded-for");
    let text: Vec<&str> = values.iter().filter_map(|v| v.to_str().ok()).collect();
    let mut chain: Vec<IpAddr> = text.join(",").rsplit(',').map_while(|a| a.trim().parse().ok()).collect();
    chain.reverse();
    chain
}

/// The nearest address that is not a trusted proxy.
fn client(peer: Option<IpAddr>, chain: &[IpAddr], trusted: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    let hops = chain.iter().copied().chain(peer);
    let mut farthest_trusted = None;
    for hop in hops.rev() {
        if !trusted(&hop) {
            return Some(hop);
        }
        farthest_trusted = Some(hop);
    }
    farthest_trusted
}

fn forwarded_for(chain: &[IpAddr], peer: Option<IpAddr>) -> String {
    let hops: Vec<String> = chain.iter().copied().chain(peer).map(|hop| hop.to_string()).collect();
    hops.join(", ")
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
