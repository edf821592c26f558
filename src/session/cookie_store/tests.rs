//! The contract, and what is particular to sessions in cookies.

use std::time::Duration;

use super::*;
use crate::{
    domain::SystemRandom,
    session::{
        StateTooLarge,
        contract::{LIFETIMES, NOW, config, found, keeps_the_contract, large_session, session, sign_in},
    },
};

fn store_with(keys: &[u8], site: &str) -> CookieStore {
    let config = config(keys);
    let ring = KeyRing::new(&config.cookie.keys).unwrap();
    CookieStore::new(&config, &ring, site, Arc::new(SystemRandom)).unwrap()
}

fn store() -> CookieStore {
    store_with(&[1], "site")
}

#[tokio::test]
async fn it_keeps_the_contract_and_cannot_recall() {
    keeps_the_contract(store, Recall::Keeps).await;
}

#[tokio::test]
async fn a_keycloak_session_is_one_cookie_for_its_host() {
    let browser = sign_in(&store(), &session()).await;
    assert_eq!(browser.names(), ["__Host-KEYCLOAK_ADAPTER_STATE"]);
}

#[tokio::test]
async fn keys_rotate_without_ending_sessions_and_a_removed_key_ends_them() {
    let session = session();
    let browser = sign_in(&store_with(&[1], "site"), &session).await;
    assert_eq!(found(&store_with(&[2, 1], "site"), &browser, NOW).await, Some(session));
    assert_eq!(found(&store_with(&[2], "site"), &browser, NOW).await, None);
}

#[tokio::test]
async fn a_session_of_another_site_is_absent() {
    let browser = sign_in(&store(), &session()).await;
    assert_eq!(found(&store_with(&[1], "other"), &browser, NOW).await, None);
    assert_eq!(store_with(&[1], "other").whose(&browser.cookies()).await, None);
}

#[tokio::test]
async fn a_session_too_large_for_cookies_is_an_error_that_says_so() {
    for groups in [1_000, 10_000] {
        let refused = store().save(&large_session(groups), &RequestCookies::default(), NOW).await.unwrap_err();
        assert!(matches!(refused, StoreError::StateTooLarge(StateTooLarge { bytes: 40_000.. })), "{refused}");
    }
}

#[tokio::test]
async fn a_limit_that_is_shortened_ends_sessions_that_were_sealed_before() {
    let browser = sign_in(&store(), &session()).await;
    let mut shorter = config(&[1]);
    shorter.lifetimes = Lifetimes { idle: Duration::from_secs(60), ..LIFETIMES };
    let ring = KeyRing::new(&shorter.cookie.keys).unwrap();
    let store = CookieStore::new(&shorter, &ring, "site", Arc::new(SystemRandom)).unwrap();
    assert!(found(&store, &browser, NOW.plus(Duration::from_secs(59))).await.is_some());
    assert!(found(&store, &browser, NOW.plus(Duration::from_secs(60))).await.is_none());
}

#[tokio::test]
async fn two_writes_of_one_session_share_no_bytes() {
    let session = session();
    let [one, two] = [sign_in(&store(), &session).await, sign_in(&store(), &session).await].map(|it| it.cookies());
    let name = "__Host-KEYCLOAK_ADAPTER_STATE";
    assert!(one.holds(name) && two.holds(name));
    assert_ne!(one.find(name), two.find(name));
}

#[tokio::test]
async fn what_a_store_answers_does_not_print_the_session() {
    let set = store().save(&session(), &RequestCookies::default(), NOW).await.unwrap();
    assert_eq!(format!("{set:?}"), "SetCookies([Sensitive])");
    assert!(!format!("{:?}", store()).contains("[1, 1"));
}
