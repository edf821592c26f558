//! Cases 55 to 57: a node that was down, cut off or started anew serves no session that ended meanwhile, and none that
//! lives is lost by it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use doorward::domain::ManualClock;
use identity_server::{AdminAction, Browser, Endpoint, Fault, IdentityServer};
use serde_json::{Value, json};

use super::{OLD, act, asked, get, ids, pass, realm, refreshes, sid, signed_in, status};
use crate::support::{Adapter, Options, Scene};

/// A node that can be started anew beside a world that goes on.
struct Node {
    scene: Scene,
    config: Value,
}

impl Node {
    fn start(options: Options) -> Self {
        let (clock, server, application, origin, config) = options.prepare();
        let adapter = Adapter::start(&config, clock.clone());
        Self { scene: Scene { adapter, server, application, clock, origin }, config }
    }

    /// Stops it, lets this happen, and starts it again.
    fn down(self, meanwhile: impl FnOnce(&World<'_>)) -> Self {
        let Scene { adapter, server, application, clock, origin } = self.scene;
        drop(adapter);
        meanwhile(&World { server: &server, clock: &clock });
        let adapter = Adapter::launch(&self.config, clock.clone());
        Self { scene: Scene { adapter, server, application, clock, origin }, config: self.config }
    }

    /// The same browser, which finds the node that runs now.
    fn find(&self, browser: &mut Browser) {
        browser.serve_origin(self.scene.origin, self.scene.adapter.public_address, &[("X-Forwarded-Proto", "http")]);
    }
}

/// What goes on while the node is down.
struct World<'a> {
    server: &'a IdentityServer,
    clock: &'a Arc<ManualClock>,
}

impl World<'_> {
    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// Answers of the node once it has found its identity server.
fn settled(node: &Node, browsers: &mut [&mut Browser]) -> Vec<u16> {
    crate::support::until("ready", || (node.scene.adapter.admin("/readyz").status == 200).then_some(()));
    let each = browsers.iter_mut().map(|browser| {
        node.find(browser);
        status(&node.scene, browser)
    });
    each.collect()
}

/// Case 56.
#[test]
fn a_logout_that_a_node_slept_through_is_found_at_the_price_of_one_question_each() {
    let node = Node::start(realm("cookie"));
    let (mut ended, mut alive) = (signed_in(&node.scene, "alice"), signed_in(&node.scene, "bob"));
    let (mut copy, session) = (ended.clone(), sid(&ended));
    let node = node.down(|world| {
        world.pass(60);
        world.server.end_session(&session);
    });
    assert_eq!(settled(&node, &mut [&mut copy, &mut ended, &mut alive]), [401, 401, 200]);
    assert_eq!((asked(&node.scene, &ended), asked(&node.scene, &alive)), (1, 1));
    for _ in 0..5 {
        pass(&node.scene, 5);
        assert_eq!(settled(&node, &mut [&mut alive, &mut ended]), [200, 401]);
    }
    assert!(asked(&node.scene, &alive) <= 2, "asked {} times", asked(&node.scene, &alive));
}

/// Case 57 and the rest of case 55.
#[test]
fn a_cookie_that_was_copied_before_a_logout_is_refused_after_a_restart_too() {
    let node = Node::start(realm("cookie"));
    let (mut ended, mut alive) = (signed_in(&node.scene, "alice"), signed_in(&node.scene, "bob"));
    pass(&node.scene, OLD);
    node.scene.server.end_session(&sid(&ended));
    act(&node.scene, AdminAction::Logout, ids(&node.scene, &ended));
    assert_eq!(status(&node.scene, &mut ended.clone()), 401);
    let node = node.down(|world| world.pass(60));
    assert_eq!(settled(&node, &mut [&mut ended, &mut alive]), [401, 200]);
    assert_eq!(refreshes(&node.scene), 1, "only what is dead costs a refresh");
}

