//! Which keys of a set are used, and for what.

use serde_json::json;

use super::*;
use crate::oidc::test_keys::{TestKey, key_set};

fn tried(keys: &KeySet, algorithm: Algorithm, key_id: Option<&str>) -> Vec<Option<String>> {
    keys.candidates(algorithm, key_id).map(|key| key.id.clone()).collect()
}

#[test]
fn keys_that_must_not_verify_are_skipped_and_counted() {
    let (rsa, p256) = (TestKey::rsa(), TestKey::p256());
    let ones = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
    let unusable = [
        rsa.jwk_with(json!({"use": "enc"})),
        rsa.jwk_with(json!({"use": "enc", "alg": "RSA-OAEP"})),
        rsa.jwk_with(json!({"alg": "RSA-OAEP"})),
        rsa.jwk_with(json!({"use": 1})),
        rsa.jwk_with(json!({"key_ops": ["encrypt", "wrapKey"]})),
        rsa.jwk_with(json!({"key_ops": "verify"})),
        rsa.jwk_with(json!({"alg": "ES256"})),
        rsa.jwk_with(json!({"alg": "HS256"})),
        rsa.jwk_with(json!({"kid": 1})),
        rsa.jwk_with(json!({"n": ones(128)})),
        rsa.jwk_with(json!({"n": ones(1025)})),
        rsa.jwk_with(json!({"n": ""})),
        rsa.jwk_with(json!({"e": "AQ"})),
        rsa.jwk_with(json!({"e": "AAAA"})),
        rsa.jwk_with(json!({"n": "not base64!"})),
        p256.jwk_with(json!({"crv": "P-521"})),
        p256.jwk_with(json!({"crv": "secp256k1"})),
        p256.jwk_with(json!({"crv": "P-384"})),
        p256.jwk_with(json!({"x": ones(31)})),
        json!({"kty": "OKP", "crv": "Ed448", "x": ones(57)}),
        json!({"kty": "OKP", "crv": "X25519", "x": ones(32)}),
        json!({"kty": "quantum"}),
        json!({}),
        json!("text"),
        TestKey::Oct(b"secret".to_vec()).jwk_with(json!({"alg": "HS256"})),
    ];
    for jwk in &unusable {
        let keys = key_set(&[jwk.clone(), p256.jwk()]);
        assert_eq!((keys.len(), keys.skipped()), (1, 1), "{jwk}");
    }
}

#[test]
fn keys_need_neither_a_purpose_nor_an_algorithm_nor_an_id() {
    let rsa = TestKey::rsa();
    let n = rsa.jwk()["n"].as_str().unwrap().to_owned();
    let padded = [vec![0], URL_SAFE_NO_PAD.decode(n).unwrap()].concat();
    let usable = [
        rsa.jwk(),
        rsa.jwk_with(json!({"use": "sig", "key_ops": ["verify"], "alg": "PS384", "kid": "k", "x5c": ["?"]})),
        rsa.jwk_with(json!({"n": URL_SAFE_NO_PAD.encode(padded)})),
        TestKey::p256().jwk(),
        TestKey::p384().jwk(),
        TestKey::ed25519().jwk_with(json!({"alg": "EdDSA"})),
        TestKey::ed25519().jwk_with(json!({"alg": "Ed25519"})),
    ];
    let keys = key_set(&usable);
    assert_eq!((keys.len(), keys.skipped()), (usable.len(), 0));
}

#[test]
fn a_token_is_tried_with_the_keys_it_names_first_then_with_nameless_ones() {
    let rsa = TestKey::rsa();
    let keys = key_set(&[
        rsa.jwk(),
        rsa.jwk_with(json!({"kid": "a"})),
        rsa.jwk_with(json!({"kid": "b", "alg": "RS256"})),
        TestKey::p256().jwk_with(json!({"kid": "a"})),
    ]);
    let some = |id: &str| Some(id.to_owned());
    assert_eq!(tried(&keys, Algorithm::Rs256, Some("a")), [some("a"), None]);
    assert_eq!(tried(&keys, Algorithm::Rs256, None), [None, some("a"), some("b")]);
    assert_eq!(tried(&keys, Algorithm::Ps256, None), [None, some("a")]);
    assert_eq!(tried(&keys, Algorithm::Ps256, Some("b")), [None]);
    assert_eq!(tried(&keys, Algorithm::Es384, Some("a")), []);
    assert_eq!(tried(&keys, Algorithm::Hs256, None), []);
}

#[test]
fn work_per_set_and_per_token_is_bounded() {
    let jwk = TestKey::p256().jwk();
    let keys = key_set(&vec![jwk.clone(); MAX_KEYS + 5]);
    assert_eq!((keys.len(), keys.skipped()), (MAX_KEYS, 5));
    assert_eq!(tried(&keys, Algorithm::Es256, None).len(), MAX_TRIES);
    assert_eq!(tried(&keys, Algorithm::Es256, Some("x")).len(), MAX_TRIES);
}

#[test]
fn a_key_verifies_for_its_own_algorithm_only() {
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let pair = TestKey::fitting(algorithm);
        let keys = key_set(&[pair.jwk_with(json!({"alg": algorithm.name()}))]);
        let key = keys.candidates(algorithm, None).next().unwrap();
        let signed = pair.sign(algorithm, b"message");
        for asked in Algorithm::ALL {
            assert_eq!(key.verify(asked, b"message", &signed).is_ok(), asked == algorithm, "{asked}");
        }
        assert_eq!(key.verify(algorithm, b"massage", &signed), Err(BadSignature));
        assert_eq!(key.verify(algorithm, b"message", b""), Err(BadSignature));
    }
}

#[test]
fn documents_that_are_no_key_sets_are_refused() {
    for document in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert!(KeySet::parse(document.as_bytes()).is_err(), "{document}");
    }
    assert!(KeySet::parse(br#"{"keys":[]}"#).unwrap().is_empty());
}
