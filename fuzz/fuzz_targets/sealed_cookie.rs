//! A sealed value: arbitrary text never opens; what was sealed opens as it was, and no other way than as it was.

#![no_main]

use std::sync::LazyLock;

use doorward::{
    domain::{SecretBytes, SystemRandom, Timestamp},
    session::{KeyRing, MASTER_KEY_LEN, Purpose, Sealer},
};
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp::from_secs(1_763_780_000);
const END: Timestamp = Timestamp::from_secs(1_763_780_060);

static SEALER: LazyLock<Sealer> = LazyLock::new(|| {
    let keys = KeyRing::new(&[SecretBytes::new([7; MASTER_KEY_LEN])]).unwrap();
    Sealer::new(&keys, Purpose::LoginAttempt, "site")
});

fuzz_target!(|input: (usize, u8, &[u8])| {
    let (at, with, data) = input;
    assert!(SEALER.open("name", data, NOW).is_none());
    let sealed = SEALER.seal("name", data, END, &SystemRandom).unwrap();
    let mut text = sealed.as_str().as_bytes().to_vec();
    assert_eq!(SEALER.open("name", &text, NOW).unwrap().body(), data);
    assert!(SEALER.open("name", &text, END).is_none());
    let at = at % text.len();
    if text[at] != with {
        text[at] = with;
        assert!(SEALER.open("name", &text, NOW).is_none());
    }
});
