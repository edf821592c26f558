//! What anybody can post as a logout token: nothing is believed but what the issuer has signed, under whatever header, and of that only
//! what is a logout token, for us, and of now.

#![no_main]

mod realm;

use doorward::oidc::{LogoutTarget, LogoutToken, LogoutTokenError};
use libfuzzer_sys::fuzz_target;
use realm::{CLIENT, NOW, REALM, members, overlaid};
use serde_json::json;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn hear(message: &str) -> Result<LogoutToken, LogoutTokenError> {
    REALM.wait(REALM.provider.logout_token(message)).map(doorward::oidc::Verified::into_inner)
}

fn issuer() -> String {
    REALM.provider.issuer().unwrap().to_string()
}

fn good() -> serde_json::Value {
    json!({
        "iss": issuer(), "aud": CLIENT, "iat": NOW, "exp": NOW + 120, "jti": "a", "sub": "u", "sid": "s",
        "events": { EVENT: {} },
    })
}

fn assert_refused(message: &str) {
    let heard = hear(message);
    assert!(matches!(heard, Err(LogoutTokenError::NotVerified(_))), "{heard:?}");
}

fn assert_meant(payload: &[u8], token: &LogoutToken) {
    let members = members(payload);
    assert!(members.get("nonce").is_none_or(|nonce| nonce.is_null()));
    assert_eq!(members["iss"], json!(issuer()));
    assert!(members["aud"] == CLIENT || members["aud"].as_array().unwrap().contains(&json!(CLIENT)));
    assert!(members["events"][EVENT].is_object());
    assert!((members["iat"].as_f64().unwrap() - NOW as f64).abs() < 121.0);
    match token.target() {
        LogoutTarget::Session(sid) => assert_eq!(members["sid"], sid.as_str()),
        LogoutTarget::Subject(subject) => assert_eq!(members["sub"], subject.as_str()),
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        assert_refused(text);
    }
    assert_refused(&REALM.forged(data, &overlaid(good(), b"")));
    for payload in [data, &overlaid(good(), data)] {
        assert_refused(&REALM.forged(br#"{"alg":"EdDSA","kid":"realm"}"#, payload));
        if let Ok(token) = hear(&REALM.signed(payload)) {
            assert_meant(payload, &token);
        }
    }
    assert!(hear(&REALM.signed(&overlaid(good(), b""))).is_ok());
});
