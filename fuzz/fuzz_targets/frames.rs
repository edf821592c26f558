//! Where WebSocket frames end: the same place whether their bytes come at once or in pieces, and the place that a plain
//! reading of the standard finds.

#![no_main]

use doorward::proxy::frames::Frames;
use libfuzzer_sys::fuzz_target;

/// What follows the first frame of `bytes`; `None` when that is not whole (RFC 6455, section 5.2).
fn behind_first(bytes: &[u8]) -> Option<&[u8]> {
    let mask = if bytes.get(1)? & 0x80 == 0 { 0 } else { 4 };
    let (head, length) = match bytes[1] & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())),
        short => (2, u64::from(short)),
    };
    let end = usize::try_from(length).ok()?.checked_add(head + mask)?;
    bytes.get(end..)
}

fn ends_with_a_whole_frame(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match behind_first(bytes) {
            Some(rest) => bytes = rest,
            None => return false,
        }
    }
    true
}

fuzz_target!(|data: &[u8]| {
    let Some((cut, bytes)) = data.split_first() else { return };
    let mut at_once = Frames::default();
    at_once.pass(bytes);
    assert_eq!(at_once.is_between(), ends_with_a_whole_frame(bytes));

    let mut in_pieces = Frames::default();
    bytes.chunks(usize::from(*cut).max(1)).for_each(|piece| in_pieces.pass(piece));
    assert_eq!(in_pieces.is_between(), at_once.is_between());
});
