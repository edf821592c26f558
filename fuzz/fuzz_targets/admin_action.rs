//! What anybody can post to Keycloak's admin words: nothing is believed but what the realm has signed, under whatever header, and of
//! that only what is an action, for us, and of now.

#![no_main]

mod realm;

use doorward::oidc::{AdminAction, AdminActionError, AdminContent, AdminWord, LogoutTargets, MAX_LOGOUT_IDS};
use libfuzzer_sys::fuzz_target;
use realm::{CLIENT, NOW, REALM, members, overlaid};
use serde_json::json;

const WORDS: [AdminWord; 3] = [AdminWord::Logout, AdminWord::PushNotBefore, AdminWord::TestAvailability];

fn hear(message: &str, word: AdminWord) -> Result<AdminAction, AdminActionError> {
    REALM.wait(REALM.provider.admin_action(message, word)).map(doorward::oidc::Verified::into_inner)
}

fn good(word: AdminWord) -> serde_json::Value {
    json!({
        "id": format!("a-{}", NOW * 1000), "expiration": NOW + 30, "resource": CLIENT, "action": word.action(),
        "notBefore": NOW,
    })
}

fn assert_refused(message: &str, word: AdminWord) {
    let heard = hear(message, word);
    assert!(matches!(heard, Err(AdminActionError::NotVerified(_))), "{heard:?}");
}

fn assert_meant(payload: &[u8], action: &AdminAction, word: AdminWord) {
    let members = members(payload);
    assert!(["iss", "aud", "exp", "sub", "typ"].iter().all(|claim| members.get(*claim).is_none_or(|v| v.is_null())));
    assert_eq!((&members["action"], &members["resource"]), (&json!(word.action()), &json!(CLIENT)));
    let expiration = members["expiration"].as_f64().unwrap();
    assert!((0.0..=360.0).contains(&(expiration.floor() - NOW as f64)));
    if let AdminContent::Logout(LogoutTargets::Sessions { adapter_session_ids, sids }) = &action.order {
        assert!(adapter_session_ids.len() + sids.len() <= MAX_LOGOUT_IDS);
    }
}

fuzz_target!(|data: &[u8]| {
    for word in WORDS {
        if let Ok(text) = std::str::from_utf8(data) {
            assert_refused(text, word);
        }
        assert_refused(&REALM.forged(data, &overlaid(good(word), b"")), word);
        for payload in [data, &overlaid(good(word), data)] {
            assert_refused(&REALM.forged(br#"{"alg":"EdDSA","kid":"realm"}"#, payload), word);
            if let Ok(action) = hear(&REALM.signed(payload), word) {
                assert_meant(payload, &action, word);
            }
        }
        assert!(hear(&REALM.signed(&overlaid(good(word), b"")), word).is_ok());
    }
});
