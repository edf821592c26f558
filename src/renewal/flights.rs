//! Refreshes in flight, one per session. Whoever comes while one is under way waits for its outcome.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::Outcome;
use crate::domain::AdapterSessionId;

/// Most refreshes in flight; more would only wait for the provider.
pub(super) const MOST: usize = 4096;

/// Gives the outcome once it is there.
pub(super) type Waiting = watch::Receiver<Option<Outcome>>;

type Aloft = HashMap<AdapterSessionId, Flight>;

#[derive(Debug)]
struct Flight {
    kind: Kind,
    landing: watch::Sender<Option<Outcome>>,
}

/// What a flight is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// To hear whether a session lives; its tokens may stay as they are.
    Proof,
    /// To renew its tokens.
    Renewal,
}

/// What is in flight.
#[derive(Clone, Debug, Default)]
pub(super) struct Flights(Arc<Mutex<Aloft>>);

/// The one place from which a flight lands. Dropped without that, it tells those who wait that nothing will come.
#[derive(Debug)]
pub(super) struct Seat {
    /// `None` once it has landed: another flight of the same session may have begun since.
    id: Option<AdapterSessionId>,
    flights: Flights,
}

/// What became of a wish to fly.
#[derive(Debug)]
pub(super) enum Boarding {
    /// Nobody is at it: fly, and land by the seat.
    First(Seat, Waiting),
    /// There is no room for one more.
    Full,
    /// Somebody is at it, for this.
    Joined(Waiting, Kind),
    /// There is no need to.
    Needless(Outcome),
}

impl Flights {
    /// Joins the flight of `id`, or begins one unless `known` has an outcome already. `known` is asked while nothing lands.
    pub(super) fn board(&self, id: &AdapterSessionId, kind: Kind, known: impl FnOnce() -> Option<Outcome>) -> Boarding {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(id) {
            return Boarding::Joined(flight.landing.subscribe(), flight.kind);
        }
        if let Some(outcome) = known() {
            return Boarding::Needless(outcome);
        }
        if flights.len() >= MOST {
            return Boarding::Full;
        }
        let (landing, waiting) = watch::channel(None);
        flights.insert(id.clone(), Flight { kind, landing });
        Boarding::First(Seat { id: Some(id.clone()), flights: self.clone() }, waiting)
    }

    fn lock(&self) -> MutexGuard<'_, Aloft> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Tells everybody who waits. What is to be known later must have been written down before. Nobody joins any more when the first of
    /// them hears of it: whoever comes after that, at another time, is not told of this flight.
    pub(super) fn land(mut self, outcome: Outcome) {
        if let Some(flight) = self.leave() {
            flight.landing.send_replace(Some(outcome));
        }
    }

    fn leave(&mut self) -> Option<Flight> {
        let id = self.id.take()?;
        self.flights.lock().remove(&id)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        drop(self.leave());
    }
}
