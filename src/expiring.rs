//! A map that traffic fills, with a bound: what is put in counts until its own end, and what would end soonest goes first when there is
//! no room.

use std::{
    collections::BTreeSet,
    fmt,
    hash::Hash,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use dashmap::DashMap;

use crate::domain::Timestamp;

/// Values by key, each until an end of its own, at most so many. Readers never wait for each other; writers take turns.
pub struct Expiring<K, V> {
    held: DashMap<K, Kept<V>>,
    ends: Mutex<BTreeSet<(Timestamp, K)>>,
    /// How many are held; never less, so that who reads 0 need not look.
    count: AtomicUsize,
    capacity: usize,
}

/// Most ended values that one change removes: nobody waits for a sweep of all.
const SWEPT: usize = 16;

struct Kept<V> {
    value: V,
    until: Timestamp,
}

/// Whether there was room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Room<V> {
    /// Nothing was lost.
    Enough,
    /// This was forgotten before its end.
    Short(V),
}

impl<K: Hash + Ord + Clone, V> Expiring<K, V> {
    /// An empty map for at most `capacity` values.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { held: DashMap::new(), ends: Mutex::default(), count: AtomicUsize::new(0), capacity }
    }

    /// Puts in what `change` makes of the value that `key` has at `now`, and until when that counts. No other change comes between.
    pub fn update(&self, key: &K, now: Timestamp, change: impl FnOnce(Option<&V>) -> (V, Timestamp)) -> Room<V> {
        self.change(key, now, |before| change(before.map(|kept| &kept.value)))
    }

    fn change(&self, key: &K, now: Timestamp, change: impl FnOnce(Option<&Kept<V>>) -> (V, Timestamp)) -> Room<V> {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        self.count.store(ends.len() + 1, Ordering::Release);
        let (value, until) = {
            let before = self.held.get(key);
            change(before.as_deref().filter(|kept| now < kept.until))
        };
        if let Some(before) = self.held.insert(key.clone(), Kept { value, until }) {
            ends.remove(&(before.until, key.clone()));
        }
        ends.insert((until, key.clone()));
        self.drop_ended(&mut ends, now);
        let room = self.make_room(&mut ends, now);
        self.count.store(ends.len(), Ordering::Release);
        room
    }

    /// Puts in what `join` makes of the value that `key` has at `now`. It counts until `until`, or until the end that it had, if that is later.
    pub fn keep(&self, key: &K, now: Timestamp, until: Timestamp, join: impl FnOnce(Option<&V>) -> V) -> Room<V> {
        self.change(key, now, |before| {
            let ends = before.map_or(until, |kept| kept.until.max(until));
            (join(before.map(|kept| &kept.value)), ends)
        })
    }

    /// What `read` sees of the value that `key` has at `now`.
    pub fn read<R>(&self, key: &K, now: Timestamp, read: impl FnOnce(&V) -> R) -> Option<R> {
        let kept = self.held.get(key)?;
        (now < kept.until).then(|| read(&kept.value))
    }

    /// Takes out what is kept under `key`.
    pub fn remove(&self, key: &K) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, kept)) = self.held.remove(key) {
            ends.remove(&(kept.until, key.clone()));
        }
        self.count.store(ends.len(), Ordering::Release);
    }

    /// What `pick` makes of the values that count at `now`, at most `most`. Walks over all of them.
    pub fn collect<T>(&self, most: usize, now: Timestamp, pick: impl Fn(&V) -> Option<T>) -> Vec<T> {
        let counting = self.held.iter().filter(|kept| now < kept.until);
        counting.filter_map(|kept| pick(&kept.value)).take(most).collect()
    }

    /// How many values are held, ended ones included that nothing has pushed out yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn drop_ended(&self, ends: &mut BTreeSet<(Timestamp, K)>, now: Timestamp) {
        for _ in 0..SWEPT {
            if ends.first().is_none_or(|(until, _)| now < *until) {
                return;
            }
            drop(self.drop_first(ends));
        }
    }

    fn make_room(&self, ends: &mut BTreeSet<(Timestamp, K)>, now: Timestamp) -> Room<V> {
        if ends.len() <= self.capacity {
            return Room::Enough;
        }
        match self.drop_first(ends) {
            Some(kept) if now < kept.until => Room::Short(kept.value),
            _ => Room::Enough,
        }
    }

    fn drop_first(&self, ends: &mut BTreeSet<(Timestamp, K)>) -> Option<Kept<V>> {
        let (_, key) = ends.pop_first()?;
        self.held.remove(&key).map(|(_, kept)| kept)
    }
}

impl<K: Hash + Eq, V> fmt::Debug for Expiring<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expiring({} of {})", self.count.load(Ordering::Relaxed), self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(100);
    const SOON: Timestamp = Timestamp::from_secs(110);
    const LATER: Timestamp = Timestamp::from_secs(120);

    fn next(before: Option<&u32>) -> u32 {
        before.map_or(1, |n| *n + 1)
    }

    #[test]
    fn a_value_counts_until_its_end_and_a_change_sees_what_counts() {
        let map = Expiring::with_capacity(8);
        assert_eq!(map.update(&1, NOW, |before| (next(before), SOON)), Room::Enough);
        assert_eq!(map.update(&1, NOW, |before| (next(before), LATER)), Room::Enough);
        assert_eq!(map.read(&1, SOON, |n| *n), Some(2));
        assert_eq!(map.read(&1, LATER, |n| *n), None);
        assert_eq!(map.update(&1, LATER, |before| (next(before), LATER)), Room::Enough);
        assert_eq!(map.len(), 0, "what has ended is gone with the next change");
    }

    #[test]
    fn the_bound_holds_and_what_ends_soonest_goes_first() {
        let map = Expiring::with_capacity(2);
        assert_eq!(map.update(&1, NOW, |_| ((), SOON)), Room::Enough);
        assert_eq!(map.update(&2, NOW, |_| ((), LATER)), Room::Enough);
        assert_eq!(map.update(&3, NOW, |_| ((), LATER)), Room::Short(()));
        assert_eq!((map.len(), map.read(&1, NOW, |()| ())), (2, None));
    }

    #[test]
    fn a_change_sweeps_a_few_at_a_time() {
        let count = 2 * SWEPT + 2;
        let map = Expiring::with_capacity(count);
        for key in 0..count {
            assert_eq!(map.update(&key, NOW, |_| ((), SOON)), Room::Enough);
        }
        assert_eq!(map.update(&count, SOON, |_| ((), LATER)), Room::Enough);
        assert_eq!(map.len(), count + 1 - SWEPT);
    }

    #[test]
    fn what_has_ended_is_no_loss() {
        let map = Expiring::with_capacity(0);
        assert_eq!(map.update(&1, SOON, |_| ((), SOON)), Room::Enough);
        assert_eq!(map.len(), 0);
    }
}
