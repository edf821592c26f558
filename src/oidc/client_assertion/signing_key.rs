//! The key behind client assertions: which kinds there are, how each is read, named and used.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest,
    error::KeyRejected,
    hmac,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
        RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use serde_json::{Map, Value};
use thiserror::Error;

use super::SigningFailed;
use crate::{
    domain::SecretString,
    oidc::{
        Algorithm, PrivateKey, PrivateKeyForm,
        pinned_key::{ED25519_ID, P256_ID, P384_ID, RSA_ID},
    },
};

/// `ring`'s word for "this is a key of another kind".
const OTHER_KIND: &str = "WrongAlgorithm";

/// Why a key cannot sign client assertions. Says nothing of the key itself.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// The shared secret is empty.
    #[error("the client secret is empty")]
    EmptySecret,
    /// `client_secret_jwt` with an algorithm that is not for shared secrets.
    #[error("{0} does not sign with a shared secret; HS256, HS384 and HS512 do")]
    NotSymmetric(Algorithm),
    /// A key of a known kind that is damaged or out of bounds; the word is `ring`'s (`TooSmall`, `InvalidEncoding`, …).
    #[error("the {kind} private key cannot be used: {reason}")]
    Rejected {
        /// Which kind it was read as.
        kind: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Not a private key of a kind that can sign here.
    #[error("the private key is neither RSA nor on the curves P-256, P-384 and Ed25519, or not PKCS#8 at all")]
    UnknownKind,
}

/// A key that signs with exactly one algorithm.
#[derive(Debug)]
pub(super) enum SigningKey {
    Ed25519(Box<Ed25519KeyPair>),
    Hmac(hmac::Key, Algorithm),
    P256(Box<EcdsaKeyPair>),
    P384(Box<EcdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
}

impl SigningKey {
    /// The shared secret's UTF-8 bytes are the key (OpenID Connect Core 1.0, section 10.1).
    pub(super) fn shared(secret: &SecretString, algorithm: Algorithm) -> Result<Self, KeyError> {
        let hash = match algorithm {
            Algorithm::Hs256 => hmac::HMAC_SHA256,
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            other => return Err(KeyError::NotSymmetric(other)),
        };
        if secret.expose().is_empty() {
            return Err(KeyError::EmptySecret);
        }
        Ok(Self::Hmac(hmac::Key::new(hash, secret.expose().as_bytes()), algorithm))
    }

    pub(super) fn private(key: &PrivateKey) -> Result<Self, KeyError> {
        let der = key.der.expose().as_slice();
        match key.form {
            PrivateKeyForm::Pkcs1 => {
                RsaKeyPair::from_der(der).map(|pair| Self::Rsa(Box::new(pair))).map_err(|why| rejected("RSA", why))
            }
            PrivateKeyForm::Pkcs8 => Self::pkcs8(der),
        }
    }

    /// Tries the kinds in turn: PKCS#8 names its own kind, and `ring` says when it is another.
    fn pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let p256 = || EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random);
        let p384 = || EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der, &random);
        None.or_else(|| of_kind("RSA", RsaKeyPair::from_pkcs8(der), Self::Rsa))
            .or_else(|| of_kind("P-256", p256(), Self::P256))
            .or_else(|| of_kind("P-384", p384(), Self::P384))
            // "Maybe unchecked": OpenSSL writes Ed25519 keys without their public half.
            .or_else(|| of_kind("Ed25519", Ed25519KeyPair::from_pkcs8_maybe_unchecked(der), Self::Ed25519))
            .unwrap_or(Err(KeyError::UnknownKind))
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::Hmac(_, algorithm) => *algorithm,
            Self::P256(_) => Algorithm::Es256,
            Self::P384(_) => Algorithm::Es384,
            Self::Rsa(_) => Algorithm::Rs256,
        }
    }

    /// Signs with the system's randomness: `ring` takes no other.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let random = SystemRandom::new();
        match self {
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Self::Hmac(key, _) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Self::P256(pair) | Self::P384(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| SigningFailed)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| SigningFailed)?;
                Ok(signature)
            }
        }
    }

    /// The members of the public key's type in a JWK (RFC 7518, section 6; RFC 8037, section 2); `None` for a shared secret.
    pub(super) fn public_members(&self) -> Option<Map<String, Value>> {
        let text = |bytes: &[u8]| Value::String(URL_SAFE_NO_PAD.encode(bytes));
        let name = |name: &str| Value::String(name.to_owned());
        let members = match self {
            Self::Hmac(..) => return None,
            Self::Ed25519(pair) => {
                vec![("kty", name("OKP")), ("crv", name("Ed25519")), ("x", text(pair.public_key().as_ref()))]
            }
            Self::P256(pair) | Self::P384(pair) => {
                let curve = if matches!(self, Self::P256(_)) { "P-256" } else { "P-384" };
                // The uncompressed point: 4, x, y.
                let point = pair.public_key().as_ref().get(1..)?;
                let (x, y) = point.split_at_checked(point.len() / 2)?;
                vec![("kty", name("EC")), ("crv", name(curve)), ("x", text(x)), ("y", text(y))]
            }
            Self::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                vec![("kty", name("RSA")), ("n", text(&public.n)), ("e", text(&public.e))]
            }
        };
        Some(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The base64url SHA-256 of the public key's DER `SubjectPublicKeyInfo`; `None` for a shared secret.
    pub(super) fn thumbprint(&self) -> Option<String> {
        let info = match self {
            Self::Hmac(..) => return None,
            Self::Ed25519(pair) => public_key_info(ED25519_ID, pair.public_key().as_ref()),
            Self::P256(pair) => public_key_info(P256_ID, pair.public_key().as_ref()),
            Self::P384(pair) => public_key_info(P384_ID, pair.public_key().as_ref()),
            Self::Rsa(pair) => public_key_info(RSA_ID, pair.public_key().as_ref()),
        };
        let hash = digest::digest(&digest::SHA256, &info);
        Some(URL_SAFE_NO_PAD.encode(hash))
    }
}

/// What came of reading a key as `kind`; `None` when it is of another.
fn of_kind<P>(
    kind: &'static str,
    read: Result<P, KeyRejected>,
    wrap: fn(Box<P>) -> SigningKey,
) -> Option<Result<SigningKey, KeyError>> {
    match read {
        Ok(pair) => Some(Ok(wrap(Box::new(pair)))),
        Err(why) if why.to_string() == OTHER_KIND => None,
        Err(why) => Some(Err(rejected(kind, why))),
    }
}

fn rejected(kind: &'static str, why: KeyRejected) -> KeyError {
    KeyError::Rejected { kind, reason: why.to_string() }
}

/// `SubjectPublicKeyInfo` (RFC 5280, section 4.1) in DER: the algorithm, then the key as a bit string without unused bits.
fn public_key_info(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let bits = [&[0], key].concat();
    element(0x30, &[algorithm, &element(0x03, &bits)].concat())
}

/// One DER element: tag, length, content (X.690, section 8.1.3).
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<_>>();
    let mut encoded = vec![tag];
    match significant.as_slice() {
        [] => encoded.push(0),
        [short] if *short < 0x80 => encoded.push(*short),
        // At most eight bytes, so that the sum keeps to one.
        long => {
            encoded.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            encoded.extend_from_slice(long);
        }
    }
    encoded.extend_from_slice(content);
    encoded
}
