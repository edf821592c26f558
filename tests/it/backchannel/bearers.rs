//! Bearer tokens: what hits a session hits the tokens of that session, user or time as well.

use identity_server::{AdminAction, http, http::Request};
use serde_json::json;

use super::{OLD, act, log_out, pass, realm};
use crate::support::{CLIENT, Scene};

/// A good access token of this user and session.
fn token(scene: &Scene, username: &str, sid: &str) -> String {
    let now = scene.clock_secs();
    let claims = json!({
        "iss": scene.server.issuer(), "sub": format!("subject-of-{username}"), "aud": "account", "azp": CLIENT,
        "typ": "Bearer", "iat": now, "exp": now + 300, "preferred_username": username, "sid": sid,
    });
    scene.server.sign("JWT", claims, &[])
}

fn status(scene: &Scene, token: &str) -> u16 {
    let request = Request::get("/api").header("Authorization", &format!("Bearer {token}"));
    http::send(scene.adapter.public_address, &request).unwrap().status
}

#[test]
fn a_bearer_token_ends_with_its_session_its_user_or_its_time() {
    type End = fn(&Scene);
    let ends: [(&str, End, [u16; 3]); 6] = [
        ("sid", |scene| log_out(scene, Some("one"), None), [401, 200, 200]),
        ("sid and subject", |scene| log_out(scene, Some("one"), Some("subject-of-alice")), [401, 200, 200]),
        ("subject", |scene| log_out(scene, None, Some("subject-of-alice")), [401, 401, 200]),
        (
            "Keycloak's ids",
            |scene| {
                let fields = json!({ "adapterSessionIds": [], "keycloakSessionIds": ["one"] });
                act(scene, AdminAction::Logout, fields);
            },
            [401, 200, 200],
        ),
        ("everybody", |scene| act(scene, AdminAction::Logout, json!({})), [401; 3]),
        (
            "not-before",
            |scene| act(scene, AdminAction::PushNotBefore, json!({ "notBefore": scene.clock_secs() })),
            [401; 3],
        ),
    ];
    for (case, end, expected) in ends {
        let scene = realm("cookie").start();
        let all = [("alice", "one"), ("alice", "two"), ("bob", "three")];
        let tokens = all.map(|(user, sid)| token(&scene, user, sid));
        assert_eq!(tokens.each_ref().map(|token| status(&scene, token)), [200; 3], "{case}");
        pass(&scene, OLD);
        end(&scene);
        assert_eq!(tokens.each_ref().map(|token| status(&scene, token)), expected, "{case}");
        pass(&scene, 1);
        assert_eq!(all.map(|(user, sid)| status(&scene, &token(&scene, user, sid))), [200; 3], "{case}: a new token");
    }
}
