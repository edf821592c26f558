//! The `Cookie` field: no bytes make its readers panic, no session is read out of it, and what the application gets of it
//! holds none of our cookies and all of the others.

#![no_main]

use std::{
    pin::pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, Waker},
    time::Duration,
};

use doorward::{
    domain::{Lifetimes, SecretBytes, SystemRandom, Timestamp},
    session::{
        Config, CookieConfig, CookieStore, KeyRing, MASTER_KEY_LEN, OpenedSessions, OwnCookies, RequestCookies,
        SameSite, SessionStore, TokenStore,
    },
};
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp::from_secs(1_763_780_000);

static SITE: LazyLock<(OwnCookies, CookieStore)> = LazyLock::new(|| {
    let key = SecretBytes::new([7; MASTER_KEY_LEN]);
    let keys = KeyRing::new(std::slice::from_ref(&key)).unwrap();
    // A short name, so that the fuzzer finds it.
    let cookie =
        CookieConfig { name: "S".into(), path: "/".into(), secure: false, same_site: SameSite::Lax, keys: vec![key] };
    let lifetimes = Lifetimes { idle: Duration::from_secs(60), max: Duration::from_secs(600) };
    let config = Config { lifetimes, cookie, store: TokenStore::Cookie, capacity: 1 };
    let store = CookieStore::new(&config, &keys, "site", Arc::new(SystemRandom)).unwrap();
    (OwnCookies::new(&config.cookie).unwrap(), store)
});

fuzz_target!(|fields: Vec<Vec<u8>>| {
    let (own, store) = &*SITE;
    let cookies = RequestCookies::from_fields(&fields);
    let opened = OpenedSessions::default();
    let found = pin!(store.find(&cookies, &opened, NOW)).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(found, Poll::Ready(Ok(None))));

    let Some(passed_on) = own.strip_own(&cookies) else { return };
    let passed_on = RequestCookies::from_fields([passed_on.as_bytes()]);
    assert!(!passed_on.names().any(|name| own.is_own(name.as_bytes())));
    let others: Vec<&str> = cookies.names().filter(|name| !own.is_own(name.as_bytes())).collect();
    assert_eq!(passed_on.names().collect::<Vec<_>>(), others);
});
