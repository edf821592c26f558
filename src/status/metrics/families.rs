//! The metrics by what they count, each group with a constructor of its own. Names and labels are what operators' dashboards know.

use prometheus::{
    Error, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    core::{Collector, GenericCounter},
};

/// Makes metrics and registers them.
pub(super) struct Register<'a>(pub(super) &'a Registry);

/// The request path.
#[derive(Debug)]
pub(super) struct Traffic {
    /// By the first digit of the status, from 1 on.
    pub(super) requests: [IntCounter; 5],
    pub(super) upstream_errors: IntCounterVec,
    pub(super) tunnels: IntCounterVec,
    pub(super) tunnels_open: IntGauge,
    pub(super) streams_closed: IntCounterVec,
    pub(super) app_cookies_withheld: IntCounter,
    pub(super) app_hooks: IntCounterVec,
}

/// Who comes and goes.
#[derive(Debug)]
pub(super) struct Logins {
    pub(super) sign_ins: IntCounterVec,
    pub(super) sign_outs: IntCounter,
    pub(super) credentials: IntCounterVec,
}

/// Sessions while they live.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) held: IntGauge,
    pub(super) dropped: IntCounter,
    pub(super) lapsed: IntCounterVec,
    pub(super) refreshes: IntCounterVec,
    pub(super) proofs: IntCounterVec,
}

/// What the identity server takes back, and how soon this node knows.
#[derive(Debug)]
pub(super) struct Revoking {
    pub(super) held: IntGauge,
    pub(super) pushes: IntCounterVec,
    pub(super) bound: Gauge,
    pub(super) clock_offset: Gauge,
    pub(super) deaf: IntGauge,
}

/// This node itself.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) ready: IntGauge,
    pub(super) discoveries: IntCounterVec,
    pub(super) certificates: IntCounterVec,
    pub(super) certificate_current: IntGaugeVec,
    pub(super) registrations: IntCounterVec,
    pub(super) registered: IntGauge,
    pub(super) reloads: IntCounterVec,
    pub(super) config_current: IntGauge,
    pub(super) config_loaded: Gauge,
    pub(super) restart_needed: IntGauge,
}

