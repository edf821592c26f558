//! Case 54: on which listener, under which path, and over which transport.

use identity_server::{
    AdminAction,
    http::{self, Request},
};
use serde_json::{Value, json};

use super::{OLD, ids, pass, realm, sid, signed_in, status};
use crate::support::{CLIENT, Scene, push, push_logout_token, pushed};

const WORDS: [&str; 5] = ["k_logout", "k_push_not_before", "k_test_available", "k_version", "k_jwks"];

fn everybody(scene: &Scene) -> String {
    scene.server.admin_action(CLIENT, AdminAction::Logout, json!({}), &[])
}

fn available(scene: &Scene) -> String {
    scene.server.admin_action(CLIENT, AdminAction::TestAvailability, json!({}), &[])
}

#[test]
fn the_public_listener_knows_no_admin_word_whoever_claims_to_ask() {
    for public_path in [Value::Null, json!("/admin-words")] {
        let admin = json!({ "sidecar": { "admin": { "public-path": public_path } } });
        let scene = realm("cookie").with(admin).start();
        let mut browser = signed_in(&scene, "alice");
        pass(&scene, OLD);
        let heard = scene.application.heard().len();
        for word in WORDS {
            for path in
                [format!("/{word}"), format!("/app/{word}"), format!("/oauth2/{word}"), format!("/admin-words-/{word}")]
            {
                for request in [pushed(&path, &everybody(&scene)), Request::get(&path)] {
                    let request = request
                        .header("Host", "app.test")
                        .header("X-Forwarded-For", "127.0.0.1")
                        .header("X-Forwarded-Prefix", "/admin-words")
                        .header("Forwarded", "for=127.0.0.1");
                    let answer = http::send(scene.adapter.public_address, &request).unwrap();
                    // A path of the application like any other: nobody is signed in.
                    assert!(matches!(answer.status, 401 | 404), "{} {path}: {}", request.method, answer.status);
                }
            }
        }
        assert_eq!(scene.application.heard().len(), heard, "the application heard of it");
        assert_eq!(status(&scene, &mut browser), 200);
    }
}

#[test]
fn below_its_public_path_the_public_listener_answers_the_admin_words() {
    let scene = realm("cookie").with(json!({ "sidecar": { "admin": { "public-path": "/admin-words" } } })).start();
    let mut browser = signed_in(&scene, "alice");
    let send = |path: &str, message: &str| {
        let request = pushed(path, message).header("Host", "app.test");
        http::send(scene.adapter.public_address, &request).unwrap().status
    };
    for path in ["/admin-words/k_test_available", "/admin-words/deeper/k_test_available"] {
        assert!(matches!(send(path, &available(&scene)), 200 | 204), "{path}");
    }
    assert_eq!(send("/admin-words/k_logout", "forged"), 403);
    for path in ["/admin-words/healthz", "/admin-words/metrics", "/admin-words/sessions"] {
        let request = Request::get(path).header("Host", "app.test").header("Accept", "application/json");
        let answer = http::send(scene.adapter.public_address, &request).unwrap();
        assert!(matches!(answer.status, 401 | 404), "{path}: {}", answer.status);
    }
    let message = scene.server.admin_action(CLIENT, AdminAction::Logout, ids(&scene, &browser), &[]);
    assert!(matches!(send("/admin-words/k_logout", &message), 200 | 204));
    assert_eq!(status(&scene, &mut browser), 401);
}

#[test]
fn the_admin_listener_goes_by_the_last_word_of_the_path() {
    let scene = realm("cookie").start();
    let message = available(&scene);
    let send = |path: &str| push(scene.adapter.admin_address, path, &message).status;
    for path in ["/k_test_available", "/a/k_test_available", "/a/b/c.d/k_test_available", "//k_test_available"] {
        assert!(matches!(send(path), 200 | 204), "{path}: {}", send(path));
    }
    for path in ["/k_test_availables", "/xk_test_available", "/k_test_available/x", "/?k_test_available", "/k_other"] {
        assert_eq!(send(path), 404, "{path}");
    }
    assert_eq!(scene.adapter.admin("/app/k_jwks").json()["keys"], json!([]));
    assert!(scene.adapter.admin("/app/k_version").json()["version"].is_string());
}

/// The path that an administrator gives the provider.
#[test]
fn logout_tokens_are_taken_at_our_prefix_and_anywhere_on_the_admin_listener() {
    let scene = realm("cookie").with(json!({ "sidecar": { "path-prefix": "/door" } })).start();
    let callback = scene.url("/door/callback");
    scene.server.configure(|options| options.clients[0].redirect_uris = vec![callback]);
    for (admin, path) in
        [(false, "/door/backchannel-logout"), (true, "/backchannel-logout"), (true, "/a/b/backchannel-logout")]
    {
        let mut browser = signed_in(&scene, "alice");
        pass(&scene, OLD);
        let token = scene.server.logout_token(CLIENT, Some(&sid(&browser)), None, &[]);
        let address = if admin { scene.adapter.admin_address } else { scene.adapter.public_address };
        for wrong in ["/oauth2/backchannel-logout", "/backchannel-logout", "/door/x/backchannel-logout"] {
            let answer = push_logout_token(scene.adapter.public_address, wrong, &token);
            assert!(matches!(answer.status, 401 | 404), "{wrong}: {}", answer.status);
        }
        assert_eq!(status(&scene, &mut browser), 200);
        assert_eq!(push_logout_token(address, path, &token).status, 200, "{path}");
        assert_eq!(status(&scene, &mut browser), 401, "{path}");
    }
}
