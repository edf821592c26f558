//! Tokens that try to be believed: forged, confused, bent.

use proptest::prelude::*;

use super::*;
use crate::oidc::jose::JoseError;

#[test]
fn every_algorithm_verifies_its_own_signature_and_no_changed_token() {
    for algorithm in Algorithm::ALL {
        let provider = Provider::new(algorithm);
        let token = provider.token(&good());
        assert!(provider.id_token(&token).is_ok(), "{algorithm}");
        let forged = provider.token(&with(json!({"sub": "admin"})));
        let (_, signature) = token.rsplit_once('.').unwrap();
        let (input, _) = forged.rsplit_once('.').unwrap();
        let outcome = provider.id_token(&format!("{input}.{signature}"));
        assert_eq!(outcome.unwrap_err(), VerifyError::Signature(algorithm));
    }
}

#[test]
fn an_algorithm_that_is_not_on_the_list_is_refused_although_the_key_is_known() {
    for algorithm in Algorithm::ALL {
        let mut provider = Provider::new(algorithm);
        let others: Vec<_> = Algorithm::ALL.into_iter().filter(|other| *other != algorithm).collect();
        provider.verifier = verifier(&others, &secret());
        let outcome = provider.id_token(&provider.token(&good()));
        assert_eq!(outcome.unwrap_err(), VerifyError::AlgorithmNotAllowed(algorithm));
    }
}

#[test]
fn unsigned_tokens_are_refused() {
    let provider = Provider::new(Algorithm::Rs256);
    for alg in ["none", "None", "NONE", "nOnE"] {
        let token = provider.token_with(json!({"alg": alg}), &good());
        let (input, _) = token.rsplit_once('.').unwrap();
        for token in [format!("{input}."), token.clone()] {
            let refusal = provider.id_token(&token).unwrap_err();
            assert_eq!(refusal, VerifyError::Jose(JoseError::AlgorithmUnsupported("none")));
        }
    }
    let token = provider.token(&good());
    let (input, _) = token.rsplit_once('.').unwrap();
    let refusal = provider.id_token(&format!("{input}.")).unwrap_err();
    assert_eq!(refusal, VerifyError::Signature(Algorithm::Rs256));
}

/// The classic confusion: the public key, in any spelling, as the HMAC key.
#[test]
fn a_public_key_is_never_a_shared_secret() {
    let jwk = TestKey::rsa().jwk_with(json!({"kid": "k1"}));
    let pem = include_str!("../../fixtures/rsa-2048.public.pem");
    let spellings = [pem.as_bytes().to_vec(), der(pem), jwk.to_string().into_bytes()];
    for spelling in spellings {
        let oct = TestKey::Oct(spelling);
        let forged = oct.token(Algorithm::Hs256, json!({"kid": "k1"}), &good());
        let keys = key_set(&[jwk.clone(), oct.jwk_with(json!({"kid": "k1", "alg": "HS256"}))]);
        for (verifier, refusal) in [
            (verifier(&[Algorithm::Rs256], &secret()), VerifyError::AlgorithmNotAllowed(Algorithm::Hs256)),
            (verifier(&Algorithm::ALL, &ClientAuth::None), VerifyError::NoSecret(Algorithm::Hs256)),
            (verifier(&Algorithm::ALL, &secret()), VerifyError::Signature(Algorithm::Hs256)),
        ] {
            assert_eq!(verifier.id_token(&forged, &login(), &keys, now()).unwrap_err(), refusal);
            assert!(!refusal.wants_fresh_keys());
        }
    }
}

#[test]
fn an_empty_secret_verifies_nothing() {
    let token = TestKey::Oct(Vec::new()).token(Algorithm::Hs256, json!({}), &good());
    let empty = ClientAuth::SecretPost(SecretString::new(""));
    let verifier = verifier(&[Algorithm::Hs256], &empty);
    let outcome = verifier.id_token(&token, &login(), &KeySet::default(), now());
    assert_eq!(outcome.unwrap_err(), VerifyError::NoSecret(Algorithm::Hs256));
}

#[test]
fn the_token_cannot_bring_its_own_key() {
    let provider = Provider::new(Algorithm::Es256);
    let mallory = TestKey::p256();
    for header in [
        json!({"jwk": mallory.jwk()}),
        json!({"jku": "https://evil.example/keys"}),
        json!({"x5u": "https://evil.example/chain", "x5c": ["MIIB"]}),
    ] {
        let forged = mallory.token(Algorithm::Es256, header.clone(), &good());
        assert_eq!(provider.id_token(&forged).unwrap_err(), VerifyError::Signature(Algorithm::Es256), "{header}");
        assert!(provider.id_token(&provider.token_with(header, &good())).is_ok());
    }
}

#[test]
fn a_header_that_asks_for_more_than_we_understand_is_refused() {
    let provider = Provider::new(Algorithm::Es256);
    for (header, refusal) in [
        (json!({"crit": ["exp"], "exp": 1}), JoseError::Extension("crit")),
        (json!({"crit": []}), JoseError::Extension("crit")),
        (json!({"b64": true}), JoseError::Extension("b64")),
        (json!({"zip": "DEF"}), JoseError::Extension("zip")),
    ] {
        let outcome = provider.id_token(&provider.token_with(header, &good()));
        assert_eq!(outcome.unwrap_err(), VerifyError::Jose(refusal));
    }
    for typ in ["at+jwt", "application/logout+jwt"] {
        let outcome = provider.id_token(&provider.token_with(json!({"typ": typ}), &good()));
        assert_eq!(outcome.unwrap_err(), VerifyError::WrongType, "{typ}");
    }
}

