//! Values that only we can make and only we can read: AES-256-GCM with a purpose, a place and an end.
//! Sole user of `aes_gcm`. Knows nothing of what it seals.
//!
//! ```text
//! text  = base64url(version 1 ‖ key id 4 ‖ salt 16 ‖ AES-256-GCM(expiry 8 ‖ body) ‖ tag 16)
//! key   = HKDF(HKDF(master key, purpose), salt)                                  see `keys`
//! AAD   = version, key id, purpose, site, cookie name; each preceded by its length
//! ```
//!
//! The text is canonical: of all spellings that decoders accept (padding, white space, other trailing bits), only
//! the one that we write opens, so equal cookies are equal bytes.

use std::fmt;

use aes_gcm::{AeadInOut, Aes256Gcm, Key, KeyInit, Nonce};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use thiserror::Error;
use zeroize::Zeroizing;

use super::keys::{KeyId, KeyRing, MessageKey, PurposeKey};
use crate::domain::{Random, Timestamp};

const VERSION: u8 = 1;
const HEADER_LEN: usize = 1 + 4 + 16;
const EXPIRY_LEN: usize = 8;
const TAG_LEN: usize = 16;

/// Longest text that is looked at, in characters: that of a kept form. More than all chunks of one cookie can carry.
const MAX_TEXT: usize = 128 * 1024;

/// What a sealed value is for. A value sealed for one purpose opens for no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `state`, `nonce` and code verifier of one login under way.
    LoginAttempt,
    /// A login.
    Session,
    /// A form that is kept over a sign-in.
    KeptForm,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::LoginAttempt => "login attempt",
            Self::Session => "session",
            Self::KeptForm => "kept form",
        }
    }
}

/// Seals and opens values of one purpose at one site.
pub struct Sealer {
    purpose: Purpose,
    site: String,
    sealing: PurposeKey,
    older: Vec<PurposeKey>,
}

/// A sealed value as text of the base64url alphabet. Whoever holds it can present it: it is not for logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(String);

/// What a seal held, after it proved genuine and meant for here. Wiped when dropped.
pub struct Opened(Zeroizing<Vec<u8>>);

/// Why a value could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the value is too large to be sealed")]
pub struct TooLargeToSeal;

/// Why a text did not open: for the log at debug level, and never to be told to whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unsealable {
    /// Genuine, but its end has passed.
    #[error("expired")]
    Expired,
    /// Changed, or sealed for another purpose, site or cookie.
    #[error("not authentic")]
    NotAuthentic,
    /// Not the one spelling that we write, or too short or too long to be ours.
    #[error("not canonical")]
    NotCanonical,
    /// Genuine, but what it holds is not what was expected there.
    #[error("contents not understood")]
    NotUnderstood,
    /// Sealed with a key that this node does not have (any more).
    #[error("unknown key")]
    UnknownKey,
    /// Of another format.
    #[error("unknown version")]
    UnknownVersion,
}

impl Sealer {
    /// A sealer of `purpose` at `site`, whose name must differ from that of every other site with the same keys.
    #[must_use]
    pub fn new(keys: &KeyRing, purpose: Purpose, site: &str) -> Self {
        let mut keys = keys.for_purpose(purpose.label());
        let sealing = keys.remove(0);
        Self { purpose, site: site.to_owned(), sealing, older: keys }
    }

    /// Seals `body` until `expires_at` for the cookie `name`.
    ///
    /// # Errors
    /// When `body` is larger than AES-GCM takes (64 GiB).
    pub fn seal(
        &self,
        name: &str,
        body: &[u8],
        expires_at: Timestamp,
        random: &dyn Random,
    ) -> Result<Sealed, TooLargeToSeal> {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        let MessageKey { key, nonce } = self.sealing.for_message(&salt);
        let mut buffer = Zeroizing::new(Vec::with_capacity(EXPIRY_LEN + body.len() + TAG_LEN));
        buffer.extend_from_slice(&expires_at.as_millis().to_be_bytes());
        buffer.extend_from_slice(body);
        Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
            .encrypt_in_place(&Nonce::from(nonce), &self.associated_data(self.sealing.id, name), &mut *buffer)
            .map_err(|_| TooLargeToSeal)?;
        let message = [&[VERSION], &self.sealing.id.0[..], &salt, &buffer].concat();
        Ok(Sealed(URL_SAFE_NO_PAD.encode(message)))
    }

