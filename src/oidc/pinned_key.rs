//! A pinned public key (`realm-public-key`): the one key that the provider's tokens are believed by. Read from DER
//! `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7); every form that is not known here is refused.

use thiserror::Error;

use super::keys::{KeySet, Material};

/// `AlgorithmIdentifier` of RSA keys (RFC 3279, section 2.3.1), in DER.
pub(super) const RSA_ID: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// `AlgorithmIdentifier` of P-256 keys (RFC 5480, section 2.1.1), in DER.
pub(super) const P256_ID: &[u8] =
    b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// `AlgorithmIdentifier` of P-384 keys (RFC 5480, section 2.1.1), in DER.
pub(super) const P384_ID: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
/// `AlgorithmIdentifier` of Ed25519 keys (RFC 8410, section 3), in DER.
pub(super) const ED25519_ID: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const INTEGER: u8 = 0x02;

/// A public key that can verify signatures for us: RSA from 2048 to 8192 bits, P-256, P-384 or Ed25519. It serves whatever `kid` a
/// token names, as in Keycloak's adapters (`HardcodedPublicKeyLocator`), and every algorithm of its type.
#[derive(Clone, Debug)]
pub struct PinnedKey(Material);

/// Why bytes are no key that could be pinned.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PinnedKeyError {
    /// Not DER, or of another structure.
    #[error("is not a DER public key (`SubjectPublicKeyInfo`)")]
    Malformed,
    /// A key type or curve that we do not verify with.
    #[error("is a public key of a kind that cannot be used: RSA, P-256, P-384 and Ed25519 can")]
    UnknownKind,
    /// A damaged key, or an RSA key out of bounds.
    #[error("is a public key that is damaged, or RSA of fewer than 2048 or more than 8192 bits")]
    Unusable,
}

impl PinnedKey {
    /// Reads a `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    /// When there is no usable key in it, or something besides.
    pub fn from_der(der: &[u8]) -> Result<Self, PinnedKeyError> {
        let info = alone(SEQUENCE, der).ok_or(PinnedKeyError::Malformed)?;
        let (_, bit_string) = first(SEQUENCE, info).ok_or(PinnedKeyError::Malformed)?;
        let algorithm = info.strip_suffix(bit_string).ok_or(PinnedKeyError::Malformed)?;
        let key =
            alone(BIT_STRING, bit_string).and_then(|bits| bits.strip_prefix(&[0])).ok_or(PinnedKeyError::Malformed)?;
        let material = match algorithm {
            RSA_ID => rsa(key),
            P256_ID => point(key, 65).map(Material::P256),
            P384_ID => point(key, 97).map(Material::P384),
            ED25519_ID => (key.len() == 32).then(|| Material::Ed25519(key.to_vec())),
            _ => return Err(PinnedKeyError::UnknownKind),
        };
        material.map(Self).ok_or(PinnedKeyError::Unusable)
    }

    pub(super) fn key_set(&self) -> KeySet {
        KeySet::only(self.0.clone())
    }
}

/// `RSAPublicKey` (RFC 8017, appendix A.1.1).
fn rsa(key: &[u8]) -> Option<Material> {
    let (modulus, rest) = first(INTEGER, alone(SEQUENCE, key)?)?;
    let exponent = alone(INTEGER, rest)?;
    Material::rsa(positive(modulus)?, positive(exponent)?)
}

/// A positive integer in as few bytes as it takes, without the zero that keeps its sign (X.690, section 8.3).
fn positive(integer: &[u8]) -> Option<Vec<u8>> {
    match integer {
        [0, rest @ ..] if rest.first().is_some_and(|byte| *byte >= 0x80) => Some(rest.to_vec()),
        [first, ..] if (1..0x80).contains(first) => Some(integer.to_vec()),
        _ => None,
    }
}

/// An uncompressed point (RFC 5480, section 2.2); `ring` refuses one that is not on the curve when it verifies.
fn point(key: &[u8], length: usize) -> Option<Vec<u8>> {
    (key.len() == length && key.first() == Some(&4)).then(|| key.to_vec())
}

