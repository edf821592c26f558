//! Where one WebSocket frame ends and the next begins (RFC 6455, section 5.2): so that a frame of ours can be put between two of the
//! application's. Nothing else of a frame is read.

/// Follows the frames of one direction.
#[derive(Debug, Default)]
pub struct Frames {
    /// Bytes of the current frame's head, as far as they have come; without the mask, which counts as content here.
    head: [u8; 10],
    have: usize,
    /// Bytes until the frame's end, once its head is complete.
    left: u64,
}

/// The second byte of a frame: whether a mask follows, and the length or how it is written.
const MASKED: u8 = 0x80;
const MASK_BYTES: u64 = 4;

impl Frames {
    /// So many bytes have passed.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= skipped as u64;
                bytes = &bytes[skipped..];
            } else {
                self.head[self.have] = *first;
                self.have += 1;
                bytes = rest;
                self.end_head();
            }
        }
    }

    /// Whether the last frame has passed whole.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.have == 0 && self.left == 0
    }

    fn end_head(&mut self) {
        let extended = match self.head[1] & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if self.have < 2 || self.have < 2 + extended {
            return;
        }
        let mut length = [0; 8];
        match extended {
            0 => length[7] = self.head[1] & !MASKED,
            written => length[8 - written..].copy_from_slice(&self.head[2..2 + written]),
        }
        let mask = if self.head[1] & MASKED == 0 { 0 } else { MASK_BYTES };
        self.left = u64::from_be_bytes(length).saturating_add(mask);
        self.have = 0;
        self.head = [0; 10];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { MASKED } else { 0 };
        let mut bytes = vec![0x82];
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if short < 126 => bytes.push(mask | short),
            (_, Ok(middle)) => {
                bytes.push(mask | 0x7e);
                bytes.extend(middle.to_be_bytes());
            }
            _ => {
                bytes.push(mask | 0x7f);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(vec![0x88; length + if masked { 4 } else { 0 }]);
        bytes
    }

    proptest! {
        #[test]
        fn the_boundary_is_found_however_the_bytes_are_cut(
            length in prop_oneof![0..300_usize, 65_530..65_540_usize, 0..200_000_usize],
            masked: bool,
            cut in 1..5_000_usize,
        ) {
            let mut frames = Frames::default();
            for whole in [frame(length, masked), frame(3, false)] {
                for piece in whole[..whole.len() - 1].chunks(cut) {
                    frames.pass(piece);
                    prop_assert!(!frames.is_between());
                }
                frames.pass(&whole[whole.len() - 1..]);
                prop_assert!(frames.is_between());
            }
        }
    }

    #[test]
    fn a_length_beyond_all_bounds_is_never_reached() {
        let mut frames = Frames::default();
        frames.pass(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        frames.pass(&[0; 1000]);
        assert!(!frames.is_between());
    }
}
