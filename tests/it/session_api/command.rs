//! `doorward sessions` against the program as operators start it, and what the audit stream tells of it.

use std::{
    net::SocketAddr,
    process::Output,
    sync::atomic::{AtomicUsize, Ordering},
};

use identity_server::{Application, Browser, IdentityServer, http::Request};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{TOKEN, options};
use crate::support::{Options, Program, run_doorward, tls::Authority, until};

struct Play {
    server: IdentityServer,
    /// Must stay up.
    _application: Application,
    origin: &'static str,
    config: Value,
    program: Program,
    folder: TempDir,
    files: AtomicUsize,
}

impl Play {
    fn start(options: Options) -> Self {
        let (_clock, server, application, origin, config) = options.prepare();
        // The program has the system's clock.
        server.configure(|options| options.now = identity_server::Options::default().now);
        let program = Program::serve(&config);
        until("ready", || program.printed().contains("the identity server is reached").then_some(()));
        let folder = tempfile::tempdir().unwrap();
        Self { server, _application: application, origin, config, program, folder, files: AtomicUsize::new(0) }
    }

    fn admin(&self) -> SocketAddr {
        self.program.address("admin")
    }

    fn signed_in(&self, user: &str) -> Browser {
        let mut browser = Browser::new();
        browser.serve_origin(self.origin, self.program.address("public"), &[]);
        let login = browser.navigate(&format!("{}/private", self.origin)).unwrap();
        let page = browser.log_in(&login, user, user).unwrap();
        assert_eq!(page.response.status, 200, "{}\n{}", page.response.text(), self.program.printed());
        browser
    }

    fn is_in(&self, browser: &Browser) -> bool {
        browser.clone().navigate_once(&format!("{}/private", self.origin)).unwrap().status == 200
    }

