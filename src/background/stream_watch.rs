//! What is open lives on what is heard. Where that is not enough, and where a front-channel logout may have meant it, the identity server is
//! asked; what it does not vouch for is closed. Nothing is refreshed for a stream whose browser would not learn the new tokens.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};

use crate::{
    current::Current,
    domain::{Clock, Session, Timestamp},
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
    pub renewals: Current<Renewals>,
    /// Whether tokens may be renewed for a stream: where sessions are kept here.
    pub spending: Spending,
    /// Told of the bound that is held.
    pub metrics: Arc<Metrics>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// What was asked and not yet answered; as many as there are streams.
#[derive(Default)]
struct Asked {
    about: HashSet<u64>,
    questions: FuturesUnordered<LocalBoxFuture<'static, (u64, Outcome)>>,
}

/// So that what must end has ended within a second.
const EVERY: Duration = Duration::from_millis(400);

impl StreamWatch {
    /// Runs until `shutdown` begins.
    pub async fn run(self, shutdown: Shutdown) {
        let mut asked = Asked::default();
        let mut looks = tokio::time::interval(EVERY);
        loop {
            // Cancel-safe: a tick that is not taken stays due, and an answer stays with its question.
            tokio::select! {
                () = shutdown.begun() => return,
                Some((id, outcome)) = asked.questions.next() => {
                    asked.about.remove(&id);
                    self.hear(id, outcome);
                }
                _ = looks.tick() => {
                    self.tell();
                    self.look(&mut asked);
                }
            }
        }
    }

    fn tell(&self) {
        let (now, horizon) = (self.clock.now(), self.endings.revocations.horizon());
        self.metrics.bound_held(Some(horizon.bound(now)));
        if horizon.is_deaf(now) { self.metrics.deaf() } else { self.metrics.hearing() }
    }

    /// Closes what is over, and asks about what is in doubt; nobody waits for the answers here, for one may be slow.
    fn look(&self, asked: &mut Asked) {
        let now = self.clock.now();
        let is_past = |owner: &Owner| matches!(owner, Owner::Session(session) if self.is_past(session, now));
        let verdict = |owner: &Owner| self.endings.revocations.judge_stream(owner, now);
        for Opened { id, owner } in
            self.endings.streams.list(|owner| is_past(owner) || verdict(owner) != Verdict::Clear)
        {
            match (&owner, verdict(&owner)) {
                _ if is_past(&owner) => self.close(id, "limit"),
                (Owner::Session(session), Verdict::Doubtful(doubt)) => self.ask(id, session, doubt, asked),
                (_, Verdict::Clear) => {}
                (_, Verdict::Ended | Verdict::Doubtful(_)) => self.close(id, "revoked"),
            }
        }
    }

    fn is_past(&self, session: &Session, now: Timestamp) -> bool {
        now >= session.opened_at.plus(self.endings.max)
    }

    fn ask(&self, id: u64, session: &Arc<Session>, doubt: Doubt, asked: &mut Asked) {
        if asked.about.insert(id) {
            let (renewals, session, spending) = (self.renewals.get(), session.clone(), self.spending);
            asked.questions.push(async move { (id, renewals.prove(session, doubt, spending).await) }.boxed_local());
        }
    }

    fn hear(&self, id: u64, outcome: Outcome) {
        match outcome {
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
