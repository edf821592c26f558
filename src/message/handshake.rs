//! The opening of a WebSocket (RFC 6455, section 4). A request that asks for one is passed on as such only after it was read here, and the
//! application's consent counts only when it answers that very request.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use thiserror::Error;

/// A request for a WebSocket, found well-formed. Only [`Handshake::read`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// What `Sec-WebSocket-Accept` must be in the answer.
    accept: String,
}

/// Why a request for a WebSocket is none.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HandshakeError {
    /// It says that it has a body.
    #[error("a request to upgrade has a body")]
    Body,
    /// `Connection` does not name `upgrade`, so that only the previous hop was asked.
    #[error("a request to upgrade without `Connection: upgrade`")]
    Connection,
    /// `Sec-WebSocket-Key` is not 16 bytes in base64, or not there exactly once.
    #[error("a WebSocket handshake without a proper key")]
    Key,
    /// Not `GET`, or not HTTP/1.1.
    #[error("a WebSocket handshake that is no GET of HTTP/1.1")]
    Method,
    /// `Sec-WebSocket-Version` is not 13.
    #[error("a WebSocket handshake of another version")]
    Version,
}

/// Whether a request asks to switch to a WebSocket, well-formed or not: the same test by which the HTTP parser hands it over.
#[must_use]
pub fn is_asked(headers: &HeaderMap) -> bool {
    headers.get_all(header::UPGRADE).iter().any(|value| is_websocket(value.as_bytes()))
}

impl Handshake {
    /// Reads a client's opening handshake (RFC 6455, section 4.2.1; `Host` and `Origin` are judged elsewhere).
    ///
    /// # Errors
    /// When it is none.
    pub fn read(method: &Method, version: Version, headers: &HeaderMap) -> Result<Self, HandshakeError> {
        if *method != Method::GET || version != Version::HTTP_11 || !is_asked(headers) {
            return Err(HandshakeError::Method);
        }
        if !names_upgrade(headers) {
            return Err(HandshakeError::Connection);
        }
        let has_length = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
        if has_length || headers.contains_key(header::TRANSFER_ENCODING) {
            return Err(HandshakeError::Body);
        }
        if only(headers, &header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(HandshakeError::Version);
        }
        let key = only(headers, &header::SEC_WEBSOCKET_KEY).ok_or(HandshakeError::Key)?.as_bytes().trim_ascii();
        let is_proper = STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16);
        if is_proper { Ok(Self { accept: accept(key) }) } else { Err(HandshakeError::Key) }
    }

    /// Writes into a head for the next hop that it is about a WebSocket: that was removed with what ends at a hop.
    pub fn name(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }

    /// Whether the head of a 101 agrees to this handshake (RFC 6455, section 4.1).
    #[must_use]
    pub fn is_accepted(&self, answer: &HeaderMap) -> bool {
        let accepted = only(answer, &header::SEC_WEBSOCKET_ACCEPT);
        is_asked(answer)
            && names_upgrade(answer)
            && accepted.is_some_and(|value| value.as_bytes() == self.accept.as_bytes())
    }

    /// Removes what means something in a handshake only, from a request that is none.
    pub fn forget(headers: &mut HeaderMap) {
        for name in [
            header::SEC_WEBSOCKET_KEY,
            header::SEC_WEBSOCKET_VERSION,
            header::SEC_WEBSOCKET_PROTOCOL,
            header::SEC_WEBSOCKET_EXTENSIONS,
        ] {
            headers.remove(name);
        }
    }
}

impl HandshakeError {
    /// The error as a sentence for the client.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Body => "A request to upgrade may not have a body.",
            Self::Connection => "A request to upgrade must say so in the header Connection.",
            Self::Key => "A WebSocket handshake needs one Sec-WebSocket-Key of 16 bytes in base64.",
            Self::Method => "A WebSocket begins with a GET of HTTP/1.1.",
            Self::Version => "A WebSocket handshake must be of version 13.",
        }
    }
}

fn is_websocket(protocol: &[u8]) -> bool {
    protocol.trim_ascii().eq_ignore_ascii_case(b"websocket")
}

fn names_upgrade(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONNECTION).iter();
    values
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .any(|name| name.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

/// The value of a header that stands there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// RFC 6455, section 4.2.2, step 5.4.
fn accept(key: &[u8]) -> String {
    let text = [key, b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"].concat();
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [(&str, &str); 4] = [
        ("upgrade", "WebSocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ];

    fn read_with(change: &str, values: &[&str]) -> Result<Handshake, HandshakeError> {
        let mut headers = HeaderMap::new();
        for (name, value) in WHOLE.iter().filter(|(name, _)| *name != change) {
            headers.append(*name, HeaderValue::from_static(value));
        }
        for value in values {
            headers.append(HeaderName::try_from(change).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        Handshake::read(&Method::GET, Version::HTTP_11, &headers)
    }

    /// The example of RFC 6455, section 1.3.
    #[test]
    fn the_example_of_the_standard_is_read_and_only_its_own_answer_agrees() {
        let handshake = read_with("x", &[]).unwrap();
        let mut answer = HeaderMap::new();
        handshake.name(&mut answer);
        assert!(!handshake.is_accepted(&answer));
        answer.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(handshake.is_accepted(&answer));
        answer.insert(header::UPGRADE, HeaderValue::from_static("h2c"));
        assert!(!handshake.is_accepted(&answer));
    }

    #[test]
    fn what_is_not_a_whole_handshake_is_refused() {
        use HandshakeError::{Body, Connection, Key, Method as NoGet, Version as Other};
        let key = WHOLE[2].1;
        for (name, values, error) in [
            ("upgrade", &[][..], NoGet),
            ("connection", &[], Connection),
            ("connection", &["keep-alive"], Connection),
            ("content-length", &["2"], Body),
            ("transfer-encoding", &["chunked"], Body),
            ("sec-websocket-version", &[], Other),
            ("sec-websocket-version", &["8"], Other),
            ("sec-websocket-version", &["13", "13"], Other),
            ("sec-websocket-key", &[], Key),
            ("sec-websocket-key", &[key, key], Key),
            ("sec-websocket-key", &["c2hvcnQ="], Key),
            ("sec-websocket-key", &["not base64 at all!!!!!=="], Key),
        ] {
            assert_eq!(read_with(name, values), Err(error), "{name}: {values:?}");
        }
        let headers =
            HeaderMap::from_iter(WHOLE.map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))));
        for (method, version) in [(Method::POST, Version::HTTP_11), (Method::GET, Version::HTTP_10)] {
            assert_eq!(Handshake::read(&method, version, &headers), Err(NoGet));
        }
    }
}
