//! What the server says behind the browser's back, and how its sessions end.

use identity_server::{AdminAction, Algorithm, ClientSession, Endpoint, TokenFault, claims, header};
use serde_json::{Value, json};

use crate::party::{Party, text};

fn realm() -> Party {
    Party::new(|options| options.realm = Some("demo".to_owned()))
}

/// Whether UserInfo and the token endpoint find a session alive.
fn is_alive(party: &Party, tokens: &Value) -> (bool, bool) {
    let refreshed = party.refresh(&tokens["refresh_token"]);
    assert!(refreshed.status == 200 || refreshed.json()["error"] == "invalid_grant", "{}", refreshed.text());
    (party.userinfo(tokens).status == 200, refreshed.status == 200)
}

fn sid(tokens: &Value) -> &str {
    text(&tokens["session_state"])
}

#[test]
fn the_latest_word_of_a_client_about_its_session_is_kept() {
    let mut party = realm();
    let tokens = party.sign_in();
    assert_eq!(party.server.client_session("app", sid(&tokens)), None);
    let refresh = |more: &[(&str, &str)]| {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens["refresh_token"]))];
        assert_eq!(party.post(Endpoint::Token, &[fields.as_slice(), more].concat()).status, 200);
        party.server.client_session("app", sid(&tokens))
    };
    let said = |state: &str, host: Option<&str>| {
        Some(ClientSession { state: state.to_owned(), host: host.map(str::to_owned) })
    };
    assert_eq!(refresh(&[("client_session_host", "node-1")]), None, "a host without a session");
    let both = [("client_session_state", "one"), ("client_session_host", "node-1")];
    assert_eq!(refresh(&both), said("one", Some("node-1")));
    assert_eq!(refresh(&[]), said("one", Some("node-1")));
    assert_eq!(refresh(&[("client_session_state", "two")]), said("two", None));
    assert_eq!(party.server.client_session("another", sid(&tokens)), None);
}

#[test]
fn an_admin_action_is_keycloaks_and_goes_wrong_as_told() {
    let party = realm();
    let action = party.server.admin_action("app", AdminAction::Logout, json!({ "adapterSessionIds": ["one"] }), &[]);
    assert_eq!((&header(&action)["typ"], &header(&action)["alg"]), (&json!("JWT"), &json!("RS256")));
    let body = claims(&action);
    assert!(text(&body["id"]).ends_with("-1000000000"), "{body}");
    assert_eq!((&body["expiration"], &body["resource"]), (&json!(1_000_030), &json!("app")));
    assert_eq!((&body["action"], &body["adapterSessionIds"]), (&json!("LOGOUT"), &json!(["one"])));
    assert!(["iss", "aud", "exp", "sub", "typ", "keycloakSessionIds"].iter().all(|name| body[*name].is_null()));
    let faults = [TokenFault::remove("action"), TokenFault::Algorithm(Algorithm::Es256)];
    let wrong = party.server.admin_action("app", AdminAction::PushNotBefore, json!({ "notBefore": 0 }), &faults);
    assert_eq!((&header(&wrong)["alg"], &claims(&wrong)["action"]), (&json!("ES256"), &Value::Null));
}

#[test]
fn a_logout_token_says_what_ended() {
    let party = realm();
    let token = party.server.logout_token("app", Some("a"), Some("b"), &[TokenFault::set("nonce", "n")]);
    let body = claims(&token);
    assert_eq!((&header(&token)["typ"], &body["aud"]), (&json!("logout+jwt"), &json!("app")));
    assert_eq!((&body["sid"], &body["sub"], &body["nonce"]), (&json!("a"), &json!("b"), &json!("n")));
    assert_eq!(body["iat"], 1_000_000);
}

#[test]
fn a_session_that_ended_is_told_at_userinfo_and_at_refresh() {
    let mut party = realm();
    let (first, second) = (party.sign_in(), {
        party.browser = identity_server::Browser::new();
        party.sign_in()
    });
    party.server.end_session(sid(&first));
    assert_eq!((is_alive(&party, &first), is_alive(&party, &second)), ((false, false), (true, true)));
    assert_eq!(party.server.userinfo_calls(sid(&first)), 1);
    assert_eq!((party.server.userinfo_calls(sid(&second)), party.server.userinfo_calls("nobody")), (1, 0));
}

#[test]
fn the_end_of_a_user_is_theirs_alone_and_stays_in_their_token_responses() {
    let mut party = Party::new(|options| {
        options.realm = Some("demo".to_owned());
        options.users.push(identity_server::User::named("bob"));
    });
    let ada = party.sign_in();
    party.server.configure(|options| options.auto_login = Some("bob".to_owned()));
    party.browser = identity_server::Browser::new();
    let bob = party.sign_in();
    party.wait(1);
    party.server.end_user("subject-of-ada");
    assert_eq!((is_alive(&party, &ada), is_alive(&party, &bob)), ((false, false), (true, true)));
    assert_eq!(party.sign_in()["not-before-policy"], 0);
    party.server.configure(|options| options.auto_login = Some("ada".to_owned()));
    party.browser = identity_server::Browser::new();
    let again = party.sign_in();
    assert_eq!((&again["not-before-policy"], is_alive(&party, &again)), (&json!(1_000_001), (true, true)));
}

#[test]
fn what_is_held_ends_when_it_is_committed() {
    type End = fn(&Party, &Value);
    let ends: [End; 4] = [
        |party, tokens| party.server.end_session(sid(tokens)),
        |party, _| party.server.end_user("subject-of-ada"),
        |party, _| assert_eq!(party.server.end_everybody(), 1_000_001),
        |party, _| party.server.set_not_before(1_000_001),
    ];
    for end in ends {
        let mut party = realm();
        let tokens = party.sign_in();
        party.wait(1);
        party.server.hold_commits();
        end(&party, &tokens);
        assert_eq!(party.userinfo(&tokens).status, 200);
        party.server.commit();
        assert_eq!(is_alive(&party, &tokens), (false, false));
        let again = party.sign_in();
        assert_eq!(is_alive(&party, &again), (true, true));
    }
}

#[test]
fn a_not_before_is_taken_back_by_zero() {
    let mut party = realm();
    let tokens = party.sign_in();
    party.server.set_not_before(1_000_001);
    assert_eq!(is_alive(&party, &tokens), (false, false));
    party.server.set_not_before(0);
    assert_eq!(is_alive(&party, &tokens), (true, true));
}
