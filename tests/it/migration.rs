//! The migration pages: each page's file, with nothing changed but addresses, does what the page says of it.

use std::fs;

use identity_server::{Browser, Client, Endpoint, User, http::Request};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::support::{
    Adapter, KEY, Options, SECRET, Scene,
    nginx::{Nginx, PEER},
    page::{block, json_block},
};

/// The origin that the pages' files name.
const ORIGIN: &str = "https://app.example.com";
/// The client that they name.
const CLIENT: &str = "shop-web";

/// A site that has moved as a page says, to endpoints below `prefix`.
struct Moved {
    scene: Scene,
    prefix: &'static str,
    /// Holds the secrets that the file names.
    _secrets: TempDir,
}

impl Moved {
    fn by(page: &str, prefix: &'static str) -> Self {
        Self::with(&format!("docs/migration/{page}.md"), prefix, &json!({}))
    }

    /// With these members over those of the page's `sidecar`.
    fn with(page: &str, prefix: &'static str, more: &Value) -> Self {
        let anna = User::named("anna").group("/engineering").role("admin");
        let anna = User { client_roles: vec![(CLIENT.into(), "editor".into())], ..anna };
        let options = Options { origin: ORIGIN, ..Options::keycloak() }.server(|server| {
            server.clients = vec![Client::confidential(CLIENT, SECRET, "")];
            server.users = vec![anna, User::named("bert")];
            server.auto_login = Some("anna".into());
        });
        let (clock, server, application, origin, _) = options.prepare();
        server.configure(|options| {
            options.clients[0].redirect_uris = vec![format!("{ORIGIN}{prefix}/callback")];
            options.clients[0].post_logout_redirect_uris = vec![format!("{ORIGIN}{prefix}/signed_out")];
        });
        let secrets = tempfile::tempdir().unwrap();
        for (name, text) in [("client-secret", SECRET), ("cookie-key", KEY)] {
            fs::write(secrets.path().join(name), format!("{text}\n")).unwrap();
        }
        let mut config = readdressed(&json_block(page, "json"), &server.origin(), &application.upstream(), &secrets);
        for (name, value) in more.as_object().unwrap() {
            merge(&mut config["sidecar"][name], value);
        }
        let adapter = Adapter::start(&config, clock.clone());
        Self { scene: Scene { adapter, server, application, clock, origin }, prefix, _secrets: secrets }
    }

    fn own(&self, endpoint: &str) -> String {
        self.scene.url(&format!("{}{endpoint}", self.prefix))
    }

    /// A browser in which somebody signed in on the way to `/reports?y=1`.
    fn signed_in(&self, who: &str) -> Browser {
        self.scene.server.configure(|options| options.auto_login = Some(who.to_owned()));
        let mut browser = self.scene.browser();
        let page = browser.navigate(&self.scene.url("/reports?y=1")).unwrap();
        assert_eq!(page.url.as_str(), self.scene.url("/reports?y=1"), "{}", page.response.text());
        browser
    }

    /// What a path answers to this browser.
    fn status(&self, browser: &Browser, method: &str, path: &str) -> u16 {
        browser.clone().fetch(&self.scene.url(path), Request::new(method, "")).unwrap().status
    }

    /// Asserts that the application was sent these headers with its last request.
    fn assert_sent(&self, expected: &[(&str, &str)]) {
        let heard = self.scene.application.last().unwrap();
        for (name, value) in expected {
            assert_eq!(heard.header(name), Some(*value), "{name}: {:?}", heard.headers);
        }
        assert_eq!(heard.header("cookie"), None);
    }

