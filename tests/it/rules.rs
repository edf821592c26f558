//! Who may do what where: the first rule that matches decides, and where none does a login is needed.

use identity_server::{User, http::Request};
use serde_json::json;

use crate::support::proxied::{Door, Plan, get};

fn ruled(user: User) -> Door {
    let sidecar = json!({ "rules": [
        { "path": "/open/closed", "access": "login" },
        { "path": "/open/*", "methods": ["GET", "HEAD"], "access": "public" },
        { "path": "/exact", "access": "public" },
        { "path": "/admin/*", "roles": ["admin"] },
        { "path": "/both/*", "roles": ["admin", "shop:manager"] },
        { "path": "/client/*", "roles": ["shop:manager"] },
        { "path": "/reports/*", "groups": ["/finance", "/audit"] },
    ] });
    Door::start(Plan { sidecar, user, ..Plan::default() })
}

#[test]
fn path_and_method_decide_who_needs_a_login() {
    let door = ruled(User::named("ada"));
    let ask = |method: &str, path: &str| door.send(&Request::new(method, path)).status;
    for (method, path, status) in [
        ("GET", "/open", 200),
        ("GET", "/open/", 200),
        ("GET", "/open/a/b", 200),
        ("HEAD", "/open/a", 200),
        ("GET", "/exact", 200),
        ("DELETE", "/exact", 200),
        ("POST", "/open/a", 401),
        ("OPTIONS", "/open/a", 401),
        ("GET", "/open/closed", 401),
        ("GET", "/opening", 401),
        ("GET", "/exact/", 401),
        ("GET", "/exact/more", 401),
        ("GET", "/", 401),
        ("GET", "/elsewhere", 401),
    ] {
        assert_eq!(ask(method, path), status, "{method} {path}");
    }
    assert!(door.application.heard().iter().all(|heard| heard.target.starts_with("/open") || heard.target == "/exact"));
}

#[test]
fn a_role_of_the_realm_or_of_a_client_opens_what_it_is_for_and_nothing_else() {
    let mut manager = User::named("ada").role("user");
    manager.client_roles = vec![("shop".into(), "manager".into()), ("other".into(), "admin".into())];
    let door = ruled(manager);
    let cookie = door.sign_in();
    let ask = |path: &str| door.send(&get(path, &cookie)).status;
    assert_eq!([ask("/"), ask("/client/x")], [200, 200]);
    assert_eq!([ask("/admin"), ask("/admin/x"), ask("/both/x"), ask("/reports/x")], [403; 4]);
    assert!(
        door.application
            .heard()
            .iter()
            .all(|heard| heard.target == "/" || heard.target == "/client/x" || heard.target == "/after-sign-in")
    );
}

#[test]
fn all_roles_of_a_rule_are_needed_and_one_of_its_groups() {
    let mut admin = User::named("ada").role("admin").group("/audit");
    admin.client_roles = vec![("shop".into(), "manager".into())];
    let door = ruled(admin);
    let cookie = door.sign_in();
    for path in ["/admin/x", "/both/x", "/client/x", "/reports/x"] {
        assert_eq!(door.send(&get(path, &cookie)).status, 200, "{path}");
    }
    let door = ruled(User::named("bob").role("shop:manager").group("/finance/interns").group(""));
    let cookie = door.sign_in();
    for path in ["/admin/x", "/both/x", "/reports/x"] {
        assert_eq!(door.send(&get(path, &cookie)).status, 403, "{path}");
    }
}

#[test]
fn who_may_not_see_something_is_told_so_on_a_page_or_as_a_problem() {
    let door = ruled(User::named("ada"));
    let cookie = door.sign_in();
    let page = door.send(&get("/admin/x", &cookie).header("Accept", "text/html"));
    assert_eq!((page.status, page.header("content-type")), (403, Some("text/html; charset=utf-8")));
    assert!(page.text().contains(page.header("x-request-id").unwrap()), "{}", page.text());
    let problem = door.send(&get("/admin/x", &cookie).header("Accept", "application/json"));
    assert_eq!((problem.status, problem.header("content-type")), (403, Some("application/problem+json")));
    assert_eq!(problem.json()["request_id"], *problem.header("x-request-id").unwrap());
    assert_eq!(problem.json()["status"], 403);
    for answer in [page, problem] {
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("location"), None);
    }
}

#[test]
fn a_method_that_nobody_registered_passes_no_rule() {
    let door = Door::open(json!({}));
    for method in ["get", "GeT", "Get", "FOO", "GETT", "PRI"] {
        assert_eq!(door.send(&Request::new(method, "/x")).status, 501, "{method}");
    }
    assert_eq!(door.application.heard(), []);
    assert_eq!(door.send(&Request::new("PROPFIND", "/x")).status, 200);
    assert_eq!(door.application.last().unwrap().method, "PROPFIND");
}

#[test]
fn connect_and_trace_are_refused() {
    let door = Door::open(json!({}));
    let answer = door.send(&Request::new("TRACE", "/x"));
    assert_eq!((answer.status, answer.header("allow").is_some()), (405, true));
    let connect = "CONNECT /x HTTP/1.1\r\nHost: app.test\r\n\r\nGET /tunnelled HTTP/1.1\r\nHost: app.test\r\n\r\n";
    let answer = String::from_utf8_lossy(&door.raw(connect.as_bytes())).into_owned();
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nallow: GET, "), "{answer}");
    // What follows a CONNECT would be a tunnel's, and no request.
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert_eq!(door.application.heard(), []);
}

#[test]
fn an_endpoint_of_ours_that_does_not_exist_is_not_the_applications() {
    let door = Door::open(json!({}));
    for path in ["/oauth2", "/oauth2/", "/oauth2/nothing", "/oauth2/ping", "/oauth2/start/x", "/oauth2;x/start"] {
        assert_eq!(door.send(&Request::get(path)).status, 404, "{path}");
    }
    for (method, path, allowed) in [
        ("POST", "/oauth2/callback", "GET"),
        ("PUT", "/oauth2/start", "GET, POST"),
        ("DELETE", "/oauth2/sign_out", "GET, POST"),
        ("PUT", "/oauth2/userinfo", "GET"),
    ] {
        let answer = door.send(&Request::new(method, path));
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{method} {path}");
    }
    assert_eq!(door.application.heard(), []);
    assert_eq!(door.send(&Request::get("/oauth2x")).status, 200);
}
