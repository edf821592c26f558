//! Client assertions: each kind of key signs what the provider can verify, and keys that cannot are refused with the reason.

use super::*;
use crate::{
    domain::SecretBytes,
    oidc::{Algorithm, PrivateKey, PrivateKeyForm, jose::Jws, strict_json, test_keys as keys},
};

fn private(der: Vec<u8>, form: PrivateKeyForm) -> ClientAuth {
    ClientAuth::PrivateKeyJwt {
        key: PrivateKey { der: SecretBytes::new(der), form },
        key_id: None,
        lifetime: Duration::from_secs(60),
    }
}

fn pkcs8(pem: &str) -> ClientAuth {
    private(keys::der(pem), PrivateKeyForm::Pkcs8)
}

fn shared(secret: &str, algorithm: Algorithm) -> ClientAuth {
    ClientAuth::SecretJwt { secret: SecretString::new(secret), algorithm }
}

fn sign(auth: &ClientAuth) -> String {
    let signer = AssertionSigner::new(auth).unwrap().unwrap();
    let now = Timestamp::from_millis(1_760_000_000_999);
    let token = signer.sign("https://idp.example", &ClientId::new("app"), now, "one").unwrap();
    token.expose().clone()
}

fn refusal(auth: &ClientAuth) -> KeyError {
    AssertionSigner::new(auth).unwrap_err()
}

/// The fingerprints are those that `openssl pkey -pubout -outform DER | sha256sum` gives.
#[test]
fn a_private_key_is_named_by_the_hash_of_its_public_key() {
    for (auth, algorithm, key_id) in [
        (pkcs8(keys::RSA), Algorithm::Rs256, "8PESiBTwQV0Jz6pHjQGYXa8hZ6JX29Ja1OQyEJh01KU"),
        (pkcs8(keys::P256), Algorithm::Es256, "HHxnDH6v12NJ1H_QRKLbg2fBX7rB4hfXlnE2tHv8U6Q"),
        (pkcs8(keys::P384), Algorithm::Es384, "z85HuzMPdlkB5a1KbaJqRzdpFfAZWC_vLbpxQf-x7Gw"),
        (pkcs8(keys::ED25519), Algorithm::EdDsa, "etqivb1j902IKQDrL8yRH6IUXbYfU-b9t9Y2z1VPkSc"),
    ] {
        let token = sign(&auth);
        let header = Jws::parse(&token).unwrap().header;
        assert_eq!((header.algorithm, header.key_id.as_deref()), (algorithm, Some(key_id)));
        assert!(header.is_media_type("jwt"));
    }
}

#[test]
fn the_claims_are_those_of_rfc_7523() {
    let token = sign(&pkcs8(keys::P256));
    let claims = strict_json::object(&Jws::parse(&token).unwrap().payload).unwrap();
    let expected = json!({
        "iss": "app", "sub": "app", "aud": "https://idp.example", "jti": "one",
        "iat": 1_760_000_000, "nbf": 1_760_000_000, "exp": 1_760_000_060,
    });
    assert_eq!(Value::Object(claims), expected);
}

#[test]
fn a_given_key_id_is_used() {
    let mut auth = pkcs8(keys::P256);
    if let ClientAuth::PrivateKeyJwt { key_id, .. } = &mut auth {
        *key_id = Some("mine".to_owned());
    }
    assert_eq!(Jws::parse(&sign(&auth)).unwrap().header.key_id.as_deref(), Some("mine"));
}

#[test]
fn signatures_verify_with_the_public_key() {
    for (auth, algorithm) in [
        (pkcs8(keys::RSA), Algorithm::Rs256),
        (private(keys::der(keys::RSA_PKCS1), PrivateKeyForm::Pkcs1), Algorithm::Rs256),
        (pkcs8(keys::P256), Algorithm::Es256),
        (pkcs8(keys::P384), Algorithm::Es384),
        (pkcs8(keys::ED25519), Algorithm::EdDsa),
    ] {
        let token = sign(&auth);
        let jws = Jws::parse(&token).unwrap();
        let set = keys::key_set(&[keys::TestKey::fixture(algorithm).jwk()]);
        let key = set.candidates(algorithm, None).next().unwrap();
        key.verify(algorithm, jws.signing_input, &jws.signature).unwrap();
    }
}

#[test]
fn a_shared_secret_signs_with_the_configured_hash_and_names_no_key() {
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        let token = sign(&shared("client-secret", algorithm));
        let jws = Jws::parse(&token).unwrap();
        assert_eq!((jws.header.algorithm, jws.header.key_id), (algorithm, None));
        assert_eq!(jws.signature, keys::TestKey::fitting(algorithm).sign(algorithm, jws.signing_input));
        let claims = strict_json::object(&jws.payload).unwrap();
        assert_eq!(claims["exp"], json!(1_760_000_010));
    }
}

#[test]
fn keys_that_cannot_sign_are_refused_with_the_reason() {
    let rejected = |kind, reason: &str| KeyError::Rejected { kind, reason: reason.to_owned() };
    let mut damaged = keys::der(keys::P256);
    damaged.truncate(damaged.len() - 1);
    assert_eq!(refusal(&pkcs8(keys::RSA_1024)), rejected("RSA", "TooSmall"));
    assert_eq!(refusal(&pkcs8(keys::P521)), KeyError::UnknownKind);
    assert!(matches!(refusal(&private(damaged, PrivateKeyForm::Pkcs8)), KeyError::Rejected { .. }));
    assert!(matches!(refusal(&private(b"junk".to_vec(), PrivateKeyForm::Pkcs1)), KeyError::Rejected { .. }));
    assert_eq!(refusal(&shared("", Algorithm::Hs256)), KeyError::EmptySecret);
    assert_eq!(refusal(&shared("secret", Algorithm::Rs256)), KeyError::NotSymmetric(Algorithm::Rs256));
}

#[test]
fn methods_without_assertions_have_no_signer() {
    let secret = SecretString::new("client-secret");
    for auth in [ClientAuth::None, ClientAuth::SecretBasic(secret.clone()), ClientAuth::SecretPost(secret)] {
        assert!(AssertionSigner::new(&auth).unwrap().is_none());
    }
}

#[test]
fn a_signer_does_not_print_its_key() {
    let printed = format!("{:?}", AssertionSigner::new(&shared("client-secret", Algorithm::Hs256)).unwrap());
    assert!(!printed.contains("client-secret"));
    let printed = format!("{:?}", AssertionSigner::new(&pkcs8(keys::ED25519)).unwrap());
    let seed = &keys::der(keys::ED25519)[16..];
    assert!(!printed.contains(&format!("{seed:?}")));
}
