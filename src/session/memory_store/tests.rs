//! The contract, and what is particular to sessions in the process.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::*;
use crate::{
    domain::SystemRandom,
    session::{
        TokenStore,
        contract::{Browser, LIFETIMES, NOW, config, found, keeps_the_contract, large_session, session, sign_in},
    },
    status::Metrics,
};

const NAME: &str = "__Host-KEYCLOAK_ADAPTER_STATE";

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new().unwrap())
}

fn table(capacity: usize) -> Arc<SessionTable> {
    Arc::new(SessionTable::new(capacity, metrics()))
}

fn store_at(table: &Arc<SessionTable>, site: &str) -> MemoryStore {
    let config = Config { store: TokenStore::Session, ..config(&[]) };
    MemoryStore::new(&config, table.clone(), site, Arc::new(SystemRandom)).unwrap()
}

fn store(capacity: usize) -> MemoryStore {
    store_at(&table(capacity), "site")
}

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

async fn write(store: &MemoryStore, session: &Session, browser: &Browser, now: Timestamp) -> SetCookies {
    store.save(session, &browser.cookies(), now).await.unwrap()
}

fn ticket(browser: &Browser) -> Vec<u8> {
    let cookies = browser.cookies();
    let Lookup::One(ticket) = cookies.find(NAME) else { panic!("one ticket") };
    ticket.to_vec()
}

#[tokio::test]
async fn it_keeps_the_contract_and_forgets() {
    let table = table(100);
    keeps_the_contract(|| store_at(&table, "site"), Recall::Forgets).await;
}

#[tokio::test]
async fn the_cookie_is_a_ticket_whatever_the_size_of_the_session() {
    let store = store(10);
    for groups in [0, 1_000] {
        let session = large_session(groups);
        let browser = sign_in(&store, &session).await;
        assert_eq!(browser.names(), [NAME]);
        assert_eq!(ticket(&browser).len(), TICKET_LEN);
        let id = session.adapter_session_id.as_str().as_bytes();
        assert_ne!(ticket(&browser), id, "the identity server knows the id");
        assert_eq!(found(&store, &browser, NOW).await, Some(session));
    }
}

#[tokio::test]
async fn a_session_that_is_being_changed_is_there_all_the_time() {
    let store = store(10);
    let session = session();
    let browser = sign_in(&store, &session).await;
    let hash = TicketHash::of("site", &ticket(&browser));
    let written = AtomicBool::new(false);
    let (always_found, always_changed) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut always_found = true;
            while !written.load(Ordering::Relaxed) {
                always_found &= store.table.find(&hash).is_some();
            }
            always_found
        });
        let uses = (0..300).map(|second| Session { last_seen: later(second), ..session.clone() });
        let always_changed =
            uses.map(|used| store.change(&hash, &used, NOW)).all(|changed| matches!(changed, Ok(true)));
        written.store(true, Ordering::Relaxed);
        (reading.join().unwrap(), always_changed)
    });
    assert_eq!((always_found, always_changed), (true, true));
    assert!(store.table.is_consistent());
}

#[tokio::test]
async fn nothing_that_is_kept_is_a_cookies_value() {
    let store = store(10);
    let browser = sign_in(&store, &session()).await;
    let text = ticket(&browser);
    let hash = TicketHash::of("site", &text);
    let record = store.table.find(&hash).unwrap();
    assert!(!record.name(&hash).windows(16).any(|part| text.windows(16).any(|own| own == part)));
    assert!(!record.body().windows(16).any(|part| text.windows(16).any(|own| own == part)));
}

#[tokio::test]
async fn a_ticket_of_another_site_is_none_though_the_table_is_one() {
    let table = table(10);
    let browser = sign_in(&store_at(&table, "site"), &session()).await;
    assert_eq!(found(&store_at(&table, "other"), &browser, NOW).await, None);
    assert!(found(&store_at(&table, "site"), &browser, NOW).await.is_some());
    assert!(TicketHash::of("a", b"bc") != TicketHash::of("ab", b"c"));
}

#[tokio::test]
async fn a_change_in_place_sets_no_cookie_and_two_of_a_name_change_nothing() {
    let store = store(10);
    let mut session = session();
    let browser = sign_in(&store, &session).await;
    session.last_seen = later(5);
    assert!(write(&store, &session, &browser, NOW).await.is_empty());
    let text = String::from_utf8(ticket(&browser)).unwrap();
    let twice = RequestCookies::from_fields([format!("{NAME}={text}; {NAME}={text}")]);
    assert!(store.close(None, &twice).await.is_ok());
    assert_eq!(found(&store, &browser, NOW).await, Some(session), "closed by an ambiguous ticket");
}

#[tokio::test]
async fn what_was_left_by_the_other_store_is_removed_from_the_browser() {
    let store = store(10);
    let browser = sign_in(&store, &session()).await;
    let text = String::from_utf8(ticket(&browser)).unwrap();
    let previous = RequestCookies::from_fields([format!("{NAME}={text}; {NAME}.1=a; {NAME}.2=b")]);
    let set = store.save(&session(), &previous, NOW).await.unwrap();
    let names = set.iter().map(|line| line.to_str().unwrap().split('=').next().unwrap()).collect::<Vec<_>>();
    assert_eq!(names, [NAME, &format!("{NAME}.1"), &format!("{NAME}.2")]);
}

