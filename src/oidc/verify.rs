//! The one verifier of every token: signature first, then the claims, rule by numbered rule. What passed is a [`Verified`],
//! which nothing else can make.

mod error;
mod rules;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use super::{
    Algorithm, Config,
    claims::{AccessTokenClaims, Claims, IdTokenClaims, UserInfoClaims},
    jose::{Header, Jws},
    keys::KeySet,
    strict_json,
};
use crate::domain::{ClientId, Issuer, SecretString, Subject, Timestamp};
pub(super) use error::Refusal;
pub use error::VerifyError;
use rules::{check_access_token_type, check_acr, require, same_text};

/// Claims that this module has verified. To hold one is the proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The only constructor: to call it is to vouch that every rule for `claims` has been checked. A search for `vouch` lists
    /// every place that does.
    pub(super) const fn vouch(claims: T) -> Self {
        Self(claims)
    }

    /// The claims.
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// The claims, without the proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Verifies the tokens of one issuer for one client.
#[derive(Clone, Debug)]
pub(super) struct Verifier {
    issuer: Issuer,
    client_id: ClientId,
    algorithms: BTreeSet<Algorithm>,
    clock_skew: Duration,
    trusted_audiences: BTreeSet<String>,
    client_secret: Option<SecretString>,
}

/// What an ID token is held against at login (OpenID Connect Core 1.0, section 3.1.3.7).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IdTokenChecks<'a> {
    /// The `nonce` that was sent. `None` only when none was sent, so never at our own login.
    pub nonce: Option<&'a str>,
    /// The access token that came with the ID token; `at_hash`, when present, must be its hash.
    pub access_token: Option<&'a SecretString>,
    /// The `max_age` that was sent, in seconds; `auth_time` is then required.
    pub max_age: Option<u64>,
    /// The `acr_values` that were demanded; when not empty, `acr` must be one of them.
    pub acr_values: &'a [String],
}

/// What an ID token from a refresh is held against: the login that it continues (OpenID Connect Core 1.0, section 12.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct RefreshChecks<'a> {
    /// `iss` of the login.
    pub issuer: &'a Issuer,
    /// `sub` of the login.
    pub subject: &'a Subject,
    /// `auth_time` of the login, if it is known.
    pub auth_time: Option<Timestamp>,
    /// The access token that came with the ID token.
    pub access_token: Option<&'a SecretString>,
}

/// A token whose signature is good and about whose claims nothing is known yet.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) header: Header,
    pub(super) claims: Claims,
}

impl Verifier {
    /// A verifier for tokens of `issuer`: the issuer as discovery named it, since a Keycloak realm's is not known before.
    #[must_use]
    pub(super) fn new(issuer: Issuer, config: &Config) -> Self {
        // An empty secret would let anybody sign.
        let secret = config.client_auth.secret().filter(|secret| !secret.expose().is_empty());
        Self {
            issuer,
            client_id: config.client_id.clone(),
            algorithms: config.algorithms.clone(),
            clock_skew: config.clock_skew,
            trusted_audiences: config.trusted_audiences.clone(),
            client_secret: secret.cloned(),
        }
    }

    /// Our client id.
    pub(super) const fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// How far the provider's clock and ours may be apart.
    pub(super) const fn clock_skew(&self) -> Duration {
        self.clock_skew
    }

    /// Verifies the ID token of a login. OpenID Connect Core 1.0, section 3.1.3.7 in brief:
    ///
    /// 1. decrypt, if encrypted
    /// 2. `iss` is exactly the discovered issuer
    /// 3. `aud` holds our client id, and no audience that we do not trust
    /// 4. several audiences: `azp` is there
    /// 5. `azp`, when there, is our client id
    /// 6. the signature is good, by a key of the issuer
    /// 7. `alg` is one that we expect
    /// 8. `HS*`: the key is the client secret
    /// 9. now is before `exp`
    /// 10. `iat` is not too far from now
    /// 11. `nonce` is the one that was sent
    /// 12. `acr`, when demanded, fits
    /// 13. `auth_time`, when `max_age` was sent, is recent
    ///
    /// And section 3.1.3.8: `at_hash`, when present, is the access token's; section 2: `sub` has 1 to 255 characters; RFC 7519,
    /// section 4.1.5: `nbf` has come; RFC 8725, section 3.11: no token of another type.
    ///
    /// Omitted: 1, since we register no encryption (an encrypted token is refused by name); of 6 the leave to trust TLS
    /// instead, since tokens also reach us by other ways; of 10 a greatest age, since `exp` and `nonce` bound replays.
    ///
    /// # Errors
    /// [`VerifyError`], the first rule that fails.
    pub(super) fn id_token(
        &self,
        raw: &str,
        checks: &IdTokenChecks<'_>,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<Verified<IdTokenClaims>, VerifyError> {
        let token = self.signed(raw, keys)?; // 6, 7, 8
        let claims = self.id_token_claims(&token, checks.access_token, now)?; // 2, 3, 4, 5, 9, 10, at_hash, sub, nbf, type
        if let Some(nonce) = checks.nonce {
            same_text(token.claims.required_text("nonce")?, nonce, "nonce")?; // 11
        }
        check_acr(&token.claims, checks.acr_values)?; // 12
        self.check_sign_in(claims.auth_time, checks.max_age, now)?; // 13
        Ok(Verified::vouch(claims))
    }

