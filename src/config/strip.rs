//! `sidecar.strip-headers`: headers of another proxy, which the application used to stand behind, that no client may send.

use http::HeaderName;

use super::value::Node;
use crate::proxy::{IdentityHeader, StrippedHeader};

/// Names without which a request would be another, or none: what frames it, steers its connection, carries credentials that are judged
/// here or by the application, and what browsers say of a page (RFC 9110, sections 7.6.1, 8 and 12; RFC 9112, section 6).
const KEPT: [&str; 28] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-event-id",
    "origin",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Names by which a proxy before us, or a gateway that asks, says what a request is: they are read, and set or removed anyhow.
const OWN: [&str; 14] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-uri",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-request-id",
    "x-rewrite-url",
];

/// `WebSocket` handshakes (RFC 6455, section 11.3) and what browsers say of where a request comes from (Fetch Metadata).
const KEPT_FAMILY: &str = "sec-";

/// The families of well-known proxies, folded and as they write them: `mod_auth_openidc`, oauth2-proxy, gogatekeeper. The special one first.
const FAMILIES: [(&str, &str); 3] =
    [("oidc-", "OIDC_*"), ("x-auth-request-", "X-Auth-Request-*"), ("x-auth-", "X-Auth-*")];

/// The list, none of whose items takes out what a request needs.
pub(super) fn headers(node: &Node<'_>) -> Vec<StrippedHeader> {
    node.each(|item| {
        let header = item.parse(StrippedHeader::parse)?;
        match needed(&header) {
            Some(name) => {
                item.fault(format!("would take out `{name}`, which requests need"));
                None
            }
            None => Some(header),
        }
    })
}

fn needed(header: &StrippedHeader) -> Option<&'static str> {
    let is_held = |name: &&&'static str| header.holds(&HeaderName::from_static(name));
    let family = header.meets(KEPT_FAMILY).then_some("Sec-*");
    KEPT.iter().chain(&OWN).find(is_held).copied().or(family)
}

/// Warns of an application that is told in the headers of another proxy, of which clients may still send others: it may believe those.
pub(super) fn warn_of_gaps(node: &Node<'_>, stripped: &[StrippedHeader], told: &[IdentityHeader]) {
    for (prefix, written) in FAMILIES {
        let named = told.iter().find(|header| family(&header.name) == Some(prefix));
        if let Some(named) = named.filter(|_| !stripped.iter().any(|header| header.covers(prefix))) {
            node.warn(format!(
                "does not hold `{written}`, although `headers` names `{}`: clients may send other headers of that family, and an application \
                 that was behind the proxy which sets them may believe them",
                named.name
            ));
        }
    }
}

fn family(name: &HeaderName) -> Option<&'static str> {
    let whole = |prefix: &str| StrippedHeader::Prefix(prefix.to_owned());
    FAMILIES.iter().map(|(prefix, _)| *prefix).find(|prefix| whole(prefix).holds(name))
}
