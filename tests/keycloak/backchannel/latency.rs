//! How long after Keycloak's message a session is still served.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    backchannel::{AT_ONCE, Plan, STORES, Visit},
    scene::Person,
    wait,
};

const ROUNDS: usize = 12;

/// Asks without a pause until refused. When the last request was sent that the application answered.
fn last_served(mut visit: Visit, asking: &AtomicBool) -> Instant {
    let mut last = wait::now();
    loop {
        let sent = wait::now();
        if !visit.is_let_in() {
            return last;
        }
        last = sent;
        asking.store(true, Ordering::SeqCst);
    }
}

/// How long after the push was read the last request was sent that was still served. 0: none.
#[test]
fn the_time_from_the_receipt_of_a_logout_to_the_refusal_is_below_a_second() {
    for store in STORES {
        let scene = Plan::new(store).start();
        let mut times: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let (anna, asking) = (scene.signed_in(Person::Anna).copy(), AtomicBool::new(false));
                let last = thread::scope(|scope| {
                    let last = scope.spawn(|| last_served(anna, &asking));
                    wait::within(AT_ONCE, || asking.load(Ordering::SeqCst).then_some(())).expect("it is served");
                    scene.realm.delete_sessions_of("anna");
                    last.join().expect("it is refused at last")
                });
                last.saturating_duration_since(scene.tap.last().at)
            })
            .collect();
        times.sort_unstable();
        let answered = scene.tap.pushes().iter().map(|push| push.took).max().expect("pushes");
        wait::report(&format!(
            "{store}: served after the receipt of a logout: median {:?}, longest {:?}; the longest answer to it {answered:?}",
            times[ROUNDS / 2],
            times[ROUNDS - 1]
        ));
        assert!(times[ROUNDS - 1] < AT_ONCE, "{store}: {times:?}");
        assert!(answered < Duration::from_millis(800), "{store}: {answered:?}");
    }
}
