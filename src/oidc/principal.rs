//! From verified claims to a [`Principal`]: only what rules ask and headers say, so that it fits in a cookie.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::code_flow::Login;
use crate::domain::{Principal, Subject};

type Claims = Map<String, Value>;

/// Who `login` is, with the further claims named in `wanted`. UserInfo's word goes before the ID token's, the ID token's before the
/// access token's: the later one is the fresher or the more talkative.
#[must_use]
pub fn principal(login: &Login, wanted: &[String]) -> Principal {
    let sources = Sources {
        userinfo: login.userinfo.as_ref(),
        id_token: Some(&login.id_token.get().all),
        access_token: login.access_token.as_ref().map(|claims| &claims.get().all),
    };
    sources.principal(&login.id_token.get().subject, wanted, None)
}

/// Where a principal is read from, each verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sources<'a> {
    /// `UserInfo`, about this subject.
    pub(super) userinfo: Option<&'a Claims>,
    /// The ID token.
    pub(super) id_token: Option<&'a Claims>,
    /// The access token, where it can be read.
    pub(super) access_token: Option<&'a Claims>,
}

impl Sources<'_> {
    /// Who they say it is. What none of them speaks of is as `before`, which is given when a source is missing that spoke at the login: its
    /// silence does not say "none".
    pub(super) fn principal(&self, subject: &Subject, wanted: &[String], before: Option<&Principal>) -> Principal {
        let sources: Vec<&Claims> = [self.userinfo, self.id_token, self.access_token].into_iter().flatten().collect();
        let find = |name: &str| sources.iter().find_map(|claims| claims.get(name).filter(|v| !v.is_null()));
        let text = |name: &str, was: fn(&Principal) -> &Option<String>| {
            let now = find(name).and_then(Value::as_str).map(str::to_owned);
            now.or_else(|| before.and_then(|before| was(before).clone()))
        };
        let speaks_of_roles = ["realm_access", "resource_access"].iter().any(|name| find(name).is_some());
        let mut claims = before.map(|before| before.claims.clone()).unwrap_or_default();
        claims.extend(further(wanted, find));
        Principal {
            subject: subject.clone(),
            username: text("preferred_username", |was| &was.username),
            email: text("email", |was| &was.email),
            groups: match (find("groups"), before) {
                (None, Some(before)) => before.groups.clone(),
                (found, _) => found.map(texts).unwrap_or_default(),
            },
            roles: match before {
                Some(before) if !speaks_of_roles => before.roles.clone(),
                _ => roles(&sources),
            },
            claims,
        }
    }
}

fn further<'a>(wanted: &[String], find: impl Fn(&str) -> Option<&'a Value>) -> BTreeMap<String, Vec<String>> {
    let values = wanted.iter().filter_map(|name| Some((name.clone(), texts(find(name)?))));
    values.filter(|(_, values)| !values.is_empty()).collect()
}

/// Keycloak's roles: `realm_access.roles` by their names, `resource_access.<client>.roles` as `client:role`. A realm role whose
/// name holds a colon could pose as a client's role, so it is left out.
fn roles(sources: &[&Claims]) -> Vec<String> {
    let mut roles = BTreeSet::new();
    for claims in sources {
        let realm = claims.get("realm_access").and_then(|access| access.get("roles")).map(texts);
        roles.extend(realm.into_iter().flatten().filter(|role| !role.contains(':')));
        let clients = claims.get("resource_access").and_then(Value::as_object);
        for (client, access) in clients.into_iter().flatten() {
            let of_client = access.get("roles").map(texts).unwrap_or_default();
            roles.extend(of_client.into_iter().map(|role| format!("{client}:{role}")));
        }
    }
    roles.into_iter().collect()
}

/// A claim as texts: itself, or each member of an array. Objects say nothing that a header could.
fn texts(value: &Value) -> Vec<String> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Array(_) | Value::Null | Value::Object(_) => None,
    };
    match value {
        Value::Array(values) => values.iter().filter_map(one).collect(),
        value => one(value).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests;
