//! Logout tokens: the negative list of OpenID Connect Back-Channel Logout 1.0.

use super::*;
use crate::{
    domain::{Sid, Subject},
    oidc::{claims::ClaimError, jose::JoseError, verify::VerifyError},
};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn realm() -> Realm {
    Realm::new(Algorithm::Rs256, &[Algorithm::Rs256])
}

/// A logout token as Keycloak 26 writes it.
fn good() -> Value {
    json!({
        "iss": ISSUER, "aud": "app", "iat": NOW, "exp": NOW + 120, "jti": "j1", "sub": "u1", "sid": "s1", "typ": "Logout",
        "events": { EVENT: {}, "revoke_offline_access": true },
    })
}

fn verify(realm: &Realm, raw: &str) -> Result<LogoutToken, LogoutTokenError> {
    realm.verifier.logout_token(raw, &realm.keys, now()).map(Verified::into_inner)
}

fn read(changes: Value) -> Result<LogoutToken, LogoutTokenError> {
    let realm = realm();
    verify(&realm, &realm.token(&changed(good(), changes)))
}

fn read_with(header: Value) -> Result<LogoutToken, LogoutTokenError> {
    let realm = realm();
    verify(&realm, &realm.key.token(Algorithm::Rs256, header, &good()))
}

fn missing(claim: &'static str) -> LogoutTokenError {
    ClaimError::Missing(claim).into()
}

fn malformed(claim: &'static str) -> LogoutTokenError {
    ClaimError::Malformed(claim).into()
}

fn mismatch(claim: &'static str) -> LogoutTokenError {
    VerifyError::Mismatch(claim).into()
}

#[test]
fn a_logout_token_says_whose_session_is_over() {
    let token = read(json!({})).unwrap();
    assert_eq!((token.issuer.as_str(), token.issued_at, token.jti.as_str()), (ISSUER, now(), "j1"));
    assert_eq!((token.sid(), token.subject()), (Some(&Sid::new("s1")), Some(&Subject::new("u1"))));
}

#[test]
fn a_session_is_ended_before_a_user_is() {
    assert_eq!(read(json!({})).unwrap().target(), LogoutTarget::Session(&Sid::new("s1")));
    assert_eq!(read(json!({"sub": absent()})).unwrap().target(), LogoutTarget::Session(&Sid::new("s1")));
    assert_eq!(read(json!({"sid": absent()})).unwrap().target(), LogoutTarget::Subject(&Subject::new("u1")));
    assert_eq!(read(json!({"sid": absent(), "sub": absent()})), Err(LogoutTokenError::NoTarget));
    assert_eq!(read(json!({"sid": ""})), Err(malformed("sid")));
    assert_eq!(read(json!({"sid": 7})), Err(malformed("sid")));
    assert_eq!(read(json!({"sub": "u".repeat(256)})), Err(malformed("sub")));
}

#[test]
fn the_claims_shared_with_id_tokens_obey_their_rules() {
    for (changes, expected) in [
        (json!({"iss": absent()}), missing("iss")),
        (json!({"iss": "https://idp.example/realms/two"}), mismatch("iss")),
        (json!({"aud": absent()}), missing("aud")),
        (json!({"aud": "other"}), mismatch("aud")),
        (json!({"aud": ["app", "stranger"], "azp": "app"}), VerifyError::UntrustedAudience.into()),
        (json!({"exp": NOW - 30}), VerifyError::Expired.into()),
        (json!({"exp": "soon"}), malformed("exp")),
        (json!({"iat": absent()}), missing("iat")),
        (json!({"jti": absent()}), missing("jti")),
        (json!({"jti": ""}), malformed("jti")),
    ] {
        assert_eq!(read(changes.clone()), Err(expected), "{changes}");
    }
}

#[test]
fn it_need_not_expire_but_must_be_of_just_now() {
    assert!(read(json!({"exp": absent()})).is_ok());
    for (issued, fits) in [(-120, true), (120, true), (-121, false), (121, false)] {
        let outcome = read(json!({"iat": NOW + issued})).err();
        assert_eq!(outcome, (!fits).then_some(LogoutTokenError::NotNow), "{issued}");
    }
}

#[test]
fn without_the_event_it_is_no_logout() {
    for events in [
        absent(),
        Value::Null,
        json!({}),
        json!([EVENT]),
        json!(EVENT),
        json!({ "http://schemas.openid.net/event/other": {} }),
        json!({ EVENT: null }),
        json!({ EVENT: true }),
        json!({ EVENT: [] }),
    ] {
        assert_eq!(read(json!({ "events": events })), Err(LogoutTokenError::NoEvent), "{events}");
    }
    assert!(read(json!({"events": { EVENT: {"more": 1} }})).is_ok());
}

#[test]
fn a_nonce_of_any_kind_is_refused() {
    for nonce in [json!("n"), json!(""), Value::Null] {
        assert_eq!(read(json!({ "nonce": nonce })), Err(LogoutTokenError::Nonce));
    }
}

#[test]
fn a_token_of_another_type_is_refused() {
    for typ in ["ID", "Bearer", "Refresh", ""] {
        assert_eq!(read(json!({ "typ": typ })), Err(VerifyError::WrongType.into()), "{typ}");
    }
    assert!(read(json!({ "typ": absent() })).is_ok());
    for typ in ["JWT", "logout+jwt", "application/logout+jwt"] {
        assert!(read_with(json!({"kid": "k1", "typ": typ})).is_ok(), "{typ}");
    }
    assert!(read_with(json!({"kid": "k1"})).is_ok());
    for typ in ["at+jwt", "JOSE", ""] {
        assert_eq!(read_with(json!({"kid": "k1", "typ": typ})), Err(VerifyError::WrongType.into()), "{typ}");
    }
}

#[test]
fn it_is_signed_like_an_id_token_or_not_believed() {
    let allowed = [Algorithm::Rs256];
    let of_other_algorithm = Realm::new(Algorithm::Ps256, &allowed);
    let outcome = verify(&of_other_algorithm, &of_other_algorithm.token(&good()));
    assert_eq!(outcome, Err(VerifyError::AlgorithmNotAllowed(Algorithm::Ps256).into()));
    let realm = realm();
    let unsigned = realm.key.token(Algorithm::Rs256, json!({"alg": "none"}), &good());
    let outcome = verify(&realm, &unsigned);
    assert_eq!(outcome, Err(VerifyError::from(JoseError::AlgorithmUnsupported("none")).into()));
    let (here, foreign) = (Realm::new(Algorithm::Es256, &ASYMMETRIC), Realm::new(Algorithm::Es256, &ASYMMETRIC));
    let outcome = verify(&here, &foreign.token(&good()));
    assert_eq!(outcome, Err(VerifyError::Signature(Algorithm::Es256).into()));
}
