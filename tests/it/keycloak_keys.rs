//! Keycloak's keys about roles, names, keys and redirects, seen from outside.

use base64::{Engine, engine::general_purpose::STANDARD};
use identity_server::{
    Endpoint, Fault, IdentityServer, OldKeys, TokenFault, User,
    http::{self, Request, Response},
};
use serde_json::{Value, json};
use url::Url;

use crate::support::{
    Adapter, CLIENT, Options, Scene,
    proxied::{Door, Plan},
};

/// A realm whose user is a manager there, an editor at our client and an admin at another, behind an adapter with `keys`.
fn with_roles(keys: Value) -> Scene {
    let rule = |role: &str| json!({ "path": format!("/{role}"), "roles": [role] });
    let rules = ["manager", "editor", "admin"].map(rule);
    let change = |server: &mut identity_server::Options| {
        let user = User::named("alice").role("manager").role("shop:editor");
        let client_roles = [(CLIENT, "editor"), ("desk", "admin")].map(|(client, role)| (client.into(), role.into()));
        server.users = vec![User { client_roles: client_roles.to_vec(), ..user }];
    };
    Options::keycloak().server(change).with(keys).with(json!({ "sidecar": { "rules": rules } })).start()
}

/// Which of the three pages open, and what the application and the user's own page are told of roles.
fn opened(keys: Value) -> (Vec<&'static str>, String, Value) {
    let scene = with_roles(keys);
    let mut browser = scene.signed_in();
    let pages = ["/manager", "/editor", "/admin"];
    let open = |path: &&str| browser.navigate(&scene.url(path)).unwrap().response.status == 200;
    let opened = pages.into_iter().filter(open).collect();
    assert_eq!(browser.navigate(&scene.url("/any")).unwrap().response.status, 200);
    let told = scene.application.last().unwrap().header("x-forwarded-roles").unwrap_or_default().to_owned();
    let about = browser.fetch(&scene.url("/oauth2/userinfo"), Request::get("")).unwrap().json();
    (opened, told, about["roles"].clone())
}

#[test]
fn without_mappings_a_bare_role_is_the_realms() {
    let (pages, told, about) = opened(json!({}));
    assert_eq!((pages, told.as_str()), (vec!["/manager"], "desk:admin,manager,shop:editor"));
    assert_eq!(about, json!(["desk:admin", "manager", "shop:editor"]));
}

#[test]
fn by_resource_role_mappings_a_bare_role_is_our_own_clients_and_nobody_elses() {
    let (pages, told, about) = opened(json!({ "use-resource-role-mappings": true }));
    assert_eq!((pages, told.as_str(), about), (vec!["/editor"], "editor", json!(["editor"])));
}

#[test]
fn both_mappings_together_make_both_kinds_of_role_count() {
    let both = json!({ "use-resource-role-mappings": true, "use-realm-role-mappings": true });
    let (pages, told, _) = opened(both);
    assert_eq!((pages, told.as_str()), (vec!["/manager", "/editor"], "editor,manager"));
}

#[test]
fn without_realm_role_mappings_no_role_of_the_realm_counts() {
    let (pages, told, _) = opened(json!({ "use-realm-role-mappings": false }));
    assert_eq!((pages, told.as_str()), (vec![], "desk:admin,shop:editor"));
}

/// What `X-Forwarded-User` says with this attribute, and the subject that `userinfo` tells all the same.
fn named_by(attribute: &str) -> (String, Value) {
    let scene = Options::keycloak().with(json!({ "principal-attribute": attribute })).start();
    let mut browser = scene.signed_in();
    let user = scene.application.last().unwrap().header("x-forwarded-user").unwrap().to_owned();
    let about = browser.fetch(&scene.url("/oauth2/userinfo"), Request::get("")).unwrap().json();
    (user, about["sub"].clone())
}

#[test]
fn the_application_is_told_the_attribute_that_names_a_user_and_the_subject_where_it_is_absent() {
    let rows = [
        ("sub", "subject-of-alice"),
        ("email", "alice@example.com"),
        ("preferred_username", "alice"),
        ("name", "alice"),
        ("nickname", "subject-of-alice"),
    ];
    for (attribute, expected) in rows {
        assert_eq!(named_by(attribute), (expected.to_owned(), json!("subject-of-alice")), "{attribute}");
    }
}

/// The present RSA key as Keycloak's console shows it: base64 of its `SubjectPublicKeyInfo`. It has 2048 bits.
fn public_key(server: &IdentityServer) -> String {
    let head = b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00";
    STANDARD.encode([head, server.rsa_public_der().as_slice()].concat())
}

