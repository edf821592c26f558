//! Keycloak's admin actions.

use super::*;
use crate::{
    domain::{AdapterSessionId, Sid},
    oidc::{claims::ClaimError, jose::JoseError, verify::VerifyError},
};

const MADE: i64 = NOW * 1000 - 987;

fn realm() -> Realm {
    Realm::new(Algorithm::Rs256, &ASYMMETRIC)
}

/// A logout as Keycloak 26 writes it.
fn logout() -> Value {
    json!({
        "id": format!("6f0e9cf1-5b3e-4ac5-b1d5-0c5d6a4f1f7c-{MADE}"), "expiration": NOW + 29, "resource": "app",
        "action": "LOGOUT", "adapterSessionIds": ["a1"], "notBefore": 0, "keycloakSessionIds": ["s1", "s2"],
    })
}

fn action(realm: &Realm, raw: &str, word: AdminWord) -> Result<AdminAction, AdminActionError> {
    realm.verifier.admin_action(raw, word, &realm.keys, now()).map(Verified::into_inner)
}

fn read(changes: Value) -> Result<AdminAction, AdminActionError> {
    let realm = realm();
    action(&realm, &realm.token(&changed(logout(), changes)), AdminWord::Logout)
}

fn read_as(word: AdminWord, changes: Value) -> Result<AdminAction, AdminActionError> {
    let realm = realm();
    action(&realm, &realm.token(&changed(logout(), changes)), word)
}

fn sessions(adapter: &[&str], sids: &[&str]) -> AdminContent {
    AdminContent::Logout(LogoutTargets::Sessions {
        adapter_session_ids: adapter.iter().copied().map(AdapterSessionId::new).collect(),
        sids: sids.iter().copied().map(Sid::new).collect(),
    })
}

fn everybody() -> AdminContent {
    AdminContent::Logout(LogoutTargets::Everybody)
}

#[test]
fn a_logout_names_sessions_by_both_ids_and_when_it_was_made() {
    let expected = AdminAction {
        id: Some(format!("6f0e9cf1-5b3e-4ac5-b1d5-0c5d6a4f1f7c-{MADE}")),
        issued_at: Timestamp::from_millis(MADE),
        order: sessions(&["a1"], &["s1", "s2"]),
    };
    assert_eq!(read(json!({})), Ok(expected));
}

#[test]
fn absent_ids_are_everybody_and_empty_ones_nobody() {
    let (none, null) = (absent(), Value::Null);
    for (adapter, sids, expected) in [
        (none.clone(), none.clone(), everybody()),
        (null.clone(), null.clone(), everybody()),
        (none.clone(), null, everybody()),
        (json!([]), json!([]), sessions(&[], &[])),
        (json!([]), none.clone(), sessions(&[], &[])),
        (none.clone(), json!([]), sessions(&[], &[])),
        (json!(["a"]), none.clone(), sessions(&["a"], &[])),
        (none, json!(["s"]), sessions(&[], &["s"])),
    ] {
        let changes = json!({"adapterSessionIds": adapter, "keycloakSessionIds": sids});
        assert_eq!(read(changes.clone()).map(|action| action.order), Ok(expected), "{changes}");
    }
}

#[test]
fn a_logout_of_everybody_can_carry_a_not_before() {
    let changes = json!({"adapterSessionIds": absent(), "keycloakSessionIds": absent(), "notBefore": NOW});
    let action = read(changes).unwrap();
    assert_eq!(action.order, everybody());
}

#[test]
fn ids_of_another_form_are_neither_everybody_nor_nobody() {
    for name in ["adapterSessionIds", "keycloakSessionIds"] {
        for odd in [json!("a1"), json!({}), json!([1]), json!([null]), json!(["a", ["b"]]), json!(false)] {
            let outcome = read(json!({ name: odd }));
            assert_eq!(outcome, Err(AdminActionError::Malformed(ClaimError::Malformed(name))));
        }
    }
}

#[test]
fn a_logout_names_a_bounded_number_of_sessions() {
    let ids = |number: usize| json!(vec!["a"; number]);
    let half = MAX_LOGOUT_IDS / 2;
    let of = |one, other| read(json!({"adapterSessionIds": ids(one), "keycloakSessionIds": ids(other)}));
    assert!(of(half, half).is_ok());
    assert_eq!(of(half, half + 1), Err(AdminActionError::TooMany));
}

#[test]
fn a_message_over_the_cap_is_not_read() {
    let outcome = read(json!({"padding": "x".repeat(MAX_ADMIN_MESSAGE)}));
    assert_eq!(outcome, Err(VerifyError::from(JoseError::TooLong).into()));
}

#[test]
fn a_not_before_is_pushed_forward_and_taken_back() {
    for (value, expected) in [(NOW, now()), (0, Timestamp::from_millis(0))] {
        let push = json!({"action": "PUSH_NOT_BEFORE", "notBefore": value});
        let action = read_as(AdminWord::PushNotBefore, push).unwrap();
        assert_eq!(action.order, AdminContent::PushNotBefore(expected));
    }
    let outcome = read_as(AdminWord::PushNotBefore, json!({"action": "PUSH_NOT_BEFORE", "notBefore": absent()}));
    assert_eq!(outcome, Err(AdminActionError::Malformed(ClaimError::Missing("notBefore"))));
}

