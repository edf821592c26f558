//! Logs: on standard error, as text or as one JSON object a line. What is never logged: tokens, codes, cookies, secrets and whole URLs of
//! requests; the types that hold them cannot print themselves.
//!
//! Beside them, and whatever they leave out, goes the audit stream: the lines that [`audit`] makes.

mod audit_lines;

use thiserror::Error;
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt as _, ParseError, filter_fn},
    fmt::{self, writer::BoxMakeWriter},
    layer::SubscriberExt as _,
    registry::{LookupSpan, Registry},
    util::{SubscriberInitExt as _, TryInitError},
};

use crate::audit;
use audit_lines::AuditLines;

/// How log lines look and which are written, and where audit lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// One line of text or one JSON object for each event.
    pub format: LogFormat,
    /// A filter in the syntax of `tracing_subscriber::EnvFilter`, for example `info` or `doorward=debug`. Already checked.
    pub filter: String,
    /// Where audit lines go. Neither format nor filter is for them.
    pub audit: AuditTo,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Where audit lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditTo {
    /// Nowhere.
    Off,
    /// To standard error, among the log.
    Stderr,
    /// To standard output, which has nothing else.
    Stdout,
}

/// Why logs cannot be written.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter is none.
    #[error("the log filter cannot be read")]
    Filter(#[from] ParseError),
    /// The process has a log already.
    #[error("logs are already set up")]
    Taken(#[source] TryInitError),
}

/// Sets up the process's log and its audit stream.
///
/// # Errors
/// When the filter is none, or logs were set up before.
pub fn init(config: &Config) -> Result<(), TelemetryError> {
    let log = log(config, BoxMakeWriter::new(std::io::stderr))?;
    Registry::default().with(log).with(writer(config.audit).map(layer)).try_init().map_err(TelemetryError::Taken)
}

fn log<S>(config: &Config, to: BoxMakeWriter) -> Result<Box<dyn Layer<S> + Send + Sync>, ParseError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // A filter may well ask for everything; audit lines are not the log's even then. The hint keeps the filter's own level.
    let ours = filter_fn(|about| about.target() != audit::TARGET).with_max_level_hint(LevelFilter::TRACE);
    let filter = EnvFilter::try_new(&config.filter)?.and(ours);
    let lines = fmt::layer().with_writer(to);
    Ok(match config.format {
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(colours).with_filter(filter).boxed()
        }
    })
}

/// Where audit lines go; `None`: nowhere.
fn writer(to: AuditTo) -> Option<BoxMakeWriter> {
    match to {
        AuditTo::Off => None,
        AuditTo::Stderr => Some(BoxMakeWriter::new(std::io::stderr)),
        AuditTo::Stdout => Some(BoxMakeWriter::new(std::io::stdout)),
    }
}

fn layer<S>(to: BoxMakeWriter) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    AuditLines::new(to).with_filter(filter_fn(audit_lines::concerns).with_max_level_hint(LevelFilter::INFO))
}

#[cfg(test)]
mod tests;
