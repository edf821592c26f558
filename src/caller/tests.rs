//! Who is believed about what, and for whom plain http will do.

use http::{HeaderName, Method};

use super::*;
use crate::{
    domain::SystemRandom,
    message::{Body, RequestId},
    target::Target,
};

const PROXY: &str = "10.0.0.1";
const STRANGER: &str = "203.0.113.9";

fn config() -> Config {
    Config {
        public_url: None,
        allowed_hosts: vec!["app.example.com".into(), "other.example.com:8443".into()],
        trusted_proxies: ["10.0.0.0/24", "fd00::/16"].map(|net| TrustedPeer::Network(net.parse().unwrap())).to_vec(),
        ssl_required: SslRequired::External,
        confidential_port: None,
    }
}

fn request(peer: Option<&str>, headers: &[(&str, &str)]) -> Request {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    Request {
        method: Method::GET,
        target: Target::parse("/").unwrap(),
        headers: map,
        peer: peer.map(|peer| peer.parse().unwrap()),
        transport: Transport::Plain,
        id: RequestId::random(&SystemRandom),
        body: Body::Empty,
        handshake: None,
    }
}

/// The caller of a request from `peer` to our host with `headers`.
fn caller(peer: &str, headers: &[(&str, &str)]) -> Caller {
    let headers = [&[("host", "app.example.com")], headers].concat();
    Caller::of(&request(Some(peer), &headers), &config()).unwrap()
}

/// The client's address; `-` when it is not known.
fn client(peer: &str, forwarded_for: &[&str]) -> String {
    let headers: Vec<_> = forwarded_for.iter().map(|value| ("x-forwarded-for", *value)).collect();
    caller(peer, &headers).client.map_or_else(|| "-".to_owned(), |client| client.to_string())
}

#[test]
fn a_stranger_is_believed_nothing() {
    let said = [
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "other.example.com:8443"),
        ("forwarded", "for=198.51.100.1;proto=https"),
    ];
    let caller = caller(STRANGER, &said);
    assert_eq!((caller.client.unwrap().to_string(), caller.forwarded_for.as_str()), (STRANGER.into(), STRANGER));
    assert!(!caller.peer_is_trusted && !caller.secure);
    assert_eq!(caller.origin.to_string(), "http://app.example.com");
}

#[test]
fn a_trusted_proxy_is_believed_its_own_words() {
    let said = [
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-proto", "HTTPS"),
        ("x-forwarded-host", "Other.Example.com:8443"),
    ];
    let caller = caller(PROXY, &said);
    assert_eq!(caller.client.unwrap().to_string(), "198.51.100.1");
    assert_eq!(caller.forwarded_for, "198.51.100.1, 10.0.0.1");
    assert!(caller.peer_is_trusted && caller.secure);
    assert_eq!(caller.origin.to_string(), "https://other.example.com:8443");
}

#[test]
fn nobody_is_believed_the_standard_header() {
    let caller = caller(PROXY, &[("forwarded", "for=198.51.100.1;proto=https;host=other.example.com:8443")]);
    assert_eq!((caller.client.unwrap().to_string(), caller.secure), (PROXY.into(), false));
    assert_eq!(caller.origin.to_string(), "http://app.example.com");
}

