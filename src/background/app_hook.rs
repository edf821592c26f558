//! Tells the application of sessions that ended from outside (`app-logout-hook`): one request each, a few at a time, tried again when the
//! application does not answer, and given up in the end. Nobody waits for it but the end of the process, and that not for long.

use std::{cell::Cell, fmt, sync::Arc, time::Duration};

use futures_util::{StreamExt, future::LocalBoxFuture, stream};
use serde::Serialize;
use tokio::{sync::mpsc::Receiver, time::sleep};

use super::backoff::Backoff;
use crate::{
    domain::{AdapterSessionId, Random, Sid, Subject},
    endings::Notice,
    lifecycle::Shutdown,
    status::Metrics,
};

/// Sends one message to the application, and says why it was not taken. How is not for here: the request path knows the application.
pub type Tell = Box<dyn Fn(String) -> LocalBoxFuture<'static, Result<(), String>>>;

/// The loop.
#[derive(Debug)]
pub struct AppHook {
    /// What is to be told.
    pub notices: Receiver<Notice>,
    /// Who tells it.
    pub teller: Teller,
}

/// Tells the application what it must.
pub struct Teller {
    /// Tells it once.
    pub tell: Tell,
    /// Told of every outcome.
    pub metrics: Arc<Metrics>,
    /// So that not all nodes ask at once.
    pub random: Arc<dyn Random>,
}

/// Requests under way at the most: few, since users' requests are what the application is for.
const AT_ONCE: usize = 4;
/// How often one is tried.
const TRIES: u32 = 3;
const LEAST_DELAY: Duration = Duration::from_millis(500);
const MOST_DELAY: Duration = Duration::from_secs(4);
/// Longest time at the end for what still waits.
const LAST_WITHIN: Duration = Duration::from_secs(3);

/// What the application reads. What is not known is left out.
#[derive(Serialize)]
struct Message<'a> {
    reason: &'static str,
    everybody: bool,
    #[serde(rename = "sub", skip_serializing_if = "Option::is_none")]
    subject: Option<&'a Subject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a Sid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a AdapterSessionId>,
}

impl AppHook {
    /// Runs until `shutdown` begins, and then until what waits has been told, for 3 s at the longest.
    pub async fn run(self, shutdown: Shutdown) {
        let Self { mut notices, teller } = self;
        let under_way = Cell::new(0_usize);
        {
            let mut begun = std::pin::pin!(shutdown.begun());
            let mut is_open = true;
            let waiting = stream::poll_fn(|cx| {
                if is_open && begun.as_mut().poll(cx).is_ready() {
                    notices.close();
                    is_open = false;
                }
                notices.poll_recv(cx)
            });
            let all = waiting.for_each_concurrent(AT_ONCE, |notice| teller.see_to(notice, &under_way));
            // What is cut off is counted below.
            tokio::select! {
                () = all => {}
                () = patience(&shutdown) => {}
            }
        }
        let left = notices.len() + under_way.get();
        if left > 0 {
            tracing::warn!(left, "the application was not told of all sessions that ended before this process does");
        }
    }
}

impl Teller {
    async fn see_to(&self, notice: Notice, under_way: &Cell<usize>) {
        under_way.set(under_way.get() + 1);
        let outcome = match self.tell_of(&notice).await {
            Ok(()) => "told",
            Err(error) => {
                tracing::warn!(error, tries = TRIES, "the application is not told of a session that ended");
                "untold"
            }
        };
        self.metrics.app_hook(outcome);
        under_way.set(under_way.get() - 1);
    }

    /// Tells it, and again after a while. So the application may hear the same twice.
    async fn tell_of(&self, notice: &Notice) -> Result<(), String> {
        let message = message(notice)?;
        let mut backoff = Backoff::new(LEAST_DELAY, MOST_DELAY);
        for _ in 1..TRIES {
            match (self.tell)(message.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::debug!(error, "the application did not take an event"),
            }
            sleep(backoff.delay(self.random.as_ref())).await;
        }
        (self.tell)(message).await
    }
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Teller")
    }
}

