//! Bearer tokens (RFC 6750) that clients present here: verified locally by the one verifier, and held against the audience rule. What
//! passed is a [`Bearer`], which nothing else can make.

use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    AccessTokenClaims, Provider, ProviderId, VerifyError, jose::Jws, principal::Sources, provider::NotReady,
    strict_json, verify::Verified,
};
use crate::domain::{ClientId, Issuer, Principal, SecretString, Sid, Timestamp};

/// For whom a bearer token must be (`verify-token-audience`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerAudience {
    /// Any token of the issuer will do, whichever client it was made for (Keycloak's default: `false`).
    Anybody,
    /// `aud` holds our client id (`true`; RFC 9068, section 4).
    Named,
    /// `aud` holds our client id, or the token was issued to us: `azp`, or RFC 9068's `client_id`, is ours. Keycloak does not name a client
    /// in the `aud` of its own tokens.
    NamedOrIssuedTo,
}

/// A bearer token that was verified, and whom it stands for. Whether it has been revoked since is not known of it.
#[derive(Debug)]
pub struct Bearer {
    token: SecretString,
    principal: Principal,
    issuer: Issuer,
    sid: Option<Sid>,
    issued_at: Timestamp,
    ends: Timestamp,
    allowed_origins: Vec<String>,
}

/// Why a bearer token is not believed. Says nothing that the token says.
#[derive(Debug, Error)]
pub enum BearerError {
    /// Bound to a key (RFC 7800), by which it was to be presented otherwise (RFC 9449, section 7.2; RFC 8705, section 3).
    #[error("the token is bound to a key, and may not be presented as a bearer token")]
    Bound,
    /// It was made for somebody else.
    #[error("the token is for another client")]
    ForAnother,
    /// Nobody but the provider can read it.
    #[error("the token is opaque: only signed tokens (JWT) can be verified here")]
    Opaque,
    /// Discovery has not succeeded.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// A rule for access tokens fails.
    #[error(transparent)]
    Untrusted(#[from] VerifyError),
    /// No `sub`: without it no revocation could ever hit the token.
    #[error("the claim `sub` is missing")]
    WithoutSubject,
}

impl Bearer {
    /// The token itself.
    #[must_use]
    pub fn token(&self) -> &SecretString {
        &self.token
    }

    /// The user, or the service account of a client.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// `iss`.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// `sid`: the session at the identity server, when the token belongs to one.
    #[must_use]
    pub fn sid(&self) -> Option<&Sid> {
        self.sid.as_ref()
    }

    /// `iat`; the identity server's clock.
    #[must_use]
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// From when on it counts no more, on this node's clock: `exp`, and by how much clocks may differ.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        self.ends
    }

    /// `allowed-origins`: Keycloak's list of the origins from which scripts may use the token.
    #[must_use]
    pub fn allowed_origins(&self) -> &[String] {
        &self.allowed_origins
    }
}

impl Provider {
    /// Verifies an access token that a client presented. `wanted` are further claims that headers ask for.
    ///
    /// # Errors
    /// [`BearerError`], the first reason.
    pub async fn bearer(&self, token: SecretString, wanted: &[String]) -> Result<Bearer, BearerError> {
        let claims = self.verified(&token).await?;
        check_audience(claims.get(), &self.config.client_id, self.config.bearer_audience)?;
        self.of_verified(token, &claims, wanted)
    }

    /// Verifies an access token that we were given ourselves, so that it is for us whatever it names.
    pub(super) async fn own_bearer(&self, token: SecretString, wanted: &[String]) -> Result<Bearer, BearerError> {
        let claims = self.verified(&token).await?;
        self.of_verified(token, &claims, wanted)
    }

    /// The origins from which scripts may use a session: those of its access token. Only Keycloak's can be read, and was verified when it
    /// came, so that its signature is not asked again.
    #[must_use]
    pub fn allowed_origins(&self, access_token: &SecretString) -> Vec<String> {
        if !matches!(self.config.provider, ProviderId::Keycloak { .. }) {
            return Vec::new();
        }
        let claims = Jws::parse(access_token.expose()).ok().and_then(|jws| strict_json::object(&jws.payload).ok());
        claims.map(|claims| origins(&claims)).unwrap_or_default()
    }

