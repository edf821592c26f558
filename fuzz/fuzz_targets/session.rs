//! The bytes inside a session's seal: arbitrary ones, and a session's own with some changed, are refused or are a session;
//! and a session comes back as it was.

#![no_main]

use std::{collections::BTreeMap, sync::LazyLock};

use doorward::{
    domain::{
        AdapterSessionId, Issuer, NodeIncarnation, Principal, SecretString, Session, Sid, Subject, Timestamp, TokenSet,
    },
    session::SessionCodec,
};
use libfuzzer_sys::fuzz_target;

static CODEC: LazyLock<SessionCodec> = LazyLock::new(SessionCodec::new);

fn session(texts: [&str; 7], time: i64) -> Session {
    let [id, issuer, subject, access, refresh, id_token, role] = texts;
    let at = Timestamp::from_millis(time);
    Session {
        adapter_session_id: AdapterSessionId::new(id),
        issuer: Issuer::new(issuer),
        sid: (!id.is_empty()).then(|| Sid::new(id)),
        principal: Principal {
            subject: Subject::new(subject),
            username: (!role.is_empty()).then(|| subject.to_owned()),
            email: None,
            groups: vec![role.to_owned(), id.to_owned()],
            roles: vec![role.to_owned()],
            claims: BTreeMap::from([(role.to_owned(), vec![id.to_owned()])]),
        },
        tokens: TokenSet {
            access: SecretString::new(access),
            access_expires: (time != 0).then_some(at),
            refresh: (!refresh.is_empty()).then(|| SecretString::new(refresh)),
            id: SecretString::new(id_token),
        },
        established_at: at,
        token_iat: at,
        renewed_at: at,
        proved_at: at,
        proved_by: NodeIncarnation::new(id),
        opened_at: at,
        last_seen: at,
    }
}

fuzz_target!(|input: ([&str; 7], i64, usize, u8, &[u8])| {
    let (texts, time, at, change, arbitrary) = input;
    let session = session(texts, time);
    let mut body = CODEC.encode(&session).unwrap();
    assert_eq!(CODEC.decode(&body), Ok(session));

    let at = at % body.len();
    body[at] ^= change;
    for body in [&body, arbitrary] {
        if let Ok(session) = CODEC.decode(body) {
            let again = CODEC.encode(&session).map(|body| CODEC.decode(&body));
            assert_eq!(again, Ok(Ok(session)));
        }
    }
});
