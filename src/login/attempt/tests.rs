//! Attempts in the cookies of one browser: which are found, which are forgotten, and for whom.

use std::collections::BTreeMap;

use super::*;
use crate::{
    domain::SystemRandom,
    session::{CookieConfig, KeyRing, Purpose, SameSite},
};

const START: Timestamp = Timestamp::from_secs(1_763_780_000);
const TTL: Duration = Duration::from_secs(600);

/// A browser's cookies, as far as these tests need one.
#[derive(Clone, Default)]
struct Jar(BTreeMap<String, String>);

impl Jar {
    fn take(&mut self, set: &SetCookies) {
        for header in set {
            let text = header.to_str().unwrap();
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            if text.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn cookies(&self) -> RequestCookies {
        RequestCookies::from_fields(self.0.iter().map(|(name, value)| format!("{name}={value}")))
    }
}

fn origin() -> Origin {
    Origin::of(&Url::parse("https://app.example.com").unwrap())
}

fn attempts_of(keys: &KeyRing, site: &str) -> Attempts {
    let (name, path) = ("KEYCLOAK_ADAPTER_STATE".to_owned(), "/".to_owned());
    let config = CookieConfig { name, path, secure: true, same_site: SameSite::Lax, keys: Vec::new() };
    let sealed = SealedCookie::new(keys, Purpose::LoginAttempt, site);
    Attempts::new(OwnCookies::new(&config).unwrap(), sealed, Arc::new(SystemRandom), TTL, 5)
}

fn attempts() -> Attempts {
    attempts_of(&KeyRing::generate(&SystemRandom), "site")
}

/// A state whose first characters, which name the cookie, are its own.
fn state(number: u32) -> String {
    format!("{number:08}{}", "s".repeat(35))
}

fn begin(attempts: &Attempts, jar: &mut Jar, number: u32, at: Timestamp) {
    let secrets = AttemptSecrets {
        state: state(number),
        nonce: format!("nonce {number}"),
        pkce: SecretString::new(format!("pkce {number}")),
    };
    let redirect_uri = Url::parse("https://app.example.com/oauth2/callback").unwrap();
    let to = ReturnTo::parse(&format!("/page/{number}?q"), &origin(), "/oauth2");
    let attempt = Attempt::new(secrets, redirect_uri, to);
    jar.take(&attempts.remember(&attempt, &jar.cookies(), at).unwrap());
}

fn found(attempts: &Attempts, jar: &Jar, number: u32, now: Timestamp) -> Option<Attempt> {
    attempts.find(&state(number), &origin(), &jar.cookies(), now)
}

fn numbers(attempts: &Attempts, jar: &Jar, now: Timestamp) -> Vec<u32> {
    (0..20).filter(|number| found(attempts, jar, *number, now).is_some()).collect()
}

#[test]
fn an_attempt_is_found_as_it_began() {
    let (attempts, mut jar) = (attempts(), Jar::default());
    begin(&attempts, &mut jar, 7, START);
    let attempt = found(&attempts, &jar, 7, START).unwrap();
    assert_eq!(attempt.state.expose(), &state(7));
    assert_eq!((attempt.nonce.expose().as_str(), attempt.pkce.expose().as_str()), ("nonce 7", "pkce 7"));
    assert_eq!(attempt.redirect_uri.as_str(), "https://app.example.com/oauth2/callback");
    assert_eq!(attempt.return_to.as_str(), "/page/7?q");
}

#[test]
fn tabs_have_attempts_of_their_own() {
    let (attempts, mut jar) = (attempts(), Jar::default());
    for number in 1..=3 {
        begin(&attempts, &mut jar, number, START);
    }
    assert_eq!(numbers(&attempts, &jar, START), [1, 2, 3]);
    jar.take(&attempts.forget(&state(2), &jar.cookies()));
    assert_eq!(numbers(&attempts, &jar, START), [1, 3]);
}

#[test]
fn the_oldest_goes_when_there_are_more_than_five() {
    let (attempts, mut jar) = (attempts(), Jar::default());
    // The later an attempt, the smaller its number: age decides, not what the cookie's name ends with.
    for (age, number) in (0..7).zip((10..17).rev()) {
        begin(&attempts, &mut jar, number, START.plus(Duration::from_secs(age)));
        assert!(jar.0.len() <= 5);
    }
    assert_eq!(numbers(&attempts, &jar, START), [10, 11, 12, 13, 14]);
}

#[test]
fn a_browser_that_held_too_many_is_brought_down_to_five() {
    let (attempts, mut jar) = (attempts(), Jar::default());
    for number in 0..12 {
        let mut other = Jar::default();
        begin(&attempts, &mut other, number, START.plus(Duration::from_secs(number.into())));
        jar.0.extend(other.0);
    }
    begin(&attempts, &mut jar, 19, START.plus(Duration::from_secs(60)));
    assert_eq!(numbers(&attempts, &jar, START.plus(Duration::from_secs(60))), [8, 9, 10, 11, 19]);
    assert_eq!(jar.0.len(), 5);
}

#[test]
fn the_order_of_age_holds_where_the_count_of_digits_changes() {
    let (attempts, mut jar) = (attempts(), Jar::default());
    for (number, at) in [(1, 0xf), (2, 0x10), (3, 0xff), (4, 0x100), (5, 0xffff), (6, 0x1_0000)] {
        begin(&attempts, &mut jar, number, Timestamp::from_secs(at));
    }
    assert_eq!(numbers(&attempts, &jar, Timestamp::from_secs(0x10)), [2, 3, 4, 5, 6]);
}

#[test]
fn an_attempt_ends_at_its_time() {
    let (attempts, mut jar) = (attempts(), Jar::default());
    begin(&attempts, &mut jar, 1, START);
    assert!(found(&attempts, &jar, 1, START.plus(TTL).minus(Duration::from_millis(1))).is_some());
    assert!(found(&attempts, &jar, 1, START.plus(TTL)).is_none());
}

#[test]
fn a_state_of_another_browser_finds_nothing() {
    let keys = KeyRing::generate(&SystemRandom);
    let attempts = attempts_of(&keys, "site");
    let (mut mine, mut theirs) = (Jar::default(), Jar::default());
    begin(&attempts, &mut mine, 1, START);
    begin(&attempts, &mut theirs, 2, START);
    assert!(found(&attempts, &mine, 2, START).is_none());
    assert!(found(&attempts, &Jar::default(), 1, START).is_none());
    assert!(found(&attempts_of(&keys, "another site"), &mine, 1, START).is_none());
}

#[test]
fn a_state_that_only_begins_like_ours_is_not_ours() {
    let (attempts, mut jar) = (attempts(), Jar::default());
    begin(&attempts, &mut jar, 1, START);
    let find = |state: &str| attempts.find(state, &origin(), &jar.cookies(), START);
    assert!(find(&state(1)).is_some());
    let other_end = format!("{}x", &state(1)[..42]);
    for state in [&state(1)[..ID_LEN], &state(1)[..42], other_end.as_str(), "", "0000000", "0000000\u{e4}"] {
        assert!(find(state).is_none(), "{state}");
    }
}

#[test]
fn a_sealed_attempt_opens_under_its_own_name_only() {
    let (attempts, mut jar) = (attempts(), Jar::default());
    begin(&attempts, &mut jar, 1, START);
    begin(&attempts, &mut jar, 2, START);
    let values: Vec<String> = jar.0.values().cloned().collect();
    for (cookie, value) in jar.0.values_mut().zip(values.into_iter().rev()) {
        *cookie = value;
    }
    assert_eq!(numbers(&attempts, &jar, START), [] as [u32; 0]);
}

#[test]
fn forgetting_everything_leaves_the_cookies_of_others() {
    let (attempts, mut jar) = (attempts(), Jar::default());
    begin(&attempts, &mut jar, 1, START);
    jar.0.insert("__Host-KEYCLOAK_ADAPTER_STATE".into(), "x".into());
    jar.0.insert("JSESSIONID".into(), "theirs".into());
    jar.take(&attempts.forget_all(&jar.cookies()));
    assert_eq!(jar.0.keys().collect::<Vec<_>>(), ["JSESSIONID"]);
}

#[test]
fn the_cookies_name_tells_too_little_of_the_state_to_guess_it() {
    let (attempts, mut jar) = (attempts(), Jar::default());
    begin(&attempts, &mut jar, 1, START);
    let name = jar.0.keys().next().unwrap();
    assert!(name.ends_with(&state(1)[..8]) && !name.contains(&state(1)[..9]), "{name}");
}
