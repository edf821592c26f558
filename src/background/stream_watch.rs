//! What is open lives on what is heard. Where that is not enough, and where a front-channel logout may have meant it, the identity server is
//! asked; what it does not vouch for is closed. Nothing is refreshed for a stream whose browser would not learn the new tokens.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;

use crate::{
    domain::{Clock, Session},
    endings::Endings,
    lifecycle::Shutdown,
    renewal::{Outcome, Renewals, Spending},
    revocation::{Doubt, Verdict},
    status::{Metrics, Opened, Owner},
};

/// The loop.
#[derive(Debug)]
pub struct StreamWatch {
    /// What is open, and what ends it.
    pub endings: Endings,
    /// Who asks.
    pub renewals: Arc<Renewals>,
    /// Whether tokens may be renewed for a stream: where sessions are kept here.
    pub spending: Spending,
    /// Told of the bound that is held.
    pub metrics: Arc<Metrics>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// So that what must end has ended within a second.
const EVERY: Duration = Duration::from_millis(400);

impl StreamWatch {
    /// Runs until `shutdown` begins.
    pub async fn run(self, shutdown: Shutdown) {
        loop {
            self.tell();
            self.look().await;
            // Cancel-safe: a timer loses nothing.
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = shutdown.begun() => return,
            }
        }
    }

    fn tell(&self) {
        let (now, horizon) = (self.clock.now(), self.endings.revocations.horizon());
        self.metrics.bound_held(Some(horizon.bound(now)));
        if horizon.is_deaf(now) { self.metrics.deaf() } else { self.metrics.hearing() }
    }

    async fn look(&self) {
        let now = self.clock.now();
        let is_over = |session: &Session| now >= session.opened_at.plus(self.endings.max);
        let past = |owner: &Owner| matches!(owner, Owner::Session(session) if is_over(session));
        let lives = |owner: &Owner| !past(owner) && self.endings.revocations.judge_stream(owner, now) == Verdict::Clear;
        let doubtful = self.endings.streams.list(|owner| !lives(owner));
        join_all(doubtful.into_iter().map(|stream| self.settle(stream, &past))).await;
    }

    async fn settle(&self, stream: Opened, past: &impl Fn(&Owner) -> bool) {
        let Opened { id, owner } = stream;
        let verdict = self.endings.revocations.judge_stream(&owner, self.clock.now());
        match (owner, verdict) {
            (owner, _) if past(&owner) => self.close(id, "limit"),
            (Owner::Session(session), Verdict::Doubtful(doubt)) => self.ask(id, session, doubt).await,
            (_, Verdict::Clear) => {}
            (_, Verdict::Ended | Verdict::Doubtful(_)) => self.close(id, "revoked"),
        }
    }

    async fn ask(&self, id: u64, session: Arc<Session>, doubt: Doubt) {
        match self.renewals.prove(session, doubt, self.spending).await {
            Outcome::Renewed(proved) => self.endings.streams.follow(id, proved),
            // There is another look soon.
            Outcome::Busy => {}
            Outcome::Ended | Outcome::Lost | Outcome::Unavailable => self.close(id, "unproved"),
        }
    }

    fn close(&self, id: u64, by: &'static str) {
        self.endings.streams.close(id);
        self.metrics.streams_closed(by, 1);
    }
}