#[test]
fn claims_with_two_meanings_are_refused_although_signed() {
    let provider = Provider::new(Algorithm::Es256);
    let doubled = good().to_string().replacen('{', r#"{"sub":"admin","#, 1);
    let token = provider.key.token_of_text(Algorithm::Es256, r#"{"alg":"ES256"}"#, &doubled);
    assert!(matches!(provider.id_token(&token), Err(VerifyError::Payload(_))));
}

#[test]
fn only_a_lack_of_keys_asks_for_fresh_ones() {
    let provider = Provider::new(Algorithm::Es256);
    let refusal = |key: &TestKey, kid: &str| {
        let token = key.token(Algorithm::Es256, json!({"kid": kid}), &good());
        provider.id_token(&token).unwrap_err()
    };
    let expired = provider.token(&with(json!({"exp": 0})));
    for (refusal, fresh) in [
        (refusal(&provider.key, "unknown"), true),
        (refusal(&TestKey::p256(), "k1"), true),
        (provider.id_token(&expired).unwrap_err(), false),
        (provider.id_token("a.b.c").unwrap_err(), false),
    ] {
        assert_eq!(refusal.wants_fresh_keys(), fresh, "{refusal}");
    }
    assert_eq!(refusal(&provider.key, "unknown"), VerifyError::NoKey(Algorithm::Es256));
}

#[test]
fn a_key_for_encryption_or_another_algorithm_verifies_nothing() {
    let provider = Provider::new(Algorithm::Rs256);
    let token = provider.token(&good());
    for more in [json!({"use": "enc"}), json!({"alg": "PS256"}), json!({"key_ops": ["wrapKey"]})] {
        let keys = key_set(&[provider.key.jwk_with(more.clone())]);
        let outcome = provider.verifier.id_token(&token, &login(), &keys, now());
        assert_eq!(outcome.unwrap_err(), VerifyError::NoKey(Algorithm::Rs256), "{more}");
    }
    let keys = key_set(&[provider.key.jwk()]);
    assert!(provider.verifier.id_token(&token, &login(), &keys, now()).is_ok());
}

#[test]
fn a_token_without_a_key_id_is_tried_with_every_key_that_fits() {
    let provider = Provider::new(Algorithm::Es256);
    let own = provider.key.jwk_with(json!({"kid": "k2"}));
    let keys = key_set(&[TestKey::p256().jwk(), TestKey::p384().jwk(), own]);
    let token = provider.token_with(json!({}), &good());
    assert!(provider.verifier.id_token(&token, &login(), &keys, now()).is_ok());
}

#[test]
fn refusals_never_quote_the_token() {
    let provider = Provider::new(Algorithm::Es256);
    let planted = "planted-7d1f";
    for token in [
        provider.token(&with(json!({"iss": planted}))),
        provider.token(&with(json!({"nonce": planted}))),
        provider.token(&with(json!({"exp": planted}))),
        provider.token_with(json!({"alg": planted}), &good()),
        provider.token_with(json!({"kid": planted}), &good()),
        provider.key.token_of_text(Algorithm::Es256, r#"{"alg":"ES256"}"#, planted),
    ] {
        let refusal = provider.id_token(&token).unwrap_err();
        assert!(!format!("{refusal} {refusal:?}").contains(planted), "{refusal}");
    }
}

proptest! {
    #[test]
    fn no_changed_byte_leaves_a_token_good(position in any::<prop::sample::Index>(), mask in 1_u8..=255) {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Hs256] {
            let provider = Provider::new(algorithm);
            let token = provider.token(&good());
            let mut bytes = token.clone().into_bytes();
            let position = position.index(bytes.len());
            bytes[position] ^= mask;
            let changed = String::from_utf8_lossy(&bytes);
            prop_assert!(provider.id_token(&token).is_ok());
            prop_assert!(provider.id_token(&changed).is_err(), "{} at {}", algorithm, position);
        }
    }

    #[test]
    fn no_payload_makes_the_verifier_panic(
        payload in any::<Vec<u8>>(),
        claim in "iss|aud|azp|exp|iat|nbf|sub|sid|typ",
        value in any::<f64>(),
    ) {
        let provider = Provider::new(Algorithm::Hs256);
        let payload = String::from_utf8_lossy(&payload);
        let token = provider.key.token_of_text(Algorithm::Hs256, r#"{"alg":"HS256"}"#, &payload);
        prop_assert!(provider.id_token(&token).is_err());
        let _ = provider.id_token(&provider.token(&with(json!({ claim: value }))));
    }

    #[test]
    fn no_text_and_no_key_set_makes_the_verifier_panic(text in ".{0,300}", document in any::<Vec<u8>>()) {
        let provider = Provider::new(Algorithm::Es256);
        prop_assert!(provider.id_token(&text).is_err());
        let _ = KeySet::parse(&document);
        let _ = KeySet::parse(format!(r#"{{"keys":[{text}]}}"#).as_bytes());
    }
}
