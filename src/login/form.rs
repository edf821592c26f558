//! A form as a request brings it, read whole up to a bound.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, header};

use crate::{message::Body, respond::Refusal};

/// Whether a request's body is `application/x-www-form-urlencoded`.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Reads a form of at most `most` bytes.
///
/// # Errors
/// When it is larger, or does not arrive.
pub(super) async fn read_form(body: Body, most: usize) -> Result<Bytes, Refusal> {
    let mut stream = match body {
        Body::Empty | Body::Tunnel(_) => return Ok(Bytes::new()),
        Body::Full(bytes) => return Ok(bytes),
        Body::Stream { stream, .. } => stream,
    };
    let mut form = BytesMut::new();
    while let Some(piece) = stream.next().await {
        form.extend_from_slice(&piece.map_err(|_| Refusal::BadRequest("The form did not arrive.".into()))?);
        if form.len() > most {
            return Err(Refusal::BodyTooLarge);
        }
    }
    Ok(form.freeze())
}