#[test]
fn to_be_available_is_all_that_a_test_asks() {
    let action = read_as(AdminWord::TestAvailability, json!({"action": "TEST_AVAILABILITY"})).unwrap();
    assert_eq!(action.order, AdminContent::TestAvailability);
}

#[test]
fn an_action_counts_for_its_own_word_only() {
    let words = [AdminWord::Logout, AdminWord::PushNotBefore, AdminWord::TestAvailability];
    for word in words {
        for other in words.into_iter().filter(|other| *other != word) {
            let outcome = read_as(word, json!({"action": other.action()}));
            assert_eq!(outcome, Err(AdminActionError::WrongAction(word)));
        }
        for odd in [absent(), json!(""), json!(word.action().to_lowercase())] {
            assert_eq!(read_as(word, json!({"action": odd})), Err(AdminActionError::WrongAction(word)));
        }
    }
}

#[test]
fn some_other_token_of_the_realm_is_no_action() {
    for name in ["iss", "aud", "exp", "sub", "typ"] {
        for value in [json!("x"), json!(NOW + 30), Value::Null] {
            assert_eq!(read(json!({ name: value })), Err(AdminActionError::OtherToken(name)));
        }
    }
}

#[test]
fn an_action_ends_with_its_second_and_lives_for_minutes_at_most() {
    let skew = 30;
    for (expiration, expected) in [
        (json!(NOW), None),
        (json!(NOW - 1), Some(AdminActionError::Expired)),
        (json!(0), Some(AdminActionError::Expired)),
        (json!(NOW + 300 + skew), None),
        (json!(NOW + 300 + skew + 1), Some(AdminActionError::LivesTooLong)),
        (absent(), Some(AdminActionError::Malformed(ClaimError::Missing("expiration")))),
        (json!("soon"), Some(AdminActionError::Malformed(ClaimError::Malformed("expiration")))),
    ] {
        assert_eq!(read(json!({"expiration": expiration})).err(), expected, "{expiration}");
    }
}

#[test]
fn an_action_for_another_client_is_refused() {
    for resource in [absent(), json!("other"), json!("APP"), json!("")] {
        assert_eq!(read(json!({"resource": resource})), Err(AdminActionError::WrongResource));
    }
    let outcome = read(json!({"resource": ["app"]}));
    assert_eq!(outcome, Err(AdminActionError::Malformed(ClaimError::Malformed("resource"))));
}

#[test]
fn the_time_in_an_id_counts_only_near_the_expiration() {
    let stated = |millis: i64| json!(format!("x-{millis}"));
    let about = (NOW - 1) * 1000;
    for (id, expected) in [
        (stated(about + 120_000), about + 120_000),
        (stated(about - 120_000), about - 120_000),
        (stated(about + 120_001), about),
        (stated(about - 120_001), about),
        (stated(i64::MAX), about),
        (json!("6f0e9cf1-5b3e-4ac5-b1d5-0c5d6a4f1f7c"), about),
        (json!("6f0e9cf1-5b3e-4ac5-b1d5-123456789012"), about),
        (json!("x-99999999999999999999"), about),
        (json!(format!("x{about}")), about),
        (absent(), about),
    ] {
        let made = read(json!({ "id": id })).map(|action| action.issued_at.as_millis());
        assert_eq!(made, Ok(expected), "{id}");
    }
}

#[test]
fn every_algorithm_with_a_public_key_signs_actions_whatever_id_tokens_are_signed_with() {
    for algorithm in ASYMMETRIC {
        let other = if algorithm == Algorithm::Es256 { Algorithm::Rs256 } else { Algorithm::Es256 };
        let realm = Realm::new(algorithm, &[other]);
        assert!(action(&realm, &realm.token(&logout()), AdminWord::Logout).is_ok(), "{algorithm}");
    }
}

#[test]
fn the_clients_secret_signs_no_action() {
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        let realm = Realm::new(algorithm, &Algorithm::ALL);
        let outcome = action(&realm, &realm.token(&logout()), AdminWord::Logout);
        assert_eq!(outcome, Err(VerifyError::AlgorithmNotAllowed(algorithm).into()));
    }
}

#[test]
fn an_unsigned_action_and_one_of_a_foreign_realm_are_refused() {
    let realm = realm();
    let token = realm.token(&logout());
    let (input, _) = token.rsplit_once('.').unwrap();
    let outcome = action(&realm, &format!("{input}."), AdminWord::Logout);
    assert_eq!(outcome, Err(VerifyError::Signature(Algorithm::Rs256).into()));
    let unsigned = realm.key.token(Algorithm::Rs256, json!({"alg": "none"}), &logout());
    let outcome = action(&realm, &unsigned, AdminWord::Logout);
    assert_eq!(outcome, Err(VerifyError::from(JoseError::AlgorithmUnsupported("none")).into()));
    let here = Realm::new(Algorithm::Es256, &ASYMMETRIC);
    let foreign = Realm::new(Algorithm::Es256, &ASYMMETRIC);
    let outcome = action(&here, &foreign.token(&logout()), AdminWord::Logout);
    assert_eq!(outcome, Err(VerifyError::Signature(Algorithm::Es256).into()));
}