    /// `doorward sessions` with the configuration changed like this.
    fn with(&self, change: impl FnOnce(&mut Value), arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut config = self.config.clone();
        config["sidecar"]["admin"]["listen"] = json!(self.admin());
        change(&mut config);
        let file = self.folder.path().join(format!("{}.json", self.files.fetch_add(1, Ordering::Relaxed)));
        std::fs::write(&file, config.to_string()).unwrap();
        let Output { status, stdout, stderr } =
            run_doorward(&[&["sessions", "-c", file.to_str().unwrap()], arguments].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(!(text(&stdout) + &text(&stderr)).contains(TOKEN), "it prints the token");
        (status.code(), text(&stdout), text(&stderr))
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.with(|_| {}, arguments)
    }

    /// The answer as JSON.
    fn json(&self, arguments: &[&str]) -> Value {
        let (code, out, complaint) = self.run(&[arguments, &["--json"]].concat());
        assert_eq!((code, complaint.as_str()), (Some(0), ""), "{arguments:?}");
        serde_json::from_str(&out).unwrap()
    }

    /// How many admin actions are told like this.
    fn told(&self, action: &str, outcome: &str, who: &str) -> usize {
        let lines = self.program.stdout();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let is = |line: &Value| {
            (&line["event"], &line["action"], &line["outcome"], &line["who"])
                == (&json!("admin_action"), &json!(action), &json!(outcome), &json!(who))
        };
        lines.filter(is).count()
    }
}

#[test]
fn an_operator_lists_shows_and_ends_sessions_and_all_of_it_is_told() {
    let play = Play::start(options());
    let (alice, bob) = (play.signed_in("alice"), play.signed_in("bob"));
    let (code, table, _) = play.run(&["list"]);
    assert_eq!((code, table.lines().count()), (Some(0), 4), "{table}");
    assert!(
        table.starts_with("ID ") && table.contains("subject-of-alice") && table.contains("since it started"),
        "{table}"
    );
    let found = play.json(&["list", "--user", "alice"]);
    let (id, sid) = (found["sessions"][0]["id"].as_str().unwrap(), found["sessions"][0]["sid"].as_str().unwrap());
    assert_eq!(play.json(&["list", "--sid", sid])["sessions"], found["sessions"]);
    let (code, shown, _) = play.run(&["show", id]);
    assert!(code == Some(0) && shown.contains("subject        subject-of-alice\n"), "{shown}");
    let (code, printed, _) = play.run(&["end", id]);
    assert_eq!((code, printed.lines().next()), (Some(0), Some("ended: known sessions 1, open streams 0")));
    assert_eq!((play.is_in(&alice), play.is_in(&bob)), (false, true));
    assert_eq!(play.run(&["show", id]), (Some(1), String::new(), "no such session is known here\n".to_owned()));
    assert_eq!(play.json(&["end", "--user", "bob"])["sessions"], 1);
    assert!(!play.is_in(&bob));
    play.signed_in("bob");
    assert_eq!(play.json(&["end", "--all"])["known"], true);
    for (action, outcome, times) in [("list", "ok", 3), ("show", "ok", 1), ("show", "not_found", 1), ("end", "ok", 3)] {
        assert_eq!(play.told(action, outcome, "admin.token"), times, "{action} {outcome}");
    }
    let ended = play.program.stdout().lines().filter(|line| line.contains(r#""by":"administrator""#)).count();
    assert_eq!(ended, 4, "one id, a user by two names, everybody");
    assert_eq!(play.server.sessions().len(), 3, "the identity server was not asked to end anything");
}

#[test]
fn who_is_refused_is_told_why_and_the_audit_stream_too() {
    let play = Play::start(options());
    let wrong = |config: &mut Value| config["sidecar"]["admin"]["token"] = json!("another-token-of-some-length");
    let (code, out, complaint) = play.with(wrong, &["end", "--all"]);
    assert_eq!((code, out.as_str(), complaint.as_str()), (Some(1), "", "the node does not take this `admin.token`\n"));
    assert_eq!(play.told("end", "refused", "nobody"), 1);
    let secure = Request::get("/sessions?limit=x").header("Authorization", &format!("Bearer {TOKEN}"));
    assert_eq!(identity_server::http::send(play.admin(), &secure).unwrap().status, 400);
    assert_eq!(play.told("list", "malformed", "admin.token"), 1);
    assert!(!play.program.printed().contains("another-token") && !play.program.printed().contains(TOKEN));
}

#[test]
fn what_stands_in_the_way_has_an_exit_code_of_its_own() {
    let play = Play::start(options());
    let none = |config: &mut Value| config["sidecar"]["admin"]["token"] = Value::Null;
    assert_eq!(play.with(none, &["list"]).0, Some(78));
    let any_port = |config: &mut Value| config["sidecar"]["admin"]["listen"] = json!("127.0.0.1:0");
    assert_eq!(play.with(any_port, &["list"]).0, Some(78));
    assert_eq!(play.with(any_port, &["list", "--url", &format!("http://{}", play.admin())]).0, Some(0));
    assert_eq!(play.run(&["list", "--url", "http://127.0.0.1:1/path"]).0, Some(78));
    let everywhere =
        |config: &mut Value| config["sidecar"]["admin"]["listen"] = json!(format!("0.0.0.0:{}", play.admin().port()));
    assert_eq!(play.with(everywhere, &["list"]).0, Some(0));
    // The public listener is one that has no such API.
    let public = format!("http://{}", play.program.address("public"));
    assert_eq!(play.run(&["list", "--url", &public]).0, Some(1));
    // Nobody listens at a port that was free a moment ago.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, _, complaint) = play.run(&["list", "--url", &format!("http://{gone}")]);
    assert!(code == Some(69) && complaint.contains("cannot be asked"), "{complaint}");
    for slip in [&["end"][..], &["end", "x", "--all"], &["end", "--user", "a", "--sid", "b"], &["show"], &[]] {
        assert_eq!(play.run(slip).0, Some(2), "{slip:?}");
    }
    let broken = |config: &mut Value| config["sidecar"]["upstream"] = Value::Null;
    assert_eq!(play.with(broken, &["list"]).0, Some(78));
}

#[test]
fn by_https_the_node_is_believed_by_its_name_alone() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let tls = authority.issue("localhost").write(folder.path());
    let play = Play::start(options().with(json!({ "sidecar": { "admin": { "tls": tls }, "provider": { "ca": ca } } })));
    let port = play.admin().port();
    assert_eq!(play.run(&["list", "--url", &format!("https://localhost:{port}")]).0, Some(0));
    // By its address, which the certificate does not name; and by an authority that nobody names.
    assert_eq!(play.run(&["list"]).0, Some(69));
    let unknown = |config: &mut Value| config["sidecar"]["provider"]["ca"] = Value::Null;
    assert_eq!(play.with(unknown, &["list", "--url", &format!("https://localhost:{port}")]).0, Some(69));
    // Whoever answers for the identity server is believed; not so here, where the token is shown.
    let lax = |config: &mut Value| {
        config["sidecar"]["provider"]["ca"] = Value::Null;
        config["disable-trust-manager"] = json!(true);
        config["sidecar"]["provider"]["insecure-tls"] = json!(true);
    };
    assert_eq!(play.with(lax, &["list", "--url", &format!("https://localhost:{port}")]).0, Some(69));
}
