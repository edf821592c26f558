//! What was cut comes together again; nothing else does.

use proptest::prelude::*;

use super::*;
use crate::{
    domain::{SystemRandom, Timestamp},
    session::{KeyRing, Purpose, Sealer},
};

const NAME: &str = "STATE";
const NOW: Timestamp = Timestamp::from_secs(1_763_780_000);
const END: Timestamp = Timestamp::from_secs(1_763_780_060);

type Pairs = Vec<(String, String)>;

fn request(pairs: &[(String, String)]) -> RequestCookies {
    RequestCookies::from_fields(pairs.iter().map(|(name, value)| format!("{name}={value}")))
}

fn sealer() -> Sealer {
    Sealer::new(&KeyRing::generate(&SystemRandom), Purpose::Session, "site")
}

fn sealed(sealer: &Sealer, len: usize) -> Pairs {
    cut(NAME, &sealer.seal(NAME, &vec![7; len], END, &SystemRandom).unwrap()).unwrap()
}

fn opens(sealer: &Sealer, pairs: &[(String, String)]) -> bool {
    join(NAME, &request(pairs)).is_some_and(|text| sealer.open(NAME, &text, NOW).is_some())
}

fn text(len: usize) -> String {
    (0..len).map(|at| char::from(b'a' + u8::try_from(at % 26).unwrap())).collect()
}

proptest! {
    #[test]
    fn every_length_up_to_the_limit_round_trips(len in 1..=MAX_CHUNKS * PIECE) {
        let pairs = cut_text(NAME, &text(len)).unwrap();
        prop_assert!(pairs.iter().all(|(_, value)| value.len() <= MAX_VALUE));
        let cookies = request(&pairs);
        let joined = join(NAME, &cookies).map(Cow::into_owned);
        prop_assert_eq!(joined, Some(text(len).into_bytes()));
    }

    #[test]
    fn no_header_makes_it_panic(values in prop::collection::vec("[0-9]\\.?[a-z.]{0,9}", 0..12)) {
        let pairs: Pairs = names(NAME).zip(values).collect();
        join(NAME, &request(&pairs));
    }
}

#[test]
fn the_lengths_at_every_boundary_round_trip() {
    for chunks in 1..=MAX_CHUNKS {
        for len in [chunks * PIECE, chunks * PIECE + 1, chunks * PIECE - 1, MAX_VALUE, MAX_VALUE + 1] {
            match cut_text(NAME, &text(len)) {
                Ok(pairs) => assert_eq!(join(NAME, &request(&pairs)).unwrap().as_ref(), text(len).as_bytes(), "{len}"),
                Err(fault) => assert_eq!((fault.bytes, chunks), (MAX_CHUNKS * PIECE + 1, MAX_CHUNKS)),
            }
        }
    }
}

#[test]
fn a_value_that_fits_is_one_cookie_of_the_plain_name() {
    let pairs = cut_text(NAME, &text(MAX_VALUE)).unwrap();
    assert_eq!(pairs, [(NAME.to_owned(), text(MAX_VALUE))]);
}

#[test]
fn a_value_beyond_eight_cookies_is_an_error_that_says_its_size() {
    let fault = cut_text(NAME, &text(40_000)).unwrap_err();
    assert_eq!(fault.to_string(), "the session needs 40000 bytes of cookies, more than 8 cookies carry");
}

#[test]
fn a_missing_or_empty_or_repeated_chunk_makes_the_value_absent() {
    let sealer = sealer();
    let whole = sealed(&sealer, 9_000);
    assert!(whole.len() == 4 && opens(&sealer, &whole));
    for at in 0..whole.len() {
        let mut missing = whole.clone();
        missing.remove(at);
        let mut empty = whole.clone();
        empty[at].1.clear();
        let mut repeated = whole.clone();
        repeated.push(whole[at].clone());
        for (what, pairs) in [("missing", missing), ("empty", empty), ("repeated", repeated)] {
            assert!(join(NAME, &request(&pairs)).is_none(), "chunk {at} {what}");
        }
    }
}

#[test]
fn a_trailing_empty_chunk_is_not_another_spelling() {
    let sealer = sealer();
    let mut pairs = sealed(&sealer, 6_000);
    assert_eq!(pairs.len(), 3);
    pairs[0].1.replace_range(..1, "4");
    pairs.push((format!("{NAME}.3"), String::new()));
    assert!(join(NAME, &request(&pairs)).is_none());
}

#[test]
fn a_value_that_fits_one_cookie_does_not_come_in_two() {
    let short = text(MAX_VALUE);
    let pairs = [(NAME.to_owned(), format!("2.{}", &short[..PIECE])), (format!("{NAME}.1"), short[PIECE..].to_owned())];
    assert!(join(NAME, &request(&pairs)).is_none());
}

#[test]
fn a_value_that_is_cut_elsewhere_is_refused_although_its_seal_would_hold() {
    let whole = cut_text(NAME, &text(2 * PIECE + 100)).unwrap();
    for short in [0, 1] {
        let mut moved = whole.clone();
        for at in short..2 {
            let last = moved[at].1.pop().unwrap();
            moved[at + 1].1.insert(0, last);
        }
        assert!(join(NAME, &request(&whole)).is_some());
        assert!(join(NAME, &request(&moved)).is_none(), "chunk {short} is short");
    }
}

#[test]
fn swapped_chunks_do_not_open() {
    let sealer = sealer();
    let mut pairs = sealed(&sealer, 9_000);
    let (second, third) = (pairs[1].1.clone(), pairs[2].1.clone());
    pairs[1].1 = third;
    pairs[2].1 = second;
    assert!(join(NAME, &request(&pairs)).is_some() && !opens(&sealer, &pairs));
}

#[test]
fn a_chunk_of_another_session_does_not_open() {
    let sealer = sealer();
    let (one, other) = (sealed(&sealer, 9_000), sealed(&sealer, 9_000));
    for at in 0..one.len() {
        let mut mixed = one.clone();
        mixed[at] = other[at].clone();
        assert!(!opens(&sealer, &mixed), "chunk {at}");
    }
}

#[test]
fn counts_that_we_never_write_are_refused_with_bounded_work() {
    let mut pairs: Pairs = names(NAME).map(|name| (name, text(PIECE))).collect();
    pairs.push((format!("{NAME}.8"), text(PIECE)));
    pairs.push((format!("{NAME}.99999999"), text(PIECE)));
    for count in ["0", "1", "9", "99999999", "-1", "02", "+2", "\"2"] {
        pairs[0].1 = format!("{count}.{}", text(PIECE));
        assert!(join(NAME, &request(&pairs)).is_none(), "{count}");
    }
}

#[test]
fn what_stayed_of_a_longer_value_is_not_read_and_is_named_for_removal() {
    let sealer = sealer();
    let (long, short) = (sealed(&sealer, 9_000), sealed(&sealer, 5_000));
    let mut left: Pairs = short.clone();
    left.extend_from_slice(&long[short.len()..]);
    left.push((format!("{NAME}.99999999"), "x".to_owned()));
    assert_eq!((short.len(), long.len()), (2, 4));
    assert!(opens(&sealer, &left));
    assert_eq!(surplus(NAME, &request(&left), short.len()), ["STATE.2", "STATE.3"]);
}
