//! The server as a relying party meets it.

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use identity_server::{
    AccessFormat, CLIENT_RSA_PKCS8, ClientAuthentication, Endpoint, RefreshFormat, claims, header, http::Request,
};
use ring::{
    rand::SystemRandom,
    signature::{self, RsaKeyPair},
};
use serde_json::{Value, json};

use crate::party::{CALLBACK, Party, VERIFIER, parameters, path, text, value};

#[test]
fn a_code_becomes_tokens_that_say_who_signed_in() {
    let mut party = Party::new(|_| {});
    let callback = party.callback("");
    assert_eq!((value(&callback, "state"), value(&callback, "iss")), ("st", party.server.issuer().as_str()));
    let tokens = party.redeem(value(&callback, "code")).json();
    let id = claims(text(&tokens["id_token"]));
    assert_eq!((&id["nonce"], &id["aud"], &id["preferred_username"]), (&json!("no"), &json!("app"), &json!("ada")));
    assert_eq!(id["iss"], party.server.issuer());
    assert_eq!(party.userinfo(&tokens).json()["groups"], json!(["/staff"]));
    assert_eq!((party.server.calls(Endpoint::Token), party.server.calls(Endpoint::UserInfo)), (1, 1));
    assert_eq!(party.server.last(Endpoint::Token).unwrap().field("code_verifier"), Some(VERIFIER));
}

#[test]
fn a_realm_stands_at_keycloaks_places_and_answers_in_its_shapes() {
    let mut party = Party::new(|options| {
        options.realm = Some("demo".to_owned());
        options.refresh_format = RefreshFormat::Jwt;
    });
    let metadata = party.get(Endpoint::Discovery).json();
    assert_eq!(party.server.issuer(), format!("{}/realms/demo", party.server.origin()));
    assert_eq!(metadata["jwks_uri"], format!("{}/protocol/openid-connect/certs", party.server.issuer()));
    let tokens = party.sign_in();
    assert_eq!(tokens["not-before-policy"], 0);
    let access = claims(text(&tokens["access_token"]));
    assert_eq!((&access["typ"], &access["azp"]), (&json!("Bearer"), &json!("app")));
    assert_eq!(access["realm_access"]["roles"], json!(["admin"]));
    assert_eq!(access["sid"], tokens["session_state"]);
    assert_eq!(header(text(&tokens["refresh_token"]))["alg"], "HS512");
}

#[test]
fn the_issuer_may_have_a_path_and_a_slash() {
    let party = Party::new(|options| {
        options.path = "/tenant".to_owned();
        options.trailing_slash = true;
    });
    assert_eq!(party.server.issuer(), format!("{}/tenant/", party.server.origin()));
    assert_eq!(path(&party.server.url(Endpoint::Discovery)), "/tenant/.well-known/openid-configuration");
    assert_eq!(party.get(Endpoint::Discovery).json()["issuer"], party.server.issuer());
}

#[test]
fn what_may_not_be_redirected_is_refused_with_a_page() {
    let mut party = Party::new(|_| {});
    for change in [("client_id=app", "client_id=other"), (CALLBACK, "http://app.example.com/oauth2/callback/x")] {
        let url = party.authorization_url("").replace(change.0, change.1);
        assert_eq!(party.browser.navigate_once(&url).unwrap().status, 400, "{change:?}");
    }
}

#[test]
fn other_faults_of_a_request_are_told_to_the_client() {
    let mut party = Party::new(|_| {});
    let faults = [("response_type=code", "response_type=token"), ("scope=openid", "scope=x"), ("S256", "plain")];
    for change in faults {
        let url = party.authorization_url("").replace(change.0, change.1);
        let parameters = parameters(&party.browser.navigate_once(&url).unwrap());
        assert!(!value(&parameters, "error").is_empty() && value(&parameters, "state") == "st", "{change:?}");
    }
}

#[test]
fn a_code_is_good_once_and_its_second_use_ends_the_session() {
    let mut party = Party::new(|_| {});
    let callback = party.callback("");
    let tokens = party.redeem(value(&callback, "code")).json();
    assert_eq!(party.redeem(value(&callback, "code")).json()["error"], "invalid_grant");
    assert_eq!(party.userinfo(&tokens).status, 401);
}

