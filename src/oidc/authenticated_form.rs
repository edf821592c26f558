//! A form for the provider that proves which client sends it: the token endpoint's client authentication (OpenID Connect Core 1.0,
//! section 9), for the endpoints that `openidconnect` does not build requests for.

use http::{HeaderValue, Method, Request, header};
use thiserror::Error;
use url::{Url, form_urlencoded};

use super::{ClientAuth, Provider, provider::Snapshot};
use crate::domain::SecretString;

/// The request cannot be made: a header cannot carry the secret, the assertion cannot be signed, or the address cannot be called.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the request cannot be made")]
pub(super) struct Unsendable;

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

impl Provider {
    /// A `POST` of `fields` to `url`, with our client's proof in the header or among the fields, as configured.
    ///
    /// # Errors
    /// [`Unsendable`].
    pub(super) fn authenticated_form(
        &self,
        snapshot: &Snapshot,
        url: &Url,
        fields: &[(&str, &str)],
    ) -> Result<Request<Vec<u8>>, Unsendable> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let mut request = Request::new(Vec::new());
        let client_id = self.config.client_id.as_str();
        match &self.config.client_auth {
            ClientAuth::SecretBasic(secret) => {
                request.headers_mut().insert(header::AUTHORIZATION, basic(client_id, secret)?);
            }
            ClientAuth::SecretPost(secret) => {
                form.append_pair("client_id", client_id).append_pair("client_secret", secret.expose());
            }
            ClientAuth::None | ClientAuth::SecretJwt { .. } | ClientAuth::PrivateKeyJwt { .. } => {
                form.append_pair("client_id", client_id);
            }
        }
        let assertion = self.assertion_params(snapshot, self.clock.now()).map_err(|_| Unsendable)?;
        form.extend_pairs(assertion);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.as_str().parse().map_err(|_| Unsendable)?;
        request.headers_mut().insert(header::CONTENT_TYPE, FORM);
        *request.body_mut() = form.finish().into_bytes();
        Ok(request)
    }
}

/// Id and secret form-encoded first (RFC 6749, section 2.3.1).
fn basic(client_id: &str, secret: &SecretString) -> Result<HeaderValue, Unsendable> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret.expose()));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).map_err(|_| Unsendable)?;
    value.set_sensitive(true);
    Ok(value)
}
