//! Tokens in parts: what compresses (JSON) apart from what does not (signatures), and both as bytes instead of the
//! base64url that a JWT is written in (RFC 7515, section 3.1). Any text comes back exactly as it was.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::CodecError;

/// One part of a text between dots, as it is written.
#[derive(Serialize, Deserialize)]
pub(super) enum Segment<'a> {
    /// Canonical base64url of so many bytes, which stand in the tail.
    Binary(usize),
    /// Canonical base64url of these bytes, which look like JSON.
    Json(#[serde(borrow)] &'a [u8]),
    /// Anything else, as it is.
    Text(&'a str),
}

/// One part of a text between dots, decoded.
pub(super) enum Part<'a> {
    Bytes(Zeroizing<Vec<u8>>),
    Text(&'a str),
}

/// The parts of `text`. A part that would not be written again exactly as it stands stays text.
pub(super) fn split(text: &str) -> Vec<Part<'_>> {
    let part = |text| match URL_SAFE_NO_PAD.decode(text) {
        Ok(bytes) => Part::Bytes(Zeroizing::new(bytes)),
        Err(_) => Part::Text(text),
    };
    text.split('.').map(part).collect()
}

/// How `parts` are written; what does not compress goes to the end of `tail`.
pub(super) fn pack<'a>(parts: &'a [Part<'a>], tail: &mut Vec<u8>) -> Vec<Segment<'a>> {
    let segment = |part: &'a Part<'a>| match part {
        Part::Text(text) => Segment::Text(text),
        Part::Bytes(bytes) if bytes.first() == Some(&b'{') => Segment::Json(bytes),
        Part::Bytes(bytes) => {
            tail.extend_from_slice(bytes);
            Segment::Binary(bytes.len())
        }
    };
    parts.iter().map(segment).collect()
}

/// The text that was packed into `segments`; takes what it needs from the front of `tail`.
pub(super) fn unpack(segments: &[Segment<'_>], tail: &mut &[u8]) -> Result<String, CodecError> {
    let mut text = String::with_capacity(segments.iter().map(text_len).sum());
    for (index, segment) in segments.iter().enumerate() {
        if index > 0 {
            text.push('.');
        }
        match segment {
            Segment::Text(part) => text.push_str(part),
            Segment::Json(bytes) => URL_SAFE_NO_PAD.encode_string(bytes, &mut text),
            Segment::Binary(len) => URL_SAFE_NO_PAD.encode_string(take(tail, *len)?, &mut text),
        }
    }
    Ok(text)
}

/// Enough that a token is not left behind in memory by a buffer that grew. Lengths are claims until they are read, so
/// they are bounded.
fn text_len(segment: &Segment<'_>) -> usize {
    1 + match segment {
        Segment::Text(text) => text.len(),
        Segment::Json(bytes) => bytes.len().div_ceil(3) * 4,
        Segment::Binary(len) => (*len).min(1 << 14).div_ceil(3) * 4,
    }
}

fn take<'a>(tail: &mut &'a [u8], len: usize) -> Result<&'a [u8], CodecError> {
    let (taken, rest) = tail.split_at_checked(len).ok_or(CodecError::Malformed)?;
    *tail = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(text: &str) -> (String, usize) {
        let mut tail = Vec::new();
        let parts = split(text);
        let segments = pack(&parts, &mut tail);
        let mut rest = tail.as_slice();
        let unpacked = unpack(&segments, &mut rest).unwrap();
        assert_eq!(rest, b"");
        (unpacked, tail.len())
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text: String) {
            prop_assert_eq!(round_trip(&text).0, text);
        }

        #[test]
        fn any_text_that_looks_like_a_token_comes_back(text in "[A-Za-z0-9_=-]{0,9}(\\.[A-Za-z0-9_=-]{0,9}){0,5}") {
            prop_assert_eq!(round_trip(&text).0, text);
        }
    }

    #[test]
    fn a_signature_goes_to_the_tail() {
        let text = format!("{}.{}.{}", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode("{\"a\":1}"), "_-8A");
        assert_eq!(round_trip(&text), (text, 3));
    }

    #[test]
    fn a_tail_that_ends_too_early_is_an_error() {
        let segments = [Segment::Binary(usize::MAX)];
        assert_eq!(unpack(&segments, &mut &b"ab"[..]), Err(CodecError::Malformed));
    }
}
