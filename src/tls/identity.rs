//! A certificate with the key that belongs to it: who we are to the other end, as a server or as a client.

use std::{fmt, sync::Arc};

use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};
use thiserror::Error;

use super::{elliptic, provider};
use crate::domain::SecretBytes;

/// A chain and its key. That there is one is the proof that both fit together: it alone can be made of no others.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

/// Why a certificate and a key are no identity. Says nothing of the key itself.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum IdentityError {
    /// The certificate cannot be read.
    #[error("is no certificate that can be used")]
    BadCertificate,
    /// The key cannot sign.
    #[error("is no key that can be used: RSA (2048 to 8192 bits), P-256, P-384 and Ed25519 can")]
    BadKey,
    /// The key is another certificate's.
    #[error("does not belong to the certificate")]
    Mismatch,
    /// There is no certificate at all.
    #[error("holds no certificate")]
    NoCertificate,
}

impl Identity {
    /// An identity of `chain`, our own certificate first, and the key of that certificate in DER (PKCS#8, PKCS#1 or SEC 1).
    /// What a PKCS#8 of an elliptic key lacks of its public half is taken from the certificate.
    ///
    /// # Errors
    /// When one of them cannot be used, or they do not belong together.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: &SecretBytes) -> Result<Self, IdentityError> {
        let own = chain.first().ok_or(IdentityError::NoCertificate)?;
        let completed = elliptic::completed(key, own);
        let key = completed.as_ref().unwrap_or(key);
        let key = PrivateKeyDer::try_from(key.expose().as_slice()).map_err(|_| IdentityError::BadKey)?;
        let key = provider().key_provider.load_private_key(key.clone_key()).map_err(|_| IdentityError::BadKey)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // "Unknown" is a key without its public half, which none of ring's are: not a proof.
            Ok(()) => Ok(Self(Arc::new(certified))),
            Err(rustls::Error::InconsistentKeys(_)) => Err(IdentityError::Mismatch),
            Err(_) => Err(IdentityError::BadCertificate),
        }
    }

    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        self.0.clone()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.0.cert.len())
    }
}
