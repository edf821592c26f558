//! A keystore that lies: a Java keystore or PEM gives no more than stands in it. PKCS#12, which a crate reads, is left out: a
//! file may ask for as many rounds of its key derivation as it likes.

#![no_main]

use std::sync::LazyLock;

use doorward::{
    domain::SecretString,
    tls::keystore::{Keystore, Passwords},
};
use libfuzzer_sys::fuzz_target;

/// That of the key in `tests/keystores/TEST-ONLY-client.jks`. The store's is not given: without it no digest is checked, and
/// every byte may be anything.
static KEY: LazyLock<SecretString> = LazyLock::new(|| SecretString::new("other-changeit"));

fuzz_target!(|bytes: &[u8]| {
    if bytes.first() == Some(&0x30) {
        return;
    }
    let Ok(store) = Keystore::read(bytes, Passwords { store: None, key: Some(&KEY) }) else { return };
    let certificates = store.trusted.iter().chain(store.keys.iter().flat_map(|entry| &entry.chain));
    let keys = store.keys.iter().map(|entry| entry.key.expose().len());
    let read: usize = certificates.map(|certificate| certificate.len()).chain(keys).sum();
    assert!(read <= bytes.len());
});
