//! The configuration is read again while it is served: what changed counts, what is under way goes on, what was spent, used or ended stays so,
//! and what has a fault changes nothing.

mod faults;
mod program;
mod remembered;

use std::{fs, path::PathBuf};

use identity_server::{Browser, Endpoint, http, http::Request};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Adapter, Options, Scene, until,
    websocket::{TEXT, WebSocket},
};

/// A scene whose adapter was started from a file.
struct Changing {
    scene: Scene,
    config: Value,
    folder: TempDir,
}

impl Changing {
    fn start(options: Options) -> Self {
        let (clock, server, application, origin, config) = options.prepare();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("adapter.json");
        fs::write(&file, config.to_string()).unwrap();
        let adapter = Adapter::start_from(&file, clock.clone());
        Self { scene: Scene { adapter, server, application, clock, origin }, config, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("adapter.json")
    }

    fn counted(&self, outcome: &str) -> u64 {
        self.scene.adapter.metric(&format!("doorward_config_reloads_total{{outcome=\"{outcome}\"}}"))
    }

    /// Writes what `change` makes of the configuration, asks for it to be read, and waits until that has come to `outcome`.
    fn change_to(&mut self, outcome: &str, change: impl FnOnce(&mut Value)) {
        change(&mut self.config);
        let before = self.counted(outcome);
        fs::write(self.file(), self.config.to_string()).unwrap();
        self.scene.adapter.nudge();
        until("it is read", || (self.counted(outcome) > before).then_some(()));
    }

    fn change(&mut self, change: impl FnOnce(&mut Value)) {
        self.change_to("served", change);
    }

    /// What a script of the site gets.
    fn status(&self, browser: &mut Browser, path: &str) -> u16 {
        browser.fetch(&self.scene.url(path), Request::get("")).unwrap().status
    }

    fn sign_ins(&self) -> usize {
        self.scene.server.calls(Endpoint::Authorization)
    }
}

fn locked_below(path: &str) -> Value {
    json!([{ "path": path, "roles": ["nobody-has-it"] }, { "path": "/open/*", "access": "public" }])
}

#[test]
fn rules_and_headers_change_and_whoever_is_signed_in_stays_so() {
    let mut door = Changing::start(Options::default().with(json!({ "sidecar": { "rules": locked_below("/a/*") } })));
    let mut browser = door.scene.signed_in();
    assert_eq!([door.status(&mut browser, "/a/x"), door.status(&mut browser, "/b/x")], [403, 200]);
    door.change(|config| {
        config["sidecar"]["rules"] = locked_below("/b/*");
        config["sidecar"]["headers"] = json!({ "X-Told": "email" });
    });
    assert_eq!([door.status(&mut browser, "/b/x"), door.status(&mut browser, "/a/x")], [403, 200]);
    let heard = door.scene.application.last().unwrap();
    assert!(heard.header("x-told").is_some(), "{heard:?}");
    assert_eq!(door.sign_ins(), 1);
}

#[test]
fn the_application_may_move() {
    let mut door = Changing::start(Options::default());
    let mut browser = door.scene.signed_in();
    let elsewhere = identity_server::Application::start().unwrap();
    let before = door.scene.application.heard().len();
    door.change(|config| config["sidecar"]["upstream"] = json!(elsewhere.upstream()));
    assert_eq!(door.status(&mut browser, "/private"), 200);
    assert_eq!((elsewhere.heard().len(), door.scene.application.heard().len()), (1, before));
}

/// A new key in front of the old one signs nobody out; without the old one, what it sealed opens no more.
#[test]
fn cookie_keys_are_rotated_without_a_restart() {
    const NEXT: &str = "cGxhbnRlZC1uZXh0LWNvb2tpZS1rZXktMDEyMzQ1Njc";
    let mut door = Changing::start(Options::default());
    let mut browser = door.scene.signed_in();
    let old = door.config["sidecar"]["cookie"]["keys"][0].clone();
    door.change(|config| config["sidecar"]["cookie"]["keys"] = json!([NEXT, old]));
    let idle = browser.clone();
    assert_eq!(door.status(&mut browser, "/private"), 200);
    let mut fresh = door.scene.signed_in();
    door.change(|config| config["sidecar"]["cookie"]["keys"] = json!([NEXT]));
    assert_eq!([door.status(&mut fresh, "/private"), door.status(&mut idle.clone(), "/private")], [200, 401]);
}

/// Without keys one is made, which a reading of the file must not make anew.
#[test]
fn sessions_live_on_where_no_key_is_configured() {
    let mut door = Changing::start(Options::default());
    door.change(|config| config["sidecar"]["cookie"] = json!({}));
    let mut browser = door.scene.signed_in();
    door.change(|config| config["sidecar"]["rules"] = locked_below("/a/*"));
    assert_eq!(door.status(&mut browser, "/private"), 200);
}

/// Nobody asks for it: the file is looked at.
#[test]
fn a_secret_in_a_file_is_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("client-secret");
    fs::write(&secret, crate::support::SECRET).unwrap();
    let named = format!("${{file:{}}}", secret.display());
    let door = Changing::start(Options::default().with(json!({
        "sidecar": { "provider": { "client-secret": named }, "reload-interval": "20ms" },
    })));
    door.scene.server.configure(|options| {
        options.clients[0].authentication =
            identity_server::ClientAuthentication::SecretBasic("planted-next-secret-0c3d".to_owned());
    });
    let mut browser = door.scene.browser();
    assert_ne!(door.scene.sign_in(&mut browser).response.status, 200);
    fs::write(&secret, "planted-next-secret-0c3d\n").unwrap();
    until("it is read", || (door.counted("served") > 0).then_some(()));
    door.scene.signed_in();
}

