//! `sidecar.rules` (who may reach which paths) and `sidecar.headers` (what the application is told).

use std::collections::BTreeMap;

use http::{HeaderName, Method};

use super::{path, value::Node};
use crate::proxy::{Access, IdentityHeader, IdentityValue, PathPattern, Rule};

/// The header that names the user, as `principal-attribute` says.
const USER_HEADER: HeaderName = HeaderName::from_static("x-forwarded-user");

/// The other headers that are sent when nothing is configured, with the claims they carry.
const DEFAULT_HEADERS: [(HeaderName, &str); 4] = [
    (HeaderName::from_static("x-forwarded-preferred-username"), "preferred_username"),
    (HeaderName::from_static("x-forwarded-email"), "email"),
    (HeaderName::from_static("x-forwarded-groups"), "groups"),
    (HeaderName::from_static("x-forwarded-roles"), "roles"),
];

/// Names that frame a message, steer a connection, carry credentials, or say where a request came from: a claim in one
/// of them would break the request or be taken for something else (RFC 9110, section 7.6.1; RFC 9112, section 6).
const FORBIDDEN_HEADERS: [&str; 32] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
];

/// The rules, in their order. One that an earlier one leaves nothing to is taken, and warned of.
pub(super) fn rules(node: &Node<'_>) -> Vec<Rule> {
    let read = node.each(|item| Some((item.clone(), rule(item)?)));
    for (index, (item, rule)) in read.iter().enumerate() {
        if let Some((earlier, taker)) = read[..index].iter().find(|(_, earlier)| takes_all(earlier, rule)) {
            let everything = if takes_every_path(taker) { " (`/*`)" } else { "" };
            item.warn(format!("never counts: {}{everything} stands before it and takes all of it", earlier.path()));
        }
    }
    read.into_iter().map(|(_, rule)| rule).collect()
}

/// Whether every request that `later` is for is taken by `earlier`: the first rule that fits counts.
fn takes_all(earlier: &Rule, later: &Rule) -> bool {
    let of_methods = |method: &String| earlier.methods.contains(method);
    // No methods are all methods.
    let methods = earlier.methods.is_empty() || !later.methods.is_empty() && later.methods.iter().all(of_methods);
    methods && takes_path(&earlier.path, &later.path)
}

fn takes_path(earlier: &PathPattern, later: &PathPattern) -> bool {
    let (PathPattern::Below(path) | PathPattern::Exact(path)) = later;
    match earlier {
        PathPattern::Exact(_) => earlier == later,
        PathPattern::Below(base) => {
            path.strip_prefix(base.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}

fn takes_every_path(rule: &Rule) -> bool {
    matches!(&rule.path, PathPattern::Below(base) if base.is_empty())
}

fn rule(node: &Node<'_>) -> Option<Rule> {
    let keys = node.object(&["access", "groups", "methods", "path", "roles"]);
    let access = keys.at("access");
    let choices = [("public", Access::Public), ("login", Access::Login), ("bearer", Access::Bearer)];
    let chosen = access.one_of(&choices).unwrap_or(Access::Login);
    for needed in [keys.at("roles"), keys.at("groups")] {
        if chosen == Access::Public && !needed.is_absent() {
            needed.fault("cannot be asked of everybody: the rule's access is `public`");
        }
    }
    let names = |key: &str| keys.at(key).some_of(|name| name.text().map(str::to_owned)).unwrap_or_default();
    Some(Rule {
        path: keys.at("path").required().parse(path::pattern)?,
        methods: methods(&keys.at("methods")),
        access: chosen,
        roles: names("roles"),
        groups: names("groups"),
    })
}

/// The methods. `HEAD` goes with `GET`, since it tells the same (RFC 9110, section 9.3.2): a rule that guards the one
/// must not leave the other open.
fn methods(node: &Node<'_>) -> Vec<String> {
    let read = |text: &str| {
        let is_upper = !text.bytes().any(|byte| byte.is_ascii_lowercase());
        let is_method = is_upper && Method::from_bytes(text.as_bytes()).is_ok();
        is_method.then(|| text.to_owned()).ok_or("must be a method in upper case")
    };
    let mut methods = node.some_of(|item| item.parse(read)).unwrap_or_default();
    if methods.iter().any(|method| method == "GET") && !methods.iter().any(|method| method == "HEAD") {
        methods.push("HEAD".to_owned());
    }
    methods
}

/// The identity headers: the defaults, changed or dropped (`null`) by name, then the others by name. Two names that an
/// application may take for one (`_` for `-`) are a fault. `user` is what names the user where the file does not say otherwise.
pub(super) fn headers(node: &Node<'_>, user: IdentityValue) -> Vec<IdentityHeader> {
    let mut configured = BTreeMap::new();
    for (name, source) in node.members() {
        let Some(header) = header_name(name, &source) else {
            continue;
        };
        if configured.insert(one_spelling(&header), (header, source.clone())).is_some() {
            source.fault("has the same name as another, but for case or `_` for `-`");
        }
    }
    let mut headers = Vec::new();
    let named = DEFAULT_HEADERS.map(|(name, claim)| (name, value(claim)));
    for (name, default) in [(USER_HEADER, user)].into_iter().chain(named) {
        match configured.remove(one_spelling(&name).as_str()) {
            Some((name, source)) => headers.extend(header(name, &source)),
            None => headers.push(IdentityHeader { name, value: default }),
        }
    }
    headers.extend(configured.into_values().filter_map(|(name, source)| header(name, &source)));
    headers
}

fn header(name: HeaderName, source: &Node<'_>) -> Option<IdentityHeader> {
    let value = value(source.text()?);
    Some(IdentityHeader { name, value })
}

fn value(claim: &str) -> IdentityValue {
    match claim {
        "email" => IdentityValue::Email,
        "groups" => IdentityValue::Groups,
        "preferred_username" => IdentityValue::Username,
        "roles" => IdentityValue::Roles,
        "sub" => IdentityValue::Subject,
        other => IdentityValue::Claim(other.to_owned()),
    }
}

fn header_name(name: &str, node: &Node<'_>) -> Option<HeaderName> {
    let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
        node.fault("is not a header name");
        return None;
    };
    let spelling = one_spelling(&header);
    if FORBIDDEN_HEADERS.contains(&spelling.as_str()) || spelling.starts_with("sec-") {
        node.fault("is a header that must not carry a claim");
        return None;
    }
    Some(header)
}

fn one_spelling(name: &HeaderName) -> String {
    name.as_str().replace('_', "-")
}
