//! Stories of keystores, and of pairs of files that change. What TLS then does is told over sockets.

use std::fs;

use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::{
    keystore::{Keystore, KeystoreError, Passwords},
    *,
};
use crate::domain::SecretString;

const AUTHORITY: &[u8] = include_bytes!("../../tests/keystores/TEST-ONLY-authority.pem");
const CLIENT: &[u8] = include_bytes!("../../tests/keystores/TEST-ONLY-client.pem");
const CLIENT_JKS: &[u8] = include_bytes!("../../tests/keystores/TEST-ONLY-client.jks");
const CLIENT_P12: &[u8] = include_bytes!("../../tests/keystores/TEST-ONLY-client.p12");
const CLIENT_P256_JKS: &[u8] = include_bytes!("../../tests/keystores/TEST-ONLY-client-p256.jks");
const CLIENT_P256_P12: &[u8] = include_bytes!("../../tests/keystores/TEST-ONLY-client-p256.p12");
const CLIENT_P384_P12: &[u8] = include_bytes!("../../tests/keystores/TEST-ONLY-client-p384.p12");
const CLIENT_LEGACY: &[u8] = include_bytes!("../../tests/keystores/TEST-ONLY-client-legacy.p12");
const TRUST_BARE: &[u8] = include_bytes!("../../tests/keystores/TEST-ONLY-trust-bare.p12");
const TRUST_JKS: &[u8] = include_bytes!("../../tests/keystores/TEST-ONLY-trust.jks");
const TRUST_P12: &[u8] = include_bytes!("../../tests/keystores/TEST-ONLY-trust.p12");

fn read(bytes: &[u8], store: &str, key: &str) -> Result<Keystore, KeystoreError> {
    let [store, key] = [store, key].map(|text| (!text.is_empty()).then(|| SecretString::new(text)));
    Keystore::read(bytes, Passwords { store: store.as_ref(), key: key.as_ref() })
}

#[test]
fn every_form_of_truststore_holds_the_same_certificate() {
    let [pem, jks, p12] = [(AUTHORITY, ""), (TRUST_JKS, "changeit"), (TRUST_P12, "changeit")]
        .map(|(bytes, password)| read(bytes, password, "").unwrap().into_trusted().unwrap());
    assert_eq!((pem.len(), &pem), (1, &jks));
    assert_eq!(pem, p12);
    // As in Java, whose `keytool` then says that the integrity was not verified.
    assert_eq!(read(TRUST_JKS, "", "").unwrap().into_trusted().unwrap(), pem);
}

#[test]
fn every_form_of_keystore_holds_the_same_identity() {
    let pem = read(CLIENT, "", "").unwrap().into_key(None).unwrap();
    for (bytes, key_password) in [(CLIENT_JKS, "other-changeit"), (CLIENT_P12, ""), (CLIENT_LEGACY, "")] {
        let entry = read(bytes, "changeit", key_password).unwrap().into_key(Some("Shop")).unwrap();
        assert_eq!((&entry.key, &entry.chain), (&pem.key, &pem.chain));
        assert!(entry.identity().is_ok());
    }
}

#[test]
fn an_elliptic_key_of_java_gets_its_public_half_from_its_certificate() {
    for bytes in [CLIENT_P256_P12, CLIENT_P256_JKS, CLIENT_P384_P12] {
        let entry = read(bytes, "changeit", "").unwrap().into_key(None).unwrap();
        assert!(entry.identity().is_ok());
    }
    // What `openssl pkcs12 -nodes` would write of it, and a listener then reads.
    let entry = read(CLIENT_P256_P12, "changeit", "").unwrap().keys.remove(0);
    assert!(Identity::new(entry.chain, &entry.key).is_ok());
}

#[test]
fn an_elliptic_key_does_not_become_that_of_another_certificate() {
    let [one, other] =
        [CLIENT_P256_P12, CLIENT_P256_JKS].map(|bytes| read(bytes, "changeit", "").unwrap().keys.remove(0));
    assert_eq!(Identity::new(other.chain, &one.key).unwrap_err(), IdentityError::BadKey);
    let p384 = read(CLIENT_P384_P12, "changeit", "").unwrap().keys.remove(0);
    assert_eq!(Identity::new(p384.chain, &one.key).unwrap_err(), IdentityError::BadKey);
}

