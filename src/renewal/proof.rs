//! Proofs: the identity server is asked whether a session lives, without its tokens being spent where that can be had. They fly as refreshes
//! do, so that nobody asks while somebody refreshes.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{Outcome, ProveBy, Renewals, Spending, Wish, known};
use crate::{
    audit,
    domain::{Session, Timestamp},
    endings::By,
    oidc::{Proof, ProofError},
    revocation::Doubt,
};

/// Longest wait for the identity server's answer: somebody waits for theirs.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

impl Renewals {
    /// Asks the identity server whether `session` lives, or waits for whoever does. Dropping the future stops only the waiting.
    pub async fn prove(self: &Arc<Self>, session: Arc<Session>, doubt: Doubt, spending: Spending) -> Outcome {
        let (mut outcome, _) = self.go(session.clone(), Wish::Proof(doubt, spending)).await;
        if matches!(outcome, Outcome::Lost) && spending == Spending::Allowed && session.tokens.refresh.is_some() {
            // Perhaps whoever was at it must not refresh.
            (outcome, _) = self.go(session.clone(), Wish::Renewal).await;
        }
        self.parts.metrics.proof(doubt.word(), outcome.word());
        audit::proved(doubt.word(), outcome.word(), &session, self.now());
        outcome
    }

    pub(super) async fn fly_for_proof(&self, session: Arc<Session>, doubt: Doubt, spending: Spending) -> Outcome {
        let Some(_leave) = self.ledger.budget.leave().await else { return Outcome::Busy };
        let session = self.newer(&session, self.now()).unwrap_or(session);
        let may_spend = spending == Spending::Allowed && session.tokens.refresh.is_some();
        // A token that may be spent already is not sent while there is another way to ask.
        let is_clean = || self.ledger.known.doubt(&session, self.now()) == known::Doubt::None;
        if self.parts.prove_by == ProveBy::Refresh && doubt != Doubt::Deaf && may_spend && is_clean() {
            match self.fly(session.clone()).await {
                // A refresh token that is refused says nothing of the session: its access token may.
                Outcome::Lost => {}
                outcome => return outcome,
            }
        }
        let answer = self.ask(&session).await;
        if let Err(ProofError::Unavailable(_)) = &answer {
            self.ledger.troubles.unanswered(&session.adapter_session_id);
        } else {
            self.ledger.troubles.answered();
        }
        match answer {
            Ok(proof) => self.proved(&session, proof.asked_at),
            Err(ProofError::Refused) if may_spend => self.fly_if_settled(session).await,
            // There the access token says nothing of the session; its refresh token does, if it may be sent.
            Err(ProofError::Nowhere) if may_spend && is_clean() => self.fly(session.clone()).await,
            Err(ProofError::Nowhere) if may_spend => Outcome::Unavailable,
            Err(ProofError::Refused | ProofError::Nowhere) => Outcome::Lost,
            Err(error @ ProofError::OtherSubject) => {
                let subject = &session.principal.subject;
                tracing::error!(%subject, %error, "a session is ended: its access token is another user's");
                self.end(&session, By::Untrusted).await
            }
            Err(error @ ProofError::Unavailable(_)) => {
                tracing::warn!(%error, "the identity server cannot be asked whether a session lives");
                Outcome::Unavailable
            }
        }
    }

    async fn ask(&self, session: &Session) -> Result<Proof, ProofError> {
        let asking = self.parts.provider.prove(&session.tokens.access, &session.principal.subject);
        // Nothing is spent by it, so it may be given up.
        let answer = timeout(ANSWER_WITHIN, asking).await;
        answer.unwrap_or_else(|_| Err(ProofError::Unavailable("it took too long".to_owned())))
    }

    /// Refreshes, where what is known of the refresh token allows it. The access token counts for nothing any more, whatever its `exp` says.
    async fn fly_if_settled(&self, session: Arc<Session>) -> Outcome {
        match self.ledger.known.doubt(&session, self.now()) {
            known::Doubt::Pausing => Outcome::Unavailable,
            known::Doubt::Twice => Outcome::Lost,
            known::Doubt::None | known::Doubt::Once => self.fly(session).await,
        }
    }

    fn proved(&self, session: &Session, asked_at: Timestamp) -> Outcome {
        let now = self.now();
        if self.is_ended(session) {
            return Outcome::Ended;
        }
        self.ledger.known.learn_proof(session, asked_at, now);
        let proved_by = self.parts.incarnation.clone();
        let proved = Arc::new(Session { proved_at: asked_at, proved_by, ..session.clone() });
        self.see(&proved, now);
        Outcome::Renewed(proved)
    }
}
