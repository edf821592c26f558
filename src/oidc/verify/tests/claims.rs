//! Claim by claim: what is believed, and what is refused under which name.

use super::*;

/// Each row: what is changed in the good token, and what comes of it.
#[test]
fn every_claim_of_an_id_token_is_held_against_its_rule() {
    let long = "s".repeat(256);
    let rows = [
        (json!({}), Ok(())),
        // iss
        (json!({"iss": null}), missing("iss")),
        (json!({"iss": format!("{ISSUER}/")}), mismatch("iss")),
        (json!({"iss": "https://IDP.example/realms/one"}), mismatch("iss")),
        (json!({"iss": "https://idp.example:443/realms/one"}), mismatch("iss")),
        (json!({"iss": [ISSUER]}), malformed("iss")),
        // aud, azp
        (json!({"aud": ["app"]}), Ok(())),
        (json!({"aud": null}), missing("aud")),
        (json!({"aud": []}), missing("aud")),
        (json!({"aud": "other"}), mismatch("aud")),
        (json!({"aud": "APP"}), mismatch("aud")),
        (json!({"aud": ["other"]}), mismatch("aud")),
        (json!({"aud": ["friend"], "azp": "app"}), mismatch("aud")),
        (json!({"aud": ["app", 1]}), malformed("aud")),
        (json!({"aud": {"app": true}}), malformed("aud")),
        (json!({"aud": ["app", "friend"], "azp": "app"}), Ok(())),
        (json!({"aud": ["app", "friend"]}), missing("azp")),
        (json!({"aud": ["friend", "app"], "azp": "friend"}), mismatch("azp")),
        (json!({"aud": ["app", "stranger"], "azp": "app"}), Err(VerifyError::UntrustedAudience)),
        (json!({"azp": "app"}), Ok(())),
        (json!({"azp": "other"}), mismatch("azp")),
        (json!({"azp": ["app"]}), malformed("azp")),
        // exp
        (json!({"exp": null}), missing("exp")),
        (json!({"exp": NOW - SKEW + 1}), Ok(())),
        (json!({"exp": NOW - SKEW}), Err(VerifyError::Expired)),
        (json!({"exp": 0}), Err(VerifyError::Expired)),
        (json!({"exp": 1e300}), malformed("exp")),
        (json!({"exp": 9_223_372_036_854_775_808_u64}), malformed("exp")),
        (json!({"exp": -1}), malformed("exp")),
        (json!({"exp": format!("{}", NOW + 300)}), malformed("exp")),
        // iat
        (json!({"iat": null}), missing("iat")),
        (json!({"iat": NOW + SKEW}), Ok(())),
        (json!({"iat": NOW + SKEW + 1}), Err(VerifyError::InFuture("iat"))),
        (json!({"iat": 1e300}), malformed("iat")),
        (json!({"iat": "now"}), malformed("iat")),
        // nbf
        (json!({"nbf": NOW + SKEW}), Ok(())),
        (json!({"nbf": NOW + SKEW + 1}), Err(VerifyError::InFuture("nbf"))),
        (json!({"nbf": true}), malformed("nbf")),
        // nonce
        (json!({"nonce": null}), missing("nonce")),
        (json!({"nonce": "other"}), mismatch("nonce")),
        (json!({"nonce": ""}), mismatch("nonce")),
        (json!({"nonce": "n-0S6 "}), mismatch("nonce")),
        (json!({"nonce": ["n-0S6"]}), malformed("nonce")),
        // sub, sid
        (json!({"sub": null}), missing("sub")),
        (json!({"sub": ""}), malformed("sub")),
        (json!({"sub": &long[..255]}), Ok(())),
        (json!({"sub": long}), malformed("sub")),
        (json!({"sub": 248_289_761_001_i64}), malformed("sub")),
        (json!({"sid": null}), Ok(())),
        (json!({"sid": ""}), malformed("sid")),
        (json!({"sid": 1}), malformed("sid")),
        // another kind of token
        (json!({"typ": "ID"}), Ok(())),
        (json!({"typ": "Bearer"}), Err(VerifyError::WrongType)),
        (json!({"typ": "Refresh"}), Err(VerifyError::WrongType)),
        (json!({"typ": "Logout"}), Err(VerifyError::WrongType)),
        // optional, but well-formed
        (json!({"auth_time": "yesterday"}), malformed("auth_time")),
    ];
    let provider = Provider::new(Algorithm::Es256);
    for (changes, expected) in rows {
        let outcome = provider.id_token(&provider.token(&with(changes.clone())));
        assert_eq!(outcome.map(drop), expected, "{changes}");
    }
}