fn message(notice: &Notice) -> Result<String, String> {
    let Notice { by, everybody, subject, sid, session } = notice;
    let message = Message {
        reason: by.word(),
        everybody: *everybody,
        subject: subject.as_ref(),
        sid: sid.as_ref(),
        session: session.as_ref(),
    };
    serde_json::to_string(&message).map_err(|error| error.to_string())
}

async fn patience(shutdown: &Shutdown) {
    shutdown.begun().await;
    sleep(LAST_WITHIN).await;
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;
    use crate::{
        domain::SystemRandom,
        endings::{By, Notices},
    };

    fn notice(sid: &str) -> Notice {
        Notice { by: By::Keycloak, everybody: false, subject: None, sid: Some(Sid::new(sid)), session: None }
    }

    type Heard = Rc<RefCell<Vec<String>>>;

    /// An application that takes what it hears from the `takes_from`th try on.
    fn hook(takes_from: usize) -> (AppHook, Notices, Heard, Arc<Metrics>) {
        let (sender, notices) = Notices::channel();
        let (heard, metrics) = (Heard::default(), Arc::new(Metrics::new().unwrap()));
        let diary = heard.clone();
        let tell: Tell = Box::new(move |message| {
            diary.borrow_mut().push(message);
            let takes = diary.borrow().len() >= takes_from;
            Box::pin(async move { if takes { Ok(()) } else { Err("down".to_owned()) } })
        });
        let teller = Teller { tell, metrics: metrics.clone(), random: Arc::new(SystemRandom) };
        (AppHook { notices, teller }, sender, heard, metrics)
    }

    fn outcomes(metrics: &Metrics, outcome: &str) -> bool {
        let text = String::from_utf8(metrics.text(true, 0).unwrap()).unwrap();
        text.contains(&format!("doorward_app_hooks_total{{outcome=\"{outcome}\"}} 1"))
    }

    #[test]
    fn a_message_holds_what_is_known_and_nothing_else() {
        let known =
            Notice { subject: Some(Subject::new("u-1")), session: Some(AdapterSessionId::new("a")), ..notice("s") };
        assert_eq!(
            message(&known).unwrap(),
            r#"{"reason":"keycloak","everybody":false,"sub":"u-1","sid":"s","session":"a"}"#
        );
        let all = Notice { by: By::Administrator, everybody: true, sid: None, ..notice("s") };
        assert_eq!(message(&all).unwrap(), r#"{"reason":"administrator","everybody":true}"#);
    }

    #[test]
    fn whoever_tells_more_than_can_wait_is_told_so_and_does_not_wait() {
        let (sender, notices) = Notices::channel();
        let taken = (0..2000).filter(|_| sender.send(notice("s"))).count();
        assert_eq!(taken, notices.len());
        assert!(taken < 2000);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_taken_is_told_again_and_given_up_after_three_tries() {
        for (takes_from, tries, outcome) in [(1, 1, "told"), (3, 3, "told"), (4, 3, "untold")] {
            let (hook, sender, heard, metrics) = hook(takes_from);
            assert!(sender.send(notice("s")));
            drop(sender);
            hook.run(Shutdown::default()).await;
            assert_eq!((heard.borrow().len(), outcomes(&metrics, outcome)), (tries, true), "from {takes_from}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_at_the_end_is_told_and_an_application_that_hangs_is_not_waited_for() {
        let (hook, sender, heard, _) = hook(1);
        let shutdown = Shutdown::default();
        assert!(sender.send(notice("one")) && sender.send(notice("two")));
        shutdown.begin();
        hook.run(shutdown.clone()).await;
        assert_eq!(heard.borrow().len(), 2);

        let (mut hanging, sender, ..) = self::hook(1);
        hanging.teller.tell = Box::new(|_| Box::pin(std::future::pending()));
        assert!(sender.send(notice("one")));
        let began = tokio::time::Instant::now();
        hanging.run(shutdown).await;
        assert_eq!(began.elapsed().as_secs(), LAST_WITHIN.as_secs());
    }
}
