//! TLS, for whoever speaks it: what certificates, keys and keystores mean, whom we believe, and a certificate that can be replaced while it
//! is served. One implementation (rustls with ring) and one protocol above it (HTTP/1.1) everywhere. It knows no listener and no client.

mod connector;
mod der;
mod elliptic;
mod file;
mod identity;
mod jks;
pub mod keystore;
mod listener;
#[cfg(test)]
mod tests;
mod verifier;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
pub use rustls::pki_types::CertificateDer;
use thiserror::Error;

pub use connector::{Connector, Roots, Trust, Verification};
pub use file::{FileError, read_file, read_regular_file};
pub use identity::{Identity, IdentityError};
pub use listener::{Certificate, ListenerTls, Looked, MinimumVersion, PairError, PairFiles, Watch, Wrong};

/// TLS cannot be set up: the parts of a configuration contradict each other.
#[derive(Debug, Error)]
#[error("TLS cannot be set up: {0}")]
pub struct TlsError(#[from] rustls::Error);

/// The protocol that is spoken above TLS, by its ALPN name (RFC 7301, section 6).
const HTTP_1_1: &[u8] = b"http/1.1";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
