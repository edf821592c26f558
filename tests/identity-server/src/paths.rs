//! Where the endpoints are: plainly, or at Keycloak's places below a realm.

use crate::{misbehave::Endpoint, options::Options};

/// The endpoints' paths.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// What all of them start with; may be empty. The single-sign-on cookie's path, too.
    pub(crate) base: String,
    realm: bool,
}

impl Paths {
    pub(crate) fn of(options: &Options) -> Self {
        let base = match &options.realm {
            Some(realm) => format!("/realms/{}", realm.replace(' ', "%20")),
            None => options.path.trim_end_matches('/').to_owned(),
        };
        Self { base, realm: options.realm.is_some() }
    }

    /// The full path of an endpoint.
    pub(crate) fn of_endpoint(&self, endpoint: Endpoint) -> String {
        format!("{}{}", self.base, self.tail(endpoint))
    }

    /// Which endpoint has this path.
    pub(crate) fn find(&self, path: &str) -> Endpoint {
        let tail = path.strip_prefix(self.base.as_str()).unwrap_or_default();
        if self.realm && tail == "/clients-managements/unregister-node" {
            return Endpoint::NodeRegistration;
        }
        ENDPOINTS.into_iter().find(|endpoint| self.tail(*endpoint) == tail).unwrap_or(Endpoint::Unknown)
    }

    fn tail(&self, endpoint: Endpoint) -> &'static str {
        let (plain, keycloak) = match endpoint {
            Endpoint::Discovery => ("/.well-known/openid-configuration", "/.well-known/openid-configuration"),
            Endpoint::Jwks => ("/jwks", "/protocol/openid-connect/certs"),
            Endpoint::Authorization => ("/authorize", "/protocol/openid-connect/auth"),
            Endpoint::Login => ("/login", "/login-actions/authenticate"),
            Endpoint::Token => ("/token", "/protocol/openid-connect/token"),
            Endpoint::UserInfo => ("/userinfo", "/protocol/openid-connect/userinfo"),
            Endpoint::EndSession => ("/end_session", "/protocol/openid-connect/logout"),
            Endpoint::Revocation => ("/revoke", "/protocol/openid-connect/revoke"),
            Endpoint::NodeRegistration => ("/register-node", "/clients-managements/register-node"),
            Endpoint::Sessions => ("/sessions", "/account/sessions"),
            Endpoint::Unknown => ("/unknown", "/unknown"),
        };
        if self.realm { keycloak } else { plain }
    }
}

const ENDPOINTS: [Endpoint; 10] = [
    Endpoint::Discovery,
    Endpoint::Jwks,
    Endpoint::Authorization,
    Endpoint::Login,
    Endpoint::Token,
    Endpoint::UserInfo,
    Endpoint::EndSession,
    Endpoint::Revocation,
    Endpoint::NodeRegistration,
    Endpoint::Sessions,
];
