//! Java's own keystore, as `sun.security.provider.JavaKeyStore` writes it: what Java's `keytool` made by default before Java 9, and so what
//! many an old installation of a Keycloak adapter has. Its protection is weak (SHA-1, no key stretching); we only read it.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{
    der::{OCTET_STRING, SEQUENCE, element},
    keystore::{KeyEntry, Keystore, KeystoreError, Passwords},
};
use crate::domain::{SecretBytes, SecretString};

const DIGEST: usize = 20;
/// What the store's own digest is made over besides its password and content.
const WHITENER: &[u8] = b"Mighty Aphrodite";
/// Sun's key protector (1.3.6.1.4.1.42.2.17.1.1), in DER.
const KEY_PROTECTOR: &[u8] = b"\x06\x0a\x2b\x06\x01\x04\x01\x2a\x02\x11\x01\x01";

/// Reads a store. Without a password its digest is not checked and no key can be read, as in Java.
pub(super) fn read(bytes: &[u8], passwords: Passwords<'_>) -> Result<Keystore, KeystoreError> {
    let content = content(bytes, passwords.store)?;
    let key_password = passwords.key.or(passwords.store);
    let mut reader = Reader(content);
    let _magic = reader.number()?;
    let version = reader.number()?;
    if !matches!(version, 1 | 2) {
        return Err(KeystoreError::Broken);
    }
    let mut found = Keystore::default();
    for _ in 0..reader.number()? {
        let tag = reader.number()?;
        let alias = String::from_utf8_lossy(reader.short()?).into_owned();
        let _written_at = reader.take(8)?;
        match tag {
            1 => {
                let sealed = reader.long()?;
                let chain = (0..reader.number()?).map(|_| reader.certificate(version)).collect::<Result<_, _>>()?;
                let password = key_password.ok_or(KeystoreError::PasswordMissing)?;
                found.keys.push(KeyEntry { alias, key: open(sealed, password)?, chain });
            }
            2 => found.trusted.push(reader.certificate(version)?),
            _ => return Err(KeystoreError::Broken),
        }
    }
    Ok(found)
}

/// What stands before the store's digest, which is checked.
fn content<'a>(bytes: &'a [u8], password: Option<&SecretString>) -> Result<&'a [u8], KeystoreError> {
    let end = bytes.len().checked_sub(DIGEST).ok_or(KeystoreError::Broken)?;
    let (content, expected) = bytes.split_at(end);
    let is_intact = password.is_none_or(|password| sha1(&[&utf16(password), WHITENER, content]).as_slice() == expected);
    if is_intact { Ok(content) } else { Err(KeystoreError::WrongPassword) }
}

/// Opens a key: a salt, the key under a stream of chained digests, and a digest of the key.
fn open(sealed: &[u8], password: &SecretString) -> Result<SecretBytes, KeystoreError> {
    let mut rest = sealed;
    let mut info = element(SEQUENCE, &mut rest).ok_or(KeystoreError::Broken)?;
    let algorithm = element(SEQUENCE, &mut info).ok_or(KeystoreError::Broken)?;
    if !algorithm.starts_with(KEY_PROTECTOR) {
        return Err(KeystoreError::Broken);
    }
    let data = element(OCTET_STRING, &mut info).ok_or(KeystoreError::Broken)?;
    let end = data.len().checked_sub(DIGEST).filter(|end| *end >= DIGEST).ok_or(KeystoreError::Broken)?;
    let ((salt, hidden), expected) = (data[..end].split_at(DIGEST), &data[end..]);
    let password = utf16(password);
    let mut key = Zeroizing::new(Vec::with_capacity(hidden.len()));
    let mut link = Zeroizing::new(salt.to_vec());
    for block in hidden.chunks(DIGEST) {
        link = sha1(&[&password, &link]);
        key.extend(block.iter().zip(link.iter()).map(|(hidden, mask)| hidden ^ mask));
    }
    if sha1(&[&password, &key]).as_slice() != expected {
        return Err(KeystoreError::WrongPassword);
    }
    Ok(SecretBytes::new(key.to_vec()))
}

fn utf16(password: &SecretString) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(password.expose().encode_utf16().flat_map(u16::to_be_bytes).collect())
}

fn sha1(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    Zeroizing::new(context.finish().as_ref().to_vec())
}

/// What is left to read; all numbers are big-endian.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], KeystoreError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(KeystoreError::Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, KeystoreError> {
        Ok(self.take(4)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Bytes after their length in two bytes.
    fn short(&mut self) -> Result<&'a [u8], KeystoreError> {
        let length = self.take(2)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        self.take(length)
    }

    /// Bytes after their length in four bytes.
    fn long(&mut self) -> Result<&'a [u8], KeystoreError> {
        let length = usize::try_from(self.number()?).map_err(|_| KeystoreError::Broken)?;
        self.take(length)
    }

    fn certificate(&mut self, version: u32) -> Result<CertificateDer<'static>, KeystoreError> {
        if version == 2 && self.short()? != b"X.509" {
            return Err(KeystoreError::Broken);
        }
        Ok(self.long()?.to_vec().into())
    }
}
