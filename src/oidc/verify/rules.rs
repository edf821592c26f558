//! The single rules of which `verify` composes its methods. None of them vouches for anything.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{digest, hmac};
use subtle::ConstantTimeEq;

use super::{Signed, Verifier, VerifyError};
use crate::{
    domain::{Issuer, SecretString, Timestamp},
    oidc::{
        Algorithm,
        claims::{ClaimError, Claims, IdTokenClaims},
        jose::Jws,
        keys::KeySet,
    },
};

impl Verifier {
    pub(super) fn check_signature(&self, jws: &Jws<'_>, keys: &KeySet) -> Result<(), VerifyError> {
        let algorithm = jws.header.algorithm;
        if let Some(hmac_algorithm) = hmac_algorithm(algorithm) {
            let secret = self.client_secret.as_ref().ok_or(VerifyError::NoSecret(algorithm))?;
            let key = hmac::Key::new(hmac_algorithm, secret.expose().as_bytes());
            return hmac::verify(&key, jws.signing_input, &jws.signature)
                .map_err(|_| VerifyError::Signature(algorithm));
        }
        let mut candidates = keys.candidates(algorithm, jws.header.key_id.as_deref()).peekable();
        if candidates.peek().is_none() {
            return Err(VerifyError::NoKey(algorithm));
        }
        let signs = candidates.any(|key| key.verify(algorithm, jws.signing_input, &jws.signature).is_ok());
        signs.then_some(()).ok_or(VerifyError::Signature(algorithm))
    }

    /// The rules that every ID token obeys, whatever brought it.
    pub(super) fn id_token_claims(
        &self,
        token: &Signed,
        access_token: Option<&SecretString>,
        now: Timestamp,
    ) -> Result<IdTokenClaims, VerifyError> {
        let claims = &token.claims;
        refuse_other_types(token)?;
        let issuer = self.check_issuer(claims.required_text("iss")?)?;
        self.check_audience(claims)?;
        let (issued_at, expires_at) = self.check_times(claims, now)?;
        if let (Some(hash), Some(access_token)) = (claims.text("at_hash")?, access_token) {
            same_text(hash, &left_half_hash(token.header.algorithm, access_token), "at_hash")?;
        }
        Ok(IdTokenClaims {
            issuer,
            subject: claims.required_subject()?,
            sid: claims.sid()?,
            issued_at,
            expires_at,
            auth_time: claims.instant("auth_time")?,
            all: claims.clone().into_all(),
        })
    }

    pub(in crate::oidc) fn check_issuer(&self, stated: &str) -> Result<Issuer, VerifyError> {
        require(stated == self.issuer.as_str(), "iss")?;
        Ok(self.issuer.clone())
    }

    pub(in crate::oidc) fn check_audience(&self, claims: &Claims) -> Result<(), VerifyError> {
        let own = self.client_id.as_str();
        let audiences = claims.audiences()?;
        if audiences.is_empty() {
            return Err(ClaimError::Missing("aud").into());
        }
        require(audiences.contains(&own), "aud")?;
        let mut others = audiences.into_iter().filter(|audience| *audience != own).peekable();
        match claims.text("azp")? {
            Some(party) => require(party == own, "azp")?,
            None if others.peek().is_some() => return Err(ClaimError::Missing("azp").into()),
            None => {}
        }
        if others.all(|other| self.trusted_audiences.contains(other)) {
            Ok(())
        } else {
            Err(VerifyError::UntrustedAudience)
        }
    }

    /// Returns `iat` and `exp`.
    pub(super) fn check_times(&self, claims: &Claims, now: Timestamp) -> Result<(Timestamp, Timestamp), VerifyError> {
        let expires_at = claims.required_instant("exp")?;
        let issued_at = claims.required_instant("iat")?;
        self.check_expiry(Some(expires_at), now)?;
        self.check_not_ahead("iat", Some(issued_at), now)?;
        self.check_not_ahead("nbf", claims.instant("nbf")?, now)?;
        Ok((issued_at, expires_at))
    }

