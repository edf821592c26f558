//! What the application is told of the caller, and what nobody but we may tell it.

use identity_server::{
    Heard, User,
    http::{Headers, Request},
};
use serde_json::json;

use crate::support::proxied::{Door, Plan, get};

/// Names that only we may say, as clients spell them to get past a comparison.
const SPELLINGS: [&str; 30] = [
    "X-Forwarded-User",
    "x-forwarded-user",
    "X-FORWARDED-USER",
    "X_Forwarded_User",
    "X-Forwarded_User",
    "x_forwarded-user",
    "X-Forwarded-Preferred-Username",
    "X_FORWARDED_EMAIL",
    "X-Forwarded-Groups",
    "X_Forwarded-Roles",
    "X-Forwarded-Anything",
    "X_Forwarded_Access_Token",
    "X-Who",
    "x_who",
    "X_WHO",
    "Remote-User",
    "Remote_User",
    "REMOTE_USER",
    "X-Remote-User",
    "X_Remote_User",
    "X-Doorward-Assertion",
    "X_Doorward_Assertion",
    "X-Real-IP",
    "X_Real_IP",
    "X-Original-URL",
    "X_Original_URL",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X_HTTP_Method_Override",
    "Forwarded",
];

fn door(user: User) -> Door {
    let sidecar = json!({
        "headers": { "X-Who": "name" },
        "rules": [{ "path": "/open/*", "access": "public" }],
    });
    Door::start(Plan { sidecar, user, ..Plan::default() })
}

/// Every spelling, twice, with a value that betrays it.
fn forged(mut request: Request) -> Request {
    for name in SPELLINGS.iter().chain(&SPELLINGS) {
        request = request.header(name, "forged");
    }
    request
}

fn betrayed(heard: &Heard) -> Headers {
    heard.headers.iter().filter(|(_, value)| value.contains("forged")).cloned().collect()
}

fn names(heard: &Heard) -> Vec<String> {
    let mut names: Vec<_> = heard.headers.iter().map(|(name, _)| name.to_ascii_lowercase().replace('_', "-")).collect();
    names.sort();
    names
}

#[test]
fn an_anonymous_request_to_a_public_path_says_nothing_of_a_user_in_any_spelling() {
    let door = door(User::named("ada"));
    for method in ["GET", "POST", "OPTIONS", "HEAD", "PROPFIND"] {
        let mut request = forged(Request::get("/open/x"));
        method.clone_into(&mut request.method);
        assert_eq!(door.send(&request).status, 200, "{method}");
        let heard = door.application.last().unwrap();
        assert_eq!((heard.method.as_str(), betrayed(&heard)), (method, Headers::new()));
    }
    let heard = door.application.last().unwrap();
    let told = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id"];
    let ours: Vec<_> = names(&heard).into_iter().filter(|name| name.starts_with("x-")).collect();
    assert_eq!(ours, told);
}

#[test]
fn a_user_is_named_by_us_alone_on_protected_and_on_public_paths() {
    let mut ada = User::named("ada").group("/staff").role("user");
    "Ada Adams".clone_into(&mut ada.name);
    let door = door(ada);
    let cookie = door.sign_in();
    for path in ["/x", "/open/x"] {
        assert_eq!(door.send(&forged(get(path, &cookie))).status, 200);
        let heard = door.application.last().unwrap();
        assert_eq!(betrayed(&heard), Headers::new(), "{path}");
        for (name, value) in [
            ("X-Forwarded-User", "subject-of-ada"),
            ("X-Forwarded-Preferred-Username", "ada"),
            ("X-Forwarded-Email", "ada@example.com"),
            ("X-Forwarded-Groups", "/staff"),
            ("X-Forwarded-Roles", "user"),
            ("X-Who", "Ada Adams"),
        ] {
            assert_eq!(heard.header(name), Some(value), "{path}");
            assert_eq!(names(&heard).iter().filter(|heard| heard.eq_ignore_ascii_case(name)).count(), 1, "{name}");
        }
        assert_eq!(heard.header("authorization"), None);
    }
}

