//! The admin listener.

use std::net::SocketAddr;

/// Where the admin listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// TCP address; port 0 takes a free one.
    pub listen: SocketAddr,
}