#[test]
fn a_pinned_key_is_the_only_one_that_is_believed_and_no_other_is_asked_for() {
    let (clock, server, application, origin, mut config) = Options::keycloak().prepare();
    config["realm-public-key"] = json!(public_key(&server));
    let adapter = Adapter::start(&config, clock.clone());
    let scene = Scene { adapter, server, application, clock, origin };
    scene.signed_in();
    scene.server.next(Endpoint::Token, Fault::IdToken(vec![TokenFault::OtherKey]));
    scene.assert_refused("another key", 502, 1);
    // What the provider publishes is of no account: a new key is not learnt.
    scene.server.rotate_keys(OldKeys::Keep).unwrap();
    scene.assert_refused("a key that is published", 502, 1);
    assert_eq!(scene.server.calls(Endpoint::Jwks), 0);
}

#[test]
fn the_pinned_key_serves_whatever_its_name() {
    let (clock, server, application, origin, mut config) = Options::keycloak().prepare();
    config["realm-public-key"] = json!(public_key(&server));
    // Three rotations later the server signs with the first key again, under another `kid`.
    for _ in 0..3 {
        server.rotate_keys(OldKeys::Forget).unwrap();
    }
    let adapter = Adapter::start(&config, clock.clone());
    Scene { adapter, server, application, clock, origin }.signed_in();
}

/// Behind a gateway that takes `/shop` away: outside there is `/shop/x` where we see `/x`.
fn behind_a_prefix(keys: Value) -> Scene {
    let scene = Options::default().with(keys).start();
    let outside = scene.url("/shop/oauth2/callback");
    scene.server.configure(|options| options.clients[0].redirect_uris.push(outside));
    scene
}

