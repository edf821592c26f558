//! Logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.4): by them any OpenID provider ends sessions here.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::{
    domain::{Issuer, Sid, Subject, Timestamp},
    oidc::{
        claims::{ClaimError, Claims},
        keys::KeySet,
        provider::NotReady,
        verify::{Refusal, Signed, Verified, Verifier, VerifyError},
    },
};

/// The member of `events` by which a token is a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How far `iat` may be from now, either way.
const NEAR: Duration = Duration::from_secs(2 * 60);

/// What a logout token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutToken {
    /// `iss`.
    pub issuer: Issuer,
    /// What is over.
    target: Target,
    /// `iat`; the identity server's clock.
    pub issued_at: Timestamp,
    /// `jti`.
    pub jti: String,
}

/// One of the two is there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Session(Sid, Option<Subject>),
    Subject(Subject),
}

/// What is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoutTarget<'t> {
    /// One session at the identity server, and what was opened by it here.
    Session(&'t Sid),
    /// All sessions of one user: the token names no session.
    Subject(&'t Subject),
}

/// Why a logout token is not followed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LogoutTokenError {
    /// `iat` is more than two minutes away.
    #[error("the logout token was not issued just now")]
    NotNow,
    /// `events` does not say that this is about a logout.
    #[error("the logout token has no back-channel logout event")]
    NoEvent,
    /// Discovery has not succeeded.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// Neither `sid` nor `sub`.
    #[error("the logout token names neither a session nor a user")]
    NoTarget,
    /// As with an ID token: the signature, the form, or one of the claims that both have.
    #[error("the logout token is refused: {0}")]
    NotVerified(#[from] VerifyError),
    /// It has a `nonce`, so that it could pass for an ID token.
    #[error("the logout token has a nonce")]
    Nonce,
}

impl LogoutToken {
    /// What is over: the session, where one is named, else the user's sessions.
    #[must_use]
    pub const fn target(&self) -> LogoutTarget<'_> {
        match &self.target {
            Target::Session(sid, _) => LogoutTarget::Session(sid),
            Target::Subject(subject) => LogoutTarget::Subject(subject),
        }
    }

    /// `sid`.
    #[must_use]
    pub const fn sid(&self) -> Option<&Sid> {
        match &self.target {
            Target::Session(sid, _) => Some(sid),
            Target::Subject(_) => None,
        }
    }

    /// `sub`.
    #[must_use]
    pub const fn subject(&self) -> Option<&Subject> {
        match &self.target {
            Target::Session(_, subject) => subject.as_ref(),
            Target::Subject(subject) => Some(subject),
        }
    }
}

impl LogoutTokenError {
    /// A word for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotNow => "not_now",
            Self::NoEvent => "no_event",
            Self::NotReady(_) => "not_ready",
            Self::NoTarget => "no_target",
            Self::NotVerified(_) => "not_verified",
            Self::Nonce => "nonce",
        }
    }
}

impl From<ClaimError> for LogoutTokenError {
    fn from(error: ClaimError) -> Self {
        Self::NotVerified(error.into())
    }
}

impl Refusal for LogoutTokenError {
    fn verify_error(&self) -> Option<&VerifyError> {
        match self {
            Self::NotVerified(error) => Some(error),
            _ => None,
        }
    }
}

impl Verifier {
    /// Verifies a logout token. OpenID Connect Back-Channel Logout 1.0, section 2.6 in brief:
    ///
    /// 1. decrypt, if encrypted
    /// 2. the signature is good, by a key of the issuer
    /// 3. `alg` is one that we expect of ID tokens, and not `none`
    /// 4. `iss`, `aud`, `iat` and `exp` as with an ID token
    /// 5. `sub` or `sid` or both are there
    /// 6. `events` is an object that has the member for logouts
    /// 7. `nonce` is not there
    /// 8. `jti` was not seen of late (optional)
    /// 9. to 11. `iss`, `sub` and `sid` are those of a session (optional)
    ///
    /// And section 2.4: `jti` is there, the event is an object; RFC 8725, section 3.11: the header's `typ` is absent, `JWT` or
    /// `logout+jwt`, and Keycloak's claim `typ`, when there, is `Logout`. Stricter in 4: `iat` is within two minutes of now.
    ///
    /// Omitted: 1, since we register no encryption; of 4 that `exp` has to be there (Keycloak before 23.0.4 sends none); 8, since what is
    /// done again by a replay was done by its `iat` already; 9 to 11, since a session that is gone is no fault.
    ///
    /// # Errors
    /// [`LogoutTokenError`], the first rule that fails.
    pub(super) fn logout_token(
        &self,
        raw: &str,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<Verified<LogoutToken>, LogoutTokenError> {
        let token = self.signed(raw, keys)?; // 2, 3
        check_type(&token)?; // type
        let claims = &token.claims;
        let issuer = self.check_issuer(claims.required_text("iss")?)?; // 4
        self.check_audience(claims)?; // 4
        self.check_expiry(claims.instant("exp")?, now)?; // 4
        let issued_at = claims.required_instant("iat")?; // 4
        if issued_at.since(now).max(now.since(issued_at)) > NEAR {
            return Err(LogoutTokenError::NotNow); // 4
        }
        if claims.holds("nonce") {
            return Err(LogoutTokenError::Nonce); // 7
        }
        check_event(claims)?; // 6
        Ok(Verified::vouch(LogoutToken {
            issuer,
            target: target(claims)?, // 5
            issued_at,
            jti: jti(claims)?, // jti
        }))
    }
}

fn check_type(token: &Signed) -> Result<(), LogoutTokenError> {
    let by_header = token.header.media_type.is_none()
        || ["jwt", "logout+jwt"].iter().any(|expected| token.header.is_media_type(expected));
    let by_claim = token.claims.text("typ")?.is_none_or(|typ| typ.eq_ignore_ascii_case("Logout"));
    if by_header && by_claim { Ok(()) } else { Err(VerifyError::WrongType.into()) }
}

/// Other members of `events` say nothing to us: Keycloak puts `revoke_offline_access` beside.
fn check_event(claims: &Claims) -> Result<(), LogoutTokenError> {
    let event = claims.value("events").and_then(|events| events.as_object()?.get(EVENT));
    event.is_some_and(Value::is_object).then_some(()).ok_or(LogoutTokenError::NoEvent)
}

fn target(claims: &Claims) -> Result<Target, LogoutTokenError> {
    match (claims.sid()?, claims.subject()?) {
        (Some(sid), subject) => Ok(Target::Session(sid, subject)),
        (None, Some(subject)) => Ok(Target::Subject(subject)),
        (None, None) => Err(LogoutTokenError::NoTarget),
    }
}

fn jti(claims: &Claims) -> Result<String, ClaimError> {
    match claims.required_text("jti")? {
        "" => Err(ClaimError::Malformed("jti")),
        jti => Ok(jti.to_owned()),
    }
}
