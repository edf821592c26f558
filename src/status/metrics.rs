//! Counters in Prometheus' form. Labels come from fixed lists, never from a request: nobody outside can make more of them.

mod families;

use std::time::Duration;

use http::StatusCode;
use prometheus::{Encoder, Registry, TextEncoder};

use families::{Logins, Node, Register, Revoking, Sessions, Traffic};

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    traffic: Traffic,
    logins: Logins,
    sessions: Sessions,
    revoking: Revoking,
    node: Node,
}

impl Metrics {
    /// Metrics that start at zero.
    ///
    /// # Errors
    /// When two metrics have one name, which a test would see.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let to = Register(&registry);
        to.build_info()?;
        Ok(Self {
            traffic: Traffic::new(&to)?,
            logins: Logins::new(&to)?,
            sessions: Sessions::new(&to)?,
            revoking: Revoking::new(&to)?,
            node: Node::new(&to)?,
            registry,
        })
    }

    /// A request was answered.
    pub fn request(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, self.traffic.requests.len());
        self.traffic.requests[class - 1].inc();
    }

    /// A callback came to `outcome`.
    pub fn sign_in(&self, outcome: &'static str) {
        self.logins.sign_ins.with_label_values(&[outcome]).inc();
    }

    /// A user signed out.
    pub fn sign_out(&self) {
        self.logins.sign_outs.inc();
    }

    /// A presented session no longer counts.
    pub fn lapsed(&self, reason: &'static str) {
        self.sessions.lapsed.with_label_values(&[reason]).inc();
    }

    /// So many sessions are kept in this process.
    pub fn sessions_held(&self, count: usize) {
        self.sessions.held.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A session had to go before its time, since there was no room.
    pub fn session_dropped(&self) {
        self.sessions.dropped.inc();
    }

    /// So many session cookies of the application were left out of a request.
    pub fn app_cookies_withheld(&self, count: u32) {
        self.traffic.app_cookies_withheld.inc_by(u64::from(count));
    }

    /// The application was to be told of an end from outside, and `outcome` came of it.
    pub fn app_hook(&self, outcome: &'static str) {
        self.traffic.app_hooks.with_label_values(&[outcome]).inc();
    }

    /// So many times it was not, since too much waited.
    pub fn app_hooks_dropped(&self, count: usize) {
        let dropped = self.traffic.app_hooks.with_label_values(&["dropped"]);
        dropped.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// The application did not answer.
    pub fn upstream_error(&self, kind: &'static str) {
        self.traffic.upstream_errors.with_label_values(&[kind]).inc();
    }

    /// The provider's metadata was read, or not.
    pub fn discovery(&self, outcome: &'static str) {
        self.node.discoveries.with_label_values(&[outcome]).inc();
    }

    /// A bearer token or Basic was presented, and `outcome` came of it.
    pub fn credential(&self, outcome: &'static str) {
        self.logins.credentials.with_label_values(&[outcome]).inc();
    }

    /// A session was to be renewed, and `outcome` came of it.
    pub fn refresh(&self, outcome: &'static str) {
        self.sessions.refreshes.with_label_values(&[outcome]).inc();
    }

    /// A listener's certificate files changed: the new pair is served, or the old one is kept.
    pub fn certificate(&self, listener: &'static str, outcome: &'static str) {
        self.node.certificates.with_label_values(&[listener, outcome]).inc();
        self.node.certificate_current.with_label_values(&[listener]).set(i64::from(outcome == "replaced"));
    }

    /// The configuration was read at `now`, in seconds since 1970, and is served; so many keys of it wait for a restart.
    pub fn config_loaded(&self, now: i64, waiting: usize) {
        self.config_current();
        self.node.restart_needed.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        // A gauge: exact for the next 200 million years.
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
        self.node.config_loaded.set(now as f64);
    }

    /// The configuration was read again, and `outcome` came of it.
    pub fn config_reload(&self, outcome: &'static str) {
        self.node.reloads.with_label_values(&[outcome]).inc();
    }

    /// What is served is what the configuration says.
    pub fn config_current(&self) {
        self.node.config_current.set(1);
    }

    /// What the configuration says now has a fault, or cannot be read, and what is served is older.
    pub fn config_refused(&self) {
        self.node.config_current.set(0);
    }

    /// A listener has a certificate, which is the one in its files.
    pub fn certificate_served(&self, listener: &'static str) {
        self.node.certificate_current.with_label_values(&[listener]).set(1);
    }

    /// This node's registration, or its end, came to `outcome`; only `ok` leaves it registered.
    pub fn registration(&self, outcome: &'static str) {
        self.node.registrations.with_label_values(&[outcome]).inc();
        self.node.registered.set(i64::from(outcome == "ok"));
    }

    /// A WebSocket was opened.
    pub fn tunnel_opened(&self) {
        self.traffic.tunnels_open.inc();
    }

    /// A WebSocket came to its end by `outcome`.
    pub fn tunnel_closed(&self, outcome: &'static str) {
        self.traffic.tunnels_open.dec();
        self.traffic.tunnels.with_label_values(&[outcome]).inc();
    }

    /// The identity server was asked for `reason` whether a session still lives, and `outcome` came of it.
    pub fn proof(&self, reason: &'static str, outcome: &'static str) {
        self.sessions.proofs.with_label_values(&[reason, outcome]).inc();
    }

    /// A message to end sessions came as `word`, and `outcome` came of it.
    pub fn push(&self, word: &'static str, outcome: &'static str) {
        self.revoking.pushes.with_label_values(&[word, outcome]).inc();
    }

    /// So many streams were closed, since what `by` says ended their sessions.
    pub fn streams_closed(&self, by: &'static str, count: usize) {
        self.traffic.streams_closed.with_label_values(&[by]).inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// A session that was ended elsewhere may be used here for so long, as things stand; `None`: for as long as it lives. So it is until
    /// this is told.
    pub fn bound_held(&self, bound: Option<Duration>) {
        self.revoking.bound.set(bound.map_or(f64::INFINITY, |bound| bound.as_secs_f64()));
    }

    /// The identity server's clock is ahead of this node's by so many seconds; less than zero: behind.
    pub fn clock_offset(&self, seconds: f64) {
        self.revoking.clock_offset.set(seconds);
    }

    /// From now on this node may miss messages to end sessions.
    pub fn deaf(&self) {
        self.revoking.deaf.set(1);
    }

    /// From now on it hears them again.
    pub fn hearing(&self) {
        self.revoking.deaf.set(0);
    }

    /// The text that Prometheus reads.
    ///
    /// # Errors
    /// When it cannot be written, which only a broken metric does.
    pub fn text(&self, ready: bool, revocations: usize) -> Result<Vec<u8>, prometheus::Error> {
        self.node.ready.set(i64::from(ready));
        self.revoking.held.set(i64::try_from(revocations).unwrap_or(i64::MAX));
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}
