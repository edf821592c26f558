//! The master keys of our cookies, and what is derived from them. Knows nothing of cookies or sessions.
//!
//! HKDF with SHA-256 (RFC 5869) stands twice between a master key and a message: once with the purpose as
//! `info`, so that keys of different purposes are unrelated, and once with a random salt of 128 bits, so that
//! every message has a key of its own and the bound on messages per AES-GCM key (NIST SP 800-38D, section 8.3)
//! is never near, whatever number of nodes seal with one master key.

use std::fmt;

use ring::{digest, hkdf, hmac};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::domain::{Random, SecretBytes};

/// Length of a master key in bytes.
pub const MASTER_KEY_LEN: usize = 32;

/// Master keys in the order of the configuration: the first seals, all open. Never empty.
pub struct KeyRing {
    keys: Vec<MasterKey>,
}

/// Why the configured keys make no ring. Positions count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyRingError {
    /// Two entries are the same key.
    #[error("cookie keys {first} and {second} are the same")]
    Duplicate {
        /// Position of the earlier one.
        first: usize,
        /// Position of the later one.
        second: usize,
    },
    /// There is no key.
    #[error("there is no cookie key")]
    Empty,
    /// A key is not of [`MASTER_KEY_LEN`] bytes.
    #[error("cookie key {position} has {len} bytes, not {MASTER_KEY_LEN}")]
    Length {
        /// Its position.
        position: usize,
        /// Its length in bytes.
        len: usize,
    },
}

/// Names a master key inside a sealed value without telling anything of it: four bytes of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyId(pub(super) [u8; 4]);

struct MasterKey {
    id: KeyId,
    key: Zeroizing<[u8; MASTER_KEY_LEN]>,
}

/// A key for one purpose. Seals nothing itself: each message has its own. Or it makes tags, and no messages.
pub(super) struct PurposeKey {
    pub(super) id: KeyId,
    key: Zeroizing<[u8; 32]>,
}

/// What one message is sealed with; used once, since its salt is never drawn twice.
pub(super) struct MessageKey {
    pub(super) key: Zeroizing<[u8; 32]>,
    pub(super) nonce: [u8; 12],
}

impl KeyRing {
    /// The ring of `keys`.
    ///
    /// # Errors
    /// No key, a key that is not of 32 bytes, or the same key twice.
    pub fn new(keys: &[SecretBytes]) -> Result<Self, KeyRingError> {
        if keys.is_empty() {
            return Err(KeyRingError::Empty);
        }
        let keys: Vec<_> =
            (0..).zip(keys).map(|(position, key)| MasterKey::new(position, key)).collect::<Result<_, _>>()?;
        refuse_duplicates(&keys)?;
        Ok(Self { keys })
    }

    /// A ring of one new key, for a node whose configuration has none. What it seals opens on no other node and
    /// not after a restart.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        let mut key = Zeroizing::new([0; MASTER_KEY_LEN]);
        random.fill(&mut *key);
        Self { keys: vec![MasterKey::of(key)] }
    }

    /// One key for `purpose` from each master key, in the ring's order.
    pub(super) fn for_purpose(&self, purpose: &str) -> Vec<PurposeKey> {
        self.keys.iter().map(|master| master.for_purpose(purpose)).collect()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| key.id)).finish()
    }
}

fn refuse_duplicates(keys: &[MasterKey]) -> Result<(), KeyRingError> {
    for (second, key) in keys.iter().enumerate() {
        if let Some(first) = keys[..second].iter().position(|earlier| earlier.id == key.id) {
            return Err(KeyRingError::Duplicate { first, second });
        }
    }
    Ok(())
}

impl MasterKey {
    fn new(position: usize, key: &SecretBytes) -> Result<Self, KeyRingError> {
        let bytes = key.expose();
        let wrong_length = |_| KeyRingError::Length { position, len: bytes.len() };
        <[u8; MASTER_KEY_LEN]>::try_from(bytes.as_slice())
            .map(|key| Self::of(Zeroizing::new(key)))
            .map_err(wrong_length)
    }

    fn of(key: Zeroizing<[u8; MASTER_KEY_LEN]>) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(b"doorward cookie key id\0");
        hash.update(&*key);
        let mut id = [0; 4];
        id.copy_from_slice(&hash.finish().as_ref()[..4]);
        Self { id: KeyId(id), key }
    }

    fn for_purpose(&self, purpose: &str) -> PurposeKey {
        let mut key = Zeroizing::new([0; 32]);
        derive(&*self.key, b"doorward cookie purpose", purpose.as_bytes(), &mut *key);
        PurposeKey { id: self.id, key }
    }
}

impl PurposeKey {
    /// The key of tags of this purpose, under which nothing is sealed: a tag's key needs no salt, since HMAC has no bound on messages that
    /// matters.
    pub(super) fn for_tags(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &*self.key)
    }

    /// The key of the message with this salt.
    pub(super) fn for_message(&self, salt: &[u8; 16]) -> MessageKey {
        let mut okm = Zeroizing::new([0; 44]);
        derive(&*self.key, salt, b"doorward cookie message", &mut *okm);
        let mut message = MessageKey { key: Zeroizing::new([0; 32]), nonce: [0; 12] };
        message.key.copy_from_slice(&okm[..32]);
        message.nonce.copy_from_slice(&okm[32..]);
        message
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[expect(clippy::expect_used, reason = "HKDF refuses only outputs over 8160 bytes; ours are 32 and 44")]
fn derive(key: &[u8], salt: &[u8], info: &[u8], out: &mut [u8]) {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key);
    let info = [info];
    let okm = prk.expand(&info, Length(out.len()));
    okm.and_then(|okm| okm.fill(out)).expect("the output is short");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SystemRandom;

    fn key(byte: u8) -> SecretBytes {
        SecretBytes::new(vec![byte; MASTER_KEY_LEN])
    }

    #[test]
    fn a_ring_needs_a_key() {
        assert_eq!(KeyRing::new(&[]).unwrap_err(), KeyRingError::Empty);
    }

    #[test]
    fn a_short_key_is_named_by_its_position_and_not_shown() {
        let fault = KeyRing::new(&[key(1), SecretBytes::new(b"hunter2".to_vec())]).unwrap_err();
        assert_eq!(fault.to_string(), "cookie key 1 has 7 bytes, not 32");
    }

    #[test]
    fn the_same_key_twice_is_refused() {
        let fault = KeyRing::new(&[key(1), key(2), key(1)]).unwrap_err();
        assert_eq!(fault, KeyRingError::Duplicate { first: 0, second: 2 });
    }

    #[test]
    fn a_ring_prints_key_ids_only() {
        let printed = format!("{:?}", KeyRing::new(&[key(7)]).unwrap());
        assert!(!printed.contains("7, 7, 7, 7"), "{printed}");
    }

    #[test]
    fn purposes_and_salts_yield_unrelated_keys() {
        let ring = KeyRing::generate(&SystemRandom);
        let (a, b) = (&ring.for_purpose("a")[0], &ring.for_purpose("b")[0]);
        assert_ne!(a.key, b.key);
        assert_ne!(a.for_message(&[0; 16]).key, a.for_message(&[1; 16]).key);
        assert_ne!(a.for_message(&[0; 16]).nonce, a.for_message(&[1; 16]).nonce);
    }
}
