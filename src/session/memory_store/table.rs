//! A bounded table of encoded sessions by the hash of their ticket. Reading takes a lock of one shard for a moment; writing, which is
//! seldom (a login, a renewal, ten uses per idle limit at most), takes one lock of the whole table beside it.
//!
//! Two orders are kept, by end and by last use as it was written down. Each write removes a bounded number of those that have ended; a
//! write to a full table makes room, first of what has ended, then of what was used longest ago. So the bound costs a write O(log n) and
//! never a walk over the table.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use dashmap::DashMap;
use ring::digest;
use zeroize::Zeroizing;

use crate::{
    domain::{AdapterSessionId, Timestamp},
    status::Metrics,
};

/// Most ended sessions that one write removes: more than one, so that they go faster than they come.
const SWEEP: usize = 16;
/// Shortest time between two lines in the log about a full table.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// The sessions of this process, of every site.
pub struct SessionTable {
    records: DashMap<TicketHash, Arc<Record>>,
    /// Whoever changes `records` holds it.
    ledger: Mutex<Ledger>,
    capacity: usize,
    metrics: Arc<Metrics>,
}

/// SHA-256 of a ticket and the site that it was given out by: a ticket of one site is none at another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TicketHash([u8; 32]);

/// A session as it is to be kept.
pub(super) struct Content {
    /// Which login it is.
    pub(super) id: AdapterSessionId,
    /// Encoded; in clear, and wiped when it goes.
    pub(super) body: Zeroizing<Vec<u8>>,
    /// Its last use.
    pub(super) used: Timestamp,
    /// Its end, by the limits of today.
    pub(super) ends: Timestamp,
}

/// A session as it is kept.
pub(super) struct Record {
    version: u64,
    content: Content,
}

#[derive(Default)]
struct Ledger {
    by_end: BTreeSet<(Timestamp, TicketHash)>,
    by_use: BTreeSet<(Timestamp, TicketHash)>,
    by_id: HashMap<AdapterSessionId, TicketHash>,
    /// The last version given to a record; none is given twice.
    version: u64,
    told: Option<Timestamp>,
}

impl TicketHash {
    pub(super) fn of(site: &str, ticket: &[u8]) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(b"doorward session ticket\0");
        hash.update(&(site.len() as u64).to_be_bytes());
        hash.update(site.as_bytes());
        hash.update(ticket);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.finish().as_ref());
        Self(bytes)
    }
}

impl Record {
    /// What no other state of this or another session is called: the version, then the hash.
    pub(super) fn name(&self, ticket: &TicketHash) -> [u8; 40] {
        let mut name = [0; 40];
        name[..8].copy_from_slice(&self.version.to_be_bytes());
        name[8..].copy_from_slice(&ticket.0);
        name
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.content.body
    }

    pub(super) fn ends(&self) -> Timestamp {
        self.content.ends
    }
}

impl SessionTable {
    /// An empty table that keeps at most `capacity` sessions, and tells `metrics` how many there are and how many had to go.
    #[must_use]
    pub fn new(capacity: usize, metrics: Arc<Metrics>) -> Self {
        Self { records: DashMap::new(), ledger: Mutex::default(), capacity, metrics }
    }

    /// How many sessions are kept, those included that have ended and were not yet removed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ledger().by_end.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether one login is kept, also when it has ended and was not yet removed.
    #[must_use]
    pub fn holds(&self, id: &AdapterSessionId) -> bool {
        self.ledger().by_id.contains_key(id)
    }

    /// What is kept under `ticket`, whether or not it has ended.
    pub(super) fn find(&self, ticket: &TicketHash) -> Option<Arc<Record>> {
        self.records.get(ticket).map(|record| record.clone())
    }

    /// Keeps `content` under a ticket that was never given out before.
    pub(super) fn insert(&self, ticket: TicketHash, content: Content, now: Timestamp) {
        let mut ledger = self.ledger();
        self.sweep(&mut ledger, now);
        self.make_room(&mut ledger, now);
        self.put(&mut ledger, ticket, content);
    }