    /// Opens what the cookie `name` carries. Whatever is wrong with it, the value is absent; the reason goes to the
    /// log at debug level.
    #[must_use]
    pub fn open(&self, name: &str, text: &[u8], now: Timestamp) -> Option<Opened> {
        self.try_open(name, text, now)
            .inspect_err(|reason| tracing::debug!(%reason, purpose = ?self.purpose, "a cookie does not open"))
            .ok()
    }

    /// [`Self::open`] with the reason.
    ///
    /// # Errors
    /// See [`Unsealable`].
    pub fn try_open(&self, name: &str, text: &[u8], now: Timestamp) -> Result<Opened, Unsealable> {
        let opened = self.open_even_expired(name, text)?;
        if now >= opened.ends() {
            return Err(Unsealable::Expired);
        }
        Ok(opened)
    }

    /// [`Self::try_open`], but for the end: the caller must not let what it yields count.
    ///
    /// # Errors
    /// See [`Unsealable`].
    pub(super) fn open_even_expired(&self, name: &str, text: &[u8]) -> Result<Opened, Unsealable> {
        let message = decode(text)?;
        let header = message.first_chunk::<HEADER_LEN>().ok_or(Unsealable::NotCanonical)?;
        let (key, salt) = self.read_header(header)?;
        let mut plain = Zeroizing::new(message[HEADER_LEN..].to_vec());
        let MessageKey { key: message_key, nonce } = key.for_message(&salt);
        Aes256Gcm::new(&Key::<Aes256Gcm>::from(*message_key))
            .decrypt_in_place(&Nonce::from(nonce), &self.associated_data(key.id, name), &mut *plain)
            .map_err(|_| Unsealable::NotAuthentic)?;
        if plain.len() < EXPIRY_LEN {
            return Err(Unsealable::NotUnderstood);
        }
        Ok(Opened(plain))
    }

    fn read_header(&self, header: &[u8; HEADER_LEN]) -> Result<(&PurposeKey, [u8; 16]), Unsealable> {
        let [version, a, b, c, d, salt @ ..] = *header;
        if version != VERSION {
            return Err(Unsealable::UnknownVersion);
        }
        let id = KeyId([a, b, c, d]);
        let mut keys = std::iter::once(&self.sealing).chain(&self.older);
        let key = keys.find(|key| key.id == id).ok_or(Unsealable::UnknownKey)?;
        Ok((key, salt))
    }

    /// Every field is preceded by its length, so that no byte can move from one to the next.
    fn associated_data(&self, key: KeyId, name: &str) -> Vec<u8> {
        let fields = [&[VERSION][..], &key.0, self.purpose.label().as_bytes(), self.site.as_bytes(), name.as_bytes()];
        let mut data = Vec::with_capacity(fields.iter().map(|field| 8 + field.len()).sum());
        for field in fields {
            data.extend_from_slice(&(field.len() as u64).to_be_bytes());
            data.extend_from_slice(field);
        }
        data
    }
}

/// The engine refuses padding, characters outside its alphabet and stray trailing bits.
fn decode(text: &[u8]) -> Result<Vec<u8>, Unsealable> {
    if text.len() > MAX_TEXT {
        return Err(Unsealable::NotCanonical);
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Unsealable::NotCanonical)
}

impl Sealed {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Opened {
    /// When the seal ends. [`Sealer::open`] has checked that it has not.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        self.0
            .first_chunk::<EXPIRY_LEN>()
            .map_or(Timestamp::from_millis(0), |end| Timestamp::from_millis(i64::from_be_bytes(*end)))
    }

    /// What was sealed.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.0[EXPIRY_LEN..]
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("purpose", &self.purpose).field("site", &self.site).finish_non_exhaustive()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests;
