//! From verified claims to a [`Principal`]: only what rules ask and headers say, so that it fits in a cookie.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::code_flow::Login;
use crate::domain::{ClientId, Principal, Subject};

type Claims = Map<String, Value>;

/// Which roles count, and by which names (`use-resource-role-mappings`; `use-realm-role-mappings` of `WildFly` Elytron). Where a bare name
/// stands for a client's role, no role is named `client:role`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RoleMappings {
    /// The realm's by their names, every client's as `client:role`.
    #[default]
    All,
    /// Every client's as `client:role`, none of the realm's.
    Clients,
    /// This client's by their names, and nothing else (keycloak-adapter: `AdapterUtils.getRolesFromSecurityContext`).
    Resource(ClientId),
    /// This client's and the realm's, both by their names: whoever may make the one kind can make a role of the other's name.
    ResourceAndRealm(ClientId),
}

/// Who `login` is, with the further claims named in `wanted` and the roles that count by `mappings`. UserInfo's word goes before the ID
/// token's, the ID token's before the access token's: the later one is the fresher or the more talkative.
#[must_use]
pub fn principal(login: &Login, wanted: &[String], mappings: &RoleMappings) -> Principal {
    let sources = Sources {
        userinfo: login.userinfo.as_ref(),
        id_token: Some(&login.id_token.get().all),
        access_token: login.access_token.as_ref().map(|claims| &claims.get().all),
    };
    sources.principal(&login.id_token.get().subject, wanted, mappings, None)
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
    pub(super) fn principal(
        &self,
        subject: &Subject,
        wanted: &[String],
        mappings: &RoleMappings,
        before: Option<&Principal>,
    ) -> Principal {
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
                // An access token that can be read and names no roles says that there are none.
                Some(before) if !speaks_of_roles && self.access_token.is_none() => before.roles.clone(),
                _ => roles(&sources, mappings),
            },
            claims,
        }
    }
}

fn further<'a>(wanted: &[String], find: impl Fn(&str) -> Option<&'a Value>) -> BTreeMap<String, Vec<String>> {
    let values = wanted.iter().filter_map(|name| Some((name.clone(), texts(find(name)?))));
    values.filter(|(_, values)| !values.is_empty()).collect()
}

fn roles(sources: &[&Claims], mappings: &RoleMappings) -> Vec<String> {
    let roles: BTreeSet<String> = sources.iter().flat_map(|claims| mappings.roles(claims)).collect();
    roles.into_iter().collect()
}

impl RoleMappings {
    fn roles(&self, claims: &Claims) -> Vec<String> {
        match self {
            Self::All => [of_realm(claims), of_clients(claims)].concat(),
            Self::Clients => of_clients(claims),
            Self::Resource(client) => of_client(claims, client),
            Self::ResourceAndRealm(client) => [of_realm(claims), of_client(claims, client)].concat(),
        }
    }
}

/// `realm_access.roles`. One whose name holds a colon could pose as a client's role, so it is left out.
fn of_realm(claims: &Claims) -> Vec<String> {
    let roles = claims.get("realm_access").and_then(|access| access.get("roles")).map(texts);
    roles.into_iter().flatten().filter(|role| !role.contains(':')).collect()
}

/// `resource_access.<client>.roles` of one client, by their names.
fn of_client(claims: &Claims, client: &ClientId) -> Vec<String> {
    let access = claims.get("resource_access").and_then(|access| access.get(client.as_str()));
    access.and_then(|access| access.get("roles")).map(texts).unwrap_or_default()
}

/// `resource_access.<client>.roles` of every client, as `client:role`.
fn of_clients(claims: &Claims) -> Vec<String> {
    let clients = claims.get("resource_access").and_then(Value::as_object);
    let of_client = |(client, access): (&String, &Value)| {
        let roles = access.get("roles").map(texts).unwrap_or_default();
        roles.into_iter().map(|role| format!("{client}:{role}")).collect::<Vec<_>>()
    };
    clients.into_iter().flatten().flat_map(of_client).collect()
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
