//! Logs: on standard error, as text or as one JSON object a line. What is never logged: tokens, codes, cookies, secrets and whole URLs of
//! requests; the types that hold them cannot print themselves.

use thiserror::Error;
use tracing_subscriber::{EnvFilter, filter::ParseError, util::TryInitError};

/// How log lines look and which are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// One line of text or one JSON object for each event.
    pub format: LogFormat,
    /// A filter in the syntax of `tracing_subscriber::EnvFilter`, for example `info` or `doorward=debug`. Already checked.
    pub filter: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
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

/// Sets up the process's log.
///
/// # Errors
/// When the filter is none, or logs were set up before.
pub fn init(config: &Config) -> Result<(), TelemetryError> {
    use tracing_subscriber::util::SubscriberInitExt as _;
    let filter = EnvFilter::try_new(&config.filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.format {
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(colours).finish().try_init()
        }
    }
    .map_err(TelemetryError::Taken)
}
