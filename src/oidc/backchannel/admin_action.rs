//! Keycloak's admin actions (`org.keycloak.representations.adapters.action`): a compact JWS as the body of a `POST` to one of the `k_`
//! words, signed with the realm's own keys.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::{
    domain::{AdapterSessionId, Sid, Timestamp},
    oidc::{
        claims::{ClaimError, Claims},
        keys::KeySet,
        provider::NotReady,
        verify::{Refusal, Verified, Verifier, VerifyError},
    },
};

/// Longest admin action that is read, in bytes: about 2,500 sessions at once.
pub const MAX_ADMIN_MESSAGE: usize = 256 * 1024;
/// Most ids, of both kinds together, that one `LOGOUT` may name.
pub const MAX_LOGOUT_IDS: usize = 10_000;

/// How long after it was made an action expires (`ResourceAdminManager`: now + 30).
const LIFE: Duration = Duration::from_secs(30);
/// How far from `expiration - 30` the milliseconds in `id` may be and still be when the action was made.
const NEAR: Duration = Duration::from_secs(2 * 60);
/// How far ahead, beside the clock skew, `expiration` may lie. Wide, since a node whose clock is behind must not miss a logout, but an action
/// is not good for ever.
const FARTHEST: Duration = Duration::from_secs(5 * 60);

/// Claims of tokens that the same keys sign; an action has none of them.
const FOREIGN_CLAIMS: [&str; 5] = ["iss", "aud", "exp", "sub", "typ"];

/// Which word an action came for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminWord {
    /// `k_logout`.
    Logout,
    /// `k_push_not_before`.
    PushNotBefore,
    /// `k_test_available`.
    TestAvailability,
}

/// An admin action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminAction {
    /// Its `id`, for logs; whoever signed it chose it.
    pub id: Option<String>,
    /// When it was made, on the identity server's clock: the milliseconds that end its `id`, or where there are none, the 30 seconds before
    /// `expiration`.
    pub issued_at: Timestamp,
    /// What is to be done.
    pub order: AdminContent,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminContent {
    /// Sessions are over.
    Logout(LogoutTargets),
    /// What was issued before counts no more; whole seconds on the identity server's clock. 0 takes it back.
    PushNotBefore(Timestamp),
    /// Nothing: to be reached is all.
    TestAvailability,
}

/// Whose sessions are over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogoutTargets {
    /// Everybody's: the action names no ids at all.
    Everybody,
    /// Those that are named by either id. The two lists are not aligned. Both may be empty, which is nobody.
    Sessions {
        /// What we sent as `client_session_state`.
        adapter_session_ids: Vec<AdapterSessionId>,
        /// Sessions at the identity server (`keycloakSessionIds`).
        sids: Vec<Sid>,
    },
}

/// Why an admin action is not followed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AdminActionError {
    /// `expiration` has passed.
    #[error("the admin action has expired")]
    Expired,
    /// `expiration` lies too far ahead.
    #[error("the admin action would live too long")]
    LivesTooLong,
    /// A member's form.
    #[error(transparent)]
    Malformed(#[from] ClaimError),
    /// No such actions exist at this provider.
    #[error("the provider is no Keycloak, which alone sends admin actions")]
    NotKeycloak,
    /// Discovery has not succeeded.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// The signature, or the form of the token.
    #[error("the admin action is not the realm's: {0}")]
    NotVerified(#[from] VerifyError),
    /// It bears a claim that only other tokens have.
    #[error("this is some other token: it has the claim `{0}`")]
    OtherToken(&'static str),
    /// More than [`MAX_LOGOUT_IDS`].
    #[error("the admin action names more than {MAX_LOGOUT_IDS} sessions")]
    TooMany,
    /// `action` does not belong to the word.
    #[error("the action is not `{}`", .0.action())]
    WrongAction(AdminWord),
    /// `resource` is not our client.
    #[error("the admin action is for another client")]
    WrongResource,
}

impl AdminWord {
    /// `action`, as Keycloak writes it.
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            Self::Logout => "LOGOUT",
            Self::PushNotBefore => "PUSH_NOT_BEFORE",
            Self::TestAvailability => "TEST_AVAILABILITY",
        }
    }
}

impl AdminActionError {
    /// A word for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::LivesTooLong => "lives_too_long",
            Self::Malformed(_) => "malformed",
            Self::NotKeycloak => "not_keycloak",
            Self::NotReady(_) => "not_ready",
            Self::NotVerified(_) => "not_verified",
            Self::OtherToken(_) => "other_token",
            Self::TooMany => "too_many",
            Self::WrongAction(_) => "wrong_action",
            Self::WrongResource => "wrong_resource",
        }
    }
}

impl Refusal for AdminActionError {
    fn verify_error(&self) -> Option<&VerifyError> {
        match self {
            Self::NotVerified(error) => Some(error),
            _ => None,
        }
    }
}

