//! Many at once, late ones, and those who go away (cases 43, 45 and 49).

use std::{io::Write as _, net::TcpStream, thread};

use identity_server::{Browser, Endpoint, Fault};

use super::{LIFE, STORES, counted, get, pass, refreshes, rotating, sign_ins, spent, stale, status, told};
use crate::support::{Adapter, Scene, until};

/// The same browser, at another node with the same keys and no memory of what happened here: it knows what the cookie says.
fn at(twin: &Adapter, mut browser: Browser) -> Browser {
    browser.serve_origin("http://app.test", twin.public_address, &[("X-Forwarded-Proto", "http")]);
    browser
}

#[test]
fn fifty_requests_at_the_end_of_a_token_are_one_call_and_fifty_answers() {
    for store in STORES {
        let (clock, server, application, origin, config) = rotating(store).prepare();
        let adapter = Adapter::start(&config, clock.clone());
        let twin = Adapter::start(&config, clock.clone());
        let scene = Scene { adapter, server, application, clock, origin };
        let browser = stale(&scene);
        scene.server.next(Endpoint::Token, Fault::HoldAnswer);
        let mut browsers = vec![browser; 50];
        thread::scope(|scope| {
            let ask = |browser: &'_ mut Browser| status(&scene, browser);
            let asking: Vec<_> = browsers.iter_mut().map(|browser| scope.spawn(move || ask(browser))).collect();
            assert!(scene.server.wait_for_calls(Endpoint::Token, 2));
            scene.server.release();
            let statuses: Vec<_> = asking.into_iter().map(|asking| asking.join().unwrap()).collect();
            assert_eq!(statuses, [200; 50], "{store}");
        });
        assert_eq!((refreshes(&scene), counted(&scene, "ok"), sign_ins(&scene)), (1, 1, 1), "{store}");
        pass(&scene, LIFE - 1);
        for browser in &mut browsers {
            assert_eq!(status(&scene, browser), 200, "{store}");
            if store == "cookie" {
                assert_eq!(status(&scene, &mut at(&twin, browser.clone())), 200, "an answer set an old cookie");
            }
        }
        assert_eq!((refreshes(&scene), sign_ins(&scene)), (1, 1), "{store}");
    }
}

#[test]
fn the_cookie_from_before_gets_in_later_and_costs_no_call() {
    for store in STORES {
        let scene = rotating(store).start();
        let mut browser = stale(&scene);
        let mut slow_tab = browser.clone();
        assert_eq!(status(&scene, &mut browser), 200);
        let newest = told(&scene, "authorization");
        pass(&scene, 60);
        let before = slow_tab.clone();
        assert_eq!(status(&scene, &mut slow_tab), 200, "{store}");
        assert_eq!(told(&scene, "authorization"), newest);
        // Whoever has only the old one is found as long as the new tokens live, and then renews by the newest.
        pass(&scene, LIFE - 61);
        assert_eq!((status(&scene, &mut before.clone()), refreshes(&scene)), (200, 1), "{store}");
        pass(&scene, 1);
        assert_eq!((status(&scene, &mut before.clone()), refreshes(&scene)), (200, 2), "{store}");
        assert_eq!((status(&scene, &mut browser), refreshes(&scene), sign_ins(&scene)), (200, 2, 1), "{store}");
        let spent = spent(&scene);
        assert_ne!(spent[0], spent[1], "a spent refresh token came back");
    }
}

#[test]
fn an_older_answers_cookie_that_is_planted_last_leads_to_the_newest_state() {
    for store in STORES {
        let scene = rotating(store).start();
        let first = stale(&scene);
        let mut second = first.clone();
        assert_eq!(status(&scene, &mut second), 200);
        pass(&scene, LIFE);
        let mut third = second.clone();
        assert_eq!(status(&scene, &mut third), 200);
        let newest = told(&scene, "authorization");
        for older in [first, second] {
            let mut browser = third.clone();
            for cookie in older.jar().cookies() {
                browser.jar_mut().insert(cookie.clone());
            }
            assert_eq!(status(&scene, &mut browser), 200, "{store}");
            assert_eq!((told(&scene, "authorization"), refreshes(&scene)), (newest.clone(), 2), "{store}");
        }
    }
}

/// A request that began before the refresh and ends after it, due to write its use down.
#[test]
fn an_answer_that_comes_late_brings_the_newest_state_and_not_its_own() {
    for store in STORES {
        let (clock, server, application, origin, config) = rotating(store).prepare();
        let adapter = Adapter::start(&config, clock.clone());
        let twin = Adapter::start(&config, clock.clone());
        let scene = Scene { adapter, server, application, clock, origin };
        let mut browser = scene.signed_in();
        let mut late = browser.clone();
        let heard = scene.application.heard().len();
        thread::scope(|scope| {
            let slow = scope.spawn(|| get(&scene, &mut late, "/slow"));
            assert!(scene.application.wait_for_requests(heard + 1));
            pass(&scene, LIFE);
            assert_eq!(status(&scene, &mut browser), 200);
            scene.application.release();
            assert_eq!(slow.join().unwrap().status, 200);
        });
        if store == "cookie" {
            let statuses = status(&scene, &mut at(&twin, late.clone()));
            assert_eq!((statuses, refreshes(&scene)), (200, 1), "a spent state came back");
        }
        assert_eq!((status(&scene, &mut late), refreshes(&scene)), (200, 1), "{store}");
    }
}

#[test]
fn a_client_that_goes_away_ends_no_refresh() {
    for store in STORES {
        let scene = rotating(store).start();
        let browser = stale(&scene);
        scene.server.next(Endpoint::Token, Fault::HoldAnswer);
        let cookie = browser.clone().jar_mut().header(&scene.url("/").parse().unwrap(), 0).unwrap();
        let mut leaving = TcpStream::connect(scene.adapter.public_address).unwrap();
        write!(leaving, "GET /private HTTP/1.1\r\nHost: app.test\r\nCookie: {cookie}\r\n\r\n").unwrap();
        assert!(scene.server.wait_for_calls(Endpoint::Token, 2));
        drop(leaving);
        // The adapter has seen the other side close when it has answered somebody who came after.
        assert_eq!(get(&scene, &mut scene.browser(), "/oauth2/signed_out").status, 200);
        scene.server.release();
        until("the refresh is complete", || (counted(&scene, "ok") == 1).then_some(()));
        assert_eq!((status(&scene, &mut browser.clone()), refreshes(&scene)), (200, 1), "{store}");
        assert_eq!(sign_ins(&scene), 1, "{store}");
    }
}

/// Several who wait, and all but one go away.
#[test]
fn whoever_waits_is_not_harmed_by_the_one_who_began_and_left() {
    for store in STORES {
        let scene = rotating(store).start();
        let browser = stale(&scene);
        scene.server.next(Endpoint::Token, Fault::HoldAnswer);
        let cookie = browser.clone().jar_mut().header(&scene.url("/").parse().unwrap(), 0).unwrap();
        let mut leaving = TcpStream::connect(scene.adapter.public_address).unwrap();
        write!(leaving, "GET /private HTTP/1.1\r\nHost: app.test\r\nCookie: {cookie}\r\n\r\n").unwrap();
        assert!(scene.server.wait_for_calls(Endpoint::Token, 2));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| status(&scene, &mut browser.clone()));
            drop(leaving);
            assert_eq!(get(&scene, &mut scene.browser(), "/oauth2/signed_out").status, 200);
            scene.server.release();
            assert_eq!(waiting.join().unwrap(), 200, "{store}");
        });
        assert_eq!(refreshes(&scene), 1, "{store}");
    }
}
