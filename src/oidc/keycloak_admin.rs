//! What a Keycloak realm knows of our client, read with an administrator's password through the admin REST API. Only to be told by
//! `doorward check`: nothing that serves depends on it.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderValue, Method, Request, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use thiserror::Error;
use url::{Url, form_urlencoded};

use super::{Provider, ProviderId};
use crate::{domain::SecretString, http_client::HttpError};

/// An administrator who may see the client (`view-clients`), and for the test of its nodes manage it (`manage-clients`).
#[derive(Clone, Debug)]
pub struct AdminCredentials {
    /// The administrator's own realm, mostly `master`.
    pub realm: String,
    /// The user name.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// The admin API as one administrator sees it. The access token lives for a minute by default, and is not renewed.
#[derive(Debug)]
pub struct KeycloakAdmin<'p> {
    provider: &'p Provider,
    /// `{auth-server-url}/admin/realms/{our realm}`.
    base: Url,
    token: SecretString,
}

/// What decides whether a logout at the realm reaches us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFacts {
    /// The realm's own id of the client.
    pub id: String,
    /// `frontchannelLogout`: while it is on, neither `k_logout` nor a logout token is sent.
    pub frontchannel_logout: bool,
    /// `backchannel.logout.url`: while it is there, sessions are ended by logout tokens instead of `k_logout`.
    pub backchannel_logout_url: Option<String>,
    /// `adminUrl`, as written: perhaps relative to the root URL, perhaps with `${application.session.host}`.
    pub admin_url: Option<String>,
    /// `rootUrl`.
    pub root_url: Option<String>,
    /// `redirectUris`, as written.
    pub redirect_uris: Vec<String>,
    /// `post.logout.redirect.uris`, as written; `+` stands for the redirect URIs.
    pub post_logout_redirect_uris: Vec<String>,
    /// The hosts of `registeredNodes`.
    pub registered_nodes: Vec<String>,
    /// `nodeReRegistrationTimeout`; `None` when nodes are never forgotten.
    pub node_re_registration_timeout: Option<Duration>,
    /// Whether it has no secret, so that it can register no nodes.
    pub public_client: bool,
    /// How long its access tokens live: its own setting, else the realm's.
    pub access_token_lifespan: Option<Duration>,
}

/// Which nodes answered when the realm tried them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct NodesTest {
    /// Addresses that answered.
    pub success_requests: Vec<String>,
    /// Addresses that did not.
    pub failed_requests: Vec<String>,
}

/// Why the admin API says nothing.
#[derive(Debug, Error)]
pub enum KeycloakAdminError {
    /// The address cannot be made, or the token cannot be sent.
    #[error("the request cannot be made")]
    Address,
    /// No answer.
    #[error("the admin API is unavailable: {0}")]
    Http(#[from] HttpError),
    /// The answer is not what the admin API says.
    #[error("the admin API's answer cannot be read")]
    Malformed,
    /// No such client.
    #[error("the realm has no client of this name, or the administrator may not see it")]
    NoClient,
    /// The provider is no Keycloak.
    #[error("the provider is not configured as a Keycloak realm")]
    NotKeycloak,
    /// The user or the password.
    #[error("the administrator's name or password is not accepted")]
    Credentials,
    /// No sign-in, for another reason: 404 when the administrator's realm is not there.
    #[error("the administrator is refused with status {0}")]
    SignIn(StatusCode),
    /// Some other status; 403 when the administrator may not do it.
    #[error("the admin API answered with status {0}")]
    Status(StatusCode),
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Representation {
    id: String,
    frontchannel_logout: bool,
    public_client: bool,
    admin_url: Option<String>,
    root_url: Option<String>,
    redirect_uris: Vec<String>,
    registered_nodes: BTreeMap<String, i64>,
    node_re_registration_timeout: i64,
    attributes: BTreeMap<String, Option<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Realm {
    access_token_lifespan: Option<u64>,
}

impl Provider {
    /// Signs an administrator in at the admin API of our realm's Keycloak, as the client `admin-cli` does.
    ///
    /// # Errors
    /// [`KeycloakAdminError`].
    pub async fn keycloak_admin(&self, who: &AdminCredentials) -> Result<KeycloakAdmin<'_>, KeycloakAdminError> {
        let ProviderId::Keycloak { auth_server_url, realm } = &self.config.provider else {
            return Err(KeycloakAdminError::NotKeycloak);
        };
        let url = below(auth_server_url, &["realms", &who.realm, "protocol", "openid-connect", "token"])?;
        let fields = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", &who.user),
            ("password", who.password.expose()),
        ];
        let mut request =
            Request::new(form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.as_str().parse().map_err(|_| KeycloakAdminError::Address)?;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        let answer = self.http.call(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(sign_in_refused(answer.status(), answer.body()));
        }
        let Token { access_token } = parsed(answer.body())?;
        let base = below(auth_server_url, &["admin", "realms", realm])?;
        Ok(KeycloakAdmin { provider: self, base, token: SecretString::new(access_token) })
    }
}

/// A wrong name or password is `invalid_grant`: with 401 by most releases, with 400 by Keycloak 26.7.
fn sign_in_refused(status: StatusCode, body: &[u8]) -> KeycloakAdminError {
    let names = |error: &str| parsed::<Refusal>(body).is_ok_and(|refusal| refusal.error == error);
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED if names("invalid_grant") => KeycloakAdminError::Credentials,
        status => KeycloakAdminError::SignIn(status),
    }
}

impl KeycloakAdmin<'_> {
    /// Reads what the realm knows of our client.
    ///
    /// # Errors
    /// [`KeycloakAdminError`].
    pub async fn client_facts(&self) -> Result<ClientFacts, KeycloakAdminError> {
        let mut url = below(&self.base, &["clients"])?;
        url.query_pairs_mut().append_pair("clientId", self.provider.config.client_id.as_str());
        let found: Vec<Representation> = self.get(&url).await?;
        let client = found.into_iter().next().ok_or(KeycloakAdminError::NoClient)?;
        let realm: Realm = self.get(&self.base).await?;
        Ok(client.facts(&realm))
    }

