//! Sessions as few bytes: postcard of a private form of them, compressed with a dictionary of what Keycloak's tokens
//! have in common. For sessions only: beside attacker-chosen text (a return URL), the length of what is compressed
//! would tell of the secrets next to it.
//!
//! ```text
//! body = format 2 ‖ postcard(length unpacked, zstd frame of postcard(Wire)) ‖ tail
//! ```
//!
//! The tail holds what does not compress (signatures, random ids). The format's number names the dictionary too:
//! another dictionary is another number.
//!
//! Size: the tokens of a Keycloak login (access RS256 of 1562, ID of 1281, refresh HS512 of 698 characters) with their
//! projections make a cookie of 1845 bytes, name included; 769 of them are the three signatures. Tokens alone, as
//! Keycloak's adapters keep them, are 3541.

mod token;
mod wire;

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;
use zstd::{
    bulk::{Compressor, Decompressor},
    dict::{DecoderDictionary, EncoderDictionary},
};

use self::wire::{Parts, Wire};
use crate::domain::Session;

/// What is written, and with which dictionary.
const FORMAT: u8 = 2;

/// Text as it stands in the tokens of Keycloak 26, and some of other providers; made by hand, of no real realm.
const DICTIONARY: &[u8] = include_bytes!("keycloak.dict");

/// On such a session (2.5 KB of text; zstd 1.5 on one core): level 3 yields 712 bytes in 12 µs, level 9 yields 674 in
/// 40 µs, level 19 yields 663 in 680 µs. Unpacking takes 4 µs whatever the level. A session is written at its login, at
/// a renewal and ten times per idle limit at most, but its bytes come with every request.
const LEVEL: i32 = 9;

/// Longest form of a session before compression, in bytes: far beyond what eight cookies carry, far below what hurts.
pub const MAX_UNPACKED: usize = 256 * 1024;

/// Turns sessions into bytes and back. Make one and keep it: the dictionary is prepared once.
pub struct SessionCodec {
    compression: EncoderDictionary<'static>,
    decompression: DecoderDictionary<'static>,
}

/// Why a session could not be written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// zstd failed on our side.
    #[error("compression failed")]
    Compression,
    /// Not what this format looks like, or of another format.
    #[error("not a session of this format")]
    Malformed,
    /// More than [`MAX_UNPACKED`] bytes before compression.
    #[error("a session of {bytes} bytes is larger than {MAX_UNPACKED}")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    unpacked: usize,
    frame: &'a [u8],
}

impl SessionCodec {
    /// A codec of the one format.
    #[must_use]
    pub fn new() -> Self {
        Self {
            compression: EncoderDictionary::copy(DICTIONARY, LEVEL),
            decompression: DecoderDictionary::copy(DICTIONARY),
        }
    }

    /// The bytes of `session`, in clear: they hold tokens, and are to be sealed at once.
    ///
    /// # Errors
    /// [`CodecError::TooLarge`], or [`CodecError::Compression`].
    pub fn encode(&self, session: &Session) -> Result<Zeroizing<Vec<u8>>, CodecError> {
        let parts = Parts::of(session);
        let mut tail = Zeroizing::new(Vec::with_capacity(parts.tail_bound()));
        let text = to_wiped_bytes(&parts.wire(&mut tail))?;
        if text.len() > MAX_UNPACKED {
            return Err(CodecError::TooLarge { bytes: text.len() });
        }
        let frame = self.compress(&text)?;
        let envelope = to_wiped_bytes(&Envelope { unpacked: text.len(), frame: &frame })?;
        let mut body = Zeroizing::new(Vec::with_capacity(1 + envelope.len() + tail.len()));
        body.push(FORMAT);
        body.extend_from_slice(&envelope);
        body.extend_from_slice(&tail);
        Ok(body)
    }

    /// The session that `body` holds. Reads no more than [`MAX_UNPACKED`] bytes out of the compressed part, whatever
    /// that claims or would yield.
    ///
    /// # Errors
    /// [`CodecError::TooLarge`], or [`CodecError::Malformed`].
    pub fn decode(&self, body: &[u8]) -> Result<Session, CodecError> {
        let [FORMAT, rest @ ..] = body else {
            return Err(CodecError::Malformed);
        };
        let (envelope, tail) = postcard::take_from_bytes::<Envelope<'_>>(rest).map_err(|_| CodecError::Malformed)?;
        let text = self.decompress(&envelope)?;
        match postcard::take_from_bytes::<Wire<'_>>(&text) {
            Ok((wire, [])) => wire.into_session(tail),
            _ => Err(CodecError::Malformed),
        }
    }

    fn compress(&self, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, CodecError> {
        let mut compressor =
            Compressor::with_prepared_dictionary(&self.compression).map_err(|_| CodecError::Compression)?;
        compressor.compress(text).map(Zeroizing::new).map_err(|_| CodecError::Compression)
    }

    fn decompress(&self, envelope: &Envelope<'_>) -> Result<Zeroizing<Vec<u8>>, CodecError> {
        if envelope.unpacked > MAX_UNPACKED {
            return Err(CodecError::TooLarge { bytes: envelope.unpacked });
        }
        let mut text = Zeroizing::new(vec![0; envelope.unpacked]);
        let mut decompressor =
            Decompressor::with_prepared_dictionary(&self.decompression).map_err(|_| CodecError::Malformed)?;
        let read = decompressor.decompress_to_buffer(envelope.frame, text.as_mut_slice());
        if read.is_ok_and(|read| read == envelope.unpacked) { Ok(text) } else { Err(CodecError::Malformed) }
    }
}

impl Default for SessionCodec {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SessionCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionCodec")
    }
}

/// `value` in a buffer of the right size from the start: one that grows leaves copies behind.
pub(super) fn to_wiped_bytes(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, CodecError> {
    let len = postcard::experimental::serialized_size(value).map_err(|_| CodecError::Malformed)?;
    let mut bytes = Zeroizing::new(vec![0; len]);
    postcard::to_slice(value, &mut bytes).map_err(|_| CodecError::Malformed)?;
    Ok(bytes)
}

#[cfg(test)]
pub(super) mod tests;
