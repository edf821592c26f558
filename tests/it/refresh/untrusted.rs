//! What a refresh brings is verified before it is believed, and what may not be believed ends the session (case 48).

use doorward::domain::Clock as _;
use identity_server::{Endpoint, Fault, IdentityServer, TokenFault};
use serde_json::json;

use super::{STORES, counted, realm, refreshes, rotating, sign_ins, stale, status};
use crate::support::{Options, Program, Scene};

/// The refresh's answer has this fault: nobody gets in by it, no copy of the cookie does, and the user can sign in anew.
fn assert_ends(scene: &Scene, case: &str, fault: Fault) {
    let (before, asked, untrusted) = (refreshes(scene), sign_ins(scene), counted(scene, "untrusted"));
    let mut browser = stale(scene);
    scene.server.next(Endpoint::Token, fault);
    let mut copy = browser.clone();
    let heard = scene.application.heard().len();
    assert_eq!(status(scene, &mut browser), 401, "{case}");
    assert_eq!(counted(scene, "untrusted"), untrusted + 1, "{case}");
    assert_eq!((status(scene, &mut copy), refreshes(scene)), (401, before + 1), "{case}: a copy lives on");
    assert_eq!(scene.application.heard().len(), heard, "{case}: the application heard of it");
    assert_eq!(scene.sign_in(&mut browser).response.status, 200, "{case}");
    assert_eq!(sign_ins(scene), asked + 2, "{case}");
}

#[test]
fn a_refreshed_id_token_that_may_not_be_believed_ends_the_session() {
    for store in STORES {
        let scene = rotating(store).start();
        let now = scene.clock.now().as_secs();
        let rows = [
            ("another sub", TokenFault::set("sub", "subject-of-mallory")),
            ("no sub", TokenFault::remove("sub")),
            ("another iss", TokenFault::set("iss", "https://evil.example")),
            ("another aud", TokenFault::set("aud", "other")),
            ("another key", TokenFault::OtherKey),
            ("a flipped bit", TokenFault::CorruptSignature),
            ("alg none", TokenFault::Unsigned),
            ("HS256 by the public key", TokenFault::Hs256(scene.server.rsa_public_der())),
            ("expired", TokenFault::set("exp", now - 31)),
            ("at_hash of another", TokenFault::set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")),
        ];
        for (case, fault) in rows {
            assert_ends(&scene, case, Fault::IdToken(vec![fault]));
        }
        assert_ends(&scene, "no JWS", Fault::set("id_token", "a.b"));
    }
}

#[test]
fn a_refreshed_access_token_of_a_realm_that_may_not_be_believed_ends_the_session() {
    for store in STORES {
        let scene = realm(store).start();
        let rows = [
            ("another subject", TokenFault::set("sub", "subject-of-mallory")),
            ("another iss", TokenFault::set("iss", "https://evil.example")),
            ("another key", TokenFault::OtherKey),
            ("alg none", TokenFault::Unsigned),
        ];
        for (case, fault) in rows {
            assert_ends(&scene, case, Fault::AccessToken(vec![fault]));
        }
    }
}

/// Each of them is another's token of the same provider, as good as any.
#[test]
fn an_operator_reads_of_an_untrusted_refresh_as_an_error() {
    for store in STORES {
        let always = json!({ "token-store": store, "always-refresh-token": true });
        let (_, server, _application, _, config) = Options::default().with(always).prepare();
        // The program runs on the machine's clock.
        server.configure(|options| options.now = identity_server::Options::default().now);
        let program = Program::serve(&config);
        let mut browser = at(&program);
        crate::support::until("somebody gets in", || {
            browser.navigate("http://app.test/").ok().filter(|page| page.response.status == 200)
        });
        let told = |program: &Program| {
            program.printed().lines().any(|line| line.contains("ERROR") && line.contains("may not be believed"))
        };
        assert!(!told(&program));
        server.next(Endpoint::Token, Fault::IdToken(vec![TokenFault::set("sub", "subject-of-mallory")]));
        assert_eq!(browser.fetch("http://app.test/", identity_server::http::Request::get("")).unwrap().status, 401);
        assert!(told(&program), "{store}: {}", program.printed());
        assert_no_token(&server, &program.printed());
    }
}

fn at(program: &Program) -> identity_server::Browser {
    let mut browser = identity_server::Browser::new();
    browser.serve_origin("http://app.test", program.address("public"), &[]);
    browser
}

fn assert_no_token(server: &IdentityServer, printed: &str) {
    let calls = server.received(Endpoint::Token);
    for token in calls.iter().filter_map(|call| call.field("refresh_token")) {
        assert!(!printed.contains(token), "a refresh token is in the log");
    }
}
