//! A seal opens for the one who may, where it may, while it may; everything else is absent.

use proptest::prelude::*;

use super::*;
use crate::domain::{SecretBytes, SystemRandom};

const NAME: &str = "__Host-STATE";
const NOW: Timestamp = Timestamp::from_secs(1_763_780_000);
const END: Timestamp = Timestamp::from_secs(1_763_780_060);

fn key(byte: u8) -> SecretBytes {
    SecretBytes::new(vec![byte; 32])
}

fn sealer_with(keys: &[SecretBytes], purpose: Purpose, site: &str) -> Sealer {
    Sealer::new(&KeyRing::new(keys).unwrap(), purpose, site)
}

fn sealer() -> Sealer {
    sealer_with(&[key(1)], Purpose::Session, "site")
}

fn seal(sealer: &Sealer, body: &[u8]) -> String {
    sealer.seal(NAME, body, END, &SystemRandom).unwrap().0
}

fn reason(sealer: &Sealer, name: &str, text: &[u8]) -> Unsealable {
    assert!(sealer.open(name, text, NOW).is_none());
    sealer.try_open(name, text, NOW).unwrap_err()
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_as_it_was(body: Vec<u8>) {
        let text = seal(&sealer(), &body);
        let opened = sealer().open(NAME, text.as_bytes(), NOW).unwrap();
        prop_assert_eq!(opened.body(), &body[..]);
    }

    #[test]
    fn arbitrary_bytes_are_absent_and_do_no_harm(text: Vec<u8>) {
        prop_assert!(sealer().open(NAME, &text, NOW).is_none());
    }

    #[test]
    fn bytes_that_move_between_name_and_site_do_not_open(whole in "[a-z]{2,20}", at in 1usize..20) {
        let at = at.min(whole.len() - 1);
        let (site, name) = whole.split_at(at);
        let sealed = sealer_with(&[key(1)], Purpose::Session, site).seal(name, b"x", END, &SystemRandom).unwrap();
        let moved = sealer_with(&[key(1)], Purpose::Session, &whole[..at - 1]);
        prop_assert!(moved.open(&whole[at - 1..], sealed.as_str().as_bytes(), NOW).is_none());
    }
}

/// A flip yields another character of the alphabet (then the seal does not hold), a character outside it, or a byte
/// that is no character at all.
#[test]
fn no_bit_of_a_sealed_value_may_change() {
    let text = seal(&sealer(), b"the body of a session");
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut flipped = text.clone().into_bytes();
            flipped[at] ^= 1 << bit;
            assert!(sealer().open(NAME, &flipped, NOW).is_none(), "bit {bit} of character {at}");
        }
    }
}

#[test]
fn no_bit_of_the_bytes_below_the_text_may_change() {
    let message = URL_SAFE_NO_PAD.decode(seal(&sealer(), b"the body of a session")).unwrap();
    for bit in 0..message.len() * 8 {
        let mut flipped = message.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let text = URL_SAFE_NO_PAD.encode(flipped);
        assert!(sealer().open(NAME, text.as_bytes(), NOW).is_none(), "bit {bit}");
    }
}

#[test]
fn no_prefix_of_a_sealed_value_opens() {
    let text = seal(&sealer(), b"body");
    for len in 0..text.len() {
        assert!(sealer().open(NAME, &text.as_bytes()[..len], NOW).is_none(), "{len} characters");
    }
}

/// The body's length leaves two spare bits in the last character; a lenient decoder would take any value of them.
/// With both unset, the next character of the alphabet is also the next one of ASCII.
#[test]
fn only_the_canonical_spelling_opens() {
    let body = [0; 2];
    let text = seal(&sealer(), &body);
    assert_eq!(text.len() % 4, 3);
    let mut other = text.clone().into_bytes();
    *other.last_mut().unwrap() += 1;
    for spelling in [text.clone() + "=", format!(" {text}"), format!("{text}\n"), format!("\"{text}\"")] {
        assert_eq!(reason(&sealer(), NAME, spelling.as_bytes()), Unsealable::NotCanonical, "{spelling:?}");
    }
    assert_eq!(reason(&sealer(), NAME, &other), Unsealable::NotCanonical);
    assert!(sealer().open(NAME, text.as_bytes(), NOW).is_some());
}

