//! What the two memories promise: flights, and what is known of sessions. No provider is asked here.

use std::collections::BTreeMap;

use super::{flights::Seat, *};
use crate::domain::{AdapterSessionId, Issuer, NodeIncarnation, Principal, SecretString, Subject, TokenSet};

const NOW: Timestamp = Timestamp::from_secs(1_000);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A state of the session "one" that was proved so many seconds after [`NOW`], with an access token of five minutes.
fn proved_after(seconds: u32) -> Session {
    let proved_at = NOW.plus(seconds * SECOND);
    Session {
        adapter_session_id: AdapterSessionId::new("one"),
        issuer: Issuer::new("https://id.example"),
        sid: None,
        principal: Principal {
            subject: Subject::new("alice"),
            username: None,
            email: None,
            groups: Vec::new(),
            roles: Vec::new(),
            claims: BTreeMap::new(),
        },
        tokens: TokenSet {
            access: SecretString::new(format!("access {seconds}")),
            access_expires: Some(proved_at.plus(5 * MINUTE)),
            refresh: Some(SecretString::new(format!("refresh {seconds}"))),
            id: SecretString::new("id"),
        },
        established_at: NOW,
        token_iat: proved_at,
        renewed_at: proved_at,
        proved_at,
        proved_by: NodeIncarnation::new("node"),
        opened_at: NOW,
        last_seen: proved_at,
    }
}

fn known() -> Known {
    Known::new(NodeIncarnation::new("node"), SessionCodec::new(), 30 * MINUTE)
}

fn id(text: &str) -> AdapterSessionId {
    AdapterSessionId::new(text)
}

fn first(flights: &Flights, text: &str) -> (Seat, Waiting) {
    match flights.board(&id(text), Kind::Renewal, || None) {
        Boarding::First(seat, waiting) => (seat, waiting),
        other => panic!("{other:?}"),
    }
}

fn heard(waiting: &Waiting) -> Option<Outcome> {
    waiting.borrow().clone()
}

#[test]
fn who_comes_during_a_flight_joins_it_and_hears_its_outcome() {
    let flights = Flights::default();
    let (seat, waiting) = first(&flights, "one");
    let Boarding::Joined(joined, Kind::Renewal) =
        flights.board(&id("one"), Kind::Renewal, || panic!("nobody is asked while one flies"))
    else {
        panic!("two fly at once");
    };
    let (_other, _) = first(&flights, "two");
    assert!(heard(&waiting).is_none() && heard(&joined).is_none());
    seat.land(Outcome::Ended);
    assert!(matches!((heard(&waiting), heard(&joined)), (Some(Outcome::Ended), Some(Outcome::Ended))));
    first(&flights, "one");
}

#[test]
fn whoever_comes_after_a_landing_was_heard_of_is_not_told_of_it() {
    let flights = Flights::default();
    for _ in 0..500 {
        let (seat, waiting) = first(&flights, "one");
        std::thread::scope(|scope| {
            scope.spawn(|| seat.land(Outcome::Unavailable));
            while heard(&waiting).is_none() {
                std::hint::spin_loop();
            }
            // And the one that has landed does not take this one's place away.
            let (_next, _) = first(&flights, "one");
            let joining = flights.board(&id("one"), Kind::Renewal, || None);
            assert!(matches!(joining, Boarding::Joined(..)), "{joining:?}");
        });
    }
}

#[test]
fn nobody_flies_for_what_is_known() {
    let flights = Flights::default();
    assert!(matches!(
        flights.board(&id("one"), Kind::Renewal, || Some(Outcome::Lost)),
        Boarding::Needless(Outcome::Lost)
    ));
    first(&flights, "one");
}

/// A task that panics, or is dropped at the end of the process.
#[test]
fn a_seat_that_is_dropped_leaves_nobody_waiting_and_its_place_free() {
    let flights = Flights::default();
    let (seat, waiting) = first(&flights, "one");
    drop(seat);
    assert!(waiting.has_changed().is_err() && heard(&waiting).is_none());
    first(&flights, "one");
}

#[test]
fn flights_have_a_bound_and_whoever_is_aloft_can_still_be_joined() {
    let flights = Flights::default();
    let mut seats: Vec<_> = (0..flights::MOST).map(|n| first(&flights, &n.to_string())).collect();
    assert!(matches!(flights.board(&id("one more"), Kind::Renewal, || None), Boarding::Full));
    assert!(matches!(flights.board(&id("0"), Kind::Renewal, || None), Boarding::Joined(..)));
    assert!(matches!(flights.board(&id("known"), Kind::Renewal, || Some(Outcome::Lost)), Boarding::Needless(_)));
    seats.pop();
    first(&flights, "one more");
}

#[test]
fn the_state_that_was_proved_last_is_the_newest_for_all_before_it() {
    let known = known();
    assert_eq!(known.newer(&proved_after(0), NOW), None);
    known.learn(&proved_after(20), NOW);
    let newer = known.newer(&proved_after(0), NOW).unwrap();
    assert_eq!(newer.tokens, proved_after(20).tokens);
    assert_eq!(known.newer(&proved_after(20), NOW), None, "it is the newest itself");
    assert_eq!(known.newer(&proved_after(21), NOW), None, "another node may know a newer one");
    let other = Session { adapter_session_id: id("two"), ..proved_after(0) };
    assert_eq!(known.newer(&other, NOW), None);
}

