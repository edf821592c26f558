//! Case 58: what is open ends with its session, within a second, in both stores.

use std::{
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use identity_server::{AdminAction, Browser};
use serde_json::json;
use url::Url;

use super::{OLD, STORES, act, ids, log_out, pass, realm, sid, signed_in, status};
use crate::support::{
    Scene,
    proxied::{Scripted, Wire},
    websocket::{ACCEPT, WebSocket, handshake},
};

const LENGTH: usize = 32 << 20;
const LIMIT: Duration = Duration::from_secs(1);

/// The `Cookie` line of a browser.
fn line(scene: &Scene, browser: &Browser) -> String {
    let mut browser = browser.clone();
    let url = Url::parse(&scene.url("/")).unwrap();
    format!("Cookie: {}\r\n", browser.jar_mut().header(&url, scene.clock_secs()).unwrap())
}

fn plain(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n")
}

/// What a user may have open.
struct Opened {
    socket: WebSocket,
    events: Wire<TcpStream>,
    download: Wire<TcpStream>,
}

impl Opened {
    fn by(scene: &Scene, browser: &Browser) -> Self {
        let lines = line(scene, browser);
        let ask = |path: &str| {
            let mut client = Wire::connect(scene.adapter.public_address);
            client.say(plain(path, &lines));
            assert_eq!(client.status().0, 200);
            client
        };
        let (mut events, mut download) = (ask("/sse"), ask(&format!("/download/{LENGTH}")));
        assert_eq!(events.chunk(), b"data: open\n\n");
        assert_eq!(download.exactly(3), b"xxx");
        let mut socket = WebSocket::open(scene.adapter.public_address, "/ws", &lines);
        socket.echo("before");
        Self { socket, events, download }
    }

    #[track_caller]
    fn assert_broken_off(&mut self, case: &str) {
        assert_eq!(self.socket.closed(), Some(1008), "{case}");
        assert_eq!(self.events.rest(), b"", "{case}: it ends, and does not look whole");
        assert!(self.download.rest().len() < LENGTH - 3, "{case}: the download went on");
    }

    #[track_caller]
    fn assert_goes_on(&mut self, scene: &Scene, word: &str) {
        self.socket.echo(word);
        scene.application.tick(word);
        assert_eq!(self.events.chunk(), format!("data: {word}\n\n").into_bytes());
    }
}

/// Ends the session of this browser somehow.
type End = fn(&Scene, &Browser);
/// The ends that are meant for one session or user.
const NAMED: [(&str, End); 4] = [
    ("Keycloak's ids", |scene, browser| act(scene, AdminAction::Logout, ids(scene, browser))),
    ("sid", |scene, browser| log_out(scene, Some(&sid(browser)), None)),
    ("subject", |scene, _| log_out(scene, None, Some("subject-of-alice"))),
    ("sid and subject", |scene, browser| log_out(scene, Some(&sid(browser)), Some("subject-of-alice"))),
];
/// The ends that are meant for all.
const FOR_ALL: [(&str, End); 2] = [
    ("everybody", |scene, _| act(scene, AdminAction::Logout, json!({}))),
    ("not-before", |scene, _| act(scene, AdminAction::PushNotBefore, json!({ "notBefore": scene.clock_secs() }))),
];

/// Ends it; what is open must be closed before a second has passed since the push was sent.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "the limit is one of real time")]
fn assert_ends(scene: &Scene, browser: &Browser, mut opened: Vec<&mut Opened>, (case, end): (&str, End)) {
    let start = Instant::now();
    end(scene, browser);
    for opened in &mut opened {
        opened.assert_broken_off(case);
    }
    assert!(start.elapsed() < LIMIT, "{case}: it took {:?}", start.elapsed());
}

#[test]
fn what_a_user_has_open_ends_with_the_session_and_what_others_have_goes_on() {
    for store in STORES {
        for (case, end) in NAMED {
            let scene = realm(store).start();
            let (mut alice, bob) = (signed_in(&scene, "alice"), signed_in(&scene, "bob"));
            pass(&scene, OLD);
            let (mut first, mut second) = (Opened::by(&scene, &alice), Opened::by(&scene, &alice));
            let mut others = Opened::by(&scene, &bob);
            assert_ends(&scene, &alice, vec![&mut first, &mut second], (case, end));
            others.assert_goes_on(&scene, "after");
            assert_eq!(status(&scene, &mut alice), 401, "{store}: {case}");
        }
    }
}

#[test]
fn what_anybody_has_open_ends_with_everybodys_sessions() {
    for store in STORES {
        for (case, end) in FOR_ALL {
            let scene = realm(store).start();
            let (alice, bob) = (signed_in(&scene, "alice"), signed_in(&scene, "bob"));
            pass(&scene, OLD);
            let (mut alices, mut bobs) = (Opened::by(&scene, &alice), Opened::by(&scene, &bob));
            assert_ends(&scene, &alice, vec![&mut alices, &mut bobs], (case, end));
        }
    }
}

/// It was opened by a login that the not-before does not hit.
#[test]
fn what_a_younger_session_has_open_outlives_a_not_before() {
    for store in STORES {
        let scene = realm(store).start();
        let old = signed_in(&scene, "alice");
        pass(&scene, OLD);
        let young = signed_in(&scene, "bob");
        let (mut olds, mut youngs) = (Opened::by(&scene, &old), Opened::by(&scene, &young));
        assert_ends(&scene, &old, vec![&mut olds], FOR_ALL[1]);
        youngs.assert_goes_on(&scene, "after");
    }
}

/// A session that is as old as the push may be meant: what it has open is closed, and who was not meant opens it again.
#[test]
fn what_a_session_in_doubt_has_open_ends_and_opens_again_if_it_lives() {
    for store in STORES {
        for (lives, expected) in [(true, 200), (false, 401)] {
            let scene = realm(store).start();
            let (alice, bob) = (signed_in(&scene, "alice"), signed_in(&scene, "bob"));
            pass(&scene, 1);
            let (mut opened, mut others) = (Opened::by(&scene, &alice), Opened::by(&scene, &bob));
            if !lives {
                scene.server.end_session(&sid(&alice));
            }
            assert_ends(&scene, &alice, vec![&mut opened], NAMED[1]);
            others.assert_goes_on(&scene, "after");
            assert_eq!(status(&scene, &mut alice.clone()), expected, "{store}");
            if lives {
                Opened::by(&scene, &alice).assert_goes_on(&scene, "again");
            }
        }
    }
}

/// The handshake that the application agrees to.
fn agreed() -> String {
    format!("HTTP/1.1 101 Ok\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n")
}

/// Signs in without opening the page behind it, which the story would have to play.
fn signed_in_at_the_callback(scene: &Scene) -> Browser {
    let mut browser = scene.browser();
    let authorization = scene.begin(&mut browser, "/private");
    let callback = scene.callback(&mut browser, &authorization);
    assert_eq!(browser.navigate_once(callback.as_str()).unwrap().status, 302);
    browser
}

/// The push arrives between the question whether the session counts and the application's consent.
#[test]
fn a_stream_that_is_opened_at_the_very_moment_of_the_push_is_not_missed() {
    let stream = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n".to_owned();
    for store in STORES {
        for (case, end) in NAMED.into_iter().chain(FOR_ALL) {
            let upstream = Scripted::start();
            let scene = realm(store).with(json!({ "sidecar": { "upstream": upstream.upstream() } })).start();
            for (ask, consent) in [(handshake as fn(&str, &str) -> String, agreed()), (plain, stream.clone())] {
                let browser = signed_in_at_the_callback(&scene);
                pass(&scene, OLD);
                let mut client = Wire::connect(scene.adapter.public_address);
                client.say(ask("/ws", &line(&scene, &browser)));
                let mut application = upstream.accept();
                application.head().unwrap();
                end(&scene, &browser);
                application.say(consent);
                assert_eq!(client.answer().status, 401, "{store}: {case}");
                assert_eq!(application.rest(), b"", "{store}: {case}");
                pass(&scene, 1);
            }
        }
    }
}

/// What the application has of it does not look whole, and nothing more of it comes.
#[test]
fn an_upload_breaks_off_with_the_session_that_it_was_begun_with() {
    for store in STORES {
        for (case, end) in NAMED.into_iter().chain(FOR_ALL) {
            let upstream = Scripted::start();
            let scene = realm(store).with(json!({ "sidecar": { "upstream": upstream.upstream() } })).start();
            let browser = signed_in_at_the_callback(&scene);
            pass(&scene, OLD);
            let mut client = Wire::connect(scene.adapter.public_address);
            let lines = line(&scene, &browser);
            client.say(format!("POST /up HTTP/1.1\r\nHost: app.test\r\n{lines}Content-Length: {LENGTH}\r\n\r\nfirst"));
            let mut application = upstream.accept();
            application.head().unwrap();
            assert_eq!(application.exactly(5), b"first");
            end(&scene, &browser);
            assert_eq!(application.rest(), b"", "{store}: {case}");
            assert_ne!(client.answer().status, 200, "{store}: {case}");
        }
    }
}

/// Many at once, so that some are before the push, some in its midst, and some after it.
#[test]
fn of_many_that_are_opened_during_a_push_none_is_left_open() {
    for store in STORES {
        let scene = realm(store).start();
        let browser = signed_in(&scene, "alice");
        pass(&scene, OLD);
        let lines = line(&scene, &browser);
        let open = || {
            let opened = (0..20).map(|_| WebSocket::ask(scene.adapter.public_address, "/ws", &lines));
            opened.collect::<Vec<_>>()
        };
        thread::scope(|scope| {
            let opening: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            act(&scene, AdminAction::Logout, ids(&scene, &browser));
            for asked in opening.into_iter().flat_map(|opening| opening.join().unwrap()) {
                match asked {
                    Ok(mut socket) => assert_eq!(socket.closed(), Some(1008), "{store}"),
                    Err(refused) => assert_eq!(refused.status, 401, "{store}"),
                }
            }
        });
    }
}
