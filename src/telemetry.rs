//! Logs.

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