#[test]
fn the_client_is_the_nearest_that_is_not_a_trusted_proxy() {
    for (peer, forwarded_for, expected) in [
        (PROXY, &["198.51.100.1"][..], "198.51.100.1"),
        (PROXY, &["198.51.100.66, 198.51.100.1"], "198.51.100.1"),
        (PROXY, &["198.51.100.66, 198.51.100.1, 10.0.0.7"], "198.51.100.1"),
        (PROXY, &["198.51.100.66", "198.51.100.1 ,10.0.0.7"], "198.51.100.1"),
        (PROXY, &["10.0.0.9, 10.0.0.7"], "10.0.0.9"),
        (PROXY, &["198.51.100.66, unknown, 10.0.0.7"], "-"),
        (PROXY, &["unknown"], "-"),
        (PROXY, &["198.51.100.66, 198.51.100.1:4711"], "198.51.100.1"),
        (PROXY, &["[2001:db8::5]:4711"], "2001:db8::5"),
        (PROXY, &["::ffff:198.51.100.1"], "198.51.100.1"),
        (PROXY, &[""], PROXY),
        (PROXY, &[], PROXY),
        (STRANGER, &["10.0.0.7"], STRANGER),
        ("fd00::1", &["2001:db8::5"], "2001:db8::5"),
        ("10.0.1.1", &["198.51.100.1"], "10.0.1.1"),
    ] {
        assert_eq!(client(peer, forwarded_for), expected, "{peer} {forwarded_for:?}");
    }
}

#[test]
fn a_client_that_is_not_known_is_not_local() {
    let unreadable = caller(PROXY, &[("x-forwarded-for", "unknown")]);
    assert!(!unreadable.is_local && !unreadable.satisfies(SslRequired::External));
    assert!(caller(PROXY, &[]).satisfies(SslRequired::External), "the proxy itself asks");
}

#[test]
fn a_unix_socket_is_believed_when_it_is_listed() {
    let headers = [("host", "app.example.com"), ("x-forwarded-for", STRANGER), ("x-forwarded-proto", "https")];
    let unlisted = Caller::of(&request(None, &headers), &config()).unwrap();
    assert!(!unlisted.peer_is_trusted && !unlisted.secure && unlisted.is_local && unlisted.client.is_none());
    let listed = Config { trusted_proxies: vec![TrustedPeer::UnixSocket], ..config() };
    let caller = Caller::of(&request(None, &headers), &listed).unwrap();
    assert_eq!((caller.client.unwrap().to_string(), caller.forwarded_for.as_str()), (STRANGER.into(), STRANGER));
    assert!(caller.secure && !caller.is_local);
}

#[test]
fn of_several_values_the_last_is_the_nearest_proxys() {
    let secure = |values: &[&str]| {
        let headers: Vec<_> = values.iter().map(|value| ("x-forwarded-proto", *value)).collect();
        caller(PROXY, &headers).secure
    };
    assert!(secure(&["http, https"]) && secure(&["http", "https"]));
    assert!(!secure(&["https, http"]) && !secure(&["https", "http"]) && !secure(&["https,"]) && !secure(&["wss"]));
}

#[test]
fn a_request_names_one_host_that_is_ours() {
    for hosts in [&[][..], &[""], &["evil.example"], &["app.example.com", "app.example.com"], &["app.example.com:81"]] {
        let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
        let refused = Caller::of(&request(Some(STRANGER), &headers), &config());
        assert!(matches!(refused, Err(Refusal::BadRequest(_))), "{hosts:?}");
    }
    let named = |host| Caller::of(&request(Some(STRANGER), &[("host", host)]), &config()).unwrap().origin.to_string();
    assert_eq!(named("APP.example.com:80"), "http://app.example.com");
    assert_eq!(named("other.example.com:8443"), "http://other.example.com:8443");
}

#[test]
fn a_public_url_goes_before_whatever_was_named() {
    let public_url = Some(Origin::of(&Url::parse("https://public.example:8443/").unwrap()));
    let config = Config { public_url, ..config() };
    let headers = [("host", "evil.example"), ("x-forwarded-host", "evil.example")];
    let caller = Caller::of(&request(Some(PROXY), &headers), &config).unwrap();
    assert_eq!(caller.url("/a?b").unwrap().as_str(), "https://public.example:8443/a?b");
    assert!(!caller.secure, "how the client came is not known from where it should have gone");
}