    pub(in crate::oidc) fn check_expiry(
        &self,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        match expires_at {
            Some(at) if now >= at.plus(self.clock_skew) => Err(VerifyError::Expired),
            _ => Ok(()),
        }
    }

    pub(super) fn check_not_ahead(
        &self,
        claim: &'static str,
        at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        match at {
            Some(at) if at > now.plus(self.clock_skew) => Err(VerifyError::InFuture(claim)),
            _ => Ok(()),
        }
    }

    pub(super) fn check_sign_in(
        &self,
        at: Option<Timestamp>,
        max_age: Option<u64>,
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        let Some(max_age) = max_age else {
            return Ok(());
        };
        let at = at.ok_or(ClaimError::Missing("auth_time"))?;
        self.check_not_ahead("auth_time", Some(at), now)?;
        let limit = Duration::from_secs(max_age).saturating_add(self.clock_skew);
        if now.since(at) > limit {
            return Err(VerifyError::SignInTooOld);
        }
        Ok(())
    }
}

pub(super) fn check_acr(claims: &Claims, demanded: &[String]) -> Result<(), VerifyError> {
    if demanded.is_empty() {
        return Ok(());
    }
    let acr = claims.required_text("acr")?;
    require(demanded.iter().any(|demanded| demanded == acr), "acr")
}

pub(super) fn require(holds: bool, claim: &'static str) -> Result<(), VerifyError> {
    holds.then_some(()).ok_or(VerifyError::Mismatch(claim))
}

/// Compares in constant time.
pub(super) fn same_text(stated: &str, expected: &str, claim: &'static str) -> Result<(), VerifyError> {
    require(stated.as_bytes().ct_eq(expected.as_bytes()).into(), claim)
}

/// Refuses a token that says itself that it is no ID token: by the header's `typ` (RFC 9068; Back-Channel Logout 1.0), or by
/// the claim `typ`, by which Keycloak tells its tokens apart.
fn refuse_other_types(token: &Signed) -> Result<(), VerifyError> {
    let by_header = ["at+jwt", "logout+jwt"].iter().any(|other| token.header.is_media_type(other));
    let others = ["Bearer", "DPoP", "Refresh", "Offline", "Logout"];
    let by_claim =
        token.claims.text("typ")?.is_some_and(|typ| others.iter().any(|other| other.eq_ignore_ascii_case(typ)));
    if by_header || by_claim {
        return Err(VerifyError::WrongType);
    }
    Ok(())
}

pub(super) fn check_access_token_type(token: &Signed) -> Result<(), VerifyError> {
    let is_access_token = match token.claims.text("typ")? {
        Some(typ) => typ.eq_ignore_ascii_case("Bearer"),
        None => token.header.is_media_type("at+jwt"),
    };
    is_access_token.then_some(()).ok_or(VerifyError::WrongType)
}

/// `at_hash`: base64url of the left half of the hash that the signature's algorithm uses, over the access token's ASCII text
/// (OpenID Connect Core 1.0, section 3.1.3.6). Ed25519 hashes with SHA-512.
fn left_half_hash(algorithm: Algorithm, access_token: &SecretString) -> String {
    let hash = digest::digest(hash_of(algorithm), access_token.expose().as_bytes());
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

fn hash_of(algorithm: Algorithm) -> &'static digest::Algorithm {
    use Algorithm as A;
    match algorithm {
        A::Es256 | A::Hs256 | A::Ps256 | A::Rs256 => &digest::SHA256,
        A::Es384 | A::Hs384 | A::Ps384 | A::Rs384 => &digest::SHA384,
        A::EdDsa | A::Hs512 | A::Ps512 | A::Rs512 => &digest::SHA512,
    }
}

fn hmac_algorithm(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}