#[test]
fn forged_names_on_a_path_that_is_refused_reach_nobody() {
    let door = door(User::named("ada"));
    let public = forged(Request::get("/x")).header("X-Forwarded-Uri", "/open/x").header("X-Forwarded-Method", "GET");
    assert_eq!(door.send(&public).status, 401);
    assert_eq!(door.send(&forged(Request::get("/open/../x"))).status, 400);
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_header_name_that_is_none_is_refused() {
    let door = door(User::named("ada"));
    for line in
        ["X-Forwarded-User : a", "X-Forwarded-User\t: a", " X-Forwarded-User: a", "X-Forwarded\0-User: a", ": a"]
    {
        let answer = door.raw(format!("GET /open/x HTTP/1.1\r\nHost: app.test\r\n{line}\r\n\r\n").as_bytes());
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{line:?}: {}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(door.application.heard(), []);
}

#[test]
fn a_claim_that_is_absent_leaves_no_header_behind() {
    let door = Door::start(Plan { sidecar: json!({ "headers": { "X-Who": "no_such_claim" } }), ..Plan::default() });
    let cookie = door.sign_in();
    door.send(&forged(get("/x", &cookie)));
    let heard = door.application.last().unwrap();
    assert_eq!(betrayed(&heard), Headers::new());
    for name in ["x-who", "x-forwarded-groups", "x-forwarded-roles"] {
        assert!(!names(&heard).contains(&name.to_owned()), "{heard:?}");
    }
    assert_eq!(heard.header("x-forwarded-user"), Some("subject-of-ada"));
}

#[test]
fn a_connection_header_cannot_take_away_what_we_say() {
    let door = door(User::named("ada"));
    let cookie = door.sign_in();
    let connection = "close, X-Forwarded-User, x-who, X-Forwarded-For, X-Request-Id, Cookie, Host, X-Mine";
    let request = get("/x", &format!("{cookie}; theme=dark"))
        .header("Connection", connection)
        .header("X-Mine", "ends here")
        .header("X-Kept", "goes on");
    assert_eq!(door.send(&request).status, 200);
    let heard = door.application.last().unwrap();
    for name in ["x-forwarded-user", "x-who", "x-forwarded-for", "x-request-id", "host", "cookie", "x-kept"] {
        assert!(heard.header(name).is_some(), "{name}: {heard:?}");
    }
    assert_eq!((heard.header("x-mine"), heard.header("connection")), (None, None));
}

#[test]
fn a_claim_cannot_carry_another_header_or_another_list_item() {
    let mut user = User::named("ada").group("a,admins").group("caf\u{e9}").group("100%").role("x\r\n\r\n,root");
    "Zo\u{eb}\r\nX-Who: root\0".clone_into(&mut user.name);
    "ada\r\n\r\nGET / HTTP/1.1".clone_into(&mut user.subject);
    let door = door(user);
    let cookie = door.sign_in();
    assert_eq!(door.send(&get("/x", &cookie)).status, 200);
    let heard = door.application.last().unwrap();
    assert_eq!(heard.header("x-forwarded-user"), Some("ada%0D%0A%0D%0AGET / HTTP/1.1"));
    assert_eq!(heard.header("x-who"), Some("Zo%C3%AB%0D%0AX-Who: root%00"));
    assert_eq!(heard.header("x-forwarded-groups"), Some("a%2Cadmins,caf%C3%A9,100%25"));
    assert_eq!(heard.header("x-forwarded-roles"), Some("x%0D%0A%0D%0A%2Croot"));
    assert_eq!(names(&heard).iter().filter(|name| *name == "x-forwarded-user").count(), 1);
}

#[test]
fn the_access_token_passes_only_when_told_to_and_then_in_place_of_the_clients() {
    let plan = |forward: bool| {
        Door::with(json!({
            "forward-access-token": forward,
            "rules": [{ "path": "/open/*", "access": "public" }],
        }))
    };
    let door = plan(false);
    let cookie = door.sign_in();
    door.send(&get("/x", &cookie).header("Authorization", "Basic own"));
    assert_eq!(door.application.last().unwrap().header("authorization"), Some("Basic own"));
    let door = plan(true);
    let cookie = door.sign_in();
    door.send(&get("/x", &cookie).header("Authorization", "Basic own"));
    let heard = door.application.last().unwrap();
    assert_eq!(heard.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization")).count(), 1);
    assert!(heard.header("authorization").unwrap().starts_with("Bearer ey"));
    door.send(&Request::get("/open/x").header("Authorization", "Bearer forged"));
    assert_eq!(door.application.last().unwrap().header("authorization"), None);
}
