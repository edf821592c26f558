//! Puts this node on the list of its client's nodes at Keycloak, and takes it off again (keycloak-adapter: `Nodes`;
//! the server's `ClientsManagementService`). Discovery names no such address: it is below `auth-server-url`.

use http::{Response, StatusCode};
use serde::Deserialize;
use thiserror::Error;
use url::Url;

use super::{ClientAuth, Provider, ProviderId};
use crate::domain::NodeHost;

/// Why a node is not known to be registered, or to be registered no longer.
#[derive(Debug, Error)]
pub enum RegistrationError {
    /// The provider is no Keycloak.
    #[error("only Keycloak registers nodes")]
    NotKeycloak,
    /// The client is public, which Keycloak refuses.
    #[error("a public client cannot register nodes")]
    PublicClient,
    /// The provider refused (400, 401, 403). It will refuse again until the client or the realm is changed.
    #[error("refused with status {} and error `{name}`", status.as_u16())]
    Refused {
        /// The status.
        status: StatusCode,
        /// The answer's `error`, fit to be logged; empty when it has none.
        name: String,
    },
    /// The provider could not be reached, took too long, or is in trouble.
    #[error("the identity server is unavailable: {0}")]
    Unavailable(String),
}

impl RegistrationError {
    /// Whether asking again soon will not help.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Unavailable(_))
    }

    /// A word for metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotKeycloak => "not_keycloak",
            Self::PublicClient => "public_client",
            Self::Refused { .. } => "refused",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl ProviderId {
    /// An address below Keycloak's `clients-managements`; `None` where there is none.
    fn nodes_url(&self, action: &str) -> Option<Url> {
        let Self::Keycloak { auth_server_url, realm } = self else { return None };
        let mut url = auth_server_url.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend(["realms", realm, "clients-managements", action]);
        Some(url)
    }
}

impl Provider {
    /// Registers the node at `host`, or says that it is still there.
    ///
    /// # Errors
    /// When Keycloak did not confirm it; it may have happened all the same when the answer was lost.
    pub async fn register_node(&self, host: &NodeHost) -> Result<(), RegistrationError> {
        self.tell_of_node("register-node", host).await
    }

    /// Takes the node at `host` off the list. One that is not on it is no error.
    ///
    /// # Errors
    /// As [`register_node`](Self::register_node).
    pub async fn unregister_node(&self, host: &NodeHost) -> Result<(), RegistrationError> {
        self.tell_of_node("unregister-node", host).await
    }

    async fn tell_of_node(&self, action: &str, host: &NodeHost) -> Result<(), RegistrationError> {
        let url = self.config.provider.nodes_url(action).ok_or(RegistrationError::NotKeycloak)?;
        if matches!(self.config.client_auth, ClientAuth::None) {
            return Err(RegistrationError::PublicClient);
        }
        let snapshot = self.snapshot().await.map_err(|error| unavailable(&error))?;
        let form = [("client_cluster_host", host.as_str())];
        let request = self.authenticated_form(&snapshot, &url, &form).map_err(|error| unavailable(&error))?;
        judge(&self.http.call(request).await.map_err(|error| unavailable(&error))?)
    }
}

fn unavailable(error: &impl ToString) -> RegistrationError {
    RegistrationError::Unavailable(error.to_string())
}

fn judge(answer: &Response<Vec<u8>>) -> Result<(), RegistrationError> {
    match answer.status() {
        StatusCode::NO_CONTENT => Ok(()),
        status @ (StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            Err(RegistrationError::Refused { status, name: error_name(answer.body()) })
        }
        status => Err(RegistrationError::Unavailable(format!("it answered with status {}", status.as_u16()))),
    }
}

/// An OAuth error (RFC 6749, section 5.2), as far as it is needed.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

fn error_name(body: &[u8]) -> String {
    let refusal: Option<Refusal> = serde_json::from_slice(body).ok();
    let name = refusal.map(|refusal| refusal.error).unwrap_or_default();
    name.chars().filter(char::is_ascii_graphic).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_below_the_configured_one_with_the_realm_encoded() {
        let auth_server_url = Url::parse("https://sso.example.com/auth/").unwrap();
        let provider = ProviderId::Keycloak { auth_server_url, realm: "my shop?".to_owned() };
        let url = provider.nodes_url("register-node").unwrap();
        let expected = "https://sso.example.com/auth/realms/my%20shop%3F/clients-managements/register-node";
        assert_eq!(url.as_str(), expected);
    }

    #[test]
    fn only_204_is_a_success_and_what_will_not_change_by_itself_is_a_refusal() {
        let answered = |status: u16, body: &str| {
            let mut answer = Response::new(body.as_bytes().to_vec());
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            judge(&answer)
        };
        assert!(answered(204, "").is_ok());
        for status in [400, 401, 403] {
            assert!(answered(status, "<html>").is_err_and(|error| error.is_refusal()), "{status}");
        }
        for status in [200, 302, 404, 429, 500, 503] {
            assert!(answered(status, "").is_err_and(|error| !error.is_refusal()), "{status}");
        }
        let refused = answered(401, r#"{"error":"invalid\nclient","error_description":"x"}"#).unwrap_err();
        assert_eq!(refused.to_string(), "refused with status 401 and error `invalidclient`");
    }
}
