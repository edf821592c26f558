//! What an identity server is told at its start, all of which a test may change while it runs
//! ([`IdentityServer::configure`](crate::IdentityServer::configure)).

use std::{fmt, sync::Arc};

use ring::{
    rsa::PublicKeyComponents,
    signature::{KeyPair, RsaKeyPair},
};
use serde_json::{Value, json};

use crate::keys::Algorithm;

/// A clock: seconds since the Unix epoch.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How the server behaves when it behaves.
#[derive(Clone)]
pub struct Options {
    /// `Some`: everything is below `/realms/{realm}`, with Keycloak's paths, tokens and answers.
    pub realm: Option<String>,
    /// Without a realm: a path below which everything is, for example `/tenant`; empty for none.
    pub path: String,
    /// Whether the issuer ends with a slash.
    pub trailing_slash: bool,
    /// The issuer to claim, when it is not the address that the server listens on.
    pub issuer: Option<String>,
    /// Who may ask for sign-ins.
    pub clients: Vec<Client>,
    /// Who can sign in.
    pub users: Vec<User>,
    /// `Some(user name)`: the authorization endpoint signs this user in without a page. `None`: page mode.
    pub auto_login: Option<String>,
    /// What ID tokens and access tokens are signed with.
    pub algorithm: Algorithm,
    /// Refuse authorization requests without PKCE (RFC 7636, `S256`).
    pub require_pkce: bool,
    /// Give a new refresh token with each refresh. A spent one that comes back ends the session, as at Keycloak with
    /// "revoke refresh token".
    pub rotate_refresh: bool,
    /// What refresh tokens look like.
    pub refresh_format: RefreshFormat,
    /// What access tokens look like.
    pub access_format: AccessFormat,
    /// Life of an access token and of an ID token, seconds.
    pub access_lifetime: i64,
    /// Life of a refresh token, seconds.
    pub refresh_lifetime: i64,
    /// Life of a code, seconds.
    pub code_lifetime: i64,
    /// Not-before policy: tokens issued before it (seconds) are refused, and a realm's token responses carry it.
    pub not_before: i64,
    /// What stamps the tokens.
    pub now: Now,
}

impl Options {
    /// One confidential client and one user, who is signed in without a page.
    #[must_use]
    pub fn new(client: Client, user: User) -> Self {
        Self { auto_login: Some(user.username.clone()), clients: vec![client], users: vec![user], ..Self::default() }
    }

    /// The same below `/realms/{realm}`.
    #[must_use]
    pub fn realm(mut self, realm: &str) -> Self {
        self.realm = Some(realm.to_owned());
        self
    }

    /// The same with this clock.
    #[must_use]
    pub fn now(mut self, now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.now = Arc::new(now);
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            realm: None,
            path: String::new(),
            trailing_slash: false,
            issuer: None,
            clients: Vec::new(),
            users: Vec::new(),
            auto_login: None,
            algorithm: Algorithm::Rs256,
            require_pkce: true,
            rotate_refresh: false,
            refresh_format: RefreshFormat::Opaque,
            access_format: AccessFormat::Jwt,
            access_lifetime: 300,
            refresh_lifetime: 1800,
            code_lifetime: 60,
            not_before: 0,
            now: Arc::new(system_time),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("realm", &self.realm).field("path", &self.path).finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "the default of the clock that is a parameter")]
fn system_time() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.ok().and_then(|elapsed| i64::try_from(elapsed.as_secs()).ok()).unwrap_or_default()
}

/// What refresh tokens look like. Clients must not care; tests find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshFormat {
    /// A random string.
    Opaque,
    /// Keycloak's: a JWT signed with HS512 by a key that only the server has.
    Jwt,
}

/// What access tokens look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessFormat {
    /// Keycloak's JWT, `typ` `Bearer`.
    Jwt,
    /// A random string.
    Opaque,
}

/// A relying party that the server knows.
#[derive(Clone)]
pub struct Client {
    /// Its name.
    pub id: String,
    /// How it proves that it is that client.
    pub authentication: ClientAuthentication,
    /// Where codes may be sent; compared byte for byte.
    pub redirect_uris: Vec<String>,
    /// Where browsers may be sent after sign-out; compared byte for byte.
    pub post_logout_redirect_uris: Vec<String>,
    /// Where to post a logout token when a session ends by the server's own page
    /// (OpenID Connect Back-Channel Logout 1.0, section 2.5).
    pub backchannel_logout_uri: Option<String>,
    /// Keycloak's "Web origins": the origins from which scripts may use its tokens, which a realm writes into them.
    pub web_origins: Vec<String>,
}

