//! TLS as the stories need it: an authority of the run's own, certificates by it, and a browser's side that believes nobody else.

use std::{
    io,
    net::TcpStream,
    sync::{Arc, OnceLock},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

/// Signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, both PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    /// The authority of this run: it signed for the identity server, and browsers believe it.
    pub(crate) fn get() -> &'static Self {
        static AUTHORITY: OnceLock<Authority> = OnceLock::new();
        AUTHORITY.get_or_init(|| Self::new("Authority of this run"))
    }

    /// Another authority.
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("an authority signs for itself").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for this name.
    pub(crate) fn issue(&self, name: &str) -> Pair {
        let key = KeyPair::generate().expect("a key can be made");
        let params = CertificateParams::new([name.to_owned()]).expect("a name that certificates may bear");
        let certificate = params.signed_by(&key, &self.issuer).expect("an authority signs").pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }
}

/// Speaks TLS over `socket` with whoever shows a certificate for `name` by the authority of this run.
pub(crate) fn over(socket: TcpStream, name: &str) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| Arc::new(config())).clone();
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    Ok(StreamOwned::new(ClientConnection::new(config, name).map_err(io::Error::other)?, socket))
}

fn config() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(Authority::get().pem().as_bytes()).expect("PEM of our own making");
    roots.add(authority).expect("an authority's certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("the usual versions");
    builder.with_root_certificates(roots).with_no_client_auth()
}