    /// Asserts that the application hears none of these headers of the proxy before from a client, whether anybody is signed in or not.
    fn assert_taken_out(&self, signed_in: &Browser, names: &[&str]) {
        let forged = || names.iter().fold(Request::get(""), |request, name| request.header(name, "forged"));
        for (mut browser, path) in [(self.scene.browser(), "/assets/a.js"), (signed_in.clone(), "/reports")] {
            assert_eq!(browser.fetch(&self.scene.url(path), forged()).unwrap().status, 200, "{path}");
            let heard = self.scene.application.last().unwrap();
            assert!(heard.headers.iter().all(|(_, value)| value != "forged"), "{path}: {:?}", heard.headers);
        }
    }

    /// The redirect URI that the provider is sent, which is what the page promises to be registered already.
    fn assert_comes_back_to(&self, path: &str) {
        let url = self.scene.begin(&mut self.scene.browser(), "/reports");
        let redirect_uri = url.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
        assert_eq!(redirect_uri, format!("{ORIGIN}{path}"));
    }

    /// A link of a page of the application leads over the provider to the page that tells the end.
    fn assert_signs_out(&self, mut browser: Browser) {
        let sessions = self.scene.server.sessions().len();
        let link = Request::get("").header("Sec-Fetch-Site", "same-origin").header("Sec-Fetch-Mode", "navigate");
        let link = link.header("Sec-Fetch-Dest", "document").header("Accept", "text/html");
        let answer = browser.fetch(&self.own("/sign_out"), link).unwrap();
        let next = answer.header("location").unwrap().to_owned();
        assert!(next.starts_with(&self.scene.server.url(Endpoint::EndSession)), "{next}");
        let page = browser.navigate(&next).unwrap();
        assert_eq!(page.url.path(), Url::parse(&self.own("/signed_out")).unwrap().path());
        assert_eq!(self.scene.server.sessions().len(), sessions - 1);
        assert_eq!(self.status(&browser, "GET", "/reports"), 401);
    }
}

/// The file with the addresses of this machine. What is put in place of something must have been there.
fn readdressed(file: &Value, server: &str, upstream: &str, secrets: &TempDir) -> Value {
    let text = file.to_string();
    assert!(text.contains("${file:/run/secrets/client-secret}") && text.contains("${file:/run/secrets/cookie-key}"));
    let text = text.replace("/run/secrets", secrets.path().to_str().unwrap());
    let mut file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&file["auth-server-url"], &file["resource"]), (&json!("https://sso.example.com"), &json!(CLIENT)));
    file["auth-server-url"] = json!(server);
    let sidecar = &mut file["sidecar"];
    // TLS ends in Doorward, or before it; here it is the browser that says so.
    let ends_tls = sidecar.as_object_mut().unwrap().remove("tls").is_some();
    let before = if ends_tls { Value::Null } else { json!(["10.0.0.5"]) };
    assert_eq!((&sidecar["public-url"], &sidecar["trusted-proxies"]), (&json!(ORIGIN), &before));
    assert!(sidecar["upstream"].is_string());
    sidecar["upstream"] = json!(upstream);
    sidecar["trusted-proxies"] = json!(["127.0.0.1"]);
    sidecar["listen"] = json!("127.0.0.1:0");
    sidecar["admin"] = json!({ "listen": "127.0.0.1:0" });
    // A story ends with whatever it left open.
    sidecar["limits"] = json!({ "drain": "1ms" });
    file
}

fn merge(into: &mut Value, from: &Value) {
    match (into.as_object_mut(), from.as_object()) {
        (Some(into), Some(from)) => into.extend(from.clone()),
        _ => *into = from.clone(),
    }
}