impl Verifier {
    /// Verifies an admin action. The rules of `PreAuthActionsHandler` in Keycloak's adapters, and two of our own (2 and 5):
    ///
    /// 1. the signature is good, by a key of the realm, with a public-key algorithm that we know
    /// 2. none of `iss`, `aud`, `exp`, `sub`, `typ` is there: with one of them it is an ID, access or logout token
    /// 3. `action` is that of the word it came for
    /// 4. the second `expiration` has not passed; no skew
    /// 5. `expiration` is not far ahead
    /// 6. `resource` is our client id
    /// 7. of a `LOGOUT`, the ids are arrays of texts, not too many
    ///
    /// Of 1: `sidecar.provider.algorithms` does not bind here. It says which algorithm our client's tokens are signed with, which can be
    /// set for the client; admin actions are signed with the realm's default one, and a logout that is refused for that reason would be a
    /// session that lives on. `HS*` is never taken: the client's secret is not the realm's key. Left out is the memory of `id`s.
    ///
    /// # Errors
    /// [`AdminActionError`], the first rule that fails.
    pub(super) fn admin_action(
        &self,
        raw: &str,
        word: AdminWord,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<Verified<AdminAction>, AdminActionError> {
        let claims = self.signed_by_realm(raw, MAX_ADMIN_MESSAGE, keys)?.claims; // 1
        if let Some(foreign) = FOREIGN_CLAIMS.into_iter().find(|name| claims.holds(name)) {
            return Err(AdminActionError::OtherToken(foreign)); // 2
        }
        if claims.text("action")? != Some(word.action()) {
            return Err(AdminActionError::WrongAction(word)); // 3
        }
        let expiration = claims.required_instant("expiration")?;
        self.check_expiration(expiration, now)?; // 4, 5
        if claims.text("resource")? != Some(self.client_id().as_str()) {
            return Err(AdminActionError::WrongResource); // 6
        }
        // That of a LOGOUT says no more than when it was made; but what is there must be an instant.
        claims.instant("notBefore")?;
        Ok(Verified::vouch(AdminAction {
            id: claims.text("id")?.map(str::to_owned),
            issued_at: issued_at(claims.text("id")?, expiration),
            order: content(word, &claims)?, // 7
        }))
    }

    fn check_expiration(&self, expiration: Timestamp, now: Timestamp) -> Result<(), AdminActionError> {
        // Both in whole seconds, as Keycloak compares them.
        if now.as_secs() > expiration.as_secs() {
            return Err(AdminActionError::Expired);
        }
        let farthest = now.plus(FARTHEST).plus(self.clock_skew());
        if expiration > farthest { Err(AdminActionError::LivesTooLong) } else { Ok(()) }
    }
}

/// When the action was made. Keycloak's `id` is `<random>-<milliseconds>`; what ends an `id` of another form is not near.
fn issued_at(id: Option<&str>, expiration: Timestamp) -> Timestamp {
    let about = expiration.minus(LIFE);
    let is_near = |at: &Timestamp| at.since(about).max(about.since(*at)) <= NEAR;
    let stated = id.and_then(|id| id.rsplit_once('-')).and_then(|(_, tail)| tail.parse().ok());
    stated.map(Timestamp::from_millis).filter(is_near).unwrap_or(about)
}

fn content(word: AdminWord, claims: &Claims) -> Result<AdminContent, AdminActionError> {
    Ok(match word {
        AdminWord::Logout => AdminContent::Logout(targets(claims)?),
        AdminWord::PushNotBefore => AdminContent::PushNotBefore(claims.required_instant("notBefore")?),
        AdminWord::TestAvailability => AdminContent::TestAvailability,
    })
}

/// Absent or `null` is everybody, an empty array is nobody.
fn targets(claims: &Claims) -> Result<LogoutTargets, AdminActionError> {
    let adapter_session_ids = ids(claims, "adapterSessionIds")?;
    let sids = ids(claims, "keycloakSessionIds")?;
    if adapter_session_ids.is_none() && sids.is_none() {
        return Ok(LogoutTargets::Everybody);
    }
    let (adapter_session_ids, sids) = (adapter_session_ids.unwrap_or_default(), sids.unwrap_or_default());
    if adapter_session_ids.len() + sids.len() > MAX_LOGOUT_IDS {
        return Err(AdminActionError::TooMany);
    }
    Ok(LogoutTargets::Sessions {
        adapter_session_ids: adapter_session_ids.into_iter().map(AdapterSessionId::new).collect(),
        sids: sids.into_iter().map(Sid::new).collect(),
    })
}

fn ids<'c>(claims: &'c Claims, name: &'static str) -> Result<Option<Vec<&'c str>>, ClaimError> {
    match claims.value(name) {
        None => Ok(None),
        Some(Value::Array(many)) => {
            many.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(Some).ok_or(ClaimError::Malformed(name))
        }
        Some(_) => Err(ClaimError::Malformed(name)),
    }
}
