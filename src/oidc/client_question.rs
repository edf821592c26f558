//! One harmless question that tells whether the provider takes us for our client: a refresh by a token that nobody was ever given. Only to be
//! asked by `doorward check`: nothing that serves depends on it.

use http::StatusCode;
use serde::Deserialize;
use thiserror::Error;

use super::{ClientAuth, Provider, authenticated_form::Unsendable};
use crate::http_client::HttpError;

/// What the provider thinks of the client's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientStanding {
    /// It believed them before it refused the token.
    Accepted,
    /// It did not.
    Refused,
    /// Its answer does not say.
    Unknown,
    /// The client has none.
    Public,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum QuestionError {
    /// No answer.
    #[error("the token endpoint is unavailable: {0}")]
    Http(#[from] HttpError),
    /// The provider has not been reached, or the request cannot be made.
    #[error("the token endpoint cannot be asked")]
    Unaskable,
}

/// A refresh token of nobody.
const NOBODYS: &str = "doorward-check";

#[derive(Deserialize)]
struct Answer {
    error: String,
}

impl Provider {
    /// Asks the token endpoint once. Nothing changes there but a log: the client is proved first (RFC 6749, section 3.2.1), then the token
    /// is refused.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn client_standing(&self) -> Result<ClientStanding, QuestionError> {
        if matches!(self.config.client_auth, ClientAuth::None) {
            return Ok(ClientStanding::Public);
        }
        let snapshot = self.snapshot().await.map_err(|_| QuestionError::Unaskable)?;
        let fields = [("grant_type", "refresh_token"), ("refresh_token", NOBODYS)];
        let request = self.authenticated_form(&snapshot, &snapshot.metadata.token_endpoint, &fields);
        let answer = self.http.call(request.map_err(|Unsendable| QuestionError::Unaskable)?).await?;
        Ok(standing(answer.status(), answer.body(), self.is_keycloak()))
    }
}

/// By the words of RFC 6749, section 5.2. `unauthorized_client` means there that the client may not refresh; Keycloak means that its secret is
/// wrong, and 401 always is about the credentials.
fn standing(status: StatusCode, body: &[u8], is_keycloak: bool) -> ClientStanding {
    let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
        return ClientStanding::Unknown;
    };
    match answer.error.as_str() {
        "invalid_client" => ClientStanding::Refused,
        "unauthorized_client" if is_keycloak || status == StatusCode::UNAUTHORIZED => ClientStanding::Refused,
        "invalid_grant" => ClientStanding::Accepted,
        _ => ClientStanding::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_about_the_client_are_a_refusal_of_it() {
        let by = |status: u16, error: &str, is_keycloak| {
            let body = serde_json::json!({ "error": error }).to_string();
            standing(StatusCode::from_u16(status).unwrap(), body.as_bytes(), is_keycloak)
        };
        for (status, error, keycloak, plain) in [
            (401, "invalid_client", ClientStanding::Refused, ClientStanding::Refused),
            (400, "invalid_client", ClientStanding::Refused, ClientStanding::Refused),
            (401, "unauthorized_client", ClientStanding::Refused, ClientStanding::Refused),
            (400, "unauthorized_client", ClientStanding::Refused, ClientStanding::Unknown),
            (400, "invalid_grant", ClientStanding::Accepted, ClientStanding::Accepted),
            (400, "unsupported_grant_type", ClientStanding::Unknown, ClientStanding::Unknown),
            (503, "temporarily_unavailable", ClientStanding::Unknown, ClientStanding::Unknown),
        ] {
            assert_eq!((by(status, error, true), by(status, error, false)), (keycloak, plain), "{status} {error}");
        }
        assert_eq!(standing(StatusCode::UNAUTHORIZED, b"<html>", true), ClientStanding::Unknown);
    }
}
