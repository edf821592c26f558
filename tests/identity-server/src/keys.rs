//! Signing keys: made or read at the start, rotated when told, published as a JWK Set (RFC 7517).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    error::Unspecified,
    hmac,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair, VerificationAlgorithm},
};
use serde_json::{Value, json};

/// A JWS algorithm (RFC 7518, section 3.1; RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named as its `alg` value")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
    Hs256,
    Hs384,
    Hs512,
}

impl Algorithm {
    /// Every algorithm there is.
    pub const ALL: [Self; 12] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
    ];

    /// The `alg` value.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// The algorithm of this `alg` value.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// How a public key's signature is checked; `None` for `HS*`.
    pub(crate) fn verification(self) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match self {
            Self::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
            Self::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::EdDsa => &signature::ED25519,
            Self::Hs256 | Self::Hs384 | Self::Hs512 => return None,
        })
    }

    /// The HMAC of `HS*`; `None` for all others.
    pub(crate) fn hmac(self) -> Option<hmac::Algorithm> {
        match self {
            Self::Hs256 => Some(hmac::HMAC_SHA256),
            Self::Hs384 => Some(hmac::HMAC_SHA384),
            Self::Hs512 => Some(hmac::HMAC_SHA512),
            _ => None,
        }
    }

    fn rsa_encoding(self) -> &'static dyn signature::RsaEncoding {
        match self {
            Self::Rs384 => &signature::RSA_PKCS1_SHA384,
            Self::Rs512 => &signature::RSA_PKCS1_SHA512,
            Self::Ps256 => &signature::RSA_PSS_SHA256,
            Self::Ps384 => &signature::RSA_PSS_SHA384,
            Self::Ps512 => &signature::RSA_PSS_SHA512,
            _ => &signature::RSA_PKCS1_SHA256,
        }
    }
}

/// One generation of keys: an RSA key, one for each curve, and an HMAC key that stays in the server.
#[derive(Debug)]
pub(crate) struct Generation {
    number: usize,
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
    random: SystemRandom,
}

impl Generation {
    /// RSA keys come from a fixed set of three, in turn, under a new `kid` each time; all others are new.
    pub(crate) fn make(number: usize) -> Result<Self, Unspecified> {
        let random = SystemRandom::new();
        let ec = |algorithm| -> Result<EcdsaKeyPair, Unspecified> {
            let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random)?;
            EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).map_err(|_| Unspecified)
        };
        let p256 = ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let p384 = ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING)?;
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random)?;
        Ok(Self {
            number,
            rsa: RsaKeyPair::from_pkcs8(RSA_PKCS8[number % RSA_PKCS8.len()]).map_err(|_| Unspecified)?,
            p256,
            p384,
            ed25519: Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).map_err(|_| Unspecified)?,
            random,
        })
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The `kid` of the key that signs by `algorithm`.
    pub(crate) fn kid(&self, algorithm: Algorithm) -> String {
        let family = match algorithm {
            Algorithm::Es256 => "p256",
            Algorithm::Es384 => "p384",
            Algorithm::EdDsa => "ed25519",
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => "hmac",
            _ => "rsa",
        };
        format!("{family}-{}", self.number)
    }

    /// Signs; `HS*` takes `secret` as its key.
    pub(crate) fn sign(&self, algorithm: Algorithm, secret: &[u8], message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        if let Some(hash) = algorithm.hmac() {
            return Ok(hmac::sign(&hmac::Key::new(hash, secret), message).as_ref().to_vec());
        }
        match algorithm {
            Algorithm::Es256 => Ok(self.p256.sign(&self.random, message)?.as_ref().to_vec()),
            Algorithm::Es384 => Ok(self.p384.sign(&self.random, message)?.as_ref().to_vec()),
            Algorithm::EdDsa => Ok(self.ed25519.sign(message).as_ref().to_vec()),
            _ => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                self.rsa.sign(algorithm.rsa_encoding(), &self.random, message, &mut signature)?;
                Ok(signature)
            }
        }
    }

    /// The RSA public key as a DER `RSAPublicKey`.
    pub(crate) fn rsa_public_der(&self) -> Vec<u8> {
        self.rsa.public_key().as_ref().to_vec()
    }

    /// The public keys as JWKs. The RSA key names `algorithm` when that is one of RSA's, else `RS256`.
    pub(crate) fn jwks(&self, algorithm: Algorithm) -> Vec<Value> {
        let rsa = match algorithm.name().get(..1) {
            Some("R" | "P") => algorithm,
            _ => Algorithm::Rs256,
        };
        let public: PublicKeyComponents<Vec<u8>> = self.rsa.public().into();
        let head = |algorithm: Algorithm, kty: &str| json!({ "kid": self.kid(algorithm), "kty": kty, "alg": algorithm.name(), "use": "sig" });
        let with = |mut jwk: Value, members: Value| {
            merge(&mut jwk, members);
            jwk
        };
        let point = |bytes: &[u8], crv: &str| {
            let (x, y) = bytes.get(1..).unwrap_or_default().split_at(bytes.len() / 2);
            json!({ "crv": crv, "x": encode(x), "y": encode(y) })
        };
        vec![
            with(head(rsa, "RSA"), json!({ "n": encode(&public.n), "e": encode(&public.e) })),
            with(head(Algorithm::Es256, "EC"), point(self.p256.public_key().as_ref(), "P-256")),
            with(head(Algorithm::Es384, "EC"), point(self.p384.public_key().as_ref(), "P-384")),
            with(
                head(Algorithm::EdDsa, "OKP"),
                json!({ "crv": "Ed25519", "x": encode(self.ed25519.public_key().as_ref()) }),
            ),
        ]
    }
}

/// Keys that a client must step over in a JWK Set (RFC 7517, section 5) or must not use: an unknown `kty`, a broken RSA
/// key, an encryption key, one without `alg`, one without `kid`, and something that is no object.
#[must_use]
pub fn junk_keys() -> Vec<Value> {
    let other = Generation::make(usize::MAX).map(|keys| keys.jwks(Algorithm::Rs256)).unwrap_or_default();
    let rsa = other.first().cloned().unwrap_or_default();
    let changed = |remove: &str, members: Value| {
        let mut jwk = rsa.clone();
        merge(&mut jwk, members);
        if let Some(object) = jwk.as_object_mut() {
            object.remove(remove);
        }
        jwk
    };
    vec![
        json!({ "kid": "unknown-kty", "kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "use": "sig" }),
        json!({ "kid": "broken", "kty": "RSA", "n": "!", "e": "", "alg": "RS256", "use": "sig" }),
        changed("", json!({ "kid": "encryption", "use": "enc", "alg": "RSA-OAEP" })),
        changed("alg", json!({ "kid": "without-alg" })),
        changed("kid", json!({})),
        json!("not an object"),
    ]
}

/// Adds the members of one object to another.
pub(crate) fn merge(into: &mut Value, members: Value) {
    if let (Some(into), Value::Object(members)) = (into.as_object_mut(), members) {
        into.extend(members);
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

const RSA_PKCS8: [&[u8]; 3] = [
    include_bytes!("../keys/TEST-ONLY-rsa-1.pkcs8.der"),
    include_bytes!("../keys/TEST-ONLY-rsa-2.pkcs8.der"),
    include_bytes!("../keys/TEST-ONLY-rsa-3.pkcs8.der"),
];
