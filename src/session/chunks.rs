//! One sealed value over several cookies, because browsers drop a cookie of more than 4096 bytes with its name and
//! attributes.
//!
//! ```text
//! one cookie    NAME   = text
//! n cookies     NAME   = n "." first piece
//!               NAME.1 = second piece … NAME.(n-1) = last piece
//! ```
//!
//! The value is sealed first and cut afterwards, so that there is one check, over everything: any other number,
//! order or origin of pieces is another ciphertext, and the seal does not hold. No index is needed in the associated
//! data, since position is part of what AES-GCM authenticates. The count is there to know which cookies to read, and
//! there is one way only to cut a given text: pieces of another length are refused before the seal is looked at.
//! Cookies of a longer value that stayed in the browser are not read.

use std::borrow::Cow;

use thiserror::Error;

use super::{Lookup, RequestCookies, Sealed};

/// Most cookies that one value is spread over.
pub const MAX_CHUNKS: usize = 8;

/// Longest value of one cookie, in characters.
pub const MAX_VALUE: usize = 3800;

/// What a full piece carries: `MAX_VALUE` without the count.
const PIECE: usize = MAX_VALUE - 2;

/// A session that does not fit into [`MAX_CHUNKS`] cookies. Not to be answered by another login, which would end here
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the session needs {bytes} bytes of cookies, more than {MAX_CHUNKS} cookies carry")]
pub struct StateTooLarge {
    /// Length of the sealed value; of the session itself when that alone is too large to be looked at further.
    pub bytes: usize,
}

/// The cookies, by name and value, that carry `sealed`; the first has the plain `name`.
///
/// # Errors
/// When there would be more than [`MAX_CHUNKS`].
pub(super) fn cut(name: &str, sealed: &Sealed) -> Result<Vec<(String, String)>, StateTooLarge> {
    cut_text(name, sealed.as_str())
}

fn cut_text(name: &str, text: &str) -> Result<Vec<(String, String)>, StateTooLarge> {
    if text.len() <= MAX_VALUE {
        return Ok(vec![(name.to_owned(), text.to_owned())]);
    }
    let count = text.len().div_ceil(PIECE);
    if count > MAX_CHUNKS {
        return Err(StateTooLarge { bytes: text.len() });
    }
    let pieces = (0..count).map(|index| &text[index * PIECE..text.len().min((index + 1) * PIECE)]);
    let values =
        pieces.enumerate().map(|(index, piece)| if index == 0 { format!("{count}.{piece}") } else { piece.to_owned() });
    Ok(names(name).zip(values).collect())
}

/// The text that the cookies of `name` carry together. `None` when a piece is missing, ambiguous, or not of the length
/// that [`cut`] gives it.
pub(super) fn join<'a>(name: &str, cookies: &'a RequestCookies) -> Option<Cow<'a, [u8]>> {
    let first = one(name, cookies)?;
    match first {
        [count @ b'0'..=b'9', b'.', piece @ ..] => {
            join_pieces(name, cookies, usize::from(count - b'0'), piece).map(Cow::Owned)
        }
        text => (1..=MAX_VALUE).contains(&text.len()).then_some(Cow::Borrowed(text)),
    }
}

fn join_pieces(name: &str, cookies: &RequestCookies, count: usize, first: &[u8]) -> Option<Vec<u8>> {
    if !(2..=MAX_CHUNKS).contains(&count) || first.len() != PIECE {
        return None;
    }
    let mut text = Vec::with_capacity(count * PIECE);
    text.extend_from_slice(first);
    for (index, name) in names(name).enumerate().take(count).skip(1) {
        let piece = one(&name, cookies)?;
        let is_last = index + 1 == count;
        if piece.is_empty() || piece.len() > PIECE || (!is_last && piece.len() < PIECE) {
            return None;
        }
        text.extend_from_slice(piece);
    }
    (text.len() > MAX_VALUE).then_some(text)
}

/// Names of chunks that the request carries beyond the first `written`: to be expired.
pub(super) fn surplus(name: &str, cookies: &RequestCookies, written: usize) -> Vec<String> {
    names(name).skip(written).filter(|name| cookies.holds(name)).collect()
}

/// `NAME`, `NAME.1`, … `NAME.7`: every name that a value may be spread over.
pub(super) fn names(name: &str) -> impl Iterator<Item = String> {
    (0..MAX_CHUNKS).map(move |index| if index == 0 { name.to_owned() } else { format!("{name}.{index}") })
}

fn one<'a>(name: &str, cookies: &'a RequestCookies) -> Option<&'a [u8]> {
    match cookies.find(name) {
        Lookup::One(value) => Some(value),
        Lookup::Absent | Lookup::Ambiguous => None,
    }
}

#[cfg(test)]
mod tests;
