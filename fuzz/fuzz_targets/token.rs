//! A token before its signature is checked, which is what a stranger reaches: its parts, its header, its JSON, and the
//! claims in it. Takes the parsers in as sources, since nobody outside shall get at claims that are not verified.

#![no_main]

use doorward::domain;
use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "the verifier uses more of them")]
#[path = "."]
mod oidc {
    #[path = "../../src/oidc/claims.rs"]
    mod claims;
    #[path = "../../src/oidc/jose.rs"]
    mod jose;
    #[path = "../../src/oidc/strict_json.rs"]
    mod strict_json;

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use doorward::oidc::Algorithm;

    use claims::Claims;
    use jose::Jws;

    /// Reads `text` as a token; what can be read is spelt in one way only.
    pub fn read(text: &str) {
        let Ok(jws) = Jws::parse(text) else { return };
        let input = std::str::from_utf8(jws.signing_input).unwrap();
        assert_eq!(format!("{input}.{}", URL_SAFE_NO_PAD.encode(&jws.signature)), text);
        assert!(input.ends_with(&format!(".{}", URL_SAFE_NO_PAD.encode(&jws.payload))));
    }

    /// Reads `payload` as claims.
    pub fn read_claims(payload: &[u8]) {
        let Ok(members) = strict_json::object(payload) else { return };
        assert_eq!(serde_json::from_slice(payload).ok().as_ref(), Some(&members));
        let claims = Claims::new(members);
        let _ = (claims.audiences(), claims.subject(), claims.sid(), claims.text("azp"));
        if let Ok(Some(instant)) = claims.instant("exp") {
            assert!((0..=253_402_300_799).contains(&instant.as_secs()));
        }
    }

    /// `header`, encoded as a token's.
    pub fn token_of(header: &[u8]) -> String {
        format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header))
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        oidc::read(text);
    }
    oidc::read(&oidc::token_of(data));
    oidc::read_claims(data);
});
