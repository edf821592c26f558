//! Files that hold certificates and keys, told apart by what stands in them: PEM (RFC 7468), PKCS#12 (RFC 7292) and Java's own JKS.

use p12_keystore::{KeyStore as Pkcs12, KeyStoreEntry, Pkcs12ImportPolicy};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use thiserror::Error;
use zeroize::Zeroize;

use super::{Identity, IdentityError, elliptic, jks};
use crate::domain::{SecretBytes, SecretString};

/// What a file holds.
#[derive(Debug, Default)]
pub struct Keystore {
    /// Certificates that stand alone: those to believe.
    pub trusted: Vec<CertificateDer<'static>>,
    /// Keys with their certificates.
    pub keys: Vec<KeyEntry>,
}

/// A key and the certificates that belong to it, its own first.
#[derive(Debug)]
pub struct KeyEntry {
    /// Its name in the store; Java writes it in lower case. Empty in PEM.
    pub alias: String,
    /// The private key in DER.
    pub key: SecretBytes,
    /// May be empty in PEM.
    pub chain: Vec<CertificateDer<'static>>,
}

/// What opens a store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passwords<'a> {
    /// The store's.
    pub store: Option<&'a SecretString>,
    /// The key's within, where it differs. PKCS#12 knows no such thing.
    pub key: Option<&'a SecretString>,
}

/// Why a store cannot be used. Holds nothing of it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeystoreError {
    /// Its form is known, but not followed to the end, or a part is of an unknown kind.
    #[error("is damaged, or holds what cannot be read here")]
    Broken,
    /// PEM whose key has a password.
    #[error(
        "holds an encrypted key: decrypt it with `openssl pkcs8 -in KEY -out KEY.pem` and protect the file instead"
    )]
    Encrypted,
    /// Java's JCEKS.
    #[error("is a JCEKS store: convert it with `keytool -importkeystore -deststoretype PKCS12`")]
    Jceks,
    /// There is no such key.
    #[error("holds no key under that alias")]
    NoAlias,
    /// Nothing to prove oneself with.
    #[error("holds no private key")]
    NoKey,
    /// Nothing to believe.
    #[error("holds no certificate to trust (in a Java keystore: an entry made by `keytool -importcert`)")]
    NoTrusted,
    /// A password is needed and not there, or the store is damaged.
    #[error("needs its password")]
    PasswordMissing,
    /// More than one key, and none is named.
    #[error("holds several private keys: keep the one to use")]
    SeveralKeys,
    /// None of the three forms.
    #[error("is neither PEM nor PKCS#12 nor JKS")]
    UnknownForm,
    /// Not opened by that password, or damaged: neither form can tell one from the other.
    #[error("is damaged, or its password is another")]
    WrongPassword,
}

impl Keystore {
    /// Reads a store.
    ///
    /// # Errors
    /// When it is of no known form, or `passwords` do not open it.
    pub fn read(bytes: &[u8], passwords: Passwords<'_>) -> Result<Self, KeystoreError> {
        match bytes {
            // The constants of `sun.security.provider.JavaKeyStore` and `com.sun.crypto.provider.JceKeyStore`.
            [0xfe, 0xed, 0xfe, 0xed, ..] => jks::read(bytes, passwords),
            [0xce, 0xce, 0xce, 0xce, ..] => Err(KeystoreError::Jceks),
            // A DER SEQUENCE: nothing else that begins so can be meant.
            [0x30, 0x80..=0x84, ..] => pkcs12(bytes, passwords.store),
            _ if is_pem(bytes) => pem(bytes),
            _ => Err(KeystoreError::UnknownForm),
        }
    }

