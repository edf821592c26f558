//! Discovery and keys: whom we believe to be the provider, and by which keys.

use std::{sync::Arc, thread, time::Duration};

use doorward::domain::Clock;
use identity_server::{Endpoint, Fault, OldKeys, TokenFault, junk_keys};
use serde_json::{Value, json};

use crate::support::{Adapter, Options, Scene, until};

/// Starts with these faults at discovery; waits until it has been asked so often that it must have been believed.
fn never_ready(case: &str, options: Options, fault: Fault) {
    let (clock, server, application, origin, config) = options.prepare();
    server.always(Endpoint::Discovery, fault);
    let adapter = Adapter::launch(&config, clock.clone());
    assert!(server.wait_for_calls(Endpoint::Discovery, 2), "{case}: not asked again");
    assert_eq!(adapter.admin("/readyz").status, 503, "{case}");
    let scene = Scene { adapter, server, application, clock, origin };
    let answer = scene.browser().navigate_once(&scene.url("/private")).unwrap();
    assert_eq!((answer.status, answer.header("set-cookie")), (503, None), "{case}");
    // The control: it was this fault, and it recovers by itself.
    scene.server.behave(Endpoint::Discovery);
    until("ready", || (scene.adapter.admin("/readyz").status == 200).then_some(()));
    scene.signed_in();
}

/// Case 67 and the checklist's "Discovery and keys".
#[test]
fn metadata_that_may_not_be_believed_leaves_the_node_not_ready() {
    let rows: Vec<(&str, Fault)> = vec![
        ("another issuer", Fault::set("issuer", "https://evil.example")),
        ("a slash more", Fault::Body(Arc::new(slash_more))),
        ("no issuer", Fault::remove("issuer")),
        ("no token endpoint", Fault::remove("token_endpoint")),
        ("no jwks_uri", Fault::remove("jwks_uri")),
        ("no authorization endpoint", Fault::remove("authorization_endpoint")),
        ("a script for an endpoint", Fault::set("authorization_endpoint", "javascript:alert(1)")),
        ("a file for the keys", Fault::set("jwks_uri", "file:///etc/passwd")),
        ("404", Fault::status(404)),
        ("no JSON", Fault::text(200, "application/json", "<html>")),
        ("huge", Fault::Huge(8 << 20)),
        ("closed", Fault::DropConnection),
    ];
    // Each waits for a second reading; side by side they wait together.
    thread::scope(|scope| {
        for (case, fault) in rows {
            scope.spawn(move || never_ready(case, Options::default(), fault));
        }
    });
}

fn slash_more(text: &str) -> String {
    let mut document: Value = serde_json::from_str(text).unwrap();
    document["issuer"] = json!(format!("{}/", document["issuer"].as_str().unwrap()));
    document.to_string()
}

#[test]
fn a_redirect_of_discovery_or_keys_is_not_followed() {
    let trap = identity_server::Application::start().unwrap();
    never_ready("discovery", Options::default(), Fault::redirect(&trap.upstream()));
    let (clock, server, _application, _, config) = Options::default().prepare();
    server.always(Endpoint::Jwks, Fault::redirect(&trap.upstream()));
    let adapter = Adapter::launch(&config, clock);
    assert!(server.wait_for_calls(Endpoint::Jwks, 2));
    assert_eq!((adapter.admin("/readyz").status, trap.connections()), (503, 0));
}

#[test]
fn an_issuers_last_slash_is_neither_lost_nor_doubled() {
    for (path, slash) in [("", true), ("/tenant", true), ("/tenant", false), ("", false)] {
        let scene = Options::default()
            .server(|server| {
                path.clone_into(&mut server.path);
                server.trailing_slash = slash;
            })
            .start();
        assert_eq!(scene.server.issuer().ends_with('/'), slash);
        let asked = scene.server.last(Endpoint::Discovery).unwrap().path;
        assert_eq!(asked, format!("{path}/.well-known/openid-configuration"));
        scene.signed_in();
        assert_eq!(scene.server.calls(Endpoint::Unknown), 0);
    }
}

#[test]
fn a_content_type_that_is_not_json_is_tolerated() {
    let (clock, server, application, origin, config) = Options::default().prepare();
    let document = identity_server::http::send(
        server.address(),
        &identity_server::http::Request::get("/.well-known/openid-configuration"),
    );
    server.always(Endpoint::Discovery, Fault::text(200, "text/plain", &document.unwrap().text()));
    let adapter = Adapter::start(&config, clock.clone());
    Scene { adapter, server, application, clock, origin }.signed_in();
}

#[test]
fn keys_that_cannot_be_used_do_not_stand_in_the_way() {
    let (clock, server, application, origin, config) = Options::default().prepare();
    server.set_junk_keys(junk_keys());
    let adapter = Adapter::start(&config, clock.clone());
    let scene = Scene { adapter, server, application, clock, origin };
    scene.signed_in();
    scene.server.next(Endpoint::Token, Fault::IdToken(vec![TokenFault::no_kid()]));
    scene.signed_in();
}

