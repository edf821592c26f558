//! As much of DER (X.690) as keys need: elements that are read in turn, and one that is written.

use zeroize::Zeroizing;

/// The tags that keys are made of.
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;

/// Takes one element with this tag from the front of `rest` and gives its content (X.690, section 8.1). `None` when another stands there, or
/// less than it says: `rest` is then as it was.
pub(super) fn element<'a>(tag: u8, rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let [found, length, after @ ..] = *rest else { return None };
    if *found != tag {
        return None;
    }
    let (length, after) = match length {
        0..=0x7f => (usize::from(*length), after),
        0x81..=0x84 => {
            let (bytes, after) = after.split_at_checked(usize::from(length & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), after)
        }
        _ => return None,
    };
    let (content, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(content)
}

/// One element whose content is these parts in a row. Zeroed when dropped: it may hold a key.
pub(super) fn written(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let digits = length.to_be_bytes();
    let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
    // Never grows, so that no copy is left behind.
    let mut element = Zeroizing::new(Vec::with_capacity(2 + digits.len() + length));
    element.push(tag);
    match digits {
        [] => element.push(0),
        [short @ 0..=0x7f] => element.push(*short),
        // At most the size of a usize: eight.
        _ => {
            element.push(0x80 | digits.len().to_le_bytes()[0]);
            element.extend_from_slice(digits);
        }
    }
    for part in parts {
        element.extend_from_slice(part);
    }
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 70_000] {
            let content = vec![7; length];
            let (one, other) = content.split_at(length / 2);
            let whole = written(SEQUENCE, &[one, other]);
            let mut rest = &whole[..];
            assert_eq!(element(SEQUENCE, &mut rest), Some(&content[..]));
            assert!(rest.is_empty());
            for end in 0..whole.len().min(200) {
                assert_eq!(element(SEQUENCE, &mut &whole[..end]), None, "{length}: {end}");
            }
            assert_eq!(element(INTEGER, &mut &whole[..]), None);
        }
        for lies in [&[0x30, 0x80][..], &[0x30, 0x85, 0, 0, 0, 0, 1, 0], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(element(SEQUENCE, &mut &*lies), None);
        }
    }
}
