//! Forms and queries as requests bring them: read whole up to a bound, each parameter at most once (attack case 37: who takes the first and
//! who takes the last read two requests).

use std::{collections::BTreeMap, fmt};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, header};
use url::form_urlencoded;

use crate::{message::Body, respond::Refusal};

/// Whether a request's body is `application/x-www-form-urlencoded`.
#[must_use]
pub fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Reads a form of at most `most` bytes.
///
/// # Errors
/// When it is larger, or does not arrive.
pub async fn read_form(body: Body, most: usize) -> Result<Bytes, Refusal> {
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

/// Most parameters that are read: who sends thousands wants to keep us busy.
pub const MOST_PARAMS: usize = 100;

/// Parameters by name.
#[derive(PartialEq, Eq)]
pub struct Params(BTreeMap<String, String>);

impl fmt::Debug for Params {
    /// The names alone: the values may be a code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Params {
    /// Reads `application/x-www-form-urlencoded` text.
    ///
    /// # Errors
    /// When a parameter occurs twice, or there are more than [`MOST_PARAMS`].
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let mut params = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if params.len() >= MOST_PARAMS {
                return Err(Refusal::BadRequest("There are too many parameters.".into()));
            }
            if params.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(Refusal::BadRequest("A parameter occurs more than once.".into()));
            }
        }
        Ok(Self(params))
    }

    /// The value of `name`; an empty one is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.0.iter().map(|(name, value)| (name.clone(), value.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_parameters_are_read_and_none_twice() {
        let many = |count: usize| (0..count).map(|n| format!("p{n}=x")).collect::<Vec<_>>().join("&");
        assert!(Params::parse(&many(MOST_PARAMS)).is_ok());
        assert!(Params::parse(&many(MOST_PARAMS + 1)).is_err());
        assert!(Params::parse("a=1&a=2").is_err());
    }
}
