//! Names for requests, many from one draw: the operating system's generator is a call into the kernel, and every request needs a name.

use std::{
    cell::{Cell, RefCell},
    fmt,
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;

use super::RequestId;
use crate::domain::Random;

/// Random bytes of one id: 96 bits, 16 characters of base64url.
const LEN: usize = 12;
/// Ids of one draw.
const DRAWN: usize = 64;

/// Names the requests of one worker. The names are no secrets: what was drawn for the next ones may lie in memory.
pub struct RequestIds {
    random: Arc<dyn Random>,
    drawn: RefCell<[u8; LEN * DRAWN]>,
    left: Cell<usize>,
}

impl RequestIds {
    /// Names made of what `random` gives.
    #[must_use]
    pub fn new(random: Arc<dyn Random>) -> Self {
        Self { random, drawn: RefCell::new([0; LEN * DRAWN]), left: Cell::new(0) }
    }

    /// A name that no other request has.
    #[must_use]
    pub fn next(&self) -> RequestId {
        let mut drawn = self.drawn.borrow_mut();
        if self.left.get() == 0 {
            self.random.fill(&mut drawn[..]);
            self.left.set(DRAWN);
        }
        let at = self.left.get() - 1;
        self.left.set(at);
        let mut text = [b'-'; LEN / 3 * 4];
        // It fits: 12 bytes are 16 characters.
        let written = URL_SAFE_NO_PAD.encode_slice(&drawn[at * LEN..][..LEN], &mut text);
        debug_assert_eq!(written.ok(), Some(text.len()));
        RequestId(HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("-")))
    }
}

impl fmt::Debug for RequestIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestIds")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::SystemRandom;

    #[test]
    fn no_two_requests_have_one_name_across_draws() {
        let ids = RequestIds::new(Arc::new(SystemRandom));
        let names: HashSet<String> = (0..=DRAWN * 3).map(|_| ids.next().as_str().to_owned()).collect();
        assert_eq!(names.len(), DRAWN * 3 + 1);
        assert!(names.iter().all(|name| name.len() == 16), "{names:?}");
    }
}
