//! OpenID Connect Back-Channel Logout 1.0: 200 when the sessions are gone, also when they were gone before, 400 for everything that is wrong
//! (sections 2.5 and 2.8).

use http::StatusCode;
use tokio::time::timeout;

use super::back_channel::{BackChannel, Heard, MAX_LOGOUT_FORM, Noted, VERIFY_WITHIN, Word, read};
use crate::{
    endings::By,
    forms::Params,
    message::{Body, Response},
    oidc::{LogoutTarget, LogoutToken},
    revocation::Target,
};

const WORD: Word = Word::BackChannelLogout;

impl BackChannel {
    pub(super) async fn backchannel_logout(&self, body: Body) -> Response {
        let heard = self.hear_logout_token(body).await;
        self.told(WORD, &heard)
    }

    async fn hear_logout_token(&self, body: Body) -> Heard {
        let Some(form) = read(body, MAX_LOGOUT_FORM).await else { return wrong("The form did not arrive.", "unread") };
        let params = std::str::from_utf8(&form).ok().and_then(|form| Params::parse(form).ok());
        let Some(params) = params else { return wrong("The form cannot be read in one way only.", "malformed") };
        let Some(raw) = params.get("logout_token") else { return wrong("logout_token is missing.", "empty") };
        match timeout(VERIFY_WITHIN, self.provider.get().logout_token(raw)).await {
            Err(_) => wrong("The logout token cannot be verified in time.", "late"),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a logout token is refused");
                wrong("The logout token is refused.", error.kind())
            }
            Ok(Ok(token)) => {
                self.log_out(token.get()).await;
                Heard::Yes
            }
        }
    }

    /// A replay is harmless: it can only hit sessions that are older than it (attack case 51).
    async fn log_out(&self, token: &LogoutToken) {
        let (target, sids) = match token.target() {
            LogoutTarget::Session(sid) => (Target::Sid(sid), 1),
            LogoutTarget::Subject(subject) => (Target::Subject(subject), 0),
        };
        let ended = self.endings.end(target, token.issued_at, By::BackChannel).await;
        tracing::info!(?ended, "the identity server logged somebody out");
        let noted = Noted { id: Some(&token.jti), sids, subject: token.subject(), ..Noted::default() };
        self.note(WORD, &Heard::Yes, &noted);
    }
}

fn wrong(sentence: &'static str, reason: &'static str) -> Heard {
    Heard::No(StatusCode::BAD_REQUEST, sentence, reason)
}
