//! Sessions come back as they were, small, and nothing inflates beyond its bound.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;
use ring::digest;

use super::*;
use crate::{
    domain::{
        AdapterSessionId, Issuer, NodeIncarnation, Principal, Random, SecretString, Sid, Subject, SystemRandom,
        Timestamp, TokenSet, opaque_token,
    },
    session::{KeyRing, Purpose, Sealer},
};

const NAME: &str = "__Host-KEYCLOAK_ADAPTER_STATE";
const ISSUER: &str = "https://login.acme-industries.eu/realms/production";

fn uuid() -> String {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn jwt(algorithm: &str, kid: &str, payload: &str, signature_len: usize) -> SecretString {
    let header = format!(r#"{{"alg":"{algorithm}","typ" : "JWT","kid" : "{kid}"}}"#);
    let mut signature = vec![0; signature_len];
    SystemRandom.fill(&mut signature);
    let parts = [header.as_bytes(), payload.as_bytes(), &signature].map(|part| URL_SAFE_NO_PAD.encode(part));
    SecretString::new(parts.join("."))
}

/// A login as Keycloak 26 answers it: claims in its order, everything random that is random there. No name in it
/// stands in the dictionary.
pub(in crate::session) fn keycloak_session() -> Session {
    let (sub, sid) = (uuid(), uuid());
    let kid = opaque_token(&SystemRandom);
    let nonce = opaque_token(&SystemRandom);
    let profile = r#""email_verified":true,"name":"Henriette Zimmermann","groups":["/staff","/staff/logistics"],"preferred_username":"h.zimmermann","given_name":"Henriette","family_name":"Zimmermann","email":"h.zimmermann@acme-industries.eu""#;
    let access = format!(
        r#"{{"exp":1763786312,"iat":1763786012,"auth_time":1763786011,"jti":"onrtac:{}","iss":"{ISSUER}","aud":"account","sub":"{sub}","typ":"Bearer","azp":"warehouse","sid":"{sid}","acr":"1","allowed-origins":["https://warehouse.acme-industries.eu"],"realm_access":{{"roles":["default-roles-production","offline_access","dispatcher","uma_authorization"]}},"resource_access":{{"account":{{"roles":["manage-account","manage-account-links","view-profile"]}}}},"scope":"openid profile email",{profile}}}"#,
        uuid()
    );
    let id = format!(
        r#"{{"exp":1763786312,"iat":1763786012,"auth_time":1763786011,"jti":"{}","iss":"{ISSUER}","aud":"warehouse","sub":"{sub}","typ":"ID","azp":"warehouse","nonce":"{nonce}","sid":"{sid}","at_hash":"{}","acr":"1",{profile}}}"#,
        uuid(),
        &opaque_token(&SystemRandom)[..22],
    );
    let refresh = format!(
        r#"{{"exp":1763787812,"iat":1763786012,"jti":"{}","iss":"{ISSUER}","aud":"{ISSUER}","sub":"{sub}","typ":"Refresh","azp":"warehouse","sid":"{sid}","scope":"openid roles web-origins profile acr email basic"}}"#,
        uuid()
    );
    let at = Timestamp::from_millis(1_763_786_012_345);
    Session {
        adapter_session_id: AdapterSessionId::new(opaque_token(&SystemRandom)),
        issuer: Issuer::new(ISSUER),
        sid: Some(Sid::new(sid)),
        principal: Principal {
            subject: Subject::new(sub),
            username: Some("h.zimmermann".to_owned()),
            email: Some("h.zimmermann@acme-industries.eu".to_owned()),
            groups: ["/staff", "/staff/logistics"].map(str::to_owned).to_vec(),
            roles: [
                "account:manage-account",
                "account:manage-account-links",
                "account:view-profile",
                "default-roles-production",
                "dispatcher",
                "offline_access",
                "uma_authorization",
            ]
            .map(str::to_owned)
            .to_vec(),
            claims: BTreeMap::from([("name".to_owned(), vec!["Henriette Zimmermann".to_owned()])]),
        },
        tokens: TokenSet {
            access: jwt("RS256", &kid, &access, 256),
            access_expires: Some(Timestamp::from_millis(1_763_786_311_987)),
            refresh: Some(jwt("HS512", &uuid(), &refresh, 64)),
            id: jwt("RS256", &kid, &id, 256),
        },
        established_at: Timestamp::from_secs(1_763_786_012),
        token_iat: Timestamp::from_secs(1_763_786_012),
        renewed_at: at,
        proved_at: at,
        proved_by: NodeIncarnation::new(opaque_token(&SystemRandom)),
        opened_at: at,
        last_seen: Timestamp::from_millis(1_763_786_500_001),
    }
}

#[test]
fn a_keycloak_session_fits_into_one_cookie_of_two_kilobytes() {
    let session = keycloak_session();
    let tokens = &session.tokens;
    let lens = [&tokens.access, &tokens.id, tokens.refresh.as_ref().unwrap()].map(|token| token.expose().len());
    let sealer = Sealer::new(&KeyRing::generate(&SystemRandom), Purpose::Session, "site");
    let body = SessionCodec::new().encode(&session).unwrap();
    let text = sealer.seal(NAME, &body, Timestamp::from_secs(1_763_790_000), &SystemRandom).unwrap();
    let size = NAME.len() + 1 + text.as_str().len();
    eprintln!("tokens of {lens:?} characters: body {} bytes, cookie {size} bytes with its name", body.len());
    assert!(size <= 2048, "{size}");
}

#[test]
fn a_keycloak_session_comes_back_as_it_was() {
    let session = keycloak_session();
    let codec = SessionCodec::new();
    let body = codec.encode(&session).unwrap();
    assert_eq!(codec.decode(&body).unwrap(), session);
}

prop_compose! {
    fn any_session()(texts: [String; 6], options: [Option<String>; 5], lists: [Vec<String>; 3], times: [i64; 6],
                     expires: Option<i64>) -> Session {
        let [adapter, issuer, subject, access, id, proved_by] = texts;
        let [sid, username, email, refresh, claim] = options;
        let [groups, roles, values] = lists;
        let [established_at, token_iat, renewed_at, proved_at, opened_at, last_seen] = times.map(Timestamp::from_millis);
        Session {
            adapter_session_id: AdapterSessionId::new(adapter),
            issuer: Issuer::new(issuer),
            sid: sid.map(Sid::new),
            principal: Principal {
                subject: Subject::new(subject),
                username,
                email,
                groups,
                roles,
                claims: claim.into_iter().map(|name| (name, values.clone())).collect(),
            },
            tokens: TokenSet {
                access: SecretString::new(access),
                access_expires: expires.map(Timestamp::from_millis),
                refresh: refresh.map(SecretString::new),
                id: SecretString::new(id),
            },
            established_at,
            token_iat,
            renewed_at,
            proved_at,
            proved_by: NodeIncarnation::new(proved_by),
            opened_at,
            last_seen,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_session_comes_back_as_it_was(session in any_session()) {
        let codec = SessionCodec::new();
        let body = codec.encode(&session).unwrap();
        prop_assert_eq!(codec.decode(&body).unwrap(), session);
    }

    #[test]
    fn arbitrary_bytes_are_an_error_and_no_panic(bytes: Vec<u8>) {
        let body = [&[FORMAT][..], &bytes].concat();
        prop_assert!(SessionCodec::new().decode(&body).is_err());
    }
}

fn bomb(inflated: usize, claimed: usize) -> Vec<u8> {
    let frame = zstd::bulk::compress(&vec![0; inflated], 3).unwrap();
    let envelope = to_wiped_bytes(&Envelope { unpacked: claimed, frame: &frame }).unwrap();
    [&[FORMAT][..], &envelope].concat()
}

#[test]
fn what_claims_or_would_yield_too_much_is_not_inflated() {
    let codec = SessionCodec::new();
    let honest = bomb(64 << 20, 64 << 20);
    assert!(honest.len() < 10_000, "{}", honest.len());
    assert_eq!(codec.decode(&honest), Err(CodecError::TooLarge { bytes: 64 << 20 }));
    assert_eq!(codec.decode(&bomb(64 << 20, 1000)), Err(CodecError::Malformed));
    assert_eq!(codec.decode(&bomb(100, 1000)), Err(CodecError::Malformed));
    assert_eq!(codec.decode(&bomb(0, usize::MAX)), Err(CodecError::TooLarge { bytes: usize::MAX }));
}

#[test]
fn a_session_that_could_not_be_read_again_is_not_written() {
    let mut session = keycloak_session();
    session.principal.groups = vec!["g".repeat(MAX_UNPACKED)];
    let refused = SessionCodec::new().encode(&session).unwrap_err();
    assert!(matches!(refused, CodecError::TooLarge { bytes } if bytes > MAX_UNPACKED), "{refused}");
}

#[test]
fn another_format_and_anything_cut_or_appended_is_refused() {
    let codec = SessionCodec::new();
    let body = codec.encode(&keycloak_session()).unwrap();
    let other = [&[FORMAT + 1][..], &body[1..]].concat();
    let longer = [&body[..], b"x"].concat();
    assert_eq!(codec.decode(&other), Err(CodecError::Malformed));
    assert_eq!(codec.decode(&longer), Err(CodecError::Malformed));
    assert!((0..body.len()).all(|len| codec.decode(&body[..len]).is_err()));
}

/// Cookies that browsers hold were written with it: a change needs another `FORMAT` and this one kept for reading.
#[test]
fn the_dictionary_of_this_format_never_changes() {
    let hash = digest::digest(&digest::SHA256, DICTIONARY);
    let hash = URL_SAFE_NO_PAD.encode(hash);
    assert_eq!((FORMAT, hash.as_str()), (2, "wb3QERy4fhFNtMukW2Nd_n2m25mXny6lKPMwHQ-2LgM"));
}
