//! What a worker has opened or verified before, so that the same cookie is not decrypted, and the same token not verified, with every
//! request. It holds parsed state only, never a verdict: limits and revocations are asked each time. Its life is that of one worker with
//! one site: other keys or another site begin with another memory.

use std::{cell::RefCell, collections::HashMap, fmt, sync::Arc};

use zeroize::Zeroizing;

use crate::domain::Timestamp;

/// Most entries kept unless told otherwise, in two generations of half as many; a session is about 8 KB.
const CAPACITY: usize = 4096;
/// How much of the text's end is the key: the last characters of the GCM tag, or of a signature, which no two authentic texts share.
const KEY_LEN: usize = 16;

type Generation<T> = HashMap<[u8; KEY_LEN], Entry<T>>;

/// What was opened or verified lately, by the text that it was read from.
pub struct Remembered<T> {
    /// Kept or found since the generations last changed, and the half before that.
    generations: RefCell<(Generation<T>, Generation<T>)>,
    half: usize,
}

struct Entry<T> {
    /// All of the text. It is compared in full: only what equals something authentic is authentic.
    text: Zeroizing<Vec<u8>>,
    ends: Timestamp,
    state: Arc<T>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl<T> Remembered<T> {
    /// A memory for at most `capacity` entries.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { generations: RefCell::new((Generation::new(), Generation::new())), half: capacity / 2 }
    }

    /// What exactly this text held when it was read, unless that has ended since.
    #[must_use]
    pub fn find(&self, text: &[u8], now: Timestamp) -> Option<Arc<T>> {
        let key = text.last_chunk::<KEY_LEN>()?;
        let mut generations = self.generations.borrow_mut();
        let (young, old) = &mut *generations;
        let is_it = |entry: &&Entry<T>| **entry.text == *text && now < entry.ends;
        if let Some(entry) = young.get(key).filter(is_it) {
            return Some(entry.state.clone());
        }
        old.get(key).filter(is_it)?;
        let entry = old.remove(key)?;
        let state = entry.state.clone();
        self.put(&mut generations, *key, entry);
        Some(state)
    }

    /// Keeps what was just read from the authentic `text`, and ends at `ends`.
    pub fn keep(&self, text: &[u8], ends: Timestamp, state: &Arc<T>) {
        let Some(key) = text.last_chunk::<KEY_LEN>() else { return };
        let entry = Entry { text: Zeroizing::new(text.to_vec()), ends, state: state.clone() };
        self.put(&mut self.generations.borrow_mut(), *key, entry);
    }

    fn put(&self, (young, old): &mut (Generation<T>, Generation<T>), key: [u8; KEY_LEN], entry: Entry<T>) {
        if young.len() >= self.half {
            *old = std::mem::take(young);
        }
        young.insert(key, entry);
    }
}

impl<T> fmt::Debug for Remembered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const END: Timestamp = Timestamp::from_secs(2_000);

    fn text(n: usize) -> Vec<u8> {
        format!("sealed text number {n:020}").into_bytes()
    }

    #[test]
    fn only_the_very_same_text_is_found_and_only_until_its_end() {
        let remembered = Remembered::default();
        remembered.keep(&text(1), END, &Arc::new(()));
        assert!(remembered.find(&text(1), NOW).is_some());
        assert!(remembered.find(&text(1), END).is_none());
        let mut other = text(1);
        other[0] ^= 1;
        assert!(remembered.find(&other, NOW).is_none(), "the same tag does not make it the same text");
        assert!(remembered.find(b"short", NOW).is_none());
    }

    #[test]
    fn the_bound_holds_and_what_is_used_stays() {
        let remembered = Remembered::with_capacity(8);
        let state = Arc::new(());
        remembered.keep(&text(0), END, &state);
        for n in 1..100 {
            remembered.keep(&text(n), END, &state);
            assert!(remembered.find(&text(0), NOW).is_some(), "used, and gone after {n}");
            let held = remembered.generations.borrow();
            assert!(held.0.len() + held.1.len() <= 8);
        }
        assert!(remembered.find(&text(50), NOW).is_none());
    }
}