fn pair(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

#[test]
fn redirects_lead_to_the_paths_that_the_first_rule_makes() {
    let scene = behind_a_prefix(json!({ "redirect-rewrite-rules": { "^/(.*)$": "/shop/$1", "^/": "/never/" } }));
    let mut browser = scene.browser();
    let authorization = scene.begin(&mut browser, "/private?q=1&r=%2Fx");
    let outside = scene.url("/shop/oauth2/callback");
    assert_eq!(pair(&authorization, "redirect_uri"), Some(outside.clone()));
    let callback = scene.callback(&mut browser, &authorization);
    assert!(callback.as_str().starts_with(&outside), "{callback}");
    let inside = callback.as_str().replacen("/shop", "", 1);
    let answer = browser.navigate_once(&inside).unwrap();
    assert_eq!((answer.status, answer.header("location")), (302, Some("/shop/private?q=1&r=%2Fx")));
    let redeemed = scene.server.last(Endpoint::Token).unwrap();
    assert_eq!(redeemed.form.iter().find(|(name, _)| name == "redirect_uri").map(|(_, uri)| uri), Some(&outside));
    assert!(scene.holds_session(&browser));
}

#[test]
fn no_rule_makes_a_redirect_that_leaves_the_site_or_ends_the_session() {
    let rows = [("/$1", "/app/evil.example"), ("/$1", "/app/evil.example/x?y=z"), ("$1", "/app/oauth2/sign_out")];
    for (replacement, path) in rows {
        let scene = behind_a_prefix(json!({ "redirect-rewrite-rules": { "^/app(.*)$": replacement } }));
        let mut browser = scene.browser();
        let authorization = scene.begin(&mut browser, path);
        let callback = scene.callback(&mut browser, &authorization);
        let answer = browser.navigate_once(callback.as_str()).unwrap();
        assert_eq!((answer.status, answer.header("location")), (302, Some("/")), "{path}");
    }
}

/// Whichever rule holds, a kept form is taken up again where we serve that.
#[test]
fn no_rule_loses_a_form_that_was_kept_over_the_sign_in() {
    for (pattern, replacement) in [("^/app(.*)$", "$1"), ("^/(.*)$", "/shop/$1")] {
        let scene = behind_a_prefix(json!({ "redirect-rewrite-rules": { pattern: replacement } }));
        let mut browser = scene.browser();
        let request = Request::form("", &[("a", "b")]).header("Accept", "text/html");
        let request = request.header("Sec-Fetch-Site", "same-origin").header("Sec-Fetch-Mode", "navigate");
        let kept = browser.fetch(&scene.url("/app/order"), request).unwrap().text();
        let next = kept.split("<a href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
        let callback = scene.callback(&mut browser, &Url::parse(&next).unwrap());
        let answer = browser.navigate_once(&callback.as_str().replacen("/shop", "", 1)).unwrap();
        let location = answer.header("location").unwrap();
        let id = location.strip_prefix("/oauth2/resume?form=").unwrap_or_else(|| panic!("{pattern}: {location}"));
        assert!(kept.contains(&format!("value=\"doorward.form.{id}\"")), "{pattern}: {id}");
    }
}

#[test]
fn a_relative_auth_server_url_is_asked_for_at_the_public_url() {
    let (clock, server, _application, _, mut config) = Options::keycloak().prepare();
    config["auth-server-url"] = json!("/");
    config["sidecar"]["public-url"] = json!(server.origin());
    let adapter = Adapter::start(&config, clock);
    let answer = http::send(adapter.public_address, &Request::get("/oauth2/start").header("Host", "any")).unwrap();
    let location = answer.header("location").unwrap();
    assert!(location.starts_with(&server.url(Endpoint::Authorization)), "{location}");
}

#[test]
fn a_relative_cookie_path_is_below_the_root() {
    let keys = json!({ "adapter-state-cookie-path": "app", "sidecar": { "path-prefix": "/app/oauth2" } });
    let scene = Options::default().with(keys).start();
    let answer = scene.browser().navigate_once(&scene.url("/app/x")).unwrap();
    assert!(answer.header("set-cookie").unwrap().contains("; Path=/app;"), "{:?}", answer.header("set-cookie"));
}

/// What makes of a page's request another.
type Turn = fn(Request) -> Request;

/// The answer to a browser far away that opens `/a/b?c=d` through a listed proxy.
fn opened_by_plain_http(root: Value, sidecar: Value, request: impl FnOnce(Request) -> Request) -> (Response, usize) {
    let mut plan = Plan { sidecar, root, ..Plan::default() };
    plan.root["ssl-required"] = json!("external");
    plan.sidecar["trusted-proxies"] = json!(["127.0.0.1"]);
    plan.sidecar["rules"] = json!([{ "path": "/*", "access": "public" }]);
    let door = Door::start(plan);
    let page = Request::get("/a/b?c=d").header("Host", "app.test").header("Accept", "text/html");
    let answer = door.send(&request(page.header("X-Forwarded-For", "203.0.113.9")));
    (answer, door.application.heard().len())
}

#[test]
fn a_page_that_is_opened_by_plain_http_is_found_by_https_at_the_confidential_port() {
    let named = |url: &str| json!({ "public-url": url });
    let listed = json!({ "public-url": null, "allowed-hosts": ["app.test"] });
    let rows = [
        (json!({}), named("https://app.test"), "https://app.test/a/b?c=d"),
        (json!({ "confidential-port": 0 }), named("https://app.test:8443"), "https://app.test:8443/a/b?c=d"),
        (json!({ "confidential-port": 9443 }), named("https://app.test:8443"), "https://app.test:9443/a/b?c=d"),
        (json!({}), listed.clone(), "https://app.test/a/b?c=d"),
        (json!({ "confidential-port": 9443 }), listed, "https://app.test:9443/a/b?c=d"),
    ];
    for (root, sidecar, expected) in rows {
        let (answer, heard) = opened_by_plain_http(root, sidecar, |page| page);
        assert_eq!((answer.status, answer.header("location")), (302, Some(expected)));
        assert_eq!((answer.header("cache-control"), answer.header("set-cookie"), heard), (Some("no-store"), None, 0));
    }
}

#[test]
fn nothing_but_a_page_is_sent_to_https_and_nobody_in_circles() {
    let https = || json!({ "public-url": "https://app.test" });
    let (answer, _) = opened_by_plain_http(json!({}), json!({ "public-url": "http://app.test" }), |page| page);
    assert_eq!(answer.status, 403, "users are known to visit by http");
    let turns: [(&str, Turn); 5] = [
        ("a form", |page| Request { method: "POST".into(), ..page }),
        ("a script", |page| page.header("X-Requested-With", "XMLHttpRequest")),
        ("no page", |page| Request {
            headers: page.headers.into_iter().filter(|(n, _)| n != "Accept").collect(),
            ..page
        }),
        // A browser that came by https to something that does not say so would be sent there again and again.
        ("Fetch Metadata", |page| page.header("Sec-Fetch-Mode", "navigate").header("Sec-Fetch-Dest", "document")),
        ("a proxy before the proxy", |page| page.header("X-Forwarded-Proto", "https, http")),
    ];
    for (what, turn) in turns {
        let (answer, heard) = opened_by_plain_http(json!({}), https(), turn);
        assert_eq!((answer.status, answer.header("location"), heard), (403, None, 0), "{what}");
    }
}
