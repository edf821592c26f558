//! Stage 5: say who. First everything is removed that only we may say, in every spelling that some framework folds into the
//! same variable (`X_Forwarded_User` and `X-Forwarded-User` both become `HTTP_X_FORWARDED_USER`); then it is set from the
//! [`Permit`]. There is no way to a request for the application but through here, for public routes too.

use std::{borrow::Cow, fmt::Write as _};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{IdentityHeader, IdentityValue, StrippedHeader, authorize::Permit};
use crate::{caller::Caller, domain::Principal, message::RequestId};

/// What a site tells its application, and what it never lets a client tell it.
#[derive(Clone, Debug)]
pub struct Injector {
    headers: Vec<IdentityHeader>,
    /// Folded. Few: comparing lengths tells almost all of them apart from a name.
    reserved: Vec<String>,
    /// Further names that nobody may send, ourselves apart.
    stripped: Vec<StrippedHeader>,
    forward_access_token: bool,
}

/// Names that nobody but we may send, besides the configured ones: identity as other proxies spell it, and headers by which
/// applications let a request be other than it is (attack cases 9 and 15).
const RESERVED: [&str; 13] = [
    "forwarded",
    "remote-user",
    "x-remote-user",
    "x-real-ip",
    "x-request-id",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
    "x-original-method",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "proxy-authorization",
];

/// Whole families of such names.
const RESERVED_PREFIXES: [&str; 2] = ["x-forwarded-", OWN_PREFIX];
const OWN_PREFIX: &str = "x-doorward-";

/// Those among all of them that say who somebody is, and that no gateway says of itself or of the connection.
const CLAIMS: [&str; 9] = [
    "proxy-authorization",
    "remote-user",
    "x-forwarded-access-token",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-roles",
    "x-forwarded-user",
    "x-remote-user",
];

/// Headers that end at each hop (RFC 9110, section 7.6.1), and `Expect`, which we have answered ourselves.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "http2-settings",
];

impl Injector {
    /// Takes the configured headers, and those that clients may not send besides.
    #[must_use]
    pub fn new(headers: Vec<IdentityHeader>, stripped: Vec<StrippedHeader>, forward_access_token: bool) -> Self {
        let configured = headers.iter().map(|h| fold(h.name.as_str()).into_owned());
        let reserved = configured.chain(RESERVED.map(str::to_owned)).collect();
        Self { headers, reserved, stripped, forward_access_token }
    }

    /// The headers for the application: the client's without what is reserved, then ours.
    #[must_use]
    pub fn apply(&self, mut headers: HeaderMap, permit: &Permit, caller: &Caller, id: &RequestId) -> HeaderMap {
        strip_hop_by_hop(&mut headers);
        let reserved: Vec<HeaderName> = headers.keys().filter(|name| self.is_reserved(name)).cloned().collect();
        for name in reserved {
            headers.remove(name);
        }
        self.say_who(&mut headers, permit);
        say_whence(&mut headers, caller, id);
        headers
    }

    /// What a gateway is told that copies our headers to the request: each that may be set, empty where there is nothing to say, so that
    /// the client's own value does not stay. `Authorization` is among them only while we are the ones to set it.
    pub fn tell(&self, headers: &mut HeaderMap, permit: &Permit) {
        for header in &self.headers {
            headers.insert(header.name.clone(), HeaderValue::from_static(""));
        }
        if self.forward_access_token {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(""));
        }
        self.say_who(headers, permit);
    }

    /// The name of a header by which an application may be told who somebody is, but that a gateway does not replace by ours: one of ours in
    /// another spelling (`X_Forwarded_User`), and what other proxies say in any, the configured ones among them.
    #[must_use]
    pub fn claimed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderName> {
        let is_ours = |name: &HeaderName| self.headers.iter().any(|header| header.name == name);
        let claims = |name: &HeaderName| {
            let folded = fold(name.as_str());
            let of_ours = self.headers.iter().any(|header| fold(header.name.as_str()) == folded);
            of_ours || CLAIMS.contains(&folded.as_ref()) || folded.starts_with(OWN_PREFIX) || self.is_stripped(&folded)
        };
        headers.keys().find(|name| !is_ours(name) && claims(name))
    }

    /// Respelt names of framing are reserved too: `Transfer_Encoding` and `Content_Length` are none to HTTP, and so pass where the real ones are
    /// judged, but would be to an application that folds them (attack case 15).
    fn is_reserved(&self, name: &HeaderName) -> bool {
        let folded = fold(name.as_str());
        let token = self.forward_access_token && folded == "authorization";
        let respelt = folded != name.as_str() && (folded == "content-length" || HOP_BY_HOP.contains(&&*folded));
        token
            || respelt
            || self.reserved.iter().any(|name| *name == folded)
            || RESERVED_PREFIXES.iter().any(|p| folded.starts_with(p))
            || self.is_stripped(&folded)
    }

    fn is_stripped(&self, folded: &str) -> bool {
        self.stripped.iter().any(|header| header.holds_folded(folded))
    }

    fn say_who(&self, headers: &mut HeaderMap, permit: &Permit) {
        let Some(current) = permit.current() else { return };
        for header in &self.headers {
            if let Some(value) = header.value.of(current.principal()) {
                headers.insert(header.name.clone(), value);
            }
        }
        if self.forward_access_token {
            let bearer = HeaderValue::try_from(format!("Bearer {}", current.access_token().expose()));
            if let Ok(mut value) = bearer {
                value.set_sensitive(true);
                headers.insert(header::AUTHORIZATION, value);
            }
        }
    }
}

