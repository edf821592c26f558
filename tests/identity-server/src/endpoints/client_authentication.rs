//! Which client is asking (OpenID Connect Core 1.0, section 9; RFC 7523, section 3).

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{
    jws::{VerificationKey, claims, verify},
    message::{Answer, Received, decode_form},
    misbehave::Endpoint,
    options::{Client, ClientAuthentication},
    state::State,
};

/// The `client_assertion_type` of both JWT methods.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The client, by the one method that it is registered with; else the answer to give.
pub(super) fn authenticate(state: &mut State, received: &Received) -> Result<String, Answer> {
    let refused = |why: &str| Answer::error(401, "invalid_client", why);
    let shown = Shown::read(received).ok_or_else(|| refused("no client authentication"))?;
    let client = state.client(shown.client_id()).ok_or_else(|| refused("unknown client"))?.clone();
    let good = match (&client.authentication, &shown) {
        (ClientAuthentication::None, Shown::Id(_)) => true,
        (ClientAuthentication::SecretBasic(known), Shown::Basic(_, secret))
        | (ClientAuthentication::SecretPost(known), Shown::Post(_, secret)) => known == secret,
        (ClientAuthentication::SecretJwt(known), Shown::Assertion(_, assertion)) => {
            let claims = verify(assertion, VerificationKey::Secret(known));
            claims.is_some_and(|claims| accept(state, &client, &claims))
        }
        (ClientAuthentication::PrivateKeyJwt { algorithm, public_key }, Shown::Assertion(_, assertion)) => {
            let claims = verify(assertion, VerificationKey::Public(*algorithm, public_key));
            claims.is_some_and(|claims| accept(state, &client, &claims))
        }
        _ => false,
    };
    if good { Ok(client.id) } else { Err(refused("client authentication failed")) }
}

/// What the request shows; more than one method at a time is none (RFC 6749, section 2.3).
enum Shown {
    Id(String),
    Basic(String, String),
    Post(String, String),
    Assertion(String, String),
}

impl Shown {
    fn read(received: &Received) -> Option<Self> {
        let field = |name| received.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let basic = received.header("authorization").and_then(|value| value.strip_prefix("Basic ")).map(str::to_owned);
        let assertion =
            field("client_assertion").filter(|_| field("client_assertion_type").as_deref() == Some(JWT_BEARER));
        match (basic, field("client_secret"), assertion) {
            (Some(basic), None, None) => Self::basic(&basic),
            (None, Some(secret), None) => Some(Self::Post(field("client_id")?, secret)),
            (None, None, Some(assertion)) => {
                let subject = claims(&assertion)["sub"].as_str()?.to_owned();
                let named = field("client_id").is_none_or(|id| id == subject);
                named.then_some(Self::Assertion(subject, assertion))
            }
            (None, None, None) => field("client_id").map(Self::Id),
            _ => None,
        }
    }

    /// Both parts are form-encoded before they are joined (RFC 6749, section 2.3.1).
    fn basic(encoded: &str) -> Option<Self> {
        let decoded = STANDARD.decode(encoded).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        Some(Self::Basic(form_decode(&decoded[..colon]), form_decode(&decoded[colon + 1..])))
    }

    fn client_id(&self) -> &str {
        match self {
            Self::Id(id) | Self::Basic(id, _) | Self::Post(id, _) | Self::Assertion(id, _) => id,
        }
    }
}

fn form_decode(bytes: &[u8]) -> String {
    // `&` and `=` cannot stand in what was form-encoded; quoting them keeps a wrong encoding one (wrong) value.
    let text = String::from_utf8_lossy(bytes).replace('&', "%26").replace('=', "%3D");
    decode_form(format!("v={text}").as_bytes()).into_iter().next().map(|(_, value)| value).unwrap_or_default()
}

/// The claims of an assertion (RFC 7523, section 3): from and about the client, for us, in time, and once.
fn accept(state: &mut State, client: &Client, claims: &Value) -> bool {
    let audiences = [state.url(Endpoint::Token), state.issuer()];
    let ours = |value: &Value| value.as_str().is_some_and(|name| audiences.iter().any(|audience| audience == name));
    let audience = &claims["aud"];
    let for_us = ours(audience) || audience.as_array().is_some_and(|list| list.iter().any(ours));
    let in_time = claims["exp"].as_i64().is_some_and(|exp| exp > state.now());
    let about = claims["iss"] == client.id.as_str() && claims["sub"] == client.id.as_str();
    let Some(jti) = claims["jti"].as_str() else {
        return false;
    };
    for_us && in_time && about && state.assertions.insert(jti.to_owned(), ())
}
