//! The server's keys, and everything that it does wrong when told.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use identity_server::{Algorithm, CallbackFault, Endpoint, Fault, OldKeys, TokenFault, claims, header, junk_keys};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::party::{Party, text, value};

#[test]
fn every_algorithm_verifies_with_the_published_key() {
    let mut party = Party::new(|_| {});
    for algorithm in Algorithm::ALL {
        party.server.set_algorithm(algorithm);
        party.server.rotate_keys(OldKeys::Forget).unwrap();
        let tokens = party.sign_in();
        let token = text(&tokens["id_token"]);
        assert_eq!(header(token)["alg"], algorithm.name());
        if !algorithm.name().starts_with("HS") {
            assert!(verifies(token, &party.get(Endpoint::Jwks).json()), "{algorithm:?}");
        }
    }
}

/// The check of a client that knows nothing of the server's insides.
fn verifies(token: &str, jwks: &Value) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64URL.decode(signature).unwrap();
    let kid = &header(token)["kid"];
    let Some(key) = jwks["keys"].as_array().unwrap().iter().find(|key| &key["kid"] == kid) else {
        return false;
    };
    let part = |name: &str| BASE64URL.decode(text(&key[name])).unwrap();
    let point = || [vec![4], part("x"), part("y")].concat();
    let public = |algorithm: &'static dyn signature::VerificationAlgorithm, bytes: Vec<u8>| {
        UnparsedPublicKey::new(algorithm, bytes).verify(message.as_bytes(), &signature).is_ok()
    };
    let rsa = |parameters| {
        RsaPublicKeyComponents { n: part("n"), e: part("e") }.verify(parameters, message.as_bytes(), &signature).is_ok()
    };
    match text(&key["alg"]) {
        "RS256" => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        "RS384" => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
        "RS512" => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
        "PS256" => rsa(&signature::RSA_PSS_2048_8192_SHA256),
        "PS384" => rsa(&signature::RSA_PSS_2048_8192_SHA384),
        "PS512" => rsa(&signature::RSA_PSS_2048_8192_SHA512),
        "ES256" => public(&signature::ECDSA_P256_SHA256_FIXED, point()),
        "ES384" => public(&signature::ECDSA_P384_SHA384_FIXED, point()),
        "EdDSA" => public(&signature::ED25519, part("x")),
        _ => false,
    }
}

#[test]
fn rotated_keys_are_published_beside_the_old_ones_or_alone() {
    let party = Party::new(|_| {});
    let count = || party.get(Endpoint::Jwks).json()["keys"].as_array().unwrap().len();
    assert_eq!(count(), 4);
    party.server.rotate_keys(OldKeys::Keep).unwrap();
    assert_eq!(count(), 8);
    party.server.rotate_keys(OldKeys::Forget).unwrap();
    assert_eq!(count(), 4);
    party.server.set_junk_keys(junk_keys());
    assert_eq!(count(), 10);
}

#[test]
fn a_token_goes_wrong_as_told_and_the_next_one_is_right() {
    let mut party = Party::new(|_| {});
    let jwks = party.get(Endpoint::Jwks).json();
    let mut token_with = |faults: Vec<TokenFault>| {
        party.server.next(Endpoint::Token, Fault::IdToken(faults));
        text(&party.sign_in()["id_token"]).to_owned()
    };
    for fault in [TokenFault::OtherKey, TokenFault::CorruptSignature, TokenFault::header("kid", "nobody's")] {
        assert!(!verifies(&token_with(vec![fault]), &jwks));
    }
    assert!(token_with(vec![TokenFault::Unsigned]).ends_with('.'));
    let changed =
        token_with(vec![TokenFault::set("iss", "http://evil"), TokenFault::remove("sub"), TokenFault::no_kid()]);
    assert_eq!((&claims(&changed)["iss"], &claims(&changed)["sub"]), (&json!("http://evil"), &Value::Null));
    assert!(header(&changed)["kid"].is_null());
    let twice = token_with(vec![TokenFault::payload(|text| text.replacen('{', "{\"exp\":1e300,", 1))]);
    assert!(verifies(&twice, &jwks));
    let payload = BASE64URL.decode(twice.split('.').nth(1).unwrap()).unwrap();
    assert!(payload.starts_with(b"{\"exp\":1e300,"));
    assert_eq!(header(&token_with(vec![TokenFault::Hs256(b"key".to_vec())]))["alg"], "HS256");
    assert!(verifies(&token_with(vec![]), &jwks));
}

#[test]
fn a_callback_goes_wrong_as_told() {
    let mut party = Party::new(|_| {});
    let faults = vec![
        CallbackFault::Remove("iss".into()),
        CallbackFault::Set("state".into(), "x".into()),
        CallbackFault::Repeat("code".into(), "y".into()),
    ];
    party.server.next(Endpoint::Authorization, Fault::Callback(faults));
    let callback = party.callback("");
    assert_eq!((value(&callback, "iss"), value(&callback, "state")), ("", "x"));
    assert_eq!(callback.iter().filter(|(name, _)| name == "code").count(), 2);
}

#[test]
fn an_answer_goes_wrong_as_told() {
    let party = Party::new(|_| {});
    party
        .server
        .always(Endpoint::Discovery, [Fault::set("issuer", "http://x"), Fault::remove("jwks_uri"), Fault::Huge(9)]);
    party.server.next(Endpoint::Discovery, Fault::status(500));
    party.server.next(Endpoint::Discovery, Fault::redirect("http://x/"));
    assert_eq!(party.get(Endpoint::Discovery).status, 500);
    assert_eq!(party.get(Endpoint::Discovery).header("location"), Some("http://x/"));
    let spoiled = party.get(Endpoint::Discovery);
    assert_eq!(spoiled.json()["issuer"], "http://x");
    assert!(spoiled.json()["jwks_uri"].is_null() && spoiled.text().ends_with("}         "));
    party.server.behave(Endpoint::Discovery);
    assert_eq!(party.get(Endpoint::Discovery).json()["issuer"], party.server.issuer());
}

#[test]
fn userinfo_can_be_a_signed_token() {
    let mut party = Party::new(|_| {});
    let tokens = party.sign_in();
    party.server.next(Endpoint::UserInfo, Fault::SignedUserInfo(vec![TokenFault::set("sub", "other")]));
    let response = party.userinfo(&tokens);
    assert_eq!(response.header("content-type"), Some("application/jwt"));
    assert_eq!(claims(&response.text())["sub"], "other");
}

#[test]
fn a_logout_token_can_be_made_right_and_wrong() {
    let party = Party::new(|_| {});
    let jwks = party.get(Endpoint::Jwks).json();
    let good = party.server.logout_claims("app", Some("sid"), Some("subject"));
    assert_eq!((&good["aud"], &good["sid"], &good["sub"]), (&json!("app"), &json!("sid"), &json!("subject")));
    assert!(good["events"].is_object() && good["nonce"].is_null());
    let token = party.server.sign("logout+jwt", good.clone(), &[]);
    assert!(verifies(&token, &jwks) && header(&token)["typ"] == "logout+jwt");
    let faults = [TokenFault::set("nonce", "n"), TokenFault::remove("events"), TokenFault::OtherKey];
    let wrong = party.server.sign("logout+jwt", good, &faults);
    assert!(!verifies(&wrong, &jwks) && claims(&wrong)["nonce"] == "n" && claims(&wrong)["events"].is_null());
}
