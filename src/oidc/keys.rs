//! The provider's public keys (JWK Set, RFC 7517) and which of them may have signed a token. Fetching them is not done here.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    Algorithm,
    strict_json::{self, JsonError},
};

/// Most entries of a key set that are read; the rest counts as skipped.
pub(super) const MAX_KEYS: usize = 100;

/// Most keys tried for one token, so that a token without `kid` costs a bounded number of signature checks.
pub(super) const MAX_TRIES: usize = 8;

/// RSA moduli that are used, in bits: RFC 7518, section 3.3 sets the floor, `ring` the ceiling.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Why a document is not a key set.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum KeySetError {
    /// Not a JSON object with one meaning.
    #[error("the key set is {0}")]
    Json(JsonError),
    /// No array `keys`.
    #[error("the key set has no array `keys`")]
    NoKeys,
}

/// The keys of one provider that can verify signatures. May be empty.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    skipped: usize,
}

/// One public key.
#[derive(Clone)]
pub(super) struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    material: Material,
}

/// The key did not make this signature.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the signature does not verify")]
pub(super) struct BadSignature;

/// A public key as `ring` takes it. Made by [`Material::parse`] and the constructors, which refuse weak keys.
#[derive(Clone)]
pub(super) enum Material {
    Ed25519(Vec<u8>),
    /// The uncompressed point.
    P256(Vec<u8>),
    /// The uncompressed point.
    P384(Vec<u8>),
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
}

impl KeySet {
    /// Reads a JWK Set. Entries that cannot be used are skipped and counted (RFC 7517, section 5): unknown types and curves,
    /// malformed or weak keys, symmetric keys, keys for encryption, keys of an algorithm that we do not know.
    ///
    /// # Errors
    /// [`KeySetError`] when the document as a whole cannot be read.
    pub(super) fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        let document = strict_json::object(document).map_err(KeySetError::Json)?;
        let Some(Value::Array(entries)) = document.get("keys") else {
            return Err(KeySetError::NoKeys);
        };
        let keys: Vec<Key> = entries.iter().take(MAX_KEYS).filter_map(Key::parse).collect();
        let skipped = entries.len() - keys.len();
        Ok(Self { keys, skipped })
    }

    /// A set of one key, which serves whatever `kid` a token names and every algorithm of its type.
    #[must_use]
    pub(super) fn only(material: Material) -> Self {
        Self { keys: vec![Key { id: None, algorithm: None, material }], skipped: 0 }
    }

    /// How many keys can be used.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can be used.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many entries were skipped.
    #[must_use]
    pub(super) fn skipped(&self) -> usize {
        self.skipped
    }

    /// The keys that may have made a signature of `algorithm`: those that bear the token's `kid`, then those that bear none;
    /// all when the token names none. At most [`MAX_TRIES`].
    pub(super) fn candidates(&self, algorithm: Algorithm, key_id: Option<&str>) -> impl Iterator<Item = &Key> {
        let fitting = move || self.keys.iter().filter(move |key| key.serves(algorithm));
        let named = fitting().filter(move |key| key_id.is_none() || key.id.as_deref() == key_id);
        let nameless = fitting().filter(move |key| key_id.is_some() && key.id.is_none());
        named.chain(nameless).take(MAX_TRIES)
    }
}

impl Key {
    /// Reads one JWK (RFC 7517, section 4); `None` when it cannot verify signatures for us.
    fn parse(jwk: &Value) -> Option<Self> {
        let members = jwk.as_object()?;
        let algorithm = match optional_text(members, "alg")? {
            Some(name) => Some(name.parse().ok()?),
            None => None,
        };
        let key = Self {
            id: optional_text(members, "kid")?.map(str::to_owned),
            algorithm,
            material: Material::parse(members)?,
        };
        let fits = key.algorithm.is_none_or(|algorithm| key.material.fits(algorithm));
        (fits && is_for_signatures(members)?).then_some(key)
    }

