//! Sessions that a worker has opened before, so that the same one is not decrypted or decoded with every request. It holds parsed state only,
//! never a verdict: limits and revocations are asked each time. Its life is that of one worker with one site: other keys or another site
//! begin with another cache.

use std::{cell::RefCell, collections::HashMap, fmt, sync::Arc};

use crate::domain::{Session, Timestamp};

/// Most sessions kept, in two generations of half as many; about 8 KB each.
const CAPACITY: usize = 4096;
/// How much of the text's end is the key: the last characters of the GCM tag, which no two sealed values share, or of a ticket's hash.
const KEY_LEN: usize = 16;

type Generation = HashMap<[u8; KEY_LEN], Entry>;

/// What was opened lately.
pub struct OpenedSessions {
    /// Opened or found since the generations last changed, and the half before that.
    generations: RefCell<(Generation, Generation)>,
    half: usize,
}

struct Entry {
    /// All of the sealed text, or what a store in the process calls this state of the session. It is compared in full: only what equals something authentic is authentic.
    text: Box<[u8]>,
    ends: Timestamp,
    session: Arc<Session>,
}

impl Default for OpenedSessions {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl OpenedSessions {
    fn with_capacity(capacity: usize) -> Self {
        Self { generations: RefCell::default(), half: capacity / 2 }
    }

    /// The session that exactly this text held when it was opened, unless its seal has ended since.
    pub(super) fn find(&self, text: &[u8], now: Timestamp) -> Option<Arc<Session>> {
        let key = text.last_chunk::<KEY_LEN>()?;
        let mut generations = self.generations.borrow_mut();
        let (young, old) = &mut *generations;
        let is_it = |entry: &&Entry| *entry.text == *text && now < entry.ends;
        if let Some(entry) = young.get(key).filter(is_it) {
            return Some(entry.session.clone());
        }
        old.get(key).filter(is_it)?;
        let entry = old.remove(key)?;
        let session = entry.session.clone();
        self.put(&mut generations, *key, entry);
        Some(session)
    }

    /// Keeps a session that was just opened from `text`, whose seal ends at `ends`.
    pub(super) fn keep(&self, text: &[u8], ends: Timestamp, session: &Arc<Session>) {
        let Some(key) = text.last_chunk::<KEY_LEN>() else { return };
        let entry = Entry { text: text.into(), ends, session: session.clone() };
        self.put(&mut self.generations.borrow_mut(), *key, entry);
    }

    fn put(&self, (young, old): &mut (Generation, Generation), key: [u8; KEY_LEN], entry: Entry) {
        if young.len() >= self.half {
            *old = std::mem::take(young);
        }
        young.insert(key, entry);
    }
}

impl fmt::Debug for OpenedSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenedSessions([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::codec::tests::keycloak_session;

    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const END: Timestamp = Timestamp::from_secs(2_000);

    fn text(n: usize) -> Vec<u8> {
        format!("sealed text number {n:020}").into_bytes()
    }

    #[test]
    fn only_the_very_same_text_is_found_and_only_until_its_end() {
        let opened = OpenedSessions::default();
        opened.keep(&text(1), END, &Arc::new(keycloak_session()));
        assert!(opened.find(&text(1), NOW).is_some());
        assert!(opened.find(&text(1), END).is_none());
        let mut other = text(1);
        other[0] ^= 1;
        assert!(opened.find(&other, NOW).is_none(), "the same tag does not make it the same text");
        assert!(opened.find(b"short", NOW).is_none());
    }

    #[test]
    fn the_bound_holds_and_what_is_used_stays() {
        let opened = OpenedSessions::with_capacity(8);
        let session = Arc::new(keycloak_session());
        opened.keep(&text(0), END, &session);
        for n in 1..100 {
            opened.keep(&text(n), END, &session);
            assert!(opened.find(&text(0), NOW).is_some(), "used, and gone after {n}");
            let held = opened.generations.borrow();
            assert!(held.0.len() + held.1.len() <= 8);
        }
        assert!(opened.find(&text(50), NOW).is_none());
    }
}
