//! What goes where. Each test has a subscriber of its own.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::Value;

use super::*;
use crate::domain::Timestamp;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn writer(&self) -> BoxMakeWriter {
        let kept = self.clone();
        BoxMakeWriter::new(move || kept.clone())
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What the log and the audit stream have after `happening`, with this filter for the log.
fn written(filter: &str, happening: impl FnOnce()) -> (String, String) {
    let (log_lines, lines) = (Kept::default(), Kept::default());
    let config = Config { format: LogFormat::Text, filter: filter.to_owned(), audit: AuditTo::Stdout };
    let audit = layer(lines.writer());
    let subscriber = Registry::default().with(log(&config, log_lines.writer()).unwrap()).with(audit);
    tracing::subscriber::with_default(subscriber, happening);
    (log_lines.text(), lines.text())
}

fn registered() {
    let event = audit::Event::Registered { action: "register", host: "node-1", outcome: "done" };
    audit::record(&event, Timestamp::from_secs(0));
}

#[test]
fn audit_lines_are_written_whatever_the_filter_says_and_never_in_the_log() {
    for filter in ["off", "info", "trace", "doorward::audit=trace", "[request]=trace"] {
        let (log, lines) = written(filter, || {
            let span = tracing::info_span!("request", id = tracing::field::Empty);
            let _entered = span.enter();
            tracing::error!("something else");
            registered();
        });
        assert_eq!(lines.lines().count(), 1, "{filter}: {lines}");
        assert!(!lines.contains("something else"), "{filter}: {lines}");
        assert!(!log.contains("node-1"), "{filter}: {log}");
        assert_eq!(log.contains("something else"), filter != "off" && filter != "doorward::audit=trace", "{filter}");
    }
}

#[test]
fn a_line_bears_the_id_of_its_request_and_none_outside_of_one() {
    let (_, lines) = written("off", || {
        let span = tracing::info_span!("request", id = tracing::field::Empty);
        span.record("id", "first");
        span.in_scope(|| {
            span.record("id", "\"quoted\"");
            tracing::info_span!("inner").in_scope(registered);
        });
        registered();
    });
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["request"], "\"quoted\"");
    assert_eq!((lines[1].get("request"), &lines[1]["host"]), (None, &"node-1".into()));
}