#[test]
fn a_value_opens_for_its_own_purpose_site_and_cookie_only() {
    let text = seal(&sealer(), b"body");
    let attempt = sealer_with(&[key(1)], Purpose::LoginAttempt, "site");
    let elsewhere = sealer_with(&[key(1)], Purpose::Session, "other");
    assert_eq!(reason(&attempt, NAME, text.as_bytes()), Unsealable::NotAuthentic);
    assert_eq!(reason(&elsewhere, NAME, text.as_bytes()), Unsealable::NotAuthentic);
    assert_eq!(reason(&sealer(), "STATE", text.as_bytes()), Unsealable::NotAuthentic);
}

#[test]
fn another_version_or_key_is_named_as_such() {
    let message = URL_SAFE_NO_PAD.decode(seal(&sealer(), b"body")).unwrap();
    for (at, expected) in [(0, Unsealable::UnknownVersion), (1, Unsealable::UnknownKey)] {
        let mut changed = message.clone();
        changed[at] ^= 3;
        assert_eq!(reason(&sealer(), NAME, URL_SAFE_NO_PAD.encode(changed).as_bytes()), expected);
    }
}

#[test]
fn keys_rotate_and_a_removed_key_opens_nothing() {
    let old = seal(&sealer_with(&[key(1)], Purpose::Session, "site"), b"old");
    let overlap = sealer_with(&[key(2), key(1)], Purpose::Session, "site");
    let new = seal(&overlap, b"new");
    let after = sealer_with(&[key(2)], Purpose::Session, "site");

    assert!(overlap.open(NAME, old.as_bytes(), NOW).is_some());
    assert!(overlap.open(NAME, new.as_bytes(), NOW).is_some());
    assert!(after.open(NAME, new.as_bytes(), NOW).is_some(), "the first key seals");
    assert_eq!(reason(&after, NAME, old.as_bytes()), Unsealable::UnknownKey);
}

#[test]
fn a_value_opens_until_its_end_and_not_at_it() {
    let text = seal(&sealer(), b"body");
    let before = Timestamp::from_millis(END.as_millis() - 1);
    assert!(sealer().open(NAME, text.as_bytes(), before).is_some());
    assert_eq!(sealer().try_open(NAME, text.as_bytes(), END).unwrap_err(), Unsealable::Expired);
}

#[test]
fn the_same_value_is_never_sealed_to_the_same_bytes() {
    let (one, two) = (seal(&sealer(), b"body"), seal(&sealer(), b"body"));
    let (one, two) = (URL_SAFE_NO_PAD.decode(one).unwrap(), URL_SAFE_NO_PAD.decode(two).unwrap());
    assert_ne!(one[HEADER_LEN..], two[HEADER_LEN..]);
    assert_ne!(one[5..HEADER_LEN], two[5..HEADER_LEN], "the salt");
}

#[test]
fn a_text_beyond_every_bound_is_not_decoded() {
    let text = vec![b'A'; MAX_TEXT + 4];
    assert_eq!(reason(&sealer(), NAME, &text), Unsealable::NotCanonical);
}

#[test]
fn what_is_sealed_or_opened_does_not_print_itself() {
    let sealed = sealer().seal(NAME, b"hunter2", END, &SystemRandom).unwrap();
    let opened = sealer().open(NAME, sealed.as_str().as_bytes(), NOW).unwrap();
    assert_eq!(format!("{sealed:?} {opened:?}"), "[sealed] [redacted]");
    assert!(!format!("{:?}", sealer()).contains("[1, 1"));
}