#[test]
fn the_token_of_the_session_api_and_the_trusted_proxies_change() {
    let mut door = Changing::start(Options::default().with(json!({
        "sidecar": { "admin": { "token": "planted-admin-token-one" } },
    })));
    let ask = |door: &Changing, token: &str| {
        let request = Request::get("/sessions").header("Authorization", &format!("Bearer {token}"));
        http::send(door.scene.adapter.admin_address, &request).unwrap().status
    };
    assert_eq!([ask(&door, "planted-admin-token-one"), ask(&door, "planted-admin-token-two")], [200, 401]);
    door.change(|config| config["sidecar"]["admin"]["token"] = json!("planted-admin-token-two"));
    assert_eq!([ask(&door, "planted-admin-token-one"), ask(&door, "planted-admin-token-two")], [401, 200]);
    door.change(|config| drop(config["sidecar"]["admin"].as_object_mut().unwrap().remove("token")));
    assert_eq!(ask(&door, "planted-admin-token-two"), 404);
}

#[test]
fn what_is_under_way_is_finished_with_what_it_began_with() {
    let mut door = Changing::start(
        Options::default().with(json!({ "sidecar": { "rules": [{ "path": "/*", "access": "public" }] } })),
    );
    let address = door.scene.adapter.public_address;
    let mut socket = WebSocket::open(address, "/ws", "");
    socket.echo("before");
    let slow = std::thread::spawn(move || http::send(address, &Request::get("/slow").header("Host", "app.test")));
    assert!(door.scene.application.wait_for_requests(2));
    door.change(|config| config["sidecar"]["rules"] = json!([{ "path": "/*", "access": "bearer" }]));
    let denied = http::send(address, &Request::get("/x").header("Host", "app.test")).unwrap();
    assert_eq!(denied.status, 401);
    door.scene.application.release();
    assert_eq!(slow.join().unwrap().unwrap().status, 200);
    socket.say(TEXT, b"after");
    assert_eq!(socket.hear(), (TEXT, b"after".to_vec()));
}

#[test]
fn what_only_a_restart_changes_stays_and_is_told_while_the_rest_counts() {
    let mut door = Changing::start(Options::default());
    let mut browser = door.scene.signed_in();
    door.change(|config| {
        config["sidecar"]["listen"] = json!("127.0.0.1:1");
        config["sidecar"]["session"] = json!({ "max": "1m", "idle": "1m" });
        config["sidecar"]["rules"] = locked_below("/a/*");
    });
    assert_eq!(door.scene.adapter.metric("doorward_config_keys_waiting_for_restart"), 2);
    door.scene.clock.advance(std::time::Duration::from_secs(120));
    assert_eq!([door.status(&mut browser, "/private"), door.status(&mut browser, "/a/x")], [200, 403]);
    door.change(|config| {
        config["sidecar"]["listen"] = json!("127.0.0.1:0");
        config["sidecar"].as_object_mut().unwrap().remove("session");
    });
    assert_eq!(door.scene.adapter.metric("doorward_config_keys_waiting_for_restart"), 0);
}
