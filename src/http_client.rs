//! The one outgoing client for everything but the application.

use std::time::Duration;

/// How calls to the identity server are bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time for a whole call, body included.
    pub total_timeout: Duration,
    /// Connections kept idle per host.
    pub pool_size: usize,
}