    /// Verifies the ID token that a refresh brought. OpenID Connect Core 1.0, section 12.2 in brief, beyond the rules of
    /// [`Self::id_token`] that need no request:
    ///
    /// 1. `iss` is that of the login
    /// 2. `sub` is that of the login
    /// 3. `iat` is the time of this token's issue
    /// 4. `aud` holds what that of the login held
    /// 5. `auth_time`, when there, is that of the login
    /// 6. `azp` as in the login
    ///
    /// Omitted: `nonce`, which should not be there, and which the session does not remember. 4 and 6 hold because both are
    /// compared with our client id, as at the login.
    ///
    /// # Errors
    /// [`VerifyError`], the first rule that fails.
    pub(super) fn refreshed_id_token(
        &self,
        raw: &str,
        login: &RefreshChecks<'_>,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<Verified<IdTokenClaims>, VerifyError> {
        let token = self.signed(raw, keys)?;
        let claims = self.id_token_claims(&token, login.access_token, now)?; // 3, 4, 6
        require(claims.issuer == *login.issuer, "iss")?; // 1
        require(claims.subject == *login.subject, "sub")?; // 2
        if let (Some(then), Some(stated)) = (login.auth_time, claims.auth_time) {
            require(then == stated, "auth_time")?; // 5
        }
        Ok(Verified::vouch(claims))
    }

    /// Verifies a JWT access token: Keycloak's (adapter-core's `AdapterTokenVerifier`) or one of RFC 9068, section 4.
    ///
    /// 1. the header's `typ` is `at+jwt`, or the claim `typ` is `Bearer` in any case; a claim `typ` is never anything else
    /// 2. `iss` is exactly the discovered issuer
    /// 3. the signature is good, and `alg` is one that we expect
    /// 4. now is before `exp`, after `nbf`; `iat` is not ahead
    ///
    /// Omitted: `aud`, which is the caller's matter (`verify-token-audience`; Keycloak's default tokens do not name their own
    /// client); `sub` need not be there (Keycloak 25 and later without the scope `basic`).
    ///
    /// # Errors
    /// [`VerifyError`], the first rule that fails.
    pub(super) fn access_token(
        &self,
        raw: &str,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<Verified<AccessTokenClaims>, VerifyError> {
        let token = self.signed(raw, keys)?; // 3
        check_access_token_type(&token)?; // 1
        let claims = token.claims;
        let issuer = self.check_issuer(claims.required_text("iss")?)?; // 2
        let (issued_at, expires_at) = self.check_times(&claims, now)?; // 4
        let verified = AccessTokenClaims {
            issuer,
            subject: claims.subject()?,
            sid: claims.sid()?,
            audiences: claims.audiences()?.into_iter().map(str::to_owned).collect(),
            issued_at,
            expires_at,
            all: claims.into_all(),
        };
        Ok(Verified::vouch(verified))
    }

    /// Verifies a signed UserInfo answer. OpenID Connect Core 1.0, section 5.3.2 in brief:
    ///
    /// 1. `sub` is there
    /// 2. `iss`, when there, is exactly the discovered issuer
    /// 3. `aud`, when there, holds our client id
    /// 4. the signature is good, and `alg` is one that we expect
    /// 5. `exp` and `nbf`, when there, are respected (RFC 7519, sections 4.1.4 and 4.1.5)
    ///
    /// Left to the caller, who knows the ID token: its `sub` is the same (section 5.3.4).
    ///
    /// # Errors
    /// [`VerifyError`], the first rule that fails.
    pub(super) fn userinfo_jwt(
        &self,
        raw: &str,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<Verified<UserInfoClaims>, VerifyError> {
        let token = self.signed(raw, keys)?; // 4
        let claims = token.claims;
        if let Some(issuer) = claims.text("iss")? {
            self.check_issuer(issuer)?; // 2
        }
        let audiences = claims.audiences()?;
        require(audiences.is_empty() || audiences.contains(&self.client_id.as_str()), "aud")?; // 3
        self.check_expiry(claims.instant("exp")?, now)?; // 5
        self.check_not_ahead("nbf", claims.instant("nbf")?, now)?; // 5
        let verified = UserInfoClaims {
            subject: claims.required_subject()?, // 1
            all: claims.into_all(),
        };
        Ok(Verified::vouch(verified))
    }

    /// Checks the signature, and that the algorithm is one that we expect; only then are the claims read.
    ///
    /// # Errors
    /// [`VerifyError`] about the form, the algorithm, the keys or the signature.
    pub(super) fn signed(&self, raw: &str, keys: &KeySet) -> Result<Signed, VerifyError> {
        self.signed_with(&Jws::parse(raw)?, keys, |algorithm| self.algorithms.contains(&algorithm))
    }

    /// The same for what the realm signs for its own sake: at most `max` bytes, with any algorithm that has a public key.
    ///
    /// # Errors
    /// As [`Self::signed`].
    pub(super) fn signed_by_realm(&self, raw: &str, max: usize, keys: &KeySet) -> Result<Signed, VerifyError> {
        self.signed_with(&Jws::parse_up_to(raw, max)?, keys, |algorithm| !algorithm.is_symmetric())
    }

    fn signed_with(
        &self,
        jws: &Jws<'_>,
        keys: &KeySet,
        allows: impl Fn(Algorithm) -> bool,
    ) -> Result<Signed, VerifyError> {
        if !allows(jws.header.algorithm) {
            return Err(VerifyError::AlgorithmNotAllowed(jws.header.algorithm));
        }
        self.check_signature(jws, keys)?;
        let claims = strict_json::object(&jws.payload).map_err(VerifyError::Payload)?;
        Ok(Signed { header: jws.header.clone(), claims: Claims::new(claims) })
    }
}