    /// Has the realm try each node's `k_test_available`, which takes it up to five seconds for one that is gone.
    ///
    /// # Errors
    /// [`KeycloakAdminError`]; that a node did not answer is none.
    pub async fn test_nodes(&self, client: &ClientFacts) -> Result<NodesTest, KeycloakAdminError> {
        self.get(&below(&self.base, &["clients", &client.id, "test-nodes-available"])?).await
    }

    async fn get<T: DeserializeOwned>(&self, url: &Url) -> Result<T, KeycloakAdminError> {
        let mut request = Request::new(Vec::new());
        *request.uri_mut() = url.as_str().parse().map_err(|_| KeycloakAdminError::Address)?;
        let bearer = HeaderValue::try_from(format!("Bearer {}", self.token.expose()));
        let mut bearer = bearer.map_err(|_| KeycloakAdminError::Address)?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        let answer = self.provider.http.call(request).await?;
        match answer.status() {
            StatusCode::OK => parsed(answer.body()),
            status => Err(KeycloakAdminError::Status(status)),
        }
    }
}

impl Representation {
    fn facts(self, realm: &Realm) -> ClientFacts {
        let attribute = |name: &str| filled(self.attributes.get(name).cloned().flatten());
        let own_lifespan = attribute("access.token.lifespan").and_then(|text| text.parse::<u64>().ok());
        let post_logout = attribute("post.logout.redirect.uris").unwrap_or_default();
        ClientFacts {
            frontchannel_logout: self.frontchannel_logout,
            backchannel_logout_url: attribute("backchannel.logout.url"),
            post_logout_redirect_uris: post_logout
                .split("##")
                .filter(|uri| !uri.is_empty())
                .map(str::to_owned)
                .collect(),
            // -1 stands for "the realm's".
            access_token_lifespan: own_lifespan.or(realm.access_token_lifespan).map(Duration::from_secs),
            id: self.id,
            admin_url: filled(self.admin_url),
            root_url: filled(self.root_url),
            redirect_uris: self.redirect_uris,
            registered_nodes: self.registered_nodes.into_keys().collect(),
            node_re_registration_timeout: u64::try_from(self.node_re_registration_timeout)
                .ok()
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            public_client: self.public_client,
        }
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

fn below(base: &Url, segments: &[&str]) -> Result<Url, KeycloakAdminError> {
    let mut url = base.clone();
    url.path_segments_mut().map_err(|()| KeycloakAdminError::Address)?.pop_if_empty().extend(segments);
    Ok(url)
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, KeycloakAdminError> {
    serde_json::from_slice(body).map_err(|_| KeycloakAdminError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_invalid_grant_is_about_the_administrators_name_or_password() {
        let grant = r#"{"error":"invalid_grant","error_description":"Invalid user credentials"}"#;
        for (status, body, is_theirs) in [
            (400, grant, true),
            (401, grant, true),
            (404, r#"{"error":"Realm does not exist"}"#, false),
            (401, r#"{"error":"invalid_client"}"#, false),
            (400, "<html>", false),
        ] {
            let error = sign_in_refused(StatusCode::from_u16(status).unwrap(), body.as_bytes());
            assert_eq!(matches!(error, KeycloakAdminError::Credentials), is_theirs, "{status}: {error}");
        }
    }
}
