//! Whose word counts for which claim, and what becomes a role.

use serde_json::json;

use super::*;
use crate::{
    domain::{Issuer, SecretString, Subject, Timestamp, TokenSet},
    oidc::{AccessTokenClaims, IdTokenClaims, Verified},
};

const NOW: Timestamp = Timestamp::from_secs(1_763_780_000);

fn object(value: Value) -> Claims {
    let Value::Object(claims) = value else { panic!("claims are an object") };
    claims
}

fn login(userinfo: Option<Value>, id: Value, access: Option<Value>) -> Login {
    let (issuer, subject) = (Issuer::new("https://id.example"), Subject::new("u-1"));
    let id_token = IdTokenClaims {
        issuer: issuer.clone(),
        subject: subject.clone(),
        sid: None,
        issued_at: NOW,
        expires_at: NOW,
        auth_time: None,
        all: object(id),
    };
    let access_token = access.map(|all| AccessTokenClaims {
        issuer,
        subject: Some(subject),
        sid: None,
        audiences: Vec::new(),
        issued_at: NOW,
        expires_at: NOW,
        all: object(all),
    });
    let secret = || SecretString::new("x");
    Login {
        id_token: Verified::vouch(id_token),
        access_token: access_token.map(Verified::vouch),
        userinfo: userinfo.map(object),
        tokens: TokenSet { access: secret(), access_expires: None, refresh: None, id: secret() },
        asked_at: NOW,
        not_before: None,
    }
}

#[test]
fn userinfo_goes_before_the_id_token_and_that_before_the_access_token() {
    let claims = |name: &str| json!({ "preferred_username": name, "email": format!("{name}@example.com") });
    let name = |userinfo, id, access| principal(&login(userinfo, id, access), &[], &RoleMappings::All).username;
    assert_eq!(name(Some(claims("a")), claims("b"), Some(claims("c"))).as_deref(), Some("a"));
    assert_eq!(name(None, claims("b"), Some(claims("c"))).as_deref(), Some("b"));
    assert_eq!(name(Some(json!({})), json!({}), Some(claims("c"))).as_deref(), Some("c"));
    assert_eq!(name(Some(json!({ "preferred_username": null })), claims("b"), None).as_deref(), Some("b"));
    assert_eq!(name(None, json!({}), None), None);
}

#[test]
fn the_subject_is_the_verified_one_whatever_else_is_said() {
    let login = login(Some(json!({ "sub": "admin" })), json!({ "sub": "admin" }), None);
    assert_eq!(principal(&login, &[], &RoleMappings::All).subject.as_str(), "u-1");
}

#[test]
fn roles_of_realm_and_clients_are_told_apart() {
    let access = json!({
        "realm_access": { "roles": ["user", "auditor"] },
        "resource_access": { "shop": { "roles": ["user", "manager"] }, "account": { "roles": [] } },
    });
    let roles = principal(&login(None, json!({}), Some(access)), &[], &RoleMappings::All).roles;
    assert_eq!(roles, ["auditor", "shop:manager", "shop:user", "user"]);
}

#[test]
fn a_realm_role_cannot_pose_as_a_clients() {
    let access = json!({ "realm_access": { "roles": ["shop:manager", "user", ":", "x:"] } });
    assert_eq!(principal(&login(None, json!({}), Some(access)), &[], &RoleMappings::All).roles, ["user"]);
}

#[test]
fn roles_of_all_sources_come_together_once_each() {
    let realm = |roles: &[&str]| json!({ "realm_access": { "roles": roles } });
    let login = login(Some(realm(&["a", "b"])), realm(&["b", "c"]), Some(realm(&["c", "d"])));
    assert_eq!(principal(&login, &[], &RoleMappings::All).roles, ["a", "b", "c", "d"]);
}

#[test]
fn claims_of_another_form_give_nothing() {
    let odd = json!({
        "preferred_username": 7,
        "email": ["a@example.com"],
        "groups": { "a": 1 },
        "realm_access": ["user"],
        "resource_access": { "shop": ["manager"], "desk": { "roles": { "manager": true } } },
    });
    let principal = principal(&login(None, odd, None), &[], &RoleMappings::All);
    assert_eq!((principal.username, principal.email), (None, None));
    assert!(principal.groups.is_empty() && principal.roles.is_empty());
}

#[test]
fn only_wanted_claims_are_kept_and_those_as_texts() {
    let id = json!({
        "groups": ["/staff", "/staff/hr"],
        "locale": "de",
        "level": 3,
        "flags": [true, null, { "x": 1 }, "y"],
        "address": { "street": "x" },
        "empty": [],
        "secret": "unasked",
    });
    let wanted = ["locale", "level", "flags", "address", "empty", "missing"].map(str::to_owned);
    let principal = principal(&login(None, id, None), &wanted, &RoleMappings::All);
    assert_eq!(principal.groups, ["/staff", "/staff/hr"]);
    let kept: Vec<_> = principal.claims.iter().map(|(name, values)| (name.as_str(), values.join("|"))).collect();
    assert_eq!(kept, [("flags", "true|y".into()), ("level", "3".into()), ("locale", "de".to_owned())]);
}

#[test]
fn only_the_roles_count_that_the_mappings_name() {
    let access = || {
        json!({
            "realm_access": { "roles": ["user", "shop:manager"] },
            "resource_access": { "shop": { "roles": ["manager", "read:items"] }, "desk": { "roles": ["admin"] } },
        })
    };
    let shop = || ClientId::new("shop");
    let roles = |mappings: &RoleMappings| principal(&login(None, json!({}), Some(access())), &[], mappings).roles;
    assert_eq!(roles(&RoleMappings::All), ["desk:admin", "shop:manager", "shop:read:items", "user"]);
    assert_eq!(roles(&RoleMappings::Clients), ["desk:admin", "shop:manager", "shop:read:items"]);
    assert_eq!(roles(&RoleMappings::Resource(shop())), ["manager", "read:items"]);
    assert_eq!(roles(&RoleMappings::ResourceAndRealm(shop())), ["manager", "read:items", "user"]);
    assert_eq!(roles(&RoleMappings::Resource(ClientId::new("realm_access"))), [""; 0]);
}
