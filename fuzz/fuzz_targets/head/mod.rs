//! The head of a request as fuzzed bytes write it: one header a line, so that seeds are text. What no HTTP parser would let
//! through is left out, since it reaches nobody.

use doorward::{
    domain::SystemRandom,
    message::{Body, Request, RequestId, Transport},
    target::Target,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// The headers that the lines of `text` are.
pub fn headers(text: &[u8]) -> HeaderMap {
    text.split(|byte| *byte == b'\n').filter_map(header).collect()
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    HeaderName::from_bytes(name).ok().zip(HeaderValue::from_bytes(value).ok())
}

/// A request that came by a gateway on this machine.
pub fn request(target: Target, headers: HeaderMap) -> Request {
    Request {
        method: Method::GET,
        target,
        headers,
        peer: Some([127, 0, 0, 1].into()),
        transport: Transport::Plain,
        id: RequestId::random(&SystemRandom),
        body: Body::Empty,
        handshake: None,
    }
}