impl Register<'_> {
    fn add<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M, Error> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, Error> {
        self.add(GenericCounter::new(name, help)?)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        self.add(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, Error> {
        self.add(IntGauge::new(name, help)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, Error> {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn measure(&self, name: &str, help: &str) -> Result<Gauge, Error> {
        self.add(Gauge::new(name, help)?)
    }

    /// A metric that only names the version.
    pub(super) fn build_info(&self) -> Result<(), Error> {
        let opts = Opts::new("doorward_build_info", "1, with the version.");
        let gauge = IntGauge::with_opts(opts.const_label("version", env!("CARGO_PKG_VERSION")))?;
        self.add(gauge)?.set(1);
        Ok(())
    }
}

impl Traffic {
    pub(super) fn new(to: &Register<'_>) -> Result<Self, Error> {
        let help = "Requests on the public listener by status class.";
        let requests = to.counters("doorward_requests_total", help, &["status"])?;
        let help = "Requests the application did not answer.";
        let upstream_errors = to.counters("doorward_upstream_errors_total", help, &["kind"])?;
        let help = "WebSockets that were open, by what ended them.";
        let tunnels = to.counters("doorward_tunnels_total", help, &["outcome"])?;
        let tunnels_open = to.gauge("doorward_tunnels_open", "WebSockets that are open.")?;
        let help = "Streams that were closed because their session was ended, by what ended it.";
        let streams_closed = to.counters("doorward_streams_closed_total", help, &["by"])?;
        let help = "Session cookies of the application that were not given to whoever sent them, and so not passed on.";
        let app_cookies_withheld = to.counter("doorward_app_cookies_withheld_total", help)?;
        let help = "Sessions that ended from outside, of which the application was to be told, by what came of it.";
        let app_hooks = to.counters("doorward_app_hooks_total", help, &["outcome"])?;
        let requests = ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| requests.with_label_values(&[class]));
        Ok(Self { requests, upstream_errors, tunnels, tunnels_open, streams_closed, app_cookies_withheld, app_hooks })
    }
}

impl Logins {
    pub(super) fn new(to: &Register<'_>) -> Result<Self, Error> {
        let help = "Bearer tokens and Basic, by what came of them.";
        Ok(Self {
            sign_ins: to.counters("doorward_sign_ins_total", "Callbacks by what became of them.", &["outcome"])?,
            sign_outs: to.counter("doorward_sign_outs_total", "Sign-outs by users at this node.")?,
            credentials: to.counters("doorward_credentials_total", help, &["outcome"])?,
        })
    }
}

impl Sessions {
    pub(super) fn new(to: &Register<'_>) -> Result<Self, Error> {
        let kept = to.gauge("doorward_sessions", "Sessions kept in this process; none where cookies keep them.")?;
        let help = "Sessions that had to go before their time for others.";
        let dropped = to.counter("doorward_sessions_dropped_total", help)?;
        let help = "Presented sessions that no longer count.";
        let lapsed = to.counters("doorward_sessions_lapsed_total", help, &["reason"])?;
        let help = "Refresh tokens sent, by what became of them.";
        let refreshes = to.counters("doorward_refreshes_total", help, &["outcome"])?;
        let help = "Questions to the identity server whether a session still lives, by why and what it said.";
        let proofs = to.counters("doorward_proofs_total", help, &["reason", "outcome"])?;
        Ok(Self { held: kept, dropped, lapsed, refreshes, proofs })
    }
}

impl Revoking {
    pub(super) fn new(to: &Register<'_>) -> Result<Self, Error> {
        let revocations = to.gauge("doorward_revocations", "Revocations held.")?;
        let help = "Messages to end sessions, by how they were said and what came of them.";
        let pushes = to.counters("doorward_pushes_total", help, &["word", "outcome"])?;
        let help = "Longest time for which a session may be used after it was ended elsewhere, as things stand.";
        let bound = to.measure("doorward_bound_seconds", help)?;
        // Nothing is promised before it is known.
        bound.set(f64::INFINITY);
        let help = "The identity server's clock minus this node's.";
        let clock_offset = to.measure("doorward_clock_offset_seconds", help)?;
        let help = "1 while this node may have missed messages to end sessions.";
        let deaf = to.gauge("doorward_deaf", help)?;
        Ok(Self { held: revocations, pushes, bound, clock_offset, deaf })
    }
}

impl Node {
    pub(super) fn new(to: &Register<'_>) -> Result<Self, Error> {
        let ready = to.gauge("doorward_ready", "1 when this node should be sent traffic.")?;
        let help = "Readings of the provider's metadata and keys.";
        let discoveries = to.counters("doorward_discoveries_total", help, &["outcome"])?;
        let help = "Changed certificate files by what became of them.";
        let certificates = to.counters("doorward_certificate_changes_total", help, &["listener", "outcome"])?;
        let help =
            "1 when the certificate that a listener serves is the one in its files; 0 when that cannot be served.";
        let certificate_current = to.gauges("doorward_certificate_current", help, &["listener"])?;
        let help = "Registrations of this node at the identity server, by what became of them.";
        let registrations = to.counters("doorward_registrations_total", help, &["outcome"])?;
        let help = "1 when the identity server confirmed this node's registration when last asked.";
        let registered = to.gauge("doorward_registered", help)?;
        let help = "Readings of the configuration while the process runs, by what became of them.";
        let reloads = to.counters("doorward_config_reloads_total", help, &["outcome"])?;
        let help = "1 when what is served is what the configuration said when last read; 0 when that had a fault.";
        let config_current = to.gauge("doorward_config_current", help)?;
        let help = "When the configuration that is served was read, in seconds since 1970.";
        let config_loaded = to.measure("doorward_config_loaded_timestamp_seconds", help)?;
        let help =
            "Keys of the configuration that say something else than what is served until the process is started again.";
        let restart_needed = to.gauge("doorward_config_keys_waiting_for_restart", help)?;
        Ok(Self {
            ready,
            discoveries,
            certificates,
            certificate_current,
            registrations,
            registered,
            reloads,
            config_current,
            config_loaded,
            restart_needed,
        })
    }
}
