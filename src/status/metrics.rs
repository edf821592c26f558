//! Counters in Prometheus' form. Labels come from fixed lists, never from a request: nobody outside can make more of them.

use http::StatusCode;
use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// By the first digit of the status, from 1 on.
    requests: [IntCounter; 5],
    sign_ins: IntCounterVec,
    sign_outs: IntCounter,
    sessions_lapsed: IntCounterVec,
    upstream_errors: IntCounterVec,
    discoveries: IntCounterVec,
    refreshes: IntCounterVec,
    credentials: IntCounterVec,
    certificates: IntCounterVec,
    registrations: IntCounterVec,
    registered: IntGauge,
    tunnels: IntCounterVec,
    tunnels_open: IntGauge,
    ready: IntGauge,
    revocations: IntGauge,
    sessions: IntGauge,
    sessions_dropped: IntCounter,
}

impl Metrics {
    /// Metrics that start at zero.
    ///
    /// # Errors
    /// When two metrics have one name, which a test would see.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, label: &str| {
            let counter = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let requests =
            counter("doorward_requests_total", "Requests on the public listener by status class.", "status")?;
        let sign_ins = counter("doorward_sign_ins_total", "Callbacks by what became of them.", "outcome")?;
        let lapsed = counter("doorward_sessions_lapsed_total", "Presented sessions that no longer count.", "reason")?;
        let upstream = counter("doorward_upstream_errors_total", "Requests the application did not answer.", "kind")?;
        let discoveries =
            counter("doorward_discoveries_total", "Readings of the provider's metadata and keys.", "outcome")?;
        let credentials =
            counter("doorward_credentials_total", "Bearer tokens and Basic, by what came of them.", "outcome")?;
        let refreshes = counter("doorward_refreshes_total", "Refresh tokens sent, by what became of them.", "outcome")?;
        let certificates = IntCounterVec::new(
            Opts::new("doorward_certificate_changes_total", "Changed certificate files by what became of them."),
            &["listener", "outcome"],
        )?;
        registry.register(Box::new(certificates.clone()))?;
        let registrations = counter(
            "doorward_registrations_total",
            "Registrations of this node at the identity server, by what became of them.",
            "outcome",
        )?;
        let registered = gauge(
            "doorward_registered",
            "1 when the identity server confirmed this node's registration when last asked.",
        )?;
        let tunnels = counter("doorward_tunnels_total", "WebSockets that were open, by what ended them.", "outcome")?;
        let tunnels_open = gauge("doorward_tunnels_open", "WebSockets that are open.")?;
        let ready = gauge("doorward_ready", "1 when this node should be sent traffic.")?;
        let revocations = gauge("doorward_revocations", "Revocations held.")?;
        let sign_outs = IntCounter::new("doorward_sign_outs_total", "Sign-outs by users at this node.")?;
        registry.register(Box::new(sign_outs.clone()))?;
        let sessions = gauge("doorward_sessions", "Sessions kept in this process; none where cookies keep them.")?;
        let dropped = IntCounter::new(
            "doorward_sessions_dropped_total",
            "Sessions that had to go before their time for others.",
        )?;
        registry.register(Box::new(dropped.clone()))?;
        let info = gauge_with_version(&registry)?;
        info.set(1);
        Ok(Self {
            requests: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| requests.with_label_values(&[class])),
            sign_ins,
            sign_outs,
            sessions_lapsed: lapsed,
            upstream_errors: upstream,
            discoveries,
            refreshes,
            credentials,
            certificates,
            registrations,
            registered,
            tunnels,
            tunnels_open,
            ready,
            revocations,
            sessions,
            sessions_dropped: dropped,
            registry,
        })
    }

    /// A request was answered.
    pub fn request(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, self.requests.len());
        self.requests[class - 1].inc();
    }

    /// A callback came to `outcome`.
    pub fn sign_in(&self, outcome: &'static str) {
        self.sign_ins.with_label_values(&[outcome]).inc();
    }

    /// A user signed out.
    pub fn sign_out(&self) {
        self.sign_outs.inc();
    }

    /// A presented session no longer counts.
    pub fn lapsed(&self, reason: &'static str) {
        self.sessions_lapsed.with_label_values(&[reason]).inc();
    }

    /// So many sessions are kept in this process.
    pub fn sessions_held(&self, count: usize) {
        self.sessions.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A session had to go before its time, since there was no room.
    pub fn session_dropped(&self) {
        self.sessions_dropped.inc();
    }

    /// The application did not answer.
    pub fn upstream_error(&self, kind: &'static str) {
        self.upstream_errors.with_label_values(&[kind]).inc();
    }

    /// The provider's metadata was read, or not.
    pub fn discovery(&self, outcome: &'static str) {
        self.discoveries.with_label_values(&[outcome]).inc();
    }

    /// A bearer token or Basic was presented, and `outcome` came of it.
    pub fn credential(&self, outcome: &'static str) {
        self.credentials.with_label_values(&[outcome]).inc();
    }

    /// A session was to be renewed, and `outcome` came of it.
    pub fn refresh(&self, outcome: &'static str) {
        self.refreshes.with_label_values(&[outcome]).inc();
    }

    /// A listener's certificate files changed: the new pair is served, or the old one is kept.
    pub fn certificate(&self, listener: &'static str, outcome: &'static str) {
        self.certificates.with_label_values(&[listener, outcome]).inc();
    }

    /// This node's registration, or its end, came to `outcome`; only `ok` leaves it registered.
    pub fn registration(&self, outcome: &'static str) {
        self.registrations.with_label_values(&[outcome]).inc();
        self.registered.set(i64::from(outcome == "ok"));
    }

    /// A WebSocket was opened.
    pub fn tunnel_opened(&self) {
        self.tunnels_open.inc();
    }

    /// A WebSocket came to its end by `outcome`.
    pub fn tunnel_closed(&self, outcome: &'static str) {
        self.tunnels_open.dec();
        self.tunnels.with_label_values(&[outcome]).inc();
    }

    /// The text that Prometheus reads.
    ///
    /// # Errors
    /// When it cannot be written, which only a broken metric does.
    pub fn text(&self, ready: bool, revocations: usize) -> Result<Vec<u8>, prometheus::Error> {
        self.ready.set(i64::from(ready));
        self.revocations.set(i64::try_from(revocations).unwrap_or(i64::MAX));
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

fn gauge_with_version(registry: &Registry) -> Result<IntGauge, prometheus::Error> {
    let opts =
        Opts::new("doorward_build_info", "1, with the version.").const_label("version", env!("CARGO_PKG_VERSION"));
    let gauge = IntGauge::with_opts(opts)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}
