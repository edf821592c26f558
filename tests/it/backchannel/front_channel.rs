//! OpenID Connect Front-Channel Logout 1.0: anybody's browser can say it, so it ends nothing. It makes a session ask
//! (case 59).

use identity_server::{
    Endpoint,
    http::{self, Request, Response},
};
use serde_json::json;

use super::{OLD, STORES, asked, log_out, pass, plain, realm, refreshes, sid, signed_in, status, statuses};
use crate::support::{Options, Scene};

/// The request that a frame makes: no cookie of ours is sent in it.
fn frame(scene: &Scene, query: &[(&str, &str)]) -> Response {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let request = Request::get(&format!("/oauth2/frontchannel-logout?{query}"))
        .header("Host", "app.test")
        .header("Accept", "text/html")
        .header("Sec-Fetch-Mode", "navigate")
        .header("Sec-Fetch-Dest", "iframe")
        .header("Sec-Fetch-Site", "cross-site");
    http::send(scene.adapter.public_address, &request).unwrap()
}

fn told(scene: &Scene, sid: &str) -> Response {
    frame(scene, &[("iss", &scene.server.issuer()), ("sid", sid)])
}

/// Providers that are asked by userinfo.
fn providers(store: &str) -> [Options; 2] {
    [realm(store), plain(store).with(json!({ "sidecar": { "prove-by": "userinfo" } }))]
}

#[test]
fn a_session_that_a_frame_names_is_asked_for_and_goes_on_if_it_lives() {
    for store in STORES {
        for options in providers(store) {
            let scene = options.start();
            let (mut named, mut other) = (signed_in(&scene, "alice"), signed_in(&scene, "alice"));
            pass(&scene, OLD);
            let before = (asked(&scene, &named), asked(&scene, &other));
            assert_eq!(told(&scene, &sid(&named)).status, 200, "{store}");
            assert_eq!(statuses(&scene, [&mut named, &mut other]), [200, 200], "{store}");
            assert_eq!((asked(&scene, &named) - before.0, asked(&scene, &other) - before.1), (1, 0), "{store}");
            pass(&scene, 60);
            assert_eq!(status(&scene, &mut named), 200, "{store}");
            let settled = asked(&scene, &named);
            pass(&scene, 60);
            assert_eq!((status(&scene, &mut named), asked(&scene, &named)), (200, settled), "{store}: asked for ever");
        }
    }
}

#[test]
fn a_session_that_a_frame_names_ends_when_the_provider_says_so_and_no_token_is_revoked() {
    for store in STORES {
        for options in providers(store) {
            let scene = options.start();
            let (mut named, mut other) = (signed_in(&scene, "alice"), signed_in(&scene, "alice"));
            pass(&scene, OLD);
            scene.server.end_session(&sid(&named));
            assert_eq!(status(&scene, &mut named), 200, "{store}: nobody said anything yet");
            assert_eq!(told(&scene, &sid(&named)).status, 200, "{store}");
            assert_eq!(
                (refreshes(&scene), scene.server.calls(Endpoint::Revocation)),
                (0, 0),
                "{store}: the frame did it"
            );
            assert_eq!(statuses(&scene, [&mut named, &mut other]), [401, 200], "{store}");
            let calls = [Endpoint::Revocation, Endpoint::EndSession].map(|endpoint| scene.server.calls(endpoint));
            assert_eq!(calls, [0, 0], "{store}: tokens were revoked");
        }
    }
}

#[test]
fn a_frame_that_is_not_of_our_provider_is_a_bad_request_and_asks_for_nothing() {
    let scene = realm("cookie").start();
    let mut browser = signed_in(&scene, "alice");
    pass(&scene, OLD);
    let (issuer, sid) = (scene.server.issuer(), sid(&browser));
    let slashed = format!("{issuer}/");
    let rows: [(&str, &[(&str, &str)]); 8] = [
        ("another issuer", &[("iss", "http://elsewhere"), ("sid", &sid)]),
        ("a slash too many", &[("iss", &slashed), ("sid", &sid)]),
        ("no issuer", &[("sid", &sid)]),
        ("no session", &[("iss", &issuer)]),
        ("nothing", &[]),
        ("an empty session", &[("iss", &issuer), ("sid", "")]),
        ("two issuers", &[("iss", &issuer), ("iss", "http://elsewhere"), ("sid", &sid)]),
        ("two sessions", &[("iss", &issuer), ("sid", &sid), ("sid", "x")]),
    ];
    for (case, query) in rows {
        let answer = frame(&scene, query);
        assert_eq!(answer.status, 400, "{case}: {}", answer.text());
        assert!(answer.header("cache-control").unwrap_or_default().contains("no-store"), "{case}");
    }
    assert_eq!((status(&scene, &mut browser), asked(&scene, &browser)), (200, 0));
}

#[test]
fn the_answer_is_never_stored_and_may_be_framed_by_the_provider_alone() {
    let scene = realm("cookie").start();
    let answer = told(&scene, "anybody's");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("cache-control").unwrap_or_default().contains("no-store"), "{:?}", answer.headers);
    let policies: Vec<&str> = answer.all("content-security-policy").flat_map(|policy| policy.split(';')).collect();
    let ancestors: Vec<_> =
        policies.iter().filter_map(|policy| policy.trim().strip_prefix("frame-ancestors ")).collect();
    assert_eq!(ancestors, [scene.server.origin()], "{policies:?}");
    assert_eq!((answer.header("x-frame-options"), answer.header("set-cookie")), (None, None));
}

#[test]
fn a_flood_of_frames_costs_nobody_their_session_and_no_logout_its_effect() {
    let scene = realm("cookie").start();
    let (mut alice, mut bob) = (signed_in(&scene, "alice"), signed_in(&scene, "bob"));
    pass(&scene, OLD);
    let statuses_of_flood: Vec<u16> = (0..400).map(|n| told(&scene, &format!("stranger-{n}")).status).collect();
    assert!(statuses_of_flood.iter().all(|status| matches!(status, 200 | 429)), "{statuses_of_flood:?}");
    assert!(statuses_of_flood.contains(&429), "there is no limit");
    assert!(scene.adapter.metric("doorward_revocations") < 200, "they take the place of revocations");
    assert_eq!(statuses(&scene, [&mut alice, &mut bob]), [200, 200]);
    assert_eq!((asked(&scene, &alice), asked(&scene, &bob)), (0, 0));
    // One that names a session we know is heard all the same.
    scene.server.end_session(&sid(&alice));
    assert_eq!(told(&scene, &sid(&alice)).status, 200);
    log_out(&scene, Some(&sid(&bob)), None);
    assert_eq!(statuses(&scene, [&mut alice, &mut bob]), [401, 401]);
}

#[test]
fn a_frame_only_gets_and_can_be_switched_off() {
    let scene = realm("cookie").start();
    let post = Request::form("/oauth2/frontchannel-logout", &[("iss", "x"), ("sid", "y")]).header("Host", "app.test");
    assert_eq!(http::send(scene.adapter.public_address, &post).unwrap().status, 405);
    let scene = realm("cookie").with(json!({ "sidecar": { "frontchannel-logout": false } })).start();
    let mut browser = signed_in(&scene, "alice");
    pass(&scene, OLD);
    assert_eq!(told(&scene, &sid(&browser)).status, 404);
    assert_eq!((status(&scene, &mut browser), asked(&scene, &browser)), (200, 0));
}