    async fn verified(&self, token: &SecretString) -> Result<Verified<AccessTokenClaims>, BearerError> {
        if !token.expose().contains('.') {
            return Err(BearerError::Opaque);
        }
        let snapshot = self.snapshot().await?;
        let now = self.clock.now();
        let verify = self.verify_with(&snapshot, |verifier, keys| verifier.access_token(token.expose(), keys, now));
        Ok(verify.await?)
    }

    fn of_verified(
        &self,
        token: SecretString,
        claims: &Verified<AccessTokenClaims>,
        wanted: &[String],
    ) -> Result<Bearer, BearerError> {
        let claims = claims.get();
        if claims.all.get("cnf").is_some_and(|bound| !bound.is_null()) {
            return Err(BearerError::Bound);
        }
        let subject = claims.subject.as_ref().ok_or(BearerError::WithoutSubject)?;
        let sources = Sources { userinfo: None, id_token: None, access_token: Some(&claims.all) };
        Ok(Bearer {
            token,
            principal: sources.principal(subject, wanted, self.role_mappings(), None),
            issuer: claims.issuer.clone(),
            sid: claims.sid.clone(),
            issued_at: claims.issued_at,
            ends: claims.expires_at.plus(self.config.clock_skew),
            allowed_origins: origins(&claims.all),
        })
    }
}

impl ProviderId {
    /// The `realm` of our challenges: Keycloak's realm by its name, as its adapters say it (`BearerTokenRequestAuthenticator`); another
    /// provider by its host.
    #[must_use]
    pub fn challenge_realm(&self) -> String {
        match self {
            Self::Keycloak { realm, .. } => realm.clone(),
            Self::Plain { issuer } => {
                let url = url::Url::parse(issuer.as_str()).ok();
                url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "doorward".to_owned())
            }
        }
    }
}

fn check_audience(claims: &AccessTokenClaims, own: &ClientId, rule: BearerAudience) -> Result<(), BearerError> {
    let text = |name: &str| claims.all.get(name).and_then(Value::as_str);
    let is_named = || claims.audiences.iter().any(|audience| audience == own.as_str());
    let was_issued_to_us = || text("azp").or_else(|| text("client_id")) == Some(own.as_str());
    let is_for_us = match rule {
        BearerAudience::Anybody => true,
        BearerAudience::Named => is_named(),
        BearerAudience::NamedOrIssuedTo => is_named() || was_issued_to_us(),
    };
    is_for_us.then_some(()).ok_or(BearerError::ForAnother)
}

fn origins(claims: &Map<String, Value>) -> Vec<String> {
    let listed = claims.get("allowed-origins").and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn passes(all: &Value, rule: BearerAudience) -> bool {
        let audiences = all["aud"].as_str().map(str::to_owned).into_iter().collect();
        let claims = AccessTokenClaims {
            issuer: Issuer::new("https://sso.test"),
            subject: None,
            sid: None,
            audiences,
            issued_at: Timestamp::from_secs(0),
            expires_at: Timestamp::from_secs(1),
            all: all.as_object().cloned().unwrap_or_default(),
        };
        check_audience(&claims, &ClientId::new("shop"), rule).is_ok()
    }

    #[test]
    fn a_token_is_for_whom_it_names_or_was_issued_to() {
        use BearerAudience::{Anybody, Named, NamedOrIssuedTo};
        for (claims, [named, issued]) in [
            (json!({ "aud": "shop", "azp": "other" }), [true, true]),
            (json!({ "aud": "account", "azp": "shop" }), [false, true]),
            (json!({ "client_id": "shop" }), [false, true]),
            (json!({ "azp": "other", "client_id": "shop" }), [false, false]),
            (json!({ "aud": "account", "azp": "other" }), [false, false]),
            (json!({ "azp": ["shop"] }), [false, false]),
            (json!({}), [false, false]),
        ] {
            let found = [passes(&claims, Named), passes(&claims, NamedOrIssuedTo), passes(&claims, Anybody)];
            assert_eq!(found, [named, issued, true], "{claims}");
        }
    }
}