/// A request that began before a renewal and ends after it.
#[tokio::test]
async fn an_older_state_brings_its_last_use_and_nothing_else() {
    let store = store(10);
    let old = session();
    let browser = sign_in(&store, &old).await;
    let mut renewed = Session { renewed_at: later(10), token_iat: later(10), last_seen: later(10), ..old.clone() };
    renewed.tokens.access = SecretString::new("renewed");
    write(&store, &renewed, &browser, NOW).await;
    write(&store, &Session { last_seen: later(20), ..old.clone() }, &browser, NOW).await;
    let both = Session { last_seen: later(20), ..renewed };
    assert_eq!(found(&store, &browser, NOW).await, Some(both.clone()));
    write(&store, &Session { last_seen: later(1), ..old }, &browser, NOW).await;
    assert_eq!(found(&store, &browser, NOW).await, Some(both));
}

#[tokio::test]
async fn whoever_read_an_older_version_does_not_overwrite_a_newer_one() {
    let store = store(10);
    let session = session();
    let hash = TicketHash::of("site", &ticket(&sign_in(&store, &session).await));
    let read = store.table.find(&hash).unwrap();
    assert!(store.table.replace(&hash, read.version(), store.content(&session).unwrap(), NOW));
    assert!(!store.table.replace(&hash, read.version(), store.content(&session).unwrap(), NOW));
    store.table.remove(&hash);
    assert!(!store.table.replace(&hash, read.version(), store.content(&session).unwrap(), NOW), "it was closed");
    assert!(store.table.is_empty());
}

#[tokio::test]
async fn a_full_table_gives_up_what_was_used_longest_ago_after_what_has_ended() {
    let metrics = metrics();
    let table = Arc::new(SessionTable::new(3, metrics.clone()));
    let store = store_at(&table, "site");
    let used = |seconds: u64| Session { last_seen: later(seconds), ..session() };
    let mut first = used(0);
    let (one, two, three) =
        (sign_in(&store, &first).await, sign_in(&store, &used(1)).await, sign_in(&store, &used(2)).await);
    first.last_seen = later(3);
    write(&store, &first, &one, later(3)).await;
    let mut four = Browser::default();
    four.receive(&write(&store, &used(4), &four, later(4)).await);
    assert_eq!(alive(&store, [&one, &two, &three, &four], later(4)).await, [true, false, true, true]);
    assert!(told(&metrics, "doorward_sessions 3") && told(&metrics, "doorward_sessions_dropped_total 1"));
    // The third has ended by now, and the first, used longest ago among the others, stays.
    let now = later(2).plus(LIFETIMES.idle);
    let mut five = Browser::default();
    five.receive(&write(&store, &used(5), &five, now).await);
    assert_eq!(alive(&store, [&one, &two, &three, &four, &five], now).await, [true, false, false, true, true]);
    assert!(told(&metrics, "doorward_sessions 3") && told(&metrics, "doorward_sessions_dropped_total 1"));
}

async fn alive<const N: usize>(store: &MemoryStore, browsers: [&Browser; N], now: Timestamp) -> [bool; N] {
    let mut alive = [false; N];
    for (alive, browser) in alive.iter_mut().zip(browsers) {
        *alive = found(store, browser, now).await.is_some();
    }
    alive
}

fn told(metrics: &Metrics, line: &str) -> bool {
    String::from_utf8(metrics.text(true, 0).unwrap()).unwrap().lines().any(|found| found == line)
}

#[tokio::test]
async fn what_has_ended_is_removed_by_whoever_writes_next() {
    let store = store(1_000);
    for _ in 0..40 {
        sign_in(&store, &session()).await;
    }
    let now = NOW.plus(LIFETIMES.idle);
    let mut held = Vec::new();
    for _ in 0..4 {
        write(&store, &Session { last_seen: now, ..session() }, &Browser::default(), now).await;
        held.push(store.table.len());
    }
    assert_eq!(held, [25, 10, 3, 4]);
}

/// Both orders and the map tell of the same sessions, whoever wrote at the same time.
#[tokio::test]
async fn writers_at_the_same_time_leave_one_truth_within_the_bound() {
    let table = table(8);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let store = store_at(&table, "site");
                let mut shared = session();
                let mut browser = Browser::default();
                for n in 0..50 {
                    shared.last_seen = later(n);
                    browser.receive(&store.write(&shared, &browser.cookies(), later(n)).unwrap());
                    store.write(&session(), &RequestCookies::default(), later(n)).unwrap();
                }
                store.forget(&browser.cookies()).unwrap();
            });
        }
    });
    assert!(table.is_consistent() && table.len() <= 8, "{table:?}");
}

#[tokio::test]
async fn a_limit_that_is_shortened_ends_sessions_that_were_kept_before() {
    let table = table(10);
    let browser = sign_in(&store_at(&table, "site"), &session()).await;
    let mut shorter = config(&[]);
    shorter.lifetimes = Lifetimes { idle: Duration::from_secs(60), ..LIFETIMES };
    let store = MemoryStore::new(&shorter, table, "site", Arc::new(SystemRandom)).unwrap();
    assert!(found(&store, &browser, later(59)).await.is_some());
    assert!(found(&store, &browser, later(60)).await.is_none());
}

#[tokio::test]
async fn it_does_not_print_what_it_keeps() {
    let store = store(10);
    let set = store.save(&session(), &RequestCookies::default(), NOW).await.unwrap();
    assert_eq!(format!("{set:?}"), "SetCookies([Sensitive])");
    let printed = format!("{store:?}");
    assert!(printed.contains("capacity: 10") && printed.len() < 400, "{printed}");
}
