//! Which metrics there are: asked from the program itself, and read from the text that Prometheus reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use doorward::status::Metrics;
use http::StatusCode;

/// What is known of a metric besides its name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Family {
    /// `counter` or `gauge`.
    pub(crate) kind: String,
    /// Names of its labels.
    pub(crate) labels: BTreeSet<String>,
}

/// All of them, by name. Most show only once something has been counted, so that everything is counted once here.
pub(crate) fn families() -> BTreeMap<String, Family> {
    let metrics = Metrics::new().unwrap();
    metrics.app_cookies_withheld(1);
    metrics.app_hook("told");
    metrics.bound_held(Some(Duration::ZERO));
    metrics.certificate("public", "kept");
    metrics.certificate_served("admin");
    metrics.clock_offset(0.0);
    metrics.config_loaded(0, 0);
    metrics.config_reload("served");
    metrics.credential("ok");
    metrics.deaf();
    metrics.discovery("ok");
    metrics.lapsed("stale");
    metrics.proof("gap", "alive");
    metrics.push("k_logout", "ok");
    metrics.refresh("ok");
    metrics.registration("ok");
    metrics.request(StatusCode::OK);
    metrics.session_dropped();
    metrics.sessions_held(1);
    metrics.sign_in("ok");
    metrics.sign_out();
    metrics.streams_closed("user", 1);
    metrics.tunnel_opened();
    metrics.tunnel_closed("idle");
    metrics.upstream_error("connect");
    read(&String::from_utf8(metrics.text(true, 0).unwrap()).unwrap())
}

/// What a text of `/metrics` holds.
pub(crate) fn read(text: &str) -> BTreeMap<String, Family> {
    let mut families = BTreeMap::<String, Family>::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kind.clone_into(&mut families.entry(name.to_owned()).or_default().kind);
        } else if !line.starts_with('#') {
            let (name, rest) = line.split_at(line.find(['{', ' ']).expect("a sample has a value"));
            let labels = rest.split(['{', ',', '}']).filter_map(|part| part.split_once("=\"")).map(|(label, _)| label);
            families.entry(name.to_owned()).or_default().labels.extend(labels.map(str::to_owned));
        }
    }
    families
}
