//! The opening of a WebSocket: what is taken for one has nothing twice that must be there once, no body, and nothing of it is
//! left when it is forgotten; no answer agrees to it by chance.

#![no_main]

mod head;

use doorward::{
    message::{Handshake, handshake::is_asked},
    target::Target,
};
use http::{HeaderMap, Method, Version, header};
use libfuzzer_sys::fuzz_target;

fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a [u8]> {
    headers.get_all(name).iter().map(|value| value.as_bytes()).collect()
}

fuzz_target!(|text: &[u8]| {
    let mut headers = head::request(Target::parse("/").unwrap(), head::headers(text)).headers;
    assert!(Handshake::read(&Method::POST, Version::HTTP_11, &headers).is_err());
    assert!(Handshake::read(&Method::GET, Version::HTTP_10, &headers).is_err());
    let Ok(handshake) = Handshake::read(&Method::GET, Version::HTTP_11, &headers) else { return };
    assert!(is_asked(&headers) && headers.contains_key(header::CONNECTION));
    assert!(!headers.contains_key(header::TRANSFER_ENCODING));
    assert!(values(&headers, "content-length").iter().take(1).all(|length| *length == b"0"));
    assert_eq!(values(&headers, "sec-websocket-version"), [b"13"]);
    let [key] = values(&headers, "sec-websocket-key")[..] else { panic!("one key") };
    assert_eq!(key.trim_ascii().len(), 24);
    // The answer of somebody who has not read the key.
    headers.remove(header::SEC_WEBSOCKET_ACCEPT);
    assert!(!handshake.is_accepted(&headers));

    Handshake::forget(&mut headers);
    assert!(!headers.keys().any(|name| {
        ["key", "version", "protocol", "extensions"].iter().any(|part| name.as_str() == format!("sec-websocket-{part}"))
    }));
    handshake.name(&mut headers);
    assert_eq!(
        (values(&headers, "upgrade"), values(&headers, "connection")),
        (vec![&b"websocket"[..]], vec![&b"Upgrade"[..]])
    );
});