impl IdentityValue {
    /// The claim that it needs besides those that every [`Principal`] has.
    #[must_use]
    pub fn further_claim(&self) -> Option<&str> {
        match self {
            Self::Claim(name) => Some(name),
            Self::OrSubject(value) => value.further_claim(),
            Self::Email | Self::Groups | Self::Roles | Self::Subject | Self::Username => None,
        }
    }

    /// The header's value for `principal`; `None` when the claim is absent, and the header then is too.
    fn of(&self, principal: &Principal) -> Option<HeaderValue> {
        let one = |text: &str| HeaderValue::from_str(&encode(text, &[])).ok();
        match self {
            Self::Claim(name) => list(principal.claims.get(name)?),
            Self::Email => one(principal.email.as_deref()?),
            Self::Groups => list(&principal.groups),
            Self::OrSubject(value) => {
                value.of(principal).filter(|value| !value.is_empty()).or_else(|| Self::Subject.of(principal))
            }
            Self::Roles => list(&principal.roles),
            Self::Subject => one(principal.subject.as_str()),
            Self::Username => one(principal.username.as_deref()?),
        }
    }
}

/// Several values joined by commas; a comma inside a value is encoded, so that no name can pose as two.
fn list(values: &[String]) -> Option<HeaderValue> {
    let encoded: Vec<Cow<'_, str>> = values.iter().map(|value| encode(value, b",")).collect();
    (!values.is_empty()).then(|| HeaderValue::try_from(encoded.join(",")).ok()).flatten()
}

/// `text` with everything percent-encoded that is not a visible US-ASCII character or an inner space, and `%` itself.
fn encode<'a>(text: &'a str, also: &[u8]) -> Cow<'a, str> {
    if text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%' && !also.contains(&byte)) {
        return text.into();
    }
    let last = text.len().saturating_sub(1);
    let mut encoded = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        let inner_space = byte == b' ' && at != 0 && at != last;
        if (byte.is_ascii_graphic() || inner_space) && byte != b'%' && !also.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded.into()
}

/// A header's name as CGI and its heirs fold it: whatever is no letter or digit is the same. Upper and lower case are folded already.
pub(super) fn fold(name: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.bytes().all(plain) {
        name.into()
    } else {
        name.replace(|c: char| !(c.is_ascii() && plain(c as u8)), "-").into()
    }
}

/// Removes what ends at this hop, and what `Connection` says does. What we inject comes later and cannot be named away.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(str::trim))
        .filter(|name| !ends_at_hop(name) && !name.eq_ignore_ascii_case("close"))
        .filter_map(|name| HeaderName::try_from(name).ok())
        // A client that names these is up to something: without them the message would mean another.
        .filter(|name| !matches!(name.as_str(), "host" | "content-length" | "cookie" | "authorization"))
        .collect();
    for name in named {
        headers.remove(name);
    }
    while let Some(name) = headers.keys().find(|name| ends_at_hop(name.as_str())).cloned() {
        headers.remove(name);
    }
}

fn ends_at_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

fn say_whence(headers: &mut HeaderMap, caller: &Caller, id: &RequestId) {
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    if !caller.forwarded_for.is_empty() {
        set("x-forwarded-for", &caller.forwarded_for);
    }
    set("x-forwarded-proto", caller.origin.scheme());
    set("x-forwarded-host", caller.origin.authority());
    headers.insert(RequestId::HEADER, id.header());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_carry_more_than_they_are() {
        assert_eq!(encode("plain user@x", &[]), "plain user@x");
        assert_eq!(encode("a\r\nX: y\0", &[]), "a%0D%0AX: y%00");
        assert_eq!(encode("Jürgen 100%", &[]), "J%C3%BCrgen 100%25");
        assert_eq!(encode(" a ", &[]), "%20a%20");
        assert_eq!(list(&["a,b".into(), "c".into()]).unwrap(), "a%2Cb,c");
        assert_eq!(list(&[]), None);
    }

    #[test]
    fn every_spelling_of_a_name_is_reserved() {
        let name = HeaderName::from_static("x-who");
        let injector = Injector::new(vec![IdentityHeader { name, value: IdentityValue::Subject }], Vec::new(), false);
        for spelling in [
            "x-who",
            "x_who",
            "remote_user",
            "remote-user",
            "x_forwarded_user",
            "x-forwarded_for",
            "x_doorward-a",
            "x.who",
            "x-forwarded.user",
            "x~forwarded.user",
            "transfer_encoding",
            "content.length",
            "keep_alive",
        ] {
            assert!(injector.is_reserved(&HeaderName::from_static(spelling)), "{spelling}");
        }
        for free in ["x-whom", "accept", "authorization", "cookie", "content-length", "content_type"] {
            assert!(!injector.is_reserved(&HeaderName::from_static(free)), "{free}");
        }
    }

    #[test]
    fn what_is_stripped_is_no_header_of_ours_and_is_claimed_at_a_gateway() {
        let name = HeaderName::from_static("oidc_claim_sub");
        let stripped = vec![StrippedHeader::parse("OIDC_*").unwrap()];
        let injector = Injector::new(vec![IdentityHeader { name, value: IdentityValue::Subject }], stripped, false);
        let claimed = |name| {
            let name = HeaderName::from_static(name);
            injector.claimed(&HeaderMap::from_iter([(name, HeaderValue::from_static("forged"))])).is_some()
        };
        for forged in ["oidc_claim_admin", "oidc-claim-sub", "oidc-access_token"] {
            assert!(injector.is_reserved(&HeaderName::from_static(forged)), "{forged}");
            assert!(claimed(forged), "{forged}");
        }
        assert!(!claimed("oidc_claim_sub"), "a gateway replaces it by ours");
        assert!(!claimed("x-oidc-claim") && !injector.is_reserved(&HeaderName::from_static("x-oidc-claim")));
    }
}
