//! Keys for the tests of this folder: they sign tokens as a provider would, and say themselves as JWKs. And a relying party to show the
//! tokens to.

use std::{collections::BTreeSet, time::Duration};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    hmac,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use serde_json::{Value, json};

use super::{Algorithm, BearerAudience, ClientAuth, Config, ProviderId, RoleMappings, keys::KeySet};
use crate::{domain::ClientId, http_client, tls::Trust};

/// The bytes of a PEM file in `fixtures`.
pub(super) fn der(pem: &str) -> Vec<u8> {
    let body = pem.split_once("KEY-----").unwrap().1.split_once("-----END").unwrap().0;
    STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap()
}

pub(super) const RSA: &str = include_str!("fixtures/rsa-2048.pkcs8.pem");
pub(super) const RSA_PUBLIC: &str = include_str!("fixtures/rsa-2048.public.pem");
pub(super) const RSA_PKCS1: &str = include_str!("fixtures/rsa-2048.pkcs1.pem");
pub(super) const RSA_1024: &str = include_str!("fixtures/rsa-1024.pkcs8.pem");
pub(super) const P256: &str = include_str!("fixtures/p256.pkcs8.pem");
pub(super) const P384: &str = include_str!("fixtures/p384.pkcs8.pem");
pub(super) const P521: &str = include_str!("fixtures/p521.pkcs8.pem");
pub(super) const ED25519: &str = include_str!("fixtures/ed25519.pkcs8.pem");

/// A key that signs.
pub(super) enum TestKey {
    Ec(EcdsaKeyPair, &'static str),
    Ed25519(Ed25519KeyPair),
    Oct(Vec<u8>),
    Rsa(RsaKeyPair),
}

impl TestKey {
    pub(super) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(&der(RSA)).unwrap())
    }

    /// A new key each time.
    pub(super) fn p256() -> Self {
        Self::ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    /// A new key each time.
    pub(super) fn p384() -> Self {
        Self::ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")
    }

    /// A new key each time.
    pub(super) fn ed25519() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn ec(algorithm: &'static signature::EcdsaSigningAlgorithm, curve: &'static str) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        Self::ec_of(algorithm, curve, pkcs8.as_ref())
    }

    fn ec_of(algorithm: &'static signature::EcdsaSigningAlgorithm, curve: &'static str, pkcs8: &[u8]) -> Self {
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &SystemRandom::new()).unwrap();
        Self::Ec(pair, curve)
    }

    /// The key of the fixture for `algorithm`.
    pub(super) fn fixture(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Es256 => Self::ec_of(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256", &der(P256)),
            Algorithm::Es384 => Self::ec_of(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384", &der(P384)),
            Algorithm::EdDsa => Self::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der(ED25519)).unwrap()),
            _ => Self::rsa(),
        }
    }

    /// A key of the right type for `algorithm`; for `HS*` the client secret of the tests.
    pub(super) fn fitting(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::EdDsa => Self::ed25519(),
            Algorithm::Es256 => Self::p256(),
            Algorithm::Es384 => Self::p384(),
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => Self::Oct(b"client-secret".to_vec()),
            _ => Self::rsa(),
        }
    }

    /// The public half as `ring` writes it.
    pub(super) fn public(&self) -> Vec<u8> {
        match self {
            Self::Ec(pair, _) => pair.public_key().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Self::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Self::Oct(_) => panic!("a shared secret has no public half"),
        }
    }

    /// The public key as a JWK with neither `kid` nor `alg`; for a secret, what a foolish provider would publish.
    pub(super) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ec(pair, curve) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)})
            }
            Self::Ed25519(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())}),
            Self::Oct(secret) => json!({"kty": "oct", "k": text(secret)}),
            Self::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "n": text(&public.n), "e": text(&public.e)})
            }
        }
    }

    /// The JWK with further members.
    pub(super) fn jwk_with(&self, more: Value) -> Value {
        let mut jwk = self.jwk();
        if let Value::Object(more) = more {
            jwk.as_object_mut().unwrap().extend(more);
        }
        jwk
    }

    pub(super) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Oct(secret) => hmac::sign(&hmac::Key::new(hmac_of(algorithm), secret), message).as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signed = vec![0; pair.public().modulus_len()];
                pair.sign(rsa_of(algorithm), &random, message, &mut signed).unwrap();
                signed
            }
        }
    }

    /// A compact JWS; `header` gets `alg` if it has none.
    pub(super) fn token(&self, algorithm: Algorithm, header: Value, payload: &Value) -> String {
        let mut header = header;
        let members = header.as_object_mut().unwrap();
        members.entry("alg").or_insert_with(|| algorithm.name().into());
        self.token_of_text(algorithm, &header.to_string(), &payload.to_string())
    }

    /// A compact JWS of texts that need not be JSON.
    pub(super) fn token_of_text(&self, algorithm: Algorithm, header: &str, payload: &str) -> String {
        let signing_input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signed = self.sign(algorithm, signing_input.as_bytes());
        format!("{signing_input}.{}", URL_SAFE_NO_PAD.encode(signed))
    }
}

/// A key set of these JWKs.
pub(super) fn key_set(jwks: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": jwks }).to_string().as_bytes()).unwrap()
}

fn hmac_of(algorithm: Algorithm) -> hmac::Algorithm {
    match algorithm {
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    }
}

fn rsa_of(algorithm: Algorithm) -> &'static dyn signature::RsaEncoding {
    match algorithm {
        Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
        _ => &signature::RSA_PKCS1_SHA256,
    }
}

/// The client `app` of `provider`, which also trusts the audience `friend`, with a clock skew of 30 seconds.
pub(super) fn config(provider: ProviderId, algorithms: &[Algorithm], auth: &ClientAuth) -> Config {
    Config {
        provider,
        client_id: ClientId::new("app"),
        client_auth: auth.clone(),
        pinned_key: None,
        role_mappings: RoleMappings::All,
        scopes: vec!["openid".to_owned()],
        algorithms: algorithms.iter().copied().collect(),
        clock_skew: Duration::from_secs(30),
        trusted_audiences: BTreeSet::from(["friend".to_owned()]),
        bearer_audience: BearerAudience::Named,
        userinfo: false,
        max_age: None,
        acr_values: Vec::new(),
        authorization_params: Vec::new(),
        forwarded_params: BTreeSet::new(),
        jwks_cooldown: Duration::ZERO,
        jwks_ttl: Duration::from_secs(3600),
        http: http_client::Config {
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(5),
            pool_size: 0,
            trust: Trust::default(),
            identity: None,
            proxy: None,
        },
    }
}
