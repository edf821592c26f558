//! The audit stream: what is told of whom, and that nothing in it opens anything.

use std::collections::HashSet;

use identity_server::{
    Application, Browser, Endpoint, Fault, IdentityServer, TokenFault,
    http::{self, Request},
};
use serde_json::{Value, json};

use crate::support::{KEY, Options, Program, SECRET, until};

const PLANTED: &str = "planted-bearer-token-of-some-length";

/// The program as operators start it, with whoever plays beside it.
struct Play {
    server: IdentityServer,
    /// Must stay up.
    application: Application,
    origin: &'static str,
    program: Program,
}

impl Play {
    /// A realm, a page that nobody may see, and a refresh with every request.
    fn start(log: &Value) -> Self {
        let (_clock, server, application, origin, mut config) = Options::keycloak().prepare();
        // The program has the system's clock.
        server.configure(|options| options.now = identity_server::Options::default().now);
        config["always-refresh-token"] = json!(true);
        config["sidecar"]["log"] = log.clone();
        config["sidecar"]["forward-access-token"] = json!(true);
        config["sidecar"]["rules"] = json!([{ "path": "/vault", "roles": ["nobody-has-it"] }]);
        let program = Program::serve(&config);
        until("ready", || program.printed().contains("the identity server is reached").then_some(()));
        Self { server, application, origin, program }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    fn browser(&self) -> Browser {
        let mut browser = Browser::new();
        browser.serve_origin(self.origin, self.program.address("public"), &[]);
        browser
    }

    fn signed_in(&self) -> Browser {
        let mut browser = self.browser();
        assert_eq!(browser.navigate(&self.url("/private")).unwrap().response.status, 200);
        browser
    }

    /// All lines, each of them a JSON object.
    fn lines(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.program.stdout().lines().map(parse).collect()
    }

    /// The first line that has these fields.
    #[track_caller]
    fn find(&self, fields: &Value) -> Value {
        let holds = |line: &Value| fields.as_object().unwrap().iter().all(|(name, value)| &line[name] == value);
        let lines = self.lines();
        lines.iter().find(|line| holds(line)).unwrap_or_else(|| panic!("no {fields} in {lines:#?}")).clone()
    }

    /// Everything that must not be told: what the browser holds, and what passed between the others.
    fn secrets(&self, browsers: &[&Browser]) -> HashSet<String> {
        let cookies = browsers.iter().flat_map(|browser| browser.jar().cookies()).map(|cookie| cookie.value.clone());
        let mut secrets: HashSet<String> = cookies.collect();
        secrets.extend([SECRET, KEY, PLANTED].map(str::to_owned));
        for endpoint in [Endpoint::Authorization, Endpoint::Token, Endpoint::Revocation] {
            for call in self.server.received(endpoint) {
                let names = ["code", "code_verifier", "state", "nonce", "refresh_token", "token"];
                secrets.extend(names.iter().filter_map(|name| call.field(name)).map(str::to_owned));
            }
        }
        let heard = self.application.heard();
        let access = heard.iter().filter_map(|heard| heard.header("authorization")?.strip_prefix("Bearer "));
        secrets.extend(access.map(str::to_owned));
        secrets
    }
}

#[test]
fn a_life_is_told_from_sign_in_to_sign_out_without_anything_that_opens() {
    let play = Play::start(&json!({ "filter": "doorward=trace" }));
    let mut browser = play.signed_in();
    let signed_in = play.find(&json!({
        "event": "signed_in", "subject": "subject-of-alice", "username": "alice", "client": "127.0.0.1",
    }));
    let (session, sid) = (&signed_in["session"], &signed_in["sid"]);
    assert_eq!(play.server.sessions()[0].0, sid.as_str().unwrap());
    let whose = |event: &str, field: &str, word: &str| json!({ "event": event, field: word, "subject": "subject-of-alice", "session": session });
    let refreshed = play.find(&whose("refreshed", "outcome", "ok"));
    let request = |line: &Value| line["request"].as_str().unwrap().to_owned();
    assert_ne!(request(&signed_in), request(&refreshed), "the callback was one request, the page is another");
    let page = browser.navigate(&play.url("/vault")).unwrap();
    assert_eq!(page.response.status, 403);
    let forbidden = play.find(&whose("refused", "reason", "forbidden"));
    assert_eq!(page.response.header("x-request-id"), forbidden["request"].as_str());
    let planted =
        Request::get("/private").header("Host", "app.test").header("Authorization", &format!("Bearer {PLANTED}"));
    assert_eq!(http::send(play.program.address("public"), &planted).unwrap().status, 401);
    assert!(play.find(&json!({ "event": "refused", "reason": "credential" }))["detail"].is_string());
    let copy = browser.clone();
    browser
        .fetch(&play.url("/oauth2/sign_out"), Request::new("POST", "").header("Sec-Fetch-Site", "same-origin"))
        .unwrap();
    let ended = play.find(&whose("ended", "by", "user"));
    assert_eq!((&ended["sid"], &ended["streams"]), (sid, &json!(0)));
    assert_eq!(play.find(&whose("signed_out", "by", "user"))["revoked_at_provider"], "revoked");
    copy.clone().navigate_once(&play.url("/private")).unwrap();
    play.find(&whose("refused", "reason", "revoked"));
    let stdout = play.program.stdout();
    let secrets = play.secrets(&[&browser, &copy]);
    let looked_for = secrets.iter().filter(|secret| secret.len() >= 12).inspect(|secret| {
        // Texts are cut: what opens something would not be there to its end.
        let start: String = secret.chars().take(100).collect();
        assert!(!stdout.contains(&start), "the audit stream tells {start}");
    });
    assert!(looked_for.count() > 10);
    // Nor the tokens that nobody heard: a dot, and the first letters of a JSON object in base64.
    assert!(!stdout.contains(".eyJ"), "the audit stream tells a token");
    assert!(play.lines().iter().all(|line| line["time"].as_str().is_some_and(|time| time.ends_with('Z'))));
    assert!(!play.program.log().contains("\"event\":"), "the log repeats it");
}

#[test]
fn a_sign_in_that_came_to_nothing_and_an_end_by_the_identity_server_are_told() {
    // No line of the log is needed for it but the first ones.
    let play = Play::start(&json!({ "filter": "doorward=info", "format": "json" }));
    play.server.next(Endpoint::Token, Fault::IdToken(vec![TokenFault::set("nonce", "another")]));
    assert_eq!(play.browser().navigate(&play.url("/private")).unwrap().response.status, 502);
    play.find(&json!({ "event": "sign_in_failed", "reason": "token", "client": "127.0.0.1" }));
    play.browser().navigate_once(&play.url("/oauth2/callback?code=planted-code-0001&state=planted-state")).unwrap();
    play.find(&json!({ "event": "sign_in_failed", "reason": "no_attempt" }));
    let mut browser = play.signed_in();
    let session = play.find(&json!({ "event": "signed_in" }))["session"].clone();
    play.server.end_all_sessions();
    browser.navigate_once(&play.url("/private")).unwrap();
    play.find(&json!({ "event": "refreshed", "outcome": "ended", "session": session }));
    play.find(&json!({ "event": "ended", "by": "provider", "session": session, "subject": "subject-of-alice" }));
    assert!(!play.program.stdout().contains("planted-"));
}

#[test]
fn the_stream_goes_where_the_configuration_says() {
    let play = Play::start(&json!({ "audit": "stderr" }));
    play.signed_in();
    assert!(play.program.log().contains("\"event\":\"signed_in\""));
    assert_eq!(play.program.stdout(), "");
    let play = Play::start(&json!({ "audit": "off" }));
    play.signed_in();
    assert!(!play.program.printed().contains("\"event\":"));
}