    /// Whether the key may verify `algorithm`: a key with `alg` serves that one only.
    fn serves(&self, algorithm: Algorithm) -> bool {
        self.material.fits(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Checks a signature over `message`.
    ///
    /// # Errors
    /// [`BadSignature`], also when the key is not for `algorithm`.
    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        if !self.serves(algorithm) {
            return Err(BadSignature);
        }
        let verified = match &self.material {
            Material::Rsa { modulus, exponent } => {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                let parameters = rsa_parameters(algorithm).ok_or(BadSignature)?;
                key.verify(parameters, message, signature)
            }
            Material::P256(point) => check(&signature::ECDSA_P256_SHA256_FIXED, point, message, signature),
            Material::P384(point) => check(&signature::ECDSA_P384_SHA384_FIXED, point, message, signature),
            Material::Ed25519(point) => check(&signature::ED25519, point, message, signature),
        };
        verified.map_err(|_| BadSignature)
    }
}

impl Material {
    /// Reads the members of the key's type (RFC 7518, section 6; RFC 8037, section 2).
    fn parse(members: &Map<String, Value>) -> Option<Self> {
        match (text(members, "kty")?, optional_text(members, "crv")?) {
            ("RSA", _) => rsa(members),
            ("EC", Some("P-256")) => Some(Self::P256(point(members, 32)?)),
            ("EC", Some("P-384")) => Some(Self::P384(point(members, 48)?)),
            ("OKP", Some("Ed25519")) => Some(Self::Ed25519(fixed(members, "x", 32)?)),
            _ => None,
        }
    }

    /// An RSA key of these big-endian integers; `None` when it is too short, too long or degenerate.
    pub(super) fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Option<Self> {
        let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
        let strong = RSA_BITS.contains(&bits) && exponent.last()? % 2 == 1 && exponent != [1];
        strong.then_some(Self::Rsa { modulus, exponent })
    }

    const fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Ed25519(_) => matches!(algorithm, Algorithm::EdDsa),
            Self::P256(_) => matches!(algorithm, Algorithm::Es256),
            Self::P384(_) => matches!(algorithm, Algorithm::Es384),
            Self::Rsa { .. } => rsa_parameters(algorithm).is_some(),
        }
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519(_) => "Ed25519",
            Self::P256(_) => "P-256",
            Self::P384(_) => "P-384",
            Self::Rsa { .. } => "RSA",
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .field("kind", &self.material)
            .finish_non_exhaustive()
    }
}

fn check(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), ring::error::Unspecified> {
    UnparsedPublicKey::new(algorithm, key).verify(message, signature)
}

const fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

/// Whether `use` and `key_ops`, as far as present, allow to verify with the key (RFC 7517, sections 4.2 and 4.3).
fn is_for_signatures(members: &Map<String, Value>) -> Option<bool> {
    let verifies = match members.get("key_ops") {
        None => true,
        Some(operations) => operations.as_array()?.iter().any(|operation| operation == "verify"),
    };
    let signs = optional_text(members, "use")?.is_none_or(|purpose| purpose == "sig");
    Some(verifies && signs)
}

fn rsa(members: &Map<String, Value>) -> Option<Material> {
    Material::rsa(integer(members, "n")?, integer(members, "e")?)
}

/// A big-endian integer. Leading zeros, which RFC 7518, section 2 forbids and some libraries write, are dropped.
fn integer(members: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let bytes = bytes(members, name)?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes.get(start..)?.to_vec())
}

/// The uncompressed form of the point `x`, `y`; each coordinate has exactly `length` bytes (RFC 7518, section 6.2.1.2).
fn point(members: &Map<String, Value>, length: usize) -> Option<Vec<u8>> {
    Some([vec![4], fixed(members, "x", length)?, fixed(members, "y", length)?].concat())
}

fn fixed(members: &Map<String, Value>, name: &str, length: usize) -> Option<Vec<u8>> {
    bytes(members, name).filter(|bytes| bytes.len() == length)
}

fn bytes(members: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text(members, name)?).ok()
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    members.get(name)?.as_str()
}

/// `Some(None)` when the member is absent, `None` when it is not a text.
#[expect(clippy::option_option, reason = "absent and malformed are told apart, so that `?` skips malformed keys")]
fn optional_text<'m>(members: &'m Map<String, Value>, name: &str) -> Option<Option<&'m str>> {
    members.get(name).map_or(Some(None), |value| value.as_str().map(Some))
}

#[cfg(test)]
mod tests;
