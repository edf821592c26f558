//! Client assertions (RFC 7523, section 3): short-lived tokens by which we prove at the token endpoint that we are the client,
//! with a private key or the shared secret.

mod signing_key;
#[cfg(test)]
mod tests;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::ClientAuth;
use crate::domain::{ClientId, SecretString, Timestamp};
pub use signing_key::KeyError;
use signing_key::SigningKey;

/// Life of an assertion made with the shared secret, as in Keycloak's `JWTClientSecretCredentialsProvider`.
const SECRET_JWT_LIFETIME: Duration = Duration::from_secs(10);

/// Makes client assertions. The key is parsed once, at start.
#[derive(Debug)]
pub(super) struct AssertionSigner {
    key: SigningKey,
    key_id: Option<String>,
    lifetime: Duration,
}

/// The signature could not be made: the generator gave no random bytes, or the key is damaged.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the client assertion could not be signed")]
pub struct SigningFailed;

impl AssertionSigner {
    /// A signer for `auth`; `None` when that method needs no assertion. A private key without a given `kid` is named by the
    /// base64url SHA-256 of its DER `SubjectPublicKeyInfo`, as by Keycloak's adapters (`JWTClientCredentialsProvider`).
    ///
    /// # Errors
    /// [`KeyError`] when the key cannot be used.
    pub(super) fn new(auth: &ClientAuth) -> Result<Option<Self>, KeyError> {
        match auth {
            ClientAuth::None | ClientAuth::SecretBasic(_) | ClientAuth::SecretPost(_) => Ok(None),
            ClientAuth::SecretJwt { secret, algorithm } => Ok(Some(Self {
                key: SigningKey::shared(secret, *algorithm)?,
                key_id: None,
                lifetime: SECRET_JWT_LIFETIME,
            })),
            ClientAuth::PrivateKeyJwt { key, key_id, lifetime } => {
                let key = SigningKey::private(key)?;
                let key_id = key_id.clone().or_else(|| key.thumbprint());
                Ok(Some(Self { key, key_id, lifetime: *lifetime }))
            }
        }
    }

    /// One assertion for `audience`, the issuer or the token endpoint, good from `now` for the configured life. `jti` must be
    /// new each time (RFC 7523, section 3; OpenID Connect Core 1.0, section 9).
    ///
    /// # Errors
    /// [`SigningFailed`].
    pub(super) fn sign(
        &self,
        audience: &str,
        client_id: &ClientId,
        now: Timestamp,
        jti: &str,
    ) -> Result<SecretString, SigningFailed> {
        let claims = json!({
            "iss": client_id.as_str(),
            "sub": client_id.as_str(),
            "aud": audience,
            "jti": jti,
            "iat": now.as_secs(),
            "nbf": now.as_secs(),
            "exp": now.plus(self.lifetime).as_secs(),
        });
        let signing_input = format!("{}.{}", encode(self.header().to_string()), encode(claims.to_string()));
        let signature = self.key.sign(signing_input.as_bytes())?;
        Ok(SecretString::new(format!("{signing_input}.{}", encode(signature))))
    }

    /// The public half of the key as a JWK (RFC 7517, section 4) under the `kid` that the assertions name; `None` for a shared secret.
    pub(super) fn public_jwk(&self) -> Option<Value> {
        let mut jwk = self.key.public_members()?;
        jwk.insert("use".to_owned(), "sig".into());
        jwk.insert("alg".to_owned(), self.key.algorithm().name().into());
        if let Some(key_id) = &self.key_id {
            jwk.insert("kid".to_owned(), key_id.as_str().into());
        }
        Some(Value::Object(jwk))
    }

    fn header(&self) -> Value {
        let mut header = Map::new();
        header.insert("alg".to_owned(), self.key.algorithm().name().into());
        header.insert("typ".to_owned(), "JWT".into());
        if let Some(key_id) = &self.key_id {
            header.insert("kid".to_owned(), key_id.as_str().into());
        }
        Value::Object(header)
    }
}

fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}
