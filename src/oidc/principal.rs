//! From verified claims to a [`Principal`]: only what rules ask and headers say, so that it fits in a cookie.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::code_flow::Login;
use crate::domain::Principal;

type Claims = Map<String, Value>;

/// Who `login` is, with the further claims named in `wanted`. UserInfo's word goes before the ID token's, the ID token's before the
/// access token's: the later one is the fresher or the more talkative.
#[must_use]
pub fn principal(login: &Login, wanted: &[String]) -> Principal {
    let access = login.access_token.as_ref().map(|claims| &claims.get().all);
    let sources: Vec<&Claims> =
        login.userinfo.as_ref().into_iter().chain([&login.id_token.get().all]).chain(access).collect();
    let find = |name: &str| sources.iter().find_map(|claims| claims.get(name).filter(|v| !v.is_null()));
    let text = |name: &str| find(name).and_then(Value::as_str).map(str::to_owned);
    Principal {
        subject: login.id_token.get().subject.clone(),
        username: text("preferred_username"),
        email: text("email"),
        groups: find("groups").map(texts).unwrap_or_default(),
        roles: roles(&sources),
        claims: further(wanted, find),
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
