//! What was ended by the session API, over a restart of the node.

use std::{sync::Arc, time::Duration};

use doorward::domain::ManualClock;
use identity_server::{Application, Browser, IdentityServer};
use serde_json::{Value, json};

use super::{ask, field, is_in, listed, options, session_of, signed_in};
use crate::support::{Adapter, Options, Scene};

/// A node that can be started again, with everything around it kept.
struct Restarting {
    config: Value,
    scene: Scene,
}

impl Restarting {
    fn start(options: Options) -> Self {
        let (clock, server, application, origin, config) = options.prepare();
        Self { scene: scene(&config, clock, server, application, origin), config }
    }

    fn restart(self) -> Self {
        let Scene { adapter, server, application, clock, origin } = self.scene;
        drop(adapter);
        Self { scene: scene(&self.config, clock, server, application, origin), config: self.config }
    }

    /// The same browser, which finds the site where it is now.
    fn found_by(&self, browser: &Browser) -> Browser {
        let mut browser = browser.clone();
        browser.serve_origin(self.scene.origin, self.scene.adapter.public_address, &[("X-Forwarded-Proto", "http")]);
        browser
    }

    fn lets_in(&self, browser: &Browser) -> bool {
        is_in(&self.scene, &self.found_by(browser))
    }
}

fn scene(
    config: &Value,
    clock: Arc<ManualClock>,
    server: IdentityServer,
    application: Application,
    origin: &'static str,
) -> Scene {
    Scene { adapter: Adapter::start(config, clock.clone()), server, application, clock, origin }
}

/// After that a node that starts asks the identity server.
const UNCERTAIN: Duration = Duration::from_secs(60);

/// One after the other, each by what it ends.
const WAYS: [&str; 4] = ["id", "sid", "user", "all"];

fn target(way: &str, session: &Value) -> String {
    match way {
        "id" => format!("/sessions/{}", field(session, "id")),
        "sid" => format!("/sessions?sid={}", field(session, "sid")),
        "user" => "/sessions?user=alice".to_owned(),
        _ => "/sessions?all=true".to_owned(),
    }
}

#[test]
fn what_was_ended_stays_ended_over_a_restart_with_persist_and_only_that() {
    for way in WAYS {
        let kept = tempfile::tempdir().unwrap();
        let node = Restarting::start(options().with(json!({ "sidecar": { "persist": kept.path() } })));
        let (alice, bob) = (signed_in(&node.scene, "alice"), signed_in(&node.scene, "bob"));
        let session = session_of(&node.scene.adapter, "alice");
        assert_eq!(ask(&node.scene.adapter, "DELETE", &target(way, &session)).status, 200);
        let node = node.restart();
        assert!(listed(&node.scene.adapter, "").is_empty(), "nothing has shown itself yet");
        assert!(!node.lets_in(&alice), "{way}: a restart brings it back");
        assert_eq!(node.lets_in(&bob), way != "all", "{way}");
    }
}

/// As the README says: the identity server knows nothing of such an end.
#[test]
fn without_persist_a_restart_forgets_what_the_identity_server_does_not_know() {
    for way in WAYS {
        let node = Restarting::start(options());
        let alice = signed_in(&node.scene, "alice");
        let session = session_of(&node.scene.adapter, "alice");
        assert_eq!(ask(&node.scene.adapter, "DELETE", &target(way, &session)).status, 200);
        assert!(!is_in(&node.scene, &alice));
        node.scene.clock.advance(UNCERTAIN);
        let node = node.restart();
        assert!(node.lets_in(&alice), "{way}");
        node.scene.server.end_all_sessions();
        node.scene.clock.advance(UNCERTAIN);
        let node = node.restart();
        assert!(!node.lets_in(&alice), "{way}: the identity server does not know it any more");
    }
}

/// In the cookie store a session that has not shown itself is not listed; its id, and its user's subject, end it all the same.
#[test]
fn a_session_that_has_not_shown_itself_since_the_start_can_be_ended() {
    for way in WAYS {
        let node = Restarting::start(options());
        let (alice, bob) = (signed_in(&node.scene, "alice"), signed_in(&node.scene, "bob"));
        let session = session_of(&node.scene.adapter, "alice");
        node.scene.clock.advance(Duration::from_secs(1));
        let node = node.restart();
        assert!(listed(&node.scene.adapter, "").is_empty());
        let target = if way == "user" { "/sessions?user=subject-of-alice".to_owned() } else { target(way, &session) };
        let answer = ask(&node.scene.adapter, "DELETE", &target);
        assert_eq!((answer.status, &answer.json()["known"]), (200, &json!(false)), "{way}");
        assert!(!node.lets_in(&alice), "{way}");
        assert_eq!(node.lets_in(&bob), way != "all", "{way}");
    }
}

#[test]
fn a_session_shows_itself_with_its_first_request() {
    let node = Restarting::start(options());
    let alice = signed_in(&node.scene, "alice");
    let before = session_of(&node.scene.adapter, "alice");
    let node = node.restart();
    assert!(listed(&node.scene.adapter, "").is_empty());
    assert!(node.lets_in(&alice));
    let after = session_of(&node.scene.adapter, "alice");
    assert_eq!(
        (&after["id"], &after["sid"], &after["opened_at"]),
        (&before["id"], &before["sid"], &before["opened_at"])
    );
}
