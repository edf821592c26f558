//! The stories that every session store must tell, as one suite over a builder. A store's own test calls
//! [`keeps_the_contract`] and then tests what is its alone.

use std::{collections::BTreeMap, time::Duration};

use cookie::Cookie;

use super::{
    Config, CookieConfig, OpenedSessions, Recall, RequestCookies, SameSite, SessionStore, SetCookies, TokenStore,
    codec::tests::keycloak_session,
};
use crate::domain::{AdapterSessionId, Lifetimes, SecretBytes, SecretString, Session, Timestamp};

/// Where the stories begin: some time after the login.
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_763_786_600);

/// How long sessions of the suite live.
pub(super) const LIFETIMES: Lifetimes =
    Lifetimes { idle: Duration::from_secs(30 * 60), max: Duration::from_secs(10 * 60 * 60) };

/// The configuration of the suite, with the keys of these bytes.
pub(super) fn config(keys: &[u8]) -> Config {
    let cookie = CookieConfig {
        name: "KEYCLOAK_ADAPTER_STATE".to_owned(),
        path: "/".to_owned(),
        secure: true,
        same_site: SameSite::Lax,
        keys: keys.iter().map(|byte| SecretBytes::new(vec![*byte; 32])).collect(),
    };
    Config { lifetimes: LIFETIMES, cookie, store: TokenStore::Cookie, capacity: 100 }
}

/// A session used at [`NOW`].
pub(super) fn session() -> Session {
    Session { last_seen: NOW, ..keycloak_session() }
}

/// A session that needs several cookies where it is kept in cookies.
pub(super) fn large_session(groups: usize) -> Session {
    let mut session = session();
    session.principal.groups = (0..groups).map(|_| keycloak_session().adapter_session_id.as_str().to_owned()).collect();
    session
}

/// A browser as far as our cookies go.
#[derive(Clone, Default)]
pub(super) struct Browser(BTreeMap<String, String>);