#[test]
fn a_code_needs_its_verifier_and_its_redirect_uri_in_time() {
    let mut party = Party::new(|_| {});
    let good = [("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    for (change, late) in [(("redirect_uri", "http://x"), 0), (("code_verifier", "wrong"), 0), (good[0], 61)] {
        let code = value(&party.callback(""), "code").to_owned();
        party.wait(late);
        let kept = good.into_iter().filter(|(name, _)| *name != change.0);
        let fields: Vec<_> =
            [("grant_type", "authorization_code"), ("code", &code), change].into_iter().chain(kept).collect();
        assert_eq!(party.post(Endpoint::Token, &fields).json()["error"], "invalid_grant", "{change:?}");
    }
}

#[test]
fn a_rotated_refresh_token_that_comes_back_ends_the_session() {
    let mut party = Party::new(|options| options.rotate_refresh = true);
    let first = party.sign_in();
    let second = party.refresh(&first["refresh_token"]).json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert!(claims(text(&second["id_token"]))["nonce"].is_null());
    assert_eq!(party.refresh(&first["refresh_token"]).json()["error"], "invalid_grant");
    assert_eq!(party.refresh(&second["refresh_token"]).json()["error"], "invalid_grant");
}

#[test]
fn a_refresh_token_that_does_not_rotate_stays_good() {
    let mut party = Party::new(|_| {});
    let first = party.sign_in();
    assert_eq!(party.refresh(&first["refresh_token"]).json()["refresh_token"], first["refresh_token"]);
    assert_eq!(party.refresh(&first["refresh_token"]).status, 200);
}

#[test]
fn tokens_end_by_time_by_session_and_by_not_before() {
    let mut party = Party::new(|options| options.access_format = AccessFormat::Opaque);
    let tokens = party.sign_in();
    party.wait(300);
    assert_eq!(party.userinfo(&tokens).status, 401);
    let fresh = party.refresh(&tokens["refresh_token"]).json();
    assert_eq!(party.userinfo(&fresh).status, 200);
    party.server.configure(|options| options.not_before = 1_000_301);
    assert_eq!(party.userinfo(&fresh).status, 401);
    party.server.configure(|options| options.not_before = 0);
    let (sid, username) = party.server.sessions().remove(0);
    assert_eq!(username, "ada");
    party.server.end_session(&sid);
    assert_eq!(party.userinfo(&fresh).status, 401);
    assert_eq!(party.refresh(&fresh["refresh_token"]).status, 400);
}

#[test]
fn a_wrong_secret_or_method_is_no_client() {
    let party = Party::new(|_| {});
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    assert_eq!(party.post(Endpoint::Token, &fields).json()["error"], "invalid_grant");
    let send = |request: Request| party.send(Endpoint::Token, request).json()["error"].clone();
    let raw = STANDARD.encode("app:s3:cret &+%");
    assert_eq!(send(Request::form("", &fields).header("Authorization", &format!("Basic {raw}"))), "invalid_client");
    let posted = [("client_id", "app"), ("client_secret", "s3:cret &+%"), fields[0], fields[1]];
    assert_eq!(send(Request::form("", &posted)), "invalid_client");
    party.server.configure(|options| {
        options.clients[0].authentication = ClientAuthentication::SecretPost("s3:cret &+%".into());
    });
    assert_eq!(send(Request::form("", &posted)), "invalid_grant");
}

#[test]
fn a_signed_client_assertion_is_good_once_for_us_and_in_time() {
    let party = Party::new(|options| options.clients[0].authentication = ClientAuthentication::client_rsa());
    let send = |assertion: &str| {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let fields = [("grant_type", "x"), ("client_assertion_type", kind), ("client_assertion", assertion)];
        party.send(Endpoint::Token, Request::form("", &fields)).json()["error"].clone()
    };
    let token_url = party.server.url(Endpoint::Token);
    let claims = json!({ "iss": "app", "sub": "app", "aud": token_url, "exp": 1_000_060, "jti": "1" });
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims["jti"] = json!(format!("{name} {value}"));
        claims[name] = value;
        assertion(&claims)
    };
    let good = assertion(&claims);
    assert_eq!(send(&good), "unsupported_grant_type");
    assert_eq!(send(&good), "invalid_client");
    assert_eq!(send(&with("aud", json!(["x", token_url]))), "unsupported_grant_type");
    for bad in
        [with("aud", json!("x")), with("exp", json!(1_000_000)), with("iss", json!("y")), with("jti", json!(null))]
    {
        assert_eq!(send(&bad), "invalid_client");
    }
    let (message, _) = good.rsplit_once('.').unwrap();
    assert_eq!(send(&format!("{message}.AAAA")), "invalid_client");
}

fn assertion(claims: &Value) -> String {
    let parts = [json!({ "alg": "RS256" }), claims.clone()].map(|part| BASE64URL.encode(part.to_string()));
    let message = parts.join(".");
    let key = RsaKeyPair::from_pkcs8(CLIENT_RSA_PKCS8).unwrap();
    let mut signed = vec![0; key.public().modulus_len()];
    key.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signed).unwrap();
    format!("{message}.{}", BASE64URL.encode(signed))
}