#[test]
fn keys_without_alg_or_kid_are_usable_and_keys_for_encryption_are_not() {
    for (case, change, status) in [
        ("no alg", json!({ "alg": null }), 200),
        ("no kid", json!({ "kid": null }), 200),
        ("neither, nor use", json!({ "alg": null, "kid": null, "use": null }), 200),
        ("for encryption", json!({ "use": "enc" }), 502),
        ("for another algorithm", json!({ "alg": "RS512" }), 502),
    ] {
        let (clock, server, application, origin, config) = Options::default().prepare();
        server.always(Endpoint::Jwks, Fault::Body(Arc::new(move |text| change_keys(text, &change))));
        let adapter = Adapter::start(&config, clock.clone());
        let scene = Scene { adapter, server, application, clock, origin };
        assert_eq!(scene.sign_in(&mut scene.browser()).response.status, status, "{case}");
    }
}

fn change_keys(text: &str, change: &Value) -> String {
    let mut set: Value = serde_json::from_str(text).unwrap();
    for key in set["keys"].as_array_mut().unwrap() {
        for (name, value) in change.as_object().unwrap() {
            if value.is_null() {
                key.as_object_mut().unwrap().remove(name);
            } else {
                key[name] = value.clone();
            }
        }
    }
    set.to_string()
}

#[test]
fn keys_that_rotate_between_two_sign_ins_just_work() {
    for old in [OldKeys::Keep, OldKeys::Forget] {
        let scene = Scene::start();
        scene.signed_in();
        let asked = scene.server.calls(Endpoint::Jwks);
        scene.server.rotate_keys(old).unwrap();
        scene.signed_in();
        assert_eq!(scene.server.calls(Endpoint::Jwks), asked + 1);
    }
}

#[test]
fn keys_that_rotate_under_a_token_without_kid_just_work() {
    let scene = Scene::start();
    scene.signed_in();
    scene.server.rotate_keys(OldKeys::Forget).unwrap();
    scene.server.next(Endpoint::Token, Fault::IdToken(vec![TokenFault::no_kid()]));
    scene.signed_in();
}

/// Case 39.
#[test]
fn a_flood_of_unknown_keys_costs_one_request_per_cooldown() {
    let scene = Options::default().with(json!({ "min-time-between-jwks-requests": 10 })).start();
    let asked = scene.server.calls(Endpoint::Jwks);
    let flood = |times: usize| {
        for _ in 0..times {
            let unknown = vec![TokenFault::header("kid", "nobody"), TokenFault::OtherKey];
            scene.server.next(Endpoint::Token, Fault::IdToken(unknown));
            scene.assert_refused("unknown kid", 502, 1);
        }
    };
    flood(5);
    assert_eq!(scene.server.calls(Endpoint::Jwks), asked + 1);
    scene.clock.advance(Duration::from_secs(9));
    flood(2);
    assert_eq!(scene.server.calls(Endpoint::Jwks), asked + 1);
    scene.clock.advance(Duration::from_secs(1));
    scene.server.next(Endpoint::Jwks, Fault::status(503));
    flood(3);
    assert_eq!(scene.server.calls(Endpoint::Jwks), asked + 2, "a failed call counts too");
    scene.clock.advance(Duration::from_secs(10));
    scene.server.rotate_keys(OldKeys::Forget).unwrap();
    scene.signed_in();
}

#[test]
fn stale_metadata_is_read_again_before_use_and_an_outage_then_does_no_harm() {
    let scene = Options::default().with(json!({ "public-key-cache-ttl": 60 })).start();
    let asked = scene.server.calls(Endpoint::Discovery);
    scene.clock.advance(Duration::from_secs(60));
    scene.signed_in();
    assert_eq!(scene.server.calls(Endpoint::Discovery), asked, "fresh metadata was read again");
    scene.clock.advance(Duration::from_secs(1));
    scene.signed_in();
    assert_eq!(scene.server.calls(Endpoint::Discovery), asked + 1);
    scene.clock.advance(Duration::from_secs(61));
    scene.server.always(Endpoint::Discovery, Fault::status(503));
    scene.signed_in();
}

#[test]
fn a_server_that_is_down_at_the_start_is_waited_for() {
    let mut scene = Options::default().start_without_server();
    assert_eq!(scene.adapter.admin("/healthz").status, 200);
    let ready = scene.adapter.admin("/readyz");
    assert_eq!((ready.status, ready.json()["identity_server"].as_bool()), (503, Some(false)));
    let mut browser = scene.browser();
    let page = browser.navigate_once(&scene.url("/private")).unwrap();
    assert_eq!((page.status, page.header("set-cookie")), (503, None));
    assert!(page.header("retry-after").is_some() && page.text().contains("<html"));
    scene.server.restart().unwrap();
    until("ready", || (scene.adapter.admin("/readyz").status == 200).then_some(()));
    scene.signed_in();
    // Once it was reached, its absence takes this node out of nobody's service.
    scene.server.stop();
    assert_eq!(scene.adapter.admin("/readyz").status, 200);
    assert!(scene.clock.now().as_secs() > 0);
}