#[test]
fn a_store_without_mac_and_password_is_opened_without_one() {
    let authority = read(AUTHORITY, "", "").unwrap().into_trusted().unwrap();
    assert_eq!(read(TRUST_BARE, "", "").unwrap().into_trusted().unwrap(), authority);
    assert_eq!(read(TRUST_BARE, "changeit", "").unwrap().into_trusted().unwrap(), authority);
}

#[test]
fn a_store_that_cannot_be_opened_says_why() {
    let refusal = |bytes, store, key| read(bytes, store, key).unwrap_err();
    for bytes in [TRUST_JKS, TRUST_P12, CLIENT_JKS, CLIENT_P12, CLIENT_LEGACY] {
        assert_eq!(refusal(bytes, "wrong", ""), KeystoreError::WrongPassword);
        let mut touched = bytes.to_vec();
        touched[100] ^= 1;
        assert!(read(&touched, "changeit", "other-changeit").is_err());
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end], "changeit", "other-changeit").is_err(), "{end}");
        }
    }
    assert_eq!(refusal(CLIENT_JKS, "changeit", ""), KeystoreError::WrongPassword);
    assert_eq!(refusal(CLIENT_P12, "", ""), KeystoreError::PasswordMissing);
    assert_eq!(refusal(b"\xce\xce\xce\xce", "", ""), KeystoreError::Jceks);
    assert_eq!(refusal(b"certificate", "", ""), KeystoreError::UnknownForm);
    let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_eq!(refusal(encrypted, "", ""), KeystoreError::Encrypted);
    assert_eq!(read(TRUST_P12, "changeit", "").unwrap().into_key(None).unwrap_err(), KeystoreError::NoKey);
    let other = read(CLIENT_P12, "changeit", "").unwrap().into_key(Some("other"));
    assert_eq!(other.unwrap_err(), KeystoreError::NoAlias);
    assert_eq!(Keystore::default().into_trusted().unwrap_err(), KeystoreError::NoTrusted);
}

#[test]
fn a_store_without_its_password_is_not_read_with_lengths_that_lie() {
    // No digest is checked without a password: every byte may be anything.
    for at in 0..TRUST_JKS.len() {
        for value in [0x00, 0x7f, 0xff] {
            let mut touched = TRUST_JKS.to_vec();
            touched[at] = value;
            drop(read(&touched, "", ""));
        }
    }
}

struct Pair {
    folder: tempfile::TempDir,
    files: PairFiles,
}

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = PairFiles { certificate: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
        Self { folder, files }
    }

    fn write(&self, certificate: &CertifiedKey<rcgen::KeyPair>, key: &CertifiedKey<rcgen::KeyPair>) {
        fs::write(&self.files.certificate, certificate.cert.pem()).unwrap();
        fs::write(&self.files.key, key.signing_key.serialize_pem()).unwrap();
    }
}

#[test]
fn a_pair_is_replaced_only_by_one_that_fits() {
    let [one, two] = ["one", "two"].map(|name| generate_simple_self_signed([name.to_owned()]).unwrap());
    let pair = Pair::new();
    pair.write(&one, &one);
    let mut watch = Watch::begin(pair.files.clone()).unwrap();
    assert!(matches!(watch.look(), Looked::Unchanged));
    for broken in [
        || (None, "no certificate"),
        || (Some(""), "empty"),
        || (Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "junk"),
    ] {
        match broken() {
            (Some(text), _) => fs::write(&pair.files.certificate, text).unwrap(),
            (None, _) => fs::remove_file(&pair.files.certificate).unwrap(),
        }
        assert!(matches!(watch.look(), Looked::Kept(PairError::Certificate(_))), "{}", broken().1);
        assert!(matches!(watch.look(), Looked::Unchanged), "told twice: {}", broken().1);
    }
    pair.write(&two, &one);
    assert!(matches!(watch.look(), Looked::Kept(PairError::Key(Wrong::Identity(IdentityError::Mismatch)))));
    pair.write(&two, &two);
    assert!(matches!(watch.look(), Looked::Replaced));
    assert!(matches!(watch.look(), Looked::Unchanged));
    assert!(Watch::begin(pair.files.clone()).is_ok());
    drop(pair.folder);
}