/// The content of the one element that `der` is.
fn alone(tag: u8, der: &[u8]) -> Option<&[u8]> {
    first(tag, der).filter(|(_, rest)| rest.is_empty()).map(|(content, _)| content)
}

/// The content of the first element, and what follows it. Lengths are as short as they can be (X.690, section 10.1) and fit in two bytes,
/// which is more than any key takes.
fn first(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (length, rest) = match rest {
        [0x82, high @ 1..=0xff, low, rest @ ..] => (u16::from_be_bytes([*high, *low]), rest),
        [0x81, length @ 0x80..=0xff, rest @ ..] | [length @ 0..=0x7f, rest @ ..] => (u16::from(*length), rest),
        _ => return None,
    };
    rest.split_at_checked(usize::from(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::{
        Algorithm,
        test_keys::{RSA_PUBLIC, TestKey, der},
    };

    const MESSAGE: &[u8] = b"a message";

    fn info(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
        let element = |tag: u8, content: &[u8]| match u8::try_from(content.len()).unwrap() {
            length @ 0x80.. => [&[tag, 0x81, length], content].concat(),
            length => [&[tag, length], content].concat(),
        };
        let bits = element(BIT_STRING, &[&[0], key].concat());
        element(SEQUENCE, &[algorithm, &bits].concat())
    }

    #[test]
    fn an_rsa_key_serves_every_rsa_algorithm_and_any_key_id() {
        let set = PinnedKey::from_der(&der(RSA_PUBLIC)).unwrap().key_set();
        for algorithm in [Algorithm::Rs256, Algorithm::Ps384] {
            let signature = TestKey::fixture(algorithm).sign(algorithm, MESSAGE);
            let key = set.candidates(algorithm, Some("whatever")).next().unwrap();
            key.verify(algorithm, MESSAGE, &signature).unwrap();
            key.verify(algorithm, b"another", &signature).unwrap_err();
        }
        assert_eq!(set.candidates(Algorithm::Es256, None).count(), 0);
    }

    #[test]
    fn elliptic_keys_are_read_too() {
        let rows = [(Algorithm::Es256, P256_ID), (Algorithm::Es384, P384_ID), (Algorithm::EdDsa, ED25519_ID)];
        for (algorithm, id) in rows {
            let key = TestKey::fixture(algorithm);
            let set = PinnedKey::from_der(&info(id, &key.public())).unwrap().key_set();
            let signature = key.sign(algorithm, MESSAGE);
            set.candidates(algorithm, None).next().unwrap().verify(algorithm, MESSAGE, &signature).unwrap();
        }
    }

    #[test]
    fn whatever_is_no_usable_key_is_refused() {
        let good = der(RSA_PUBLIC);
        let ed25519 = info(ED25519_ID, &[7; 32]);
        PinnedKey::from_der(&ed25519).unwrap();
        let longer = [good.as_slice(), &[0]].concat();
        let shorter = &good[..good.len() - 1];
        let indefinite = [&[SEQUENCE, 0x81, 42], &ed25519[2..]].concat();
        for bytes in [&[][..], b"x", &longer, shorter, &indefinite] {
            assert_eq!(PinnedKey::from_der(bytes).unwrap_err(), PinnedKeyError::Malformed);
        }
        let dsa = b"\x30\x09\x06\x07\x2a\x86\x48\xce\x38\x04\x01";
        assert_eq!(PinnedKey::from_der(&info(dsa, &[7; 32])).unwrap_err(), PinnedKeyError::UnknownKind);
        let compressed = [&[2][..], &[7; 32]].concat();
        let tiny_rsa = b"\x30\x06\x02\x01\x0f\x02\x01\x03";
        for (id, key) in [(P256_ID, compressed.as_slice()), (RSA_ID, tiny_rsa), (ED25519_ID, &[7; 31]), (P384_ID, b"")]
        {
            assert_eq!(PinnedKey::from_der(&info(id, key)).unwrap_err(), PinnedKeyError::Unusable);
        }
    }
}