#[test]
fn the_later_use_of_the_two_states_counts() {
    let known = known();
    known.learn(&proved_after(20), NOW);
    let used = |at: u32| Session { last_seen: NOW.plus(at * SECOND), ..proved_after(0) };
    assert_eq!(known.newer(&used(30), NOW).unwrap().last_seen, NOW.plus(30 * SECOND));
    assert_eq!(known.newer(&used(10), NOW).unwrap().last_seen, NOW.plus(20 * SECOND));
}

#[test]
fn what_is_known_is_forgotten_when_no_state_from_before_can_live() {
    let known = known();
    known.learn(&proved_after(20), NOW);
    let access_ends = NOW.plus(5 * MINUTE + 20 * SECOND);
    assert!(known.newer(&proved_after(0), access_ends.plus(29 * MINUTE)).is_some());
    assert!(known.newer(&proved_after(0), access_ends.plus(30 * MINUTE)).is_none());
}

#[test]
fn a_token_that_left_unanswered_is_in_doubt_until_its_session_is_renewed() {
    let (known, session) = (known(), proved_after(0));
    assert_eq!(known.doubt(&session, NOW), Doubt::None);
    known.doubt_more(&session, NOW);
    assert_eq!(known.doubt(&session, NOW), Doubt::Once);
    assert_eq!(known.doubt(&proved_after(9), NOW), Doubt::None, "another state has another token");
    known.doubt_more(&session, NOW);
    known.doubt_more(&session, NOW);
    assert_eq!(known.doubt(&session, NOW), Doubt::Twice);
    known.learn(&proved_after(20), NOW);
    assert_eq!(known.doubt(&session, NOW), Doubt::None);
    assert_eq!(known.doubt(&proved_after(20), NOW), Doubt::None);
}

#[test]
fn a_pause_ends_by_itself_and_forgets_no_doubt() {
    let (known, session) = (known(), proved_after(0));
    known.pause(&session, NOW.plus(SECOND), NOW);
    assert_eq!(known.doubt(&session, NOW), Doubt::Pausing);
    assert_eq!(known.doubt(&session, NOW.plus(SECOND)), Doubt::None);
    known.doubt_more(&session, NOW);
    known.pause(&session, NOW.plus(SECOND), NOW);
    assert_eq!(known.doubt(&session, NOW), Doubt::Pausing);
    assert_eq!(known.doubt(&session, NOW.plus(SECOND)), Doubt::Once);
}

/// An access token may live for longer than anybody remembers anything else.
#[test]
fn a_doubt_is_remembered_as_long_as_the_access_token_lives_and_for_a_while_after() {
    let (known, mut session) = (known(), proved_after(0));
    session.tokens.access_expires = Some(NOW.plus(600 * MINUTE));
    known.doubt_more(&session, NOW);
    assert_eq!(known.doubt(&session, NOW.plus(629 * MINUTE)), Doubt::Once);
    assert_eq!(known.doubt(&session, NOW.plus(630 * MINUTE)), Doubt::None);
}

#[test]
fn trouble_with_the_newest_state_keeps_the_newest_state() {
    let known = known();
    known.learn(&proved_after(20), NOW);
    known.doubt_more(&proved_after(20), NOW);
    known.pause(&proved_after(20), NOW.plus(SECOND), NOW);
    assert_eq!(known.newer(&proved_after(0), NOW).unwrap().proved_at, NOW.plus(20 * SECOND));
}

#[test]
fn a_token_is_renewed_early_but_never_in_the_first_half_of_its_life() {
    let config = |minimum_life| Config { minimum_life, ..Config::default() };
    let session = proved_after(0);
    for (minimum_life, due_after) in
        [(Duration::ZERO, 5 * MINUTE), (MINUTE, 4 * MINUTE), (4 * MINUTE, 150 * SECOND), (Duration::MAX, 150 * SECOND)]
    {
        let is_due = |after| config(minimum_life).is_time_for(&session, NOW.plus(after));
        assert!(is_due(due_after), "{minimum_life:?}");
        assert!(!is_due(due_after.saturating_sub(Duration::from_millis(1))), "{minimum_life:?}");
    }
    let mut endless = proved_after(0);
    endless.tokens.access_expires = None;
    assert!(!config(MINUTE).is_time_for(&endless, NOW.plus(600 * MINUTE)));
}

#[test]
fn the_later_proof_stands_and_one_that_is_ahead_of_our_clock_gives_way_to_our_own() {
    let known = known();
    let theirs =
        |at: Timestamp| Session { proved_at: at, proved_by: NodeIncarnation::new("another node"), ..proved_after(0) };
    known.learn_proof(&theirs(NOW), NOW.plus(20 * SECOND), NOW);
    let now = NOW.plus(60 * SECOND);
    let proof = |presented: &Session| {
        known.newer(presented, now).map(|newer| (newer.proved_at.since(NOW).as_secs(), newer.proved_by.to_string()))
    };
    assert_eq!(proof(&theirs(NOW)), Some((20, "node".to_owned())));
    assert_eq!(proof(&theirs(NOW.plus(50 * SECOND))), None, "asked later than we did");
    assert_eq!(proof(&theirs(NOW.plus(61 * SECOND))), Some((20, "node".to_owned())), "ahead of our clock");
    assert_eq!(proof(&proved_after(20)), None, "the very proof");
}