impl Browser {
    /// Takes a response's cookies.
    pub(super) fn receive(&mut self, set: &SetCookies) {
        for value in set {
            let cookie = Cookie::parse(value.to_str().unwrap()).unwrap();
            assert_eq!((cookie.secure(), cookie.path(), cookie.domain()), (Some(true), Some("/"), None));
            if cookie.max_age() == Some(cookie::time::Duration::ZERO) {
                self.0.remove(cookie.name());
            } else {
                assert!(cookie.name().len() + cookie.value().len() <= 4096);
                self.0.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
    }

    /// The cookies of the next request.
    pub(super) fn cookies(&self) -> RequestCookies {
        RequestCookies::from_fields([self.0.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; ")])
    }

    /// Names of what it holds.
    pub(super) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// Tells every story with stores from `build`, which yields a node's store each time: two of them share what nodes share.
pub(super) async fn keeps_the_contract<S: SessionStore>(build: impl Fn() -> S, recall: Recall) {
    assert_eq!(build().recall(), recall);
    an_unknown_browser_has_no_session(&build()).await;
    a_saved_session_is_found_on_every_node(&build(), &build()).await;
    a_change_replaces_what_was(&build(), &build()).await;
    a_worker_that_opened_a_session_before_sees_its_change(&build()).await;
    use_carries_a_session_past_its_first_end(&build()).await;
    a_login_replaces_what_the_browser_brought(&build(), recall).await;
    two_browsers_do_not_mix(&build()).await;
    limits_end_a_session(&build()).await;
    a_shrinking_session_leaves_nothing_behind(&build()).await;
    a_closed_session_is_gone_from_the_browser(&build(), recall).await;
    closing_in_one_browser_leaves_the_other(&build()).await;
    damaged_cookies_are_absent(&build()).await;
}

pub(super) async fn sign_in(store: &impl SessionStore, session: &Session) -> Browser {
    let mut browser = Browser::default();
    save(store, session, &mut browser).await;
    browser
}

async fn save(store: &impl SessionStore, session: &Session, browser: &mut Browser) {
    let set = store.save(session, &browser.cookies(), NOW).await.unwrap();
    browser.receive(&set);
}

pub(super) async fn found(store: &impl SessionStore, browser: &Browser, now: Timestamp) -> Option<Session> {
    let opened = OpenedSessions::default();
    let first = store.find(&browser.cookies(), &opened, now).await.unwrap();
    let again = store.find(&browser.cookies(), &opened, now).await.unwrap();
    assert_eq!(first, again, "what was opened before is found as it was");
    first.map(|session| (*session).clone())
}

async fn an_unknown_browser_has_no_session(store: &impl SessionStore) {
    assert_eq!(found(store, &Browser::default(), NOW).await, None);
}

async fn a_saved_session_is_found_on_every_node(here: &impl SessionStore, there: &impl SessionStore) {
    for session in [session(), large_session(200)] {
        let browser = sign_in(here, &session).await;
        assert_eq!(found(here, &browser, NOW).await.as_ref(), Some(&session));
        assert_eq!(found(there, &browser, NOW).await, Some(session));
    }
}

async fn a_change_replaces_what_was(here: &impl SessionStore, there: &impl SessionStore) {
    let mut session = session();
    let mut browser = sign_in(here, &session).await;
    session.tokens.access = SecretString::new("renewed");
    session.last_seen = NOW.plus(Duration::from_secs(1));
    save(there, &session, &mut browser).await;
    assert_eq!(found(here, &browser, NOW).await, Some(session));
}

async fn a_worker_that_opened_a_session_before_sees_its_change(store: &impl SessionStore) {
    let mut session = session();
    let (mut browser, opened) = (sign_in(store, &session).await, OpenedSessions::default());
    for seconds in 1..4 {
        let seen = store.find(&browser.cookies(), &opened, NOW).await.unwrap();
        assert_eq!(seen.as_deref(), Some(&session));
        session.tokens.access = SecretString::new(format!("renewed {seconds} times"));
        session.last_seen = NOW.plus(Duration::from_secs(seconds));
        save(store, &session, &mut browser).await;
    }
    browser.receive(&store.close(Some(&session), &browser.cookies()).await.unwrap());
    assert_eq!(store.find(&browser.cookies(), &opened, NOW).await.unwrap(), None);
}

async fn use_carries_a_session_past_its_first_end(store: &impl SessionStore) {
    let mut session = session();
    let mut browser = sign_in(store, &session).await;
    let first_end = session.ends_at(LIFETIMES);
    session.last_seen = NOW.plus(LIFETIMES.idle / 2);
    save(store, &session, &mut browser).await;
    assert_eq!(found(store, &browser, first_end).await.as_ref(), Some(&session));
    assert_eq!(found(store, &browser, session.ends_at(LIFETIMES)).await, None);
}

/// Attack case 35: what was in the browser before the login opens nothing of it.
async fn a_login_replaces_what_the_browser_brought(store: &impl SessionStore, recall: Recall) {
    let (before, after) = (session(), session());
    let mut browser = sign_in(store, &before).await;
    let copy = browser.clone();
    save(store, &after, &mut browser).await;
    assert_eq!(found(store, &browser, NOW).await, Some(after));
    let brought = (recall == Recall::Keeps).then_some(before);
    assert_eq!(found(store, &copy, NOW).await, brought);
}

async fn closing_in_one_browser_leaves_the_other(store: &impl SessionStore) {
    let (one, two) = (session(), session());
    let (mut first, second) = (sign_in(store, &one).await, sign_in(store, &two).await);
    first.receive(&store.close(Some(&one), &first.cookies()).await.unwrap());
    assert_eq!(found(store, &first, NOW).await, None);
    assert_eq!(found(store, &second, NOW).await, Some(two));
}

async fn two_browsers_do_not_mix(store: &impl SessionStore) {
    let (one, two) = (session(), Session { adapter_session_id: AdapterSessionId::new("other"), ..session() });
    let (first, second) = (sign_in(store, &one).await, sign_in(store, &two).await);
    assert_eq!(found(store, &first, NOW).await, Some(one));
    assert_eq!(found(store, &second, NOW).await, Some(two));
}

async fn limits_end_a_session(store: &impl SessionStore) {
    let idle = session();
    let old = Session { last_seen: idle.opened_at.plus(LIFETIMES.max), ..idle.clone() };
    for session in [idle, old] {
        let browser = sign_in(store, &session).await;
        let end = session.ends_at(LIFETIMES);
        assert!(found(store, &browser, Timestamp::from_millis(end.as_millis() - 1)).await.is_some());
        assert!(found(store, &browser, end).await.is_none());
        assert_eq!(store.whose(&browser.cookies()).await, Some(session.principal.subject));
    }
}

async fn a_shrinking_session_leaves_nothing_behind(store: &impl SessionStore) {
    let mut browser = sign_in(store, &large_session(200)).await;
    let session = session();
    save(store, &session, &mut browser).await;
    assert_eq!(browser.names(), sign_in(store, &session).await.names());
    assert_eq!(found(store, &browser, NOW).await, Some(session));
}

async fn a_closed_session_is_gone_from_the_browser(store: &impl SessionStore, recall: Recall) {
    for session in [session(), large_session(200)] {
        let mut browser = sign_in(store, &session).await;
        let copy = browser.clone();
        browser.receive(&store.close(Some(&session), &browser.cookies()).await.unwrap());
        assert!(browser.names().is_empty(), "{:?}", browser.names());
        assert_eq!(found(store, &copy, NOW).await.is_some(), recall == Recall::Keeps);
        assert!(store.close(None, &browser.cookies()).await.is_ok(), "closing twice is no error");
    }
}

async fn damaged_cookies_are_absent(store: &impl SessionStore) {
    let browser = sign_in(store, &session()).await;
    for name in browser.names() {
        let value = &browser.0[name];
        let twice = RequestCookies::from_fields([format!("{name}={value}; {name}={value}")]);
        assert_eq!(store.find(&twice, &OpenedSessions::default(), NOW).await.unwrap(), None, "ambiguous");
        assert_eq!(store.whose(&twice).await, None, "ambiguous");
        for damaged in [&value[1..], &format!("{value}A"), &format!("\"{value}\""), &value.to_ascii_uppercase(), ""] {
            let cookies = RequestCookies::from_fields([format!("{name}={damaged}")]);
            assert_eq!(store.find(&cookies, &OpenedSessions::default(), NOW).await.unwrap(), None);
            assert_eq!(store.whose(&cookies).await, None);
        }
    }
}
