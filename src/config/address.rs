//! Where we listen, where the application listens, and the names under which users reach us.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use ipnet::IpNet;
use url::{Host, Url};

use super::Listen;
use crate::{caller::TrustedPeer, proxy::Upstream};

/// `host:port` with an IP address for the host, or `unix:/path`.
pub(super) fn listen(text: &str) -> Result<Listen, &'static str> {
    if let Some(path) = unix(text)? {
        return Ok(Listen::Unix(path));
    }
    tcp(text).map(Listen::Tcp)
}

/// `host:port` with an IP address for the host.
pub(super) fn tcp(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "must be an IP address and a port, for example `0.0.0.0:8080` or `[::]:8080`")
}

/// An application's address as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Application {
    /// All there is to know of it.
    Plain(Upstream),
    /// Behind TLS.
    Tls { host: String, port: u16 },
}

/// `http://host[:port]`, `https://host[:port]` or `unix:/path`.
pub(super) fn upstream(text: &str) -> Result<Application, &'static str> {
    if let Some(path) = unix(text)? {
        return Ok(Application::Plain(Upstream::Unix(path)));
    }
    let url = origin(text)?;
    let host = match url.host() {
        Some(Host::Ipv6(address)) => address.to_string(),
        Some(host) => host.to_string(),
        None => return Err("must name a host"),
    };
    let port = url.port_or_known_default().unwrap_or(80);
    Ok(match url.scheme() {
        "https" => Application::Tls { host, port },
        _ => Application::Plain(Upstream::Tcp { host, port }),
    })
}

/// An origin: scheme (`http` or `https`), host and port, nothing else (RFC 6454, section 6.2).
pub(super) fn origin(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be a URL, for example `https://app.example.com`")?;
    match &url {
        url if !matches!(url.scheme(), "http" | "https") => Err("must begin with `http://` or `https://`"),
        url if !url.username().is_empty() || url.password().is_some() => Err("must not hold a user or password"),
        url if url.path() != "/" || url.query().is_some() || url.fragment().is_some() => {
            Err("must be scheme, host and port only, without path or query")
        }
        _ => Ok(url),
    }
}

/// `host` or `host:port`, in lower case as a browser sends it.
pub(super) fn host(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "must be `host` or `host:port`";
    if text.contains(['/', '\\', '?', '#', '@']) || text.contains(char::is_whitespace) || text.ends_with(':') {
        return Err(WRONG);
    }
    let url = Url::parse(&format!("http://{text}/")).map_err(|_| WRONG)?;
    let host = url.host_str().filter(|host| !host.contains('*')).ok_or(WRONG)?;
    // The URL has dropped `:80`, which a browser drops too only with http.
    let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    Ok(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// The host, and the port if it is not the scheme's own, as a browser sends them to `origin`.
pub(super) fn host_of(origin: &Url) -> String {
    let host = origin.host_str().unwrap_or_default();
    origin.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// An address or a network; an address stands for itself alone.
pub(super) fn trusted_peer(text: &str) -> Result<TrustedPeer, &'static str> {
    if text == "unix" {
        return Ok(TrustedPeer::UnixSocket);
    }
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network.map_err(|_| "must be an IP address, a network, for example `10.0.0.0/8`, or `unix`");
    network.map(TrustedPeer::Network)
}

/// Whether `upstream` is the listener itself, so that a request would go round for ever.
pub(super) fn is_own(upstream: &Upstream, listen: &Listen) -> bool {
    match (upstream, listen) {
        (Upstream::Unix(application), Listen::Unix(own)) => application == own,
        (Upstream::Tcp { host, port } | Upstream::Tls { host, port, .. }, Listen::Tcp(own)) if *port == own.port() => {
            match host.parse::<IpAddr>() {
                Ok(address) => address == own.ip() || (address.is_loopback() && own.ip().is_unspecified()),
                Err(_) => host == "localhost" && (own.ip().is_loopback() || own.ip().is_unspecified()),
            }
        }
        _ => false,
    }
}

fn unix(text: &str) -> Result<Option<PathBuf>, &'static str> {
    match text.strip_prefix("unix:") {
        None => Ok(None),
        Some(path) if path.starts_with('/') && path.len() > 1 && !path.contains('\0') => Ok(Some(path.into())),
        Some(_) => Err("must name an absolute path after `unix:`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_an_address_and_nothing_more() {
        let tcp = |host: &str, port| Ok(Application::Plain(Upstream::Tcp { host: host.to_owned(), port }));
        let tls = |host: &str, port| Ok(Application::Tls { host: host.to_owned(), port });
        assert_eq!(upstream("https://app"), tls("app", 443));
        assert_eq!(upstream("https://[::1]:8443"), tls("::1", 8443));
        assert_eq!(upstream("http://127.0.0.1:3000"), tcp("127.0.0.1", 3000));
        assert_eq!(upstream("http://app/"), tcp("app", 80));
        assert_eq!(upstream("http://[::1]:3000"), tcp("::1", 3000));
        assert_eq!(upstream("unix:/run/app.sock"), Ok(Application::Plain(Upstream::Unix("/run/app.sock".into()))));
        let refused = [
            "127.0.0.1:3000",
            "https://app/base",
            "http://app/base",
            "http://app?x",
            "http://user@app",
            "http://:pw@app",
            "unix:run",
            "unix:/",
            "ftp://app",
        ];
        for text in refused {
            assert!(upstream(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_is_taken_as_a_browser_sends_it() {
        assert_eq!(host("App.Example.com"), Ok("app.example.com".to_owned()));
        assert_eq!(host("app:8443"), Ok("app:8443".to_owned()));
        assert_eq!(host("app:80"), Ok("app:80".to_owned()));
        assert_eq!(host("[::1]:8080"), Ok("[::1]:8080".to_owned()));
        assert_eq!(host("[::1]"), Ok("[::1]".to_owned()));
        for text in ["https://app", "app/x", "a b", "user@app", "*.example.com", "app:", "app:99999"] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_bare_address_is_a_network_of_one() {
        let network = |text: &str| Ok(TrustedPeer::Network(text.parse().unwrap()));
        assert_eq!(trusted_peer("10.0.0.7"), network("10.0.0.7/32"));
        assert_eq!(trusted_peer("::1"), network("::1/128"));
        assert!(trusted_peer("10.0.0.0/33").is_err());
        assert!(trusted_peer("app").is_err());
    }
}