#[test]
fn the_claims_come_out_as_the_token_states_them() {
    let provider = Provider::new(Algorithm::EdDsa);
    let token = provider.token(&with(json!({"auth_time": NOW - 60, "email": "a@b.example"})));
    let verified = provider.id_token(&token).unwrap();
    let claims = verified.get();
    assert_eq!((claims.issuer.as_str(), claims.subject.as_str()), (ISSUER, "248289761001"));
    assert_eq!(claims.sid.as_ref().map(crate::domain::Sid::as_str), Some("s1"));
    assert_eq!((claims.issued_at, claims.expires_at, claims.auth_time), (at(-1), at(300), Some(at(-60))));
    assert_eq!(verified.into_inner().all["email"], "a@b.example");
}

#[test]
fn the_sign_in_must_be_as_recent_and_as_strong_as_was_asked() {
    let provider = Provider::new(Algorithm::Es256);
    let gold = ["gold".to_owned(), "platinum".to_owned()];
    let recent = IdTokenChecks { max_age: Some(60), ..login() };
    let strong = IdTokenChecks { acr_values: &gold, ..login() };
    let forever = IdTokenChecks { max_age: Some(u64::MAX), ..login() };
    for (checks, changes, expected) in [
        (recent, json!({"auth_time": NOW - 60 - SKEW}), Ok(())),
        (recent, json!({"auth_time": NOW - 61 - SKEW}), Err(VerifyError::SignInTooOld)),
        (recent, json!({"auth_time": NOW + SKEW + 1}), Err(VerifyError::InFuture("auth_time"))),
        (recent, json!({}), missing("auth_time")),
        (forever, json!({"auth_time": 0}), Ok(())),
        (strong, json!({"acr": "platinum"}), Ok(())),
        (strong, json!({"acr": "silver"}), mismatch("acr")),
        (strong, json!({"acr": ["gold"]}), malformed("acr")),
        (strong, json!({}), missing("acr")),
    ] {
        let token = provider.token(&with(changes.clone()));
        let outcome = provider.verifier.id_token(&token, &checks, &provider.keys, now());
        assert_eq!(outcome.map(drop), expected, "{changes}");
    }
}

#[test]
fn a_hash_of_the_access_token_is_checked_whenever_it_is_there() {
    let access = SecretString::new(ACCESS_TOKEN);
    // The left half of `openssl dgst -binary` of the access token, in base64url.
    let hash = |algorithm: Algorithm| match algorithm.name().get(2..) {
        Some("256") => "77QmUPtjPfzWtF2AnpK9RQ",
        Some("384") => "jtAeDp945y1dDqU3nkIVGNZP1HjH_MFs",
        _ => "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM",
    };
    let checks = IdTokenChecks { access_token: Some(&access), ..login() };
    for algorithm in Algorithm::ALL {
        let provider = Provider::new(algorithm);
        for (changes, expected) in [
            (json!({}), Ok(())),
            (json!({"at_hash": hash(algorithm)}), Ok(())),
            (json!({"at_hash": OTHER_HASH}), mismatch("at_hash")),
            (json!({"at_hash": ""}), mismatch("at_hash")),
            (json!({"at_hash": 1}), malformed("at_hash")),
        ] {
            let token = provider.token(&with(changes.clone()));
            let outcome = provider.verifier.id_token(&token, &checks, &provider.keys, now());
            assert_eq!(outcome.map(drop), expected, "{algorithm} {changes}");
        }
    }
}

