//! Everything said to the identity server, and everything believed of it. The only folder that knows `openidconnect`, and the only one
//! that verifies a signature.

pub mod algorithm;
mod authenticated_form;
mod backchannel;
mod bearer;
mod claims;
mod principal;
mod client_assertion;
mod client_question;
mod client_session;
mod code_flow;
mod end_session;
mod jose;
mod key_source;
mod keycloak_admin;
mod keys;
#[cfg(test)]
mod live_tests;
mod metadata;
mod password;
mod pinned_key;
mod proof;
mod provider;
mod refresh;
mod registration;
mod strict_json;
#[cfg(test)]
mod test_keys;
mod userinfo;
mod verify;
mod wire;

use std::{collections::BTreeSet, time::Duration};

use url::Url;

use crate::{
    domain::{ClientId, Issuer, SecretBytes, SecretString},
    http_client,
};
pub use algorithm::Algorithm;
pub use backchannel::{
    AdminAction, AdminActionError, AdminContent, AdminWord, LogoutTarget, LogoutTargets, LogoutToken, LogoutTokenError,
    MAX_ADMIN_MESSAGE, MAX_LOGOUT_IDS,
};
pub use bearer::{Bearer, BearerAudience, BearerError};
pub use claims::{AccessTokenClaims, IdTokenClaims};
pub use client_assertion::KeyError;
pub use client_question::{ClientStanding, QuestionError};
pub use client_session::ClientSession;
pub use code_flow::{AttemptSecrets, Authorization, Login, RedeemError, Redemption};
pub use end_session::RevokeError;
pub use keycloak_admin::{AdminCredentials, ClientFacts, KeycloakAdmin, KeycloakAdminError, NodesTest};
pub use metadata::{DiscoveryError, Metadata};
pub use password::{PasswordError, PasswordLogin};
pub use pinned_key::{PinnedKey, PinnedKeyError};
pub use principal::{RoleMappings, principal};
pub use proof::{Proof, ProofError};
pub use provider::{BuildError, NotReady, Provider};
pub use refresh::{RefreshError, Refreshed};
pub use registration::RegistrationError;
pub use userinfo::UserInfoError;
pub use verify::{Verified, VerifyError};

/// What this relying party knows of its provider before it has asked it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which provider, and in which dialect.
    pub provider: ProviderId,
    /// Our name at the provider.
    pub client_id: ClientId,
    /// The one key that tokens are believed by, if it is pinned; the provider's JWK Set is then never read (`realm-public-key`).
    pub pinned_key: Option<PinnedKey>,
    /// How we prove that we are that client.
    pub client_auth: ClientAuth,
    /// Which roles count, and by which names.
    pub role_mappings: RoleMappings,
    /// Scopes to ask for; `openid` is always among them and first.
    pub scopes: Vec<String>,
    /// The only signature algorithms believed. Never empty. `HS*` only with `client_secret`.
    pub algorithms: BTreeSet<Algorithm>,
    /// Accepted difference between the provider's clock and ours in `exp`, `nbf`, `iat`, `auth_time`.
    pub clock_skew: Duration,
    /// Audiences besides our client id that an ID token may name.
    pub trusted_audiences: BTreeSet<String>,
    /// For whom a presented bearer token must be.
    pub bearer_audience: BearerAudience,
    /// Ask the UserInfo endpoint at login.
    pub userinfo: bool,
    /// `max_age` to send, in seconds; `auth_time` is then required and checked.
    pub max_age: Option<u64>,
    /// `acr_values` to send. When not empty, the ID token's `acr` must be one of them.
    pub acr_values: Vec<String>,
    /// Further fixed parameters of the authorization request (`prompt`, `ui_locales`, `kc_idp_hint`, …).
    pub authorization_params: Vec<(String, String)>,
    /// Query parameters of `<prefix>/start` passed on to the provider (`login_hint`, `kc_idp_hint`, …).
    pub forwarded_params: BTreeSet<String>,
    /// Shortest time between two JWKS requests (`min-time-between-jwks-requests`).
    pub jwks_cooldown: Duration,
    /// How old keys may grow before they are read again (`public-key-cache-ttl`).
    pub jwks_ttl: Duration,
    /// Bounds on calls.
    pub http: http_client::Config,
}

/// Which provider, and in which dialect we speak to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderId {
    /// A Keycloak realm. The issuer to expect is the one that discovery names, since `auth-server-url` may be an internal
    /// address (keycloak-adapter: `KeycloakDeployment`).
    Keycloak {
        /// `auth-server-url`, without a trailing slash.
        auth_server_url: Url,
        /// The realm's name, not encoded.
        realm: String,
    },
    /// Any OpenID provider, by its issuer, which discovery must repeat byte for byte.
    Plain {
        /// `provider-url` as written.
        issuer: Issuer,
    },
}

/// Client authentication at the token endpoint (OpenID Connect Core 1.0, section 9).
#[derive(Clone, Debug)]
pub enum ClientAuth {
    /// A public client: PKCE alone.
    None,
    /// `client_secret_basic`: id and secret form-encoded, then Basic (RFC 6749, section 2.3.1).
    SecretBasic(SecretString),
    /// `client_secret_post`.
    SecretPost(SecretString),
    /// `client_secret_jwt`.
    SecretJwt {
        /// The HMAC key.
        secret: SecretString,
        /// `HS256`, `HS384` or `HS512`.
        algorithm: Algorithm,
    },
    /// `private_key_jwt`.
    PrivateKeyJwt {
        /// A PKCS#8 or PKCS#1 private key, DER (PEM already decoded). RSA, P-256, P-384 or Ed25519.
        key: PrivateKey,
        /// `kid` header; for Keycloak the base64url SHA-256 of the public key's DER when not given.
        key_id: Option<String>,
        /// How long an assertion is good.
        lifetime: Duration,
    },
}

impl ClientAuth {
    /// The shared secret, for the methods that have one. It is also the key of `HS*` signatures (OpenID Connect Core 1.0,
    /// section 10.1).
    #[must_use]
    pub fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::SecretBasic(secret) | Self::SecretPost(secret) | Self::SecretJwt { secret, .. } => Some(secret),
            Self::None | Self::PrivateKeyJwt { .. } => None,
        }
    }
}

/// A private key as read from a PEM file.
#[derive(Clone, Debug)]
pub struct PrivateKey {
    /// The DER bytes.
    pub der: SecretBytes,
    /// Which PEM label they stood under.
    pub form: PrivateKeyForm,
}

/// The form of a private key's DER bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateKeyForm {
    /// `RSA PRIVATE KEY`.
    Pkcs1,
    /// `PRIVATE KEY`.
    Pkcs8,
}
