//! TLS as a server: a certificate and its key in two files, which are looked at again and again, and replaced only together.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use ring::digest::{Context, SHA256};
use rustls::{
    ServerConfig, SupportedProtocolVersion,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::{
    FileError, HTTP_1_1, Identity, IdentityError, TlsError,
    keystore::{Keystore, KeystoreError, Passwords},
    provider, read_regular_file,
};
use crate::domain::SecretBytes;

/// TLS of one listener.
#[derive(Clone, Debug)]
pub struct ListenerTls {
    /// What is served, and where it was read.
    pub pair: Watch,
    /// The oldest version spoken.
    pub minimum: MinimumVersion,
    /// How often the files are looked at.
    pub reload_interval: Duration,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinimumVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// Two PEM files that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairFiles {
    /// The chain, our own certificate first.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Which of the two files is wrong, and how. Names neither: whoever tells knows them.
#[derive(Debug, Error)]
pub enum PairError {
    /// The file of the chain.
    #[error("the certificate's file {0}")]
    Certificate(#[source] Wrong),
    /// The file of the key.
    #[error("the key's file {0}")]
    Key(#[source] Wrong),
}

/// What is wrong with one file.
#[derive(Debug, Error)]
pub enum Wrong {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It does not fit.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It does not hold what it should.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
}

/// What new connections are shown; replaced as a whole.
pub struct Certificate(ArcSwap<CertifiedKey>);

/// A certificate under watch: what is served now, and what its files last held.
#[derive(Clone, Debug)]
pub struct Watch {
    files: PairFiles,
    served: Arc<Certificate>,
    /// A digest of what was last looked at; `None`: it could not be read.
    seen: Option<Vec<u8>>,
}

/// What a look at the files found.
#[derive(Debug)]
pub enum Looked {
    /// Something new that cannot be served: what was there is served on.
    Kept(PairError),
    /// A new pair, which is served from now on.
    Replaced,
    /// Nothing new.
    Unchanged,
}

/// Both files' content.
struct Texts {
    certificate: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
}

impl ListenerTls {
    /// Accepts connections; what they are shown is what [`Self::pair`] serves at that moment.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let versions: &[&SupportedProtocolVersion] = match self.minimum {
            MinimumVersion::Tls12 => &[&TLS12, &TLS13],
            MinimumVersion::Tls13 => &[&TLS13],
        };
        let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(self.pair.served.clone());
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl Watch {
    /// Reads the pair for the first time.
    ///
    /// # Errors
    /// When a file cannot be read or used, or they do not belong together.
    pub fn begin(files: PairFiles) -> Result<Self, PairError> {
        let texts = files.read()?;
        let identity = texts.identity()?;
        let served = Arc::new(Certificate(ArcSwap::new(identity.certified())));
        Ok(Self { seen: Some(texts.digest()), files, served })
    }

    /// Reads the files again. What cannot be used is told of once, until it is something else.
    pub fn look(&mut self) -> Looked {
        let read = self.files.read();
        let seen = read.as_ref().ok().map(Texts::digest);
        if seen == self.seen {
            return Looked::Unchanged;
        }
        self.seen = seen;
        match read.and_then(|texts| texts.identity()) {
            Ok(identity) => {
                self.served.0.store(identity.certified());
                Looked::Replaced
            }
            Err(error) => Looked::Kept(error),
        }
    }

    /// Where it is read.
    #[must_use]
    pub fn files(&self) -> &PairFiles {
        &self.files
    }
}

impl PairFiles {
    fn read(&self) -> Result<Texts, PairError> {
        let certificate = read_regular_file(&self.certificate).map_err(|error| PairError::Certificate(error.into()))?;
        let key = read_regular_file(&self.key).map_err(|error| PairError::Key(error.into()))?;
        Ok(Texts { certificate, key })
    }
}

impl Texts {
    fn identity(&self) -> Result<Identity, PairError> {
        let chain = Keystore::read(&self.certificate, Passwords::default())
            .map_err(|error| PairError::Certificate(error.into()))?;
        // A file may hold both, and be named twice.
        let chain =
            if chain.keys.is_empty() { chain.trusted } else { chain.keys.into_iter().flat_map(|k| k.chain).collect() };
        let key = self.key().map_err(|error| PairError::Key(error.into()))?;
        Identity::new(chain, &key).map_err(|error| match error {
            IdentityError::BadCertificate | IdentityError::NoCertificate => PairError::Certificate(error.into()),
            IdentityError::BadKey | IdentityError::Mismatch => PairError::Key(error.into()),
        })
    }

    fn key(&self) -> Result<SecretBytes, KeystoreError> {
        Ok(Keystore::read(&self.key, Passwords::default())?.into_key(None)?.key)
    }

    fn digest(&self) -> Vec<u8> {
        let mut context = Context::new(&SHA256);
        context.update(&self.certificate.len().to_be_bytes());
        context.update(&self.certificate);
        context.update(&self.key);
        context.finish().as_ref().to_vec()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}