#[test]
fn by_a_unix_socket_nobody_is_trusted_and_no_client_is_known() {
    let headers = [("host", "app.example.com"), ("x-forwarded-for", "198.51.100.1"), ("x-forwarded-proto", "https")];
    let caller = Caller::of(&request(None, &headers), &config()).unwrap();
    assert_eq!((caller.client, caller.forwarded_for.as_str(), caller.secure), (None, "", false));
}

#[test]
fn plain_http_will_do_for_local_addresses_only() {
    for (address, local) in [
        ("127.0.0.1", true),
        ("127.8.9.10", true),
        ("10.1.2.3", true),
        ("172.16.0.1", true),
        ("172.31.255.255", true),
        ("172.15.255.255", false),
        ("172.32.0.1", false),
        ("192.168.9.9", true),
        ("192.169.0.1", false),
        ("169.254.1.1", true),
        ("0.0.0.0", true),
        ("100.64.0.1", false),
        ("203.0.113.9", false),
        ("::1", true),
        ("fe80::1", true),
        ("fc00::1", true),
        ("fd12::1", true),
        ("2001:db8::1", false),
        ("::ffff:10.1.2.3", true),
        ("::ffff:203.0.113.9", false),
        ("::", false),
    ] {
        let lets_in = |required| caller(address, &[]).satisfies(required);
        assert_eq!(lets_in(SslRequired::External), local, "{address}");
        assert!(lets_in(SslRequired::None) && !lets_in(SslRequired::All), "{address}");
    }
    let secure = caller(PROXY, &[("x-forwarded-proto", "https"), ("x-forwarded-for", "203.0.113.9")]);
    assert!(secure.satisfies(SslRequired::External) && secure.satisfies(SslRequired::All));
    let plain = caller(PROXY, &[("x-forwarded-proto", "http"), ("x-forwarded-for", "203.0.113.9")]);
    assert!(!plain.satisfies(SslRequired::External), "the client counts, not the proxy next to us");
}

/// Where a browser at `host` finds `/` by https, with `public_url` and `port` configured.
fn https_url(headers: &[(&str, &str)], public_url: Option<&str>, port: u16) -> Option<String> {
    let config = Config {
        public_url: public_url.map(|url| Origin::of(&url.parse().unwrap())),
        confidential_port: NonZeroU16::new(port),
        ..config()
    };
    let request = request(Some(STRANGER), headers);
    Caller::of(&request, &config).unwrap().https_url(&request, &config)
}

#[test]
fn plain_http_finds_the_same_page_by_https_at_the_port_that_is_known() {
    let host = |name: &'static str| [("host", name)];
    let rows = [
        ("app.example.com", None, 0, "https://app.example.com/"),
        ("app.example.com", None, 443, "https://app.example.com/"),
        ("app.example.com", None, 9443, "https://app.example.com:9443/"),
        ("other.example.com:8443", None, 0, "https://other.example.com/"),
        ("other.example.com:8443", None, 9443, "https://other.example.com:9443/"),
        ("evil.example", Some("https://shop.example.com"), 0, "https://shop.example.com/"),
        ("evil.example", Some("https://shop.example.com:8443"), 0, "https://shop.example.com:8443/"),
        ("evil.example", Some("https://shop.example.com:8443"), 9443, "https://shop.example.com:9443/"),
    ];
    for (name, public_url, port, expected) in rows {
        assert_eq!(https_url(&host(name), public_url, port).as_deref(), Some(expected), "{name} {public_url:?} {port}");
    }
}

#[test]
fn nobody_is_sent_to_https_who_would_come_back_by_plain_http() {
    let app = ("host", "app.example.com");
    assert_eq!(https_url(&[app], Some("http://app.example.com"), 8443), None);
    for hint in [("x-forwarded-proto", "HTTPS"), ("forwarded", "for=x;proto=https"), ("sec-fetch-mode", "navigate")] {
        assert_eq!(https_url(&[app, hint], None, 0), None, "{hint:?}");
    }
    assert!(https_url(&[app, ("x-forwarded-proto", "http")], None, 0).is_some());
}