#[test]
fn a_refreshed_id_token_continues_the_same_login() {
    let provider = Provider::new(Algorithm::Es256);
    let (issuer, subject) = (Issuer::new(ISSUER), Subject::new("248289761001"));
    let access = SecretString::new(ACCESS_TOKEN);
    let same =
        RefreshChecks { issuer: &issuer, subject: &subject, auth_time: Some(at(-60)), access_token: Some(&access) };
    let elsewhere = Issuer::new("https://old.example");
    let moved = RefreshChecks { issuer: &elsewhere, ..same };
    for (login, changes, expected) in [
        (same, json!({"nonce": null}), Ok(())),
        (same, json!({"nonce": null, "auth_time": NOW - 60}), Ok(())),
        (same, json!({"auth_time": NOW - 59}), mismatch("auth_time")),
        (same, json!({"sub": "mallory"}), mismatch("sub")),
        (same, json!({"sub": null}), missing("sub")),
        (same, json!({"iss": "https://old.example"}), mismatch("iss")),
        (same, json!({"aud": "other"}), mismatch("aud")),
        (same, json!({"azp": "other"}), mismatch("azp")),
        (same, json!({"exp": NOW - SKEW}), Err(VerifyError::Expired)),
        (same, json!({"at_hash": OTHER_HASH}), mismatch("at_hash")),
        (moved, json!({}), mismatch("iss")),
    ] {
        let token = provider.token(&with(changes.clone()));
        let outcome = provider.verifier.refreshed_id_token(&token, &login, &provider.keys, now());
        assert_eq!(outcome.map(drop), expected, "{changes}");
    }
}

#[test]
fn an_access_token_says_that_it_is_one() {
    let provider = Provider::new(Algorithm::Rs256);
    let keycloak = |changes| changed(json!({"iss": ISSUER, "iat": NOW, "exp": NOW + 60, "typ": "Bearer"}), changes);
    for (header, changes, expected) in [
        ("JWT", json!({}), Ok(())),
        ("JWT", json!({"typ": "bearer", "sub": "u", "aud": ["account", "x"], "azp": "y"}), Ok(())),
        ("at+jwt", json!({"typ": null}), Ok(())),
        ("application/at+jwt", json!({"typ": null}), Ok(())),
        ("JWT", json!({"typ": null}), Err(VerifyError::WrongType)),
        ("JWT", json!({"typ": "ID"}), Err(VerifyError::WrongType)),
        ("at+jwt", json!({"typ": "Refresh"}), Err(VerifyError::WrongType)),
        ("JWT", json!({"iss": "https://idp.example/realms/two"}), mismatch("iss")),
        ("JWT", json!({"exp": NOW - SKEW}), Err(VerifyError::Expired)),
        ("JWT", json!({"exp": null}), missing("exp")),
        ("JWT", json!({"iat": null}), missing("iat")),
        ("JWT", json!({"nbf": NOW + SKEW + 1}), Err(VerifyError::InFuture("nbf"))),
        ("JWT", json!({"sub": ""}), malformed("sub")),
    ] {
        let token = provider.token_with(json!({"typ": header}), &keycloak(changes.clone()));
        let outcome = provider.verifier.access_token(&token, &provider.keys, now());
        assert_eq!(outcome.map(drop), expected, "{header} {changes}");
    }
    let token = provider.token(&keycloak(json!({"aud": "account"})));
    let verified = provider.verifier.access_token(&token, &provider.keys, now()).unwrap();
    let claims = verified.into_inner();
    assert_eq!((claims.subject, claims.audiences), (None, vec!["account".to_owned()]));
}

#[test]
fn signed_userinfo_is_for_us_when_it_says_for_whom_it_is() {
    let provider = Provider::new(Algorithm::Ps256);
    for (claims, expected) in [
        (json!({"sub": "u"}), Ok(())),
        (json!({"sub": "u", "iss": ISSUER, "aud": ["other", "app"]}), Ok(())),
        (json!({"iss": ISSUER}), missing("sub")),
        (json!({"sub": "u", "iss": "https://evil.example"}), mismatch("iss")),
        (json!({"sub": "u", "aud": "other"}), mismatch("aud")),
        (json!({"sub": "u", "exp": NOW - SKEW}), Err(VerifyError::Expired)),
        (json!({"sub": "u", "nbf": NOW + SKEW + 1}), Err(VerifyError::InFuture("nbf"))),
    ] {
        let outcome = provider.verifier.userinfo_jwt(&provider.token(&claims), &provider.keys, now());
        assert_eq!(outcome.map(drop), expected, "{claims}");
    }
}