#[test]
fn a_not_before_holds_after_a_restart_by_what_the_realm_says() {
    let node = Node::start(realm("cookie"));
    let mut old = signed_in(&node.scene, "alice");
    pass(&node.scene, OLD);
    let now = node.scene.clock_secs();
    node.scene.server.set_not_before(now);
    act(&node.scene, AdminAction::PushNotBefore, json!({ "notBefore": now }));
    let mut young = signed_in(&node.scene, "bob");
    let node = node.down(|world| world.pass(60));
    assert_eq!(settled(&node, &mut [&mut old, &mut young]), [401, 200]);
}

/// The identity server is away when the node comes back: it serves nobody of whom it is not certain, and loses nobody.
#[test]
fn who_cannot_be_proved_waits_and_keeps_the_session() {
    for (word, expected) in [("refuse", 503), ("serve", 200)] {
        let node = Node::start(realm("cookie").with(json!({ "sidecar": { "when-unprovable": word } })));
        let mut browser = signed_in(&node.scene, "alice");
        let node = node.down(|world| world.pass(60));
        assert_eq!(settled(&node, &mut []), Vec::<u16>::new());
        node.scene.server.always(Endpoint::UserInfo, Fault::status(503));
        node.find(&mut browser);
        let answer = get(&node.scene, &mut browser);
        assert_eq!(answer.status, expected, "{word}: {}", answer.text());
        assert_eq!(answer.header("retry-after").is_some(), expected == 503, "{word}");
        assert!(node.scene.holds_session(&browser), "{word}: signed out by an outage");
        node.scene.server.behave(Endpoint::UserInfo);
        pass(&node.scene, 60);
        assert_eq!(status(&node.scene, &mut browser), 200, "{word}");
        assert_eq!(refreshes(&node.scene), 0, "{word}: a 503 is no 401");
    }
}

/// A directory of this story's own, gone when it ends.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("doorward-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn options(&self) -> Options {
        realm("cookie").with(json!({ "sidecar": { "persist": self.0 } }))
    }

    /// The files in it.
    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Signs a user out whose tokens the identity server does not revoke: we alone know of it.
fn sign_out_unheard(scene: &Scene, browser: &mut Browser) {
    for endpoint in [Endpoint::Revocation, Endpoint::EndSession] {
        scene.server.always(endpoint, Fault::status(503));
    }
    assert_eq!(scene.sign_out(browser).status, 303);
}

/// Only what nobody else knows has to be kept; `kill -9` is told with the real process elsewhere.
#[test]
fn a_sign_out_that_we_alone_know_of_survives_a_restart() {
    let directory = Directory::new("sign-out");
    let node = Node::start(directory.options());
    let (mut leaving, mut alive) = (signed_in(&node.scene, "alice"), signed_in(&node.scene, "bob"));
    let mut copy = leaving.clone();
    sign_out_unheard(&node.scene, &mut leaving);
    assert_private(&directory.files());
    let mut node = node;
    for _ in 0..2 {
        node = node.down(|world| world.pass(1));
        assert_eq!(settled(&node, &mut [&mut copy, &mut alive]), [401, 200]);
    }
}

fn assert_private(files: &[PathBuf]) {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert!(!files.is_empty(), "nothing was written");
    assert!(files.iter().all(|path| mode(path) == 0o600), "{files:?}");
}

/// A write that a power cut tore is passed over, and what stands before it holds.
#[test]
fn a_torn_last_line_costs_nothing_that_was_written_before_it() {
    let directory = Directory::new("torn");
    let node = Node::start(directory.options());
    let mut leaving = signed_in(&node.scene, "alice");
    let mut copy = leaving.clone();
    sign_out_unheard(&node.scene, &mut leaving);
    let node = node.down(|world| {
        for endpoint in [Endpoint::Revocation, Endpoint::EndSession] {
            world.server.behave(endpoint);
        }
        for path in directory.files() {
            let mut bytes = fs::read(&path).unwrap();
            let half = bytes[..bytes.len().min(20)].to_vec();
            bytes.extend(&half);
            fs::write(&path, bytes).unwrap();
        }
    });
    assert_eq!(settled(&node, &mut [&mut copy]), [401]);
}