#[test]
fn who_comes_from_oauth2_proxy_keeps_callback_rules_and_headers() {
    let moved = Moved::by("oauth2-proxy", "/oauth2");
    moved.assert_comes_back_to("/oauth2/callback");
    let anna = moved.signed_in("anna");
    moved.assert_sent(&[
        ("x-forwarded-user", "subject-of-anna"),
        ("x-forwarded-email", "anna@example.com"),
        ("x-forwarded-groups", "/engineering"),
        ("x-forwarded-preferred-username", "anna"),
    ]);
    let token = moved.scene.application.last().unwrap().header("authorization").unwrap().to_owned();
    assert_eq!(identity_server::claims(token.strip_prefix("Bearer ").unwrap())["sub"], "subject-of-anna");
    let nobody = moved.scene.browser();
    let asked = [("GET", "/assets/a.js"), ("POST", "/assets/a.js"), ("GET", "/healthz"), ("GET", "/healthz/x")];
    assert_eq!(asked.map(|(method, path)| moved.status(&nobody, method, path)), [200, 401, 200, 401]);
    let mut started = moved.scene.browser();
    let page = started.navigate(&moved.own("/start?rd=/there")).unwrap();
    assert_eq!((page.response.status, page.url.path()), (200, "/there"));
    moved.assert_signs_out(anna);
}

#[test]
fn the_groups_that_oauth2_proxy_let_in_are_let_in_and_nobody_else() {
    let moved = Moved::by("oauth2-proxy", "/oauth2");
    let bert = moved.signed_in("bert");
    assert_eq!(moved.status(&bert, "GET", "/reports"), 403);
    assert_eq!(moved.scene.application.heard(), []);
}