impl Client {
    /// A client that authenticates with `client_secret_basic`.
    #[must_use]
    pub fn confidential(id: &str, secret: &str, redirect_uri: &str) -> Self {
        Self {
            id: id.to_owned(),
            authentication: ClientAuthentication::SecretBasic(secret.to_owned()),
            redirect_uris: vec![redirect_uri.to_owned()],
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            web_origins: Vec::new(),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("redirect_uris", &self.redirect_uris)
            .finish_non_exhaustive()
    }
}

/// Client authentication at the token endpoint (OpenID Connect Core 1.0, section 9). The one that is registered is the
/// one that is accepted.
#[derive(Clone)]
pub enum ClientAuthentication {
    /// `none`: a public client.
    None,
    /// `client_secret_basic`: both parts form-encoded (RFC 6749, section 2.3.1).
    SecretBasic(String),
    /// `client_secret_post`.
    SecretPost(String),
    /// `client_secret_jwt`, with `HS256`, `HS384` or `HS512`.
    SecretJwt(String),
    /// `private_key_jwt`.
    PrivateKeyJwt {
        /// The only algorithm accepted.
        algorithm: Algorithm,
        /// As `ring` wants it: RSA as a DER `RSAPublicKey`, EC as an uncompressed point, Ed25519 raw.
        public_key: Vec<u8>,
    },
}

impl ClientAuthentication {
    /// `private_key_jwt` by `RS256` with [`CLIENT_RSA_PKCS8`].
    #[must_use]
    pub fn client_rsa() -> Self {
        let public_key = RsaKeyPair::from_pkcs8(CLIENT_RSA_PKCS8)
            .map(|pair| pair.public_key().as_ref().to_vec())
            .unwrap_or_default();
        Self::PrivateKeyJwt { algorithm: Algorithm::Rs256, public_key }
    }

    pub(crate) fn secret(&self) -> Option<&str> {
        match self {
            Self::SecretBasic(secret) | Self::SecretPost(secret) | Self::SecretJwt(secret) => Some(secret),
            Self::None | Self::PrivateKeyJwt { .. } => None,
        }
    }
}

/// A relying party's RSA test key (PKCS#8, DER). Public knowledge; protects nothing.
pub const CLIENT_RSA_PKCS8: &[u8] = include_bytes!("../keys/TEST-ONLY-rsa-client.pkcs8.der");

/// The public half of [`CLIENT_RSA_PKCS8`]: modulus and exponent, big-endian.
#[must_use]
pub fn client_rsa_components() -> Option<(Vec<u8>, Vec<u8>)> {
    let pair = RsaKeyPair::from_pkcs8(CLIENT_RSA_PKCS8).ok()?;
    let public: PublicKeyComponents<Vec<u8>> = pair.public().into();
    Some((public.n, public.e))
}

/// Somebody who can sign in.
#[derive(Clone)]
pub struct User {
    /// `sub`.
    pub subject: String,
    /// `preferred_username`, and what the login page asks for.
    pub username: String,
    /// What the login page asks for besides.
    pub password: String,
    /// `name`.
    pub name: String,
    /// `email`.
    pub email: String,
    /// `groups`.
    pub groups: Vec<String>,
    /// `realm_access.roles`.
    pub realm_roles: Vec<String>,
    /// `resource_access`: client and role.
    pub client_roles: Vec<(String, String)>,
}

impl User {
    /// A user whose password is the user name, without groups or roles.
    #[must_use]
    pub fn named(username: &str) -> Self {
        Self {
            subject: format!("subject-of-{username}"),
            username: username.to_owned(),
            password: username.to_owned(),
            name: username.to_owned(),
            email: format!("{username}@example.com"),
            groups: Vec::new(),
            realm_roles: Vec::new(),
            client_roles: Vec::new(),
        }
    }

    /// The same with this realm role.
    #[must_use]
    pub fn role(mut self, role: &str) -> Self {
        self.realm_roles.push(role.to_owned());
        self
    }

    /// The same with this group.
    #[must_use]
    pub fn group(mut self, group: &str) -> Self {
        self.groups.push(group.to_owned());
        self
    }

    pub(crate) fn profile(&self) -> Value {
        json!({
            "sub": self.subject, "preferred_username": self.username, "name": self.name,
            "email": self.email, "email_verified": true, "groups": self.groups,
        })
    }

    pub(crate) fn roles(&self) -> Value {
        let mut clients = serde_json::Map::new();
        for (client, role) in &self.client_roles {
            let entry = clients.entry(client.clone()).or_insert_with(|| json!({ "roles": [] }));
            if let Some(roles) = entry.get_mut("roles").and_then(Value::as_array_mut) {
                roles.push(json!(role));
            }
        }
        json!({ "realm_access": { "roles": self.realm_roles }, "resource_access": clients })
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("username", &self.username).finish_non_exhaustive()
    }
}
