//! What the identity server pushes to us: Keycloak's admin actions and OpenID Connect's logout tokens. Both are believed only after the one
//! verifier, and neither is ever taken for the other, nor for any other token that the same keys sign.

mod admin_action;
mod logout_token;
#[cfg(test)]
mod tests;

pub use admin_action::{
    AdminAction, AdminActionError, AdminContent, AdminWord, LogoutTargets, MAX_ADMIN_MESSAGE, MAX_LOGOUT_IDS,
};
pub use logout_token::{LogoutTarget, LogoutToken, LogoutTokenError};

use super::{Provider, ProviderId, key_source::Asker, metadata::DiscoveryError, verify::Verified};
use crate::domain::Issuer;

impl Provider {
    /// Verifies an admin action that came for `word`, with newer keys when it names one that is not known, once a second at the most. A verified action may come again within its life: nothing is remembered here, it is harmless by its cut.
    ///
    /// # Errors
    /// [`AdminActionError`]; nothing may be done then.
    pub async fn admin_action(&self, raw: &str, word: AdminWord) -> Result<Verified<AdminAction>, AdminActionError> {
        if !self.is_keycloak() {
            return Err(AdminActionError::NotKeycloak);
        }
        let snapshot = self.snapshot().await?;
        let now = self.clock.now();
        self.verify_for(Asker::Push, &snapshot, |verifier, keys| verifier.admin_action(raw, word, keys, now)).await
    }

    /// Verifies a logout token, with newer keys when it names one that is not known, once a second at the most.
    ///
    /// # Errors
    /// [`LogoutTokenError`]; nothing may be done then.
    pub async fn logout_token(&self, raw: &str) -> Result<Verified<LogoutToken>, LogoutTokenError> {
        let snapshot = self.snapshot().await?;
        let now = self.clock.now();
        self.verify_for(Asker::Push, &snapshot, |verifier, keys| verifier.logout_token(raw, keys, now)).await
    }

    /// Reads the provider's keys at once, whatever the cooldown says. Only for an authentic not-before push, after which Keycloak's adapters
    /// read them too (`KeycloakDeployment.updateNotBefore`): whoever can make us call this decides how often the provider is asked.
    ///
    /// # Errors
    /// When they cannot be had; the old ones stay.
    pub async fn reload_keys(&self) -> Result<(), DiscoveryError> {
        match self.metadata() {
            Some(metadata) => self.keys.read(&metadata.jwks_uri).await,
            // The first discovery reads them.
            None => Ok(()),
        }
    }

    /// The public half of the key that signs our client assertions, as a JWK Set (RFC 7517, section 5), under the `kid` that the assertions
    /// name; a set of none where nothing is signed with a private key.
    #[must_use]
    pub fn client_jwks(&self) -> serde_json::Value {
        let key = self.assertions.as_ref().and_then(super::client_assertion::AssertionSigner::public_jwk);
        serde_json::json!({ "keys": Vec::from_iter(key) })
    }

    /// Whether the provider is a Keycloak realm, spoken to in its dialect.
    #[must_use]
    pub fn is_keycloak(&self) -> bool {
        matches!(self.config.provider, ProviderId::Keycloak { .. })
    }

    /// The issuer, once discovery has named it.
    #[must_use]
    pub fn issuer(&self) -> Option<Issuer> {
        self.metadata().map(|metadata| metadata.issuer)
    }
}