    /// Puts `content` in the place of what is kept under `ticket`, if that is still of this `version`. Says whether it did. Whoever looks
    /// meanwhile finds the one or the other: to find nothing would be a session that has ended.
    pub(super) fn replace(&self, ticket: &TicketHash, version: u64, content: Content, now: Timestamp) -> bool {
        let mut ledger = self.ledger();
        let Some(replaced) = self.find(ticket).filter(|record| record.version == version) else { return false };
        ledger.strike(ticket, &replaced);
        self.put(&mut ledger, *ticket, content);
        self.sweep(&mut ledger, now);
        true
    }

    /// Removes what is kept under `ticket`.
    pub(super) fn remove(&self, ticket: &TicketHash) {
        self.take(&mut self.ledger(), ticket);
    }

    /// Removes what is kept of one login. Housekeeping: what was ended is ended without it.
    pub fn discard(&self, id: &AdapterSessionId) {
        let mut ledger = self.ledger();
        if let Some(ticket) = ledger.by_id.get(id).copied() {
            self.take(&mut ledger, &ticket);
        }
    }

    /// Whether both orders and the map tell of the same sessions.
    #[cfg(test)]
    pub(super) fn is_consistent(&self) -> bool {
        let ledger = self.ledger();
        let mut records = self.records.iter();
        let listed =
            |order: &BTreeSet<_>, time, ticket| order.len() == self.records.len() && order.contains(&(time, ticket));
        records.all(|it| {
            listed(&ledger.by_end, it.content.ends, *it.key()) && listed(&ledger.by_use, it.content.used, *it.key())
        })
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sweep(&self, ledger: &mut Ledger, now: Timestamp) {
        for _ in 0..SWEEP {
            let Some(ended) = ledger.ended(now) else { return };
            self.take(ledger, &ended);
        }
    }

    /// Room for one more. Called after [`Self::sweep`], so whatever has ended is gone, or there is room.
    fn make_room(&self, ledger: &mut Ledger, now: Timestamp) {
        while ledger.by_use.len() >= self.capacity
            && let Some(idlest) = ledger.idlest()
        {
            self.take(ledger, &idlest);
            self.metrics.session_dropped();
            if ledger.tells(now) {
                let capacity = self.capacity;
                tracing::warn!(capacity, "too many sessions: the one used longest ago ends (sidecar.session.capacity)");
            }
        }
    }

    fn put(&self, ledger: &mut Ledger, ticket: TicketHash, content: Content) {
        ledger.version += 1;
        ledger.by_end.insert((content.ends, ticket));
        ledger.by_use.insert((content.used, ticket));
        ledger.by_id.insert(content.id.clone(), ticket);
        self.records.insert(ticket, Arc::new(Record { version: ledger.version, content }));
        self.metrics.sessions_held(ledger.by_end.len());
    }

    fn take(&self, ledger: &mut Ledger, ticket: &TicketHash) {
        if let Some((_, record)) = self.records.remove(ticket) {
            ledger.strike(ticket, &record);
            self.metrics.sessions_held(ledger.by_end.len());
        }
    }
}

impl Ledger {
    fn strike(&mut self, ticket: &TicketHash, record: &Record) {
        self.by_end.remove(&(record.content.ends, *ticket));
        self.by_use.remove(&(record.content.used, *ticket));
        self.by_id.remove(&record.content.id);
    }

    fn ended(&self, now: Timestamp) -> Option<TicketHash> {
        self.by_end.first().filter(|(end, _)| *end <= now).map(|(_, ticket)| *ticket)
    }

    fn idlest(&self) -> Option<TicketHash> {
        self.by_use.first().map(|(_, ticket)| *ticket)
    }

    /// Whether it is time for another line in the log.
    fn tells(&mut self, now: Timestamp) -> bool {
        let due = self.told.is_none_or(|told| now.since(told) >= TOLD_EVERY);
        if due {
            self.told = Some(now);
        }
        due
    }
}

impl fmt::Debug for SessionTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTable").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_is_told_of_at_most_once_a_minute() {
        let mut ledger = Ledger::default();
        let told = [0, 1, 59, 60, 61, 119, 120].map(|second| ledger.tells(Timestamp::from_secs(1_000 + second)));
        assert_eq!(told, [true, false, false, true, false, false, true]);
    }
}