    /// The certificates to believe: those that stand alone, and the first of each key's chain (as Java's `TrustStoreUtil`).
    ///
    /// # Errors
    /// When there is none.
    pub fn into_trusted(self) -> Result<Vec<CertificateDer<'static>>, KeystoreError> {
        let own = self.keys.into_iter().filter_map(|entry| entry.chain.into_iter().next());
        let all: Vec<_> = self.trusted.into_iter().chain(own).collect();
        if all.is_empty() { Err(KeystoreError::NoTrusted) } else { Ok(all) }
    }

    /// The key under `alias`, compared without case as in Java; without an alias the only one. Java writes elliptic keys without their public
    /// half: it is there, if the entry has a certificate.
    ///
    /// # Errors
    /// When there is none, or several and no alias.
    pub fn into_key(mut self, alias: Option<&str>) -> Result<KeyEntry, KeystoreError> {
        if self.keys.is_empty() {
            return Err(KeystoreError::NoKey);
        }
        if let Some(alias) = alias {
            self.keys.retain(|entry| entry.alias.is_empty() || entry.alias.eq_ignore_ascii_case(alias));
        }
        match (self.keys.pop(), self.keys.is_empty()) {
            (Some(entry), true) => Ok(entry.completed()),
            (Some(_), false) => Err(KeystoreError::SeveralKeys),
            (None, _) => Err(KeystoreError::NoAlias),
        }
    }
}

impl KeyEntry {
    fn completed(mut self) -> Self {
        let completed = self.chain.first().and_then(|own| elliptic::completed(&self.key, own));
        self.key = completed.unwrap_or(self.key);
        self
    }

    /// The key with its chain.
    ///
    /// # Errors
    /// When they do not fit, or cannot be used.
    pub fn identity(self) -> Result<Identity, IdentityError> {
        Identity::new(self.chain, &self.key)
    }
}

/// PEM may have any text before its first block.
fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

/// Certificates are the key's when there is a key, else those to believe.
fn pem(bytes: &[u8]) -> Result<Keystore, KeystoreError> {
    const ENCRYPTED: [&[u8]; 2] = [b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED"];
    if ENCRYPTED.iter().any(|mark| bytes.windows(mark.len()).any(|window| window == *mark)) {
        return Err(KeystoreError::Encrypted);
    }
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(|_| KeystoreError::Broken)?;
    let mut keys = Vec::new();
    for key in PrivateKeyDer::pem_slice_iter(bytes) {
        let mut key = key.map_err(|_| KeystoreError::Broken)?;
        keys.push(SecretBytes::new(key.secret_der()));
        key.zeroize();
    }
    match (keys.pop(), keys.is_empty()) {
        (None, _) => Ok(Keystore { trusted: certificates, keys: Vec::new() }),
        (Some(key), true) => {
            let entry = KeyEntry { alias: String::new(), key, chain: certificates };
            Ok(Keystore { trusted: Vec::new(), keys: vec![entry] })
        }
        (Some(_), false) => Err(KeystoreError::SeveralKeys),
    }
}

/// Without a password a store is tried as what Java makes with neither MAC nor encryption, or with an empty password.
fn pkcs12(bytes: &[u8], password: Option<&SecretString>) -> Result<Keystore, KeystoreError> {
    let (password, otherwise) = match password {
        Some(password) => (password.expose().as_str(), KeystoreError::WrongPassword),
        None => ("", KeystoreError::PasswordMissing),
    };
    let store = Pkcs12::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Strict).map_err(|_| otherwise)?;
    let mut found = Keystore::default();
    for (alias, entry) in store.entries() {
        match entry {
            KeyStoreEntry::Certificate(certificate) => found.trusted.push(certificate.as_der().to_vec().into()),
            KeyStoreEntry::PrivateKeyChain(chain) => found.keys.push(KeyEntry {
                alias: alias.clone(),
                key: SecretBytes::new(chain.key().as_der()),
                chain: chain.certs().iter().map(|certificate| certificate.as_der().to_vec().into()).collect(),
            }),
            // A shared key is of no use in TLS.
            KeyStoreEntry::Secret(_) => {}
        }
    }
    Ok(found)
}
