//! Whether the identity server has this node among its client's nodes, as far as this node knows. Written by the loop that
//! registers, read by whoever tells of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::domain::{NodeHost, Timestamp};

/// How the registration of this node stands.
#[derive(Debug)]
pub struct RegistrationStatus {
    host: NodeHost,
    ledger: Mutex<Ledger>,
}

/// What the last attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationState {
    /// Nobody asked for it, or it cannot be had: a public client.
    Off,
    /// Asked for, and not yet come to anything.
    Pending,
    /// The identity server has confirmed it.
    Registered,
    /// The identity server could not be asked, or was in trouble; it is asked again.
    Failing,
    /// The identity server does not want it; it is asked again, but slowly.
    Refused,
    /// The node has taken itself off the list, or tried to: it is on its way out.
    Left,
}

/// How the registration stands, to be shown. Instants are whole seconds since the epoch on this node's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegistrationSnapshot {
    /// What this node is called.
    pub host: String,
    /// What the last attempt came to.
    pub state: RegistrationState,
    /// When the identity server last confirmed it. It may list the node still when later attempts failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<i64>,
    /// Since when it has not, while it should have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<i64>,
    /// A word for why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

#[derive(Debug)]
struct Ledger {
    state: RegistrationState,
    registered_at: Option<Timestamp>,
    trouble: Option<(Timestamp, &'static str)>,
}

impl RegistrationStatus {
    /// Of a node called `host` that nobody registers.
    #[must_use]
    pub fn off(host: NodeHost) -> Self {
        let ledger = Ledger { state: RegistrationState::Off, registered_at: None, trouble: None };
        Self { host, ledger: Mutex::new(ledger) }
    }

    /// Of a node called `host` that is to be registered.
    #[must_use]
    pub fn pending(host: NodeHost) -> Self {
        let ledger = Ledger { state: RegistrationState::Pending, registered_at: None, trouble: None };
        Self { host, ledger: Mutex::new(ledger) }
    }

    /// What this node is called.
    #[must_use]
    pub fn host(&self) -> &NodeHost {
        &self.host
    }

    /// Whether the last attempt was confirmed.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.ledger().state == RegistrationState::Registered
    }

    /// The identity server confirmed it.
    pub fn registered(&self, now: Timestamp) {
        let mut ledger = self.ledger();
        ledger.state = RegistrationState::Registered;
        ledger.registered_at = Some(now);
        ledger.trouble = None;
    }

    /// The identity server could not be asked; `reason` is a word for why.
    pub fn failed(&self, now: Timestamp, reason: &'static str) {
        self.in_trouble(RegistrationState::Failing, now, reason);
    }

    /// The identity server refused; `reason` is a word for why.
    pub fn refused(&self, now: Timestamp, reason: &'static str) {
        self.in_trouble(RegistrationState::Refused, now, reason);
    }

    /// This node is on its way out.
    pub fn left(&self) {
        self.ledger().state = RegistrationState::Left;
    }

    /// How things stand.
    #[must_use]
    pub fn snapshot(&self) -> RegistrationSnapshot {
        let ledger = self.ledger();
        RegistrationSnapshot {
            host: self.host.as_str().to_owned(),
            state: ledger.state,
            registered_at: ledger.registered_at.map(Timestamp::as_secs),
            failing_since: ledger.trouble.map(|(since, _)| since.as_secs()),
            reason: ledger.trouble.map(|(_, reason)| reason),
        }
    }

    /// Trouble lasts since it began, whatever its kind.
    fn in_trouble(&self, state: RegistrationState, now: Timestamp, reason: &'static str) {
        let mut ledger = self.ledger();
        let since = ledger.trouble.map_or(now, |(since, _)| since);
        ledger.state = state;
        ledger.trouble = Some((since, reason));
    }

    /// The ledger is whole between two statements: one who panicked while holding it left it so.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_lasts_since_it_began_and_ends_with_a_success() {
        let at = Timestamp::from_secs;
        let status = RegistrationStatus::pending(NodeHost::new("node-1"));
        status.registered(at(10));
        status.failed(at(20), "unavailable");
        status.refused(at(30), "refused");
        let snapshot = status.snapshot();
        assert_eq!((snapshot.state, snapshot.registered_at), (RegistrationState::Refused, Some(10)));
        assert_eq!((snapshot.failing_since, snapshot.reason), (Some(20), Some("refused")));
        status.registered(at(40));
        let text = serde_json::to_string(&status.snapshot()).unwrap();
        assert_eq!(text, r#"{"host":"node-1","state":"registered","registered_at":40}"#);
    }
}
