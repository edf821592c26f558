//! Keycloak's admin words. What they say is done first and answered then, with the statuses that the Java adapters answer with
//! (keycloak-adapter: `PreAuthActionsHandler`).

use http::StatusCode;
use tokio::time::timeout;

use super::back_channel::{BackChannel, Heard, Noted, VERIFY_WITHIN, Word};
use crate::{
    domain::Timestamp,
    endings::By,
    oidc::{AdminAction, AdminActionError, AdminContent, AdminWord, LogoutTargets},
    revocation::Target,
};

impl BackChannel {
    /// Hears one of Keycloak's words. A replay is harmless: it can only hit what is older than it.
    pub(super) async fn keycloak(&self, word: Word, message: &[u8]) -> Heard {
        let admin_word = match word {
            Word::Logout => AdminWord::Logout,
            Word::PushNotBefore => AdminWord::PushNotBefore,
            _ => AdminWord::TestAvailability,
        };
        let Ok(message) = std::str::from_utf8(message) else { return not_verified() };
        if message.trim().is_empty() {
            return Heard::No(StatusCode::FORBIDDEN, "no token", "empty");
        }
        match timeout(VERIFY_WITHIN, self.provider.get().admin_action(message.trim(), admin_word)).await {
            Err(_) => late(),
            Ok(Err(error)) => refused(&error),
            Ok(Ok(action)) => {
                self.act(word, action.get()).await;
                Heard::Yes
            }
        }
    }

    async fn act(&self, word: Word, action: &AdminAction) {
        let noted = match &action.order {
            AdminContent::Logout(LogoutTargets::Everybody) => {
                let ended = self.endings.end(Target::Everybody, action.issued_at, By::Keycloak).await;
                tracing::info!(?ended, "the identity server ended everybody's sessions");
                Noted { everybody: true, ..Noted::default() }
            }
            AdminContent::Logout(LogoutTargets::Sessions { adapter_session_ids, sids }) => {
                let ours = adapter_session_ids.iter().map(Target::Session);
                let targets: Vec<Target<'_>> = ours.chain(sids.iter().map(Target::Sid)).collect();
                self.endings.end_each(&targets, action.issued_at, By::Keycloak).await;
                tracing::info!(sessions = adapter_session_ids.len(), "the identity server ended sessions");
                Noted { sessions: adapter_session_ids.len(), sids: sids.len(), ..Noted::default() }
            }
            AdminContent::PushNotBefore(value) => self.push_not_before(*value, action.issued_at),
            AdminContent::TestAvailability => Noted::default(),
        };
        self.note(word, &Heard::Yes, &Noted { id: action.id.as_deref(), ..noted });
    }

    fn push_not_before(&self, value: Timestamp, ordered_at: Timestamp) -> Noted<'static> {
        // 0 takes it back.
        let value = (value > Timestamp::from_secs(0)).then_some(value);
        let ended = self.endings.set_not_before(value, ordered_at);
        // `None`: it came late, and a newer order stands.
        tracing::info!(not_before = ?value, ?ended, "the identity server set a not-before");
        // Who takes tokens back may have taken a key back (keycloak-adapter: `KeycloakDeployment.updateNotBefore`).
        let provider = self.provider.get();
        self.errands.run(async move {
            if let Err(error) = provider.reload_keys().await {
                tracing::warn!(%error, "the identity server's keys cannot be read anew");
            }
        });
        Noted { everybody: true, not_before: value, ..Noted::default() }
    }
}

fn not_verified() -> Heard {
    Heard::No(StatusCode::FORBIDDEN, "token failed verification", "not_verified")
}

/// The identity server did not tell its keys in time; to it, this node did not hear.
fn late() -> Heard {
    Heard::No(StatusCode::SERVICE_UNAVAILABLE, "cannot be verified in time", "late")
}

fn refused(error: &AdminActionError) -> Heard {
    tracing::debug!(%error, "an admin action is refused");
    match error {
        AdminActionError::NotReady(_) => late(),
        AdminActionError::WrongAction(_) => Heard::No(StatusCode::BAD_REQUEST, "Not validated", "wrong_action"),
        AdminActionError::Expired => Heard::No(StatusCode::BAD_REQUEST, "Expired token", "expired"),
        AdminActionError::WrongResource => {
            Heard::No(StatusCode::BAD_REQUEST, "Resource name does not match", "wrong_resource")
        }
        error => Heard::No(StatusCode::FORBIDDEN, "token failed verification", error.kind()),
    }
}
