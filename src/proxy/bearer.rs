//! From a credential to a [`Current`]: the token verified, or found among those that were, and then judged like any session. What is
//! remembered is what a token says, never whether it still counts.

use std::{fmt, sync::Arc};

use super::{
    authenticate::{self, Credential},
    validity::{Current, Judge, TokenEnded},
};
use crate::{
    audit,
    domain::{Clock, SecretString},
    oidc::{Bearer, BearerError, PasswordError, Provider},
    remembered::Remembered,
    respond::{Challenge, Refusal},
    status::Metrics,
};

/// Bearer tokens that a worker has verified before.
pub type VerifiedTokens = Remembered<Bearer>;

/// Most tokens that a worker remembers; about 5 KB each with Keycloak's.
const REMEMBERED: usize = 2048;
/// Longest token remembered, in bytes; a longer one is verified each time.
const LONGEST_REMEMBERED: usize = 16 << 10;

/// What a worker begins with.
#[must_use]
pub fn none_verified() -> VerifiedTokens {
    VerifiedTokens::with_capacity(REMEMBERED)
}

/// What proves credentials.
pub struct Prover<'a> {
    /// What says no.
    pub config: &'a authenticate::Config,
    /// Whose tokens count.
    pub provider: &'a Provider,
    /// What was revoked.
    pub judge: &'a Judge,
    /// What this worker has verified before.
    pub verified: &'a VerifiedTokens,
    /// Claims that headers ask for, beyond the usual ones.
    pub wanted_claims: &'a [String],
    /// What is counted.
    pub metrics: &'a Metrics,
    /// Time.
    pub clock: &'a dyn Clock,
}

impl fmt::Debug for Prover<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prover")
    }
}

impl Prover<'_> {
    /// Finds out whom `credential` stands for.
    ///
    /// # Errors
    /// 401 with the reason when it is not believed or counts no more; 503 when the identity server is needed and cannot be asked.
    pub async fn prove(&self, credential: Credential) -> Result<Current, Refusal> {
        let proved = self.believed(credential).await;
        self.metrics.credential(match &proved {
            Ok(_) => "ok",
            Err(Refusal::NotReady) => "unavailable",
            Err(_) => "refused",
        });
        if let Err(Refusal::TokenNeeded(Challenge { error: Some((_, why)), .. })) = &proved {
            audit::credential_refused(why, self.clock.now());
        }
        proved
    }

    async fn believed(&self, credential: Credential) -> Result<Current, Refusal> {
        // Boxed: whoever asks the provider waits anyway, and the state would be moved along with every request.
        let bearer = match credential {
            Credential::Basic { username, password } => Arc::new(Box::pin(self.ask(&username, &password)).await?),
            Credential::Bearer(token) => self.verify(token).await?,
        };
        self.judge.judge_token(bearer, self.clock.now()).map_err(|ended| {
            self.config.refused(match ended {
                TokenEnded::Expired => "The token has expired.",
                TokenEnded::Revoked => "Stale token",
            })
        })
    }

    async fn verify(&self, token: SecretString) -> Result<Arc<Bearer>, Refusal> {
        if let Some(bearer) = self.verified.find(token.expose().as_bytes(), self.clock.now()) {
            return Ok(bearer);
        }
        let bearer = Box::pin(self.provider.bearer(token, self.wanted_claims)).await;
        let bearer = Arc::new(bearer.map_err(|error| self.untrusted(&error))?);
        let text = bearer.token().expose().as_bytes();
        if text.len() <= LONGEST_REMEMBERED {
            self.verified.keep(text, bearer.ends(), &bearer);
        }
        Ok(bearer)
    }

    async fn ask(&self, username: &str, password: &SecretString) -> Result<Bearer, Refusal> {
        let login = self.provider.password(username, password, self.wanted_claims).await;
        let login = login.map_err(|error| self.unproved(&error))?;
        if let Some(value) = login.not_before {
            let (subject, issued_at) = (&login.bearer.principal().subject, login.bearer.issued_at());
            // One that lies ahead may be taken back, which nobody says for one user: here it ends what is older than this token.
            self.judge.endings.raise_not_before(subject, value.min(issued_at), self.clock.now());
            if issued_at < value {
                return Err(self.config.refused("Stale token".to_owned()));
            }
        }
        Ok(login.bearer)
    }

    fn untrusted(&self, error: &BearerError) -> Refusal {
        tracing::debug!(%error, "a bearer token is refused");
        match error {
            BearerError::NotReady(_) => Refusal::NotReady,
            error => self.config.refused(error.to_string()),
        }
    }

    fn unproved(&self, error: &PasswordError) -> Refusal {
        match error {
            PasswordError::Unavailable(_) => {
                tracing::warn!(%error, "the identity server cannot be asked about a user and password");
                Refusal::NotReady
            }
            PasswordError::Refused(name) if name == "invalid_grant" => {
                tracing::debug!(%error, "a user and password are refused");
                self.config.refused_basic("The user or the password is wrong.")
            }
            // This client may not ask, or the answer is none: nothing that a user could mend.
            error => {
                tracing::warn!(%error, "a user and password brought no token");
                self.config.refused_basic("The identity server gave no token.")
            }
        }
    }
}