#[test]
fn a_gateway_that_asked_oauth2_proxy_is_told_under_the_same_names() {
    let page = "docs/migration/oauth2-proxy.md";
    let moved = Moved::with(page, "/oauth2", &json_block(page, "json fragment of sidecar"));
    let mut anna = moved.signed_in("anna");
    let question = || Request::get("").header("X-Original-URI", "/reports").header("X-Original-Method", "GET");
    let answer = anna.fetch(&moved.own("/auth"), question()).unwrap();
    assert_eq!(answer.status, 200);
    for (name, value) in [
        ("x-auth-request-user", "subject-of-anna"),
        ("x-auth-request-email", "anna@example.com"),
        ("x-auth-request-groups", "/engineering"),
        ("x-auth-request-preferred-username", "anna"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let pages = question().header("Sec-Fetch-Mode", "navigate").header("Sec-Fetch-Dest", "document");
    let answer = anna.fetch(&moved.own("/auth"), question().header("X-Auth-Request-Access-Token", "forged")).unwrap();
    assert_eq!(answer.status, 403, "nginx would pass it on");
    let answer = moved.scene.browser().fetch(&moved.own("/auth"), pages).unwrap();
    assert_eq!(answer.status, 401);
    assert!(answer.header("x-doorward-login").is_some_and(|url| url.ends_with("/oauth2/start?rd=%2Freports")));
}

/// The page's locations, at these addresses, behind TLS that something before nginx ended.
fn locations(page: &str, doorward: &str, application: &str) -> String {
    let put = |text: String, from: &str, to: &str| {
        assert!(text.contains(from), "{page} does not say `{from}`");
        text.replace(from, to)
    };
    let text = put(block(page, "nginx fragment"), "http://127.0.0.1:4180", doorward);
    put(put(text, "http://127.0.0.1:3000", application), "$scheme", "https")
}

#[test]
fn nginx_with_the_locations_of_the_oauth2_proxy_page_signs_users_in() {
    let page = "docs/migration/oauth2-proxy.md";
    let mut more = json_block(page, "json fragment of sidecar");
    more["trusted-proxies"] = json!([PEER]);
    let moved = Moved::with(page, "/oauth2", &more);
    let doorward = format!("http://{}", moved.scene.adapter.public_address);
    let site = locations(page, &doorward, &moved.scene.application.upstream());
    let nginx = Nginx::serving(|address| format!("server {{\nlisten {address};\n{site}\n}}\n"));
    let mut browser = moved.scene.browser();
    browser.serve_origin(ORIGIN, nginx.address, &[]);
    let page = browser.navigate(&moved.scene.url("/reports?y=1")).unwrap();
    assert_eq!((page.response.status, page.url.path()), (200, "/reports"), "{}", nginx.printed());
    assert_eq!(moved.scene.application.last().unwrap().header("x-user"), Some("subject-of-anna"));
    let mut script = moved.scene.browser();
    script.serve_origin(ORIGIN, nginx.address, &[]);
    let answer = script.fetch(&moved.scene.url("/reports"), Request::get("")).unwrap();
    assert_eq!(answer.status, 401);
}

#[test]
fn who_comes_from_mod_auth_openidc_keeps_callback_rules_and_claims() {
    let moved = Moved::by("mod_auth_openidc", "/oidc");
    moved.assert_comes_back_to("/oidc/callback");
    let anna = moved.signed_in("anna");
    moved.assert_sent(&[
        ("remote-user", "anna"),
        ("OIDC_CLAIM_sub", "subject-of-anna"),
        ("OIDC_CLAIM_email", "anna@example.com"),
        ("OIDC_CLAIM_name", "anna"),
        ("OIDC_CLAIM_preferred_username", "anna"),
        ("OIDC_CLAIM_groups", "/engineering"),
    ]);
    let forged = ["OIDC_CLAIM_sub", "OIDC-CLAIM-email", "OIDC_CLAIM_admin", "OIDC_access_token", "Remote-User"];
    moved.assert_taken_out(&anna, &forged);
    assert_eq!(moved.status(&anna, "GET", "/admin/x"), 200);
    assert_eq!(moved.status(&moved.signed_in("bert"), "GET", "/admin/x"), 403);
    moved.assert_signs_out(moved.signed_in("anna"));
}

#[test]
fn who_comes_from_gogatekeeper_keeps_callback_resources_and_headers() {
    let moved = Moved::by("gogatekeeper", "/oauth");
    moved.assert_comes_back_to("/oauth/callback");
    let anna = moved.signed_in("anna");
    moved.assert_sent(&[
        ("x-auth-subject", "subject-of-anna"),
        ("x-auth-userid", "anna"),
        ("x-auth-username", "anna"),
        ("x-auth-email", "anna@example.com"),
        ("x-auth-groups", "/engineering"),
        ("x-auth-roles", "admin,shop-web:editor"),
        ("x-auth-name", "anna"),
    ]);
    assert!(moved.scene.application.last().unwrap().header("authorization").is_some());
    moved.assert_taken_out(&anna, &["X-Auth-Token", "X_Auth_Audience", "X-Auth-ExpiresIn", "X-Auth_Roles"]);
    assert_eq!(["/admin/x", "/other"].map(|path| moved.status(&anna, "GET", path)), [200; 2]);
    let mut bert = moved.scene.browser();
    moved.scene.server.configure(|options| options.auto_login = Some("bert".into()));
    assert_eq!(bert.navigate(&moved.scene.url("/other")).unwrap().response.status, 200);
    assert_eq!(["/admin/x", "/reports", "/other"].map(|path| moved.status(&bert, "GET", path)), [403, 403, 200]);
    assert_eq!(moved.status(&bert, "DELETE", "/admin/x"), 200);
    moved.assert_signs_out(anna);
}

/// What a reader would miss: a page that names a key which there is not.
#[test]
fn every_service_of_the_java_page_is_a_whole_configuration() {
    let (clock, server, _application, _, _) = Options::keycloak().prepare();
    let mut file = json_block("docs/migration/keycloak-java-adapter.md", "json");
    file["auth-server-url"] = json!(server.origin());
    file["sidecar"]["listen"] = json!("127.0.0.1:0");
    file["sidecar"]["admin"] = json!({ "listen": "127.0.0.1:0" });
    let adapter = Adapter::start(&file, clock);
    let request = Request::get("/orders").header("Host", "api.example.com").header("Accept", "text/html");
    let answer = identity_server::http::send(adapter.public_address, &request).unwrap();
    assert_eq!((answer.status, answer.header("location")), (401, None));
    assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")));
}
