//! The loop that tells the application of sessions that ended from outside, put together with what knows the way there.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tokio::sync::mpsc::Receiver;

use super::World;
use crate::{
    background::app_hook::{AppHook, Tell, Teller},
    caller,
    config::Config,
    current::Current,
    endings::{Notice, Notices},
    proxy::{
        Limits, Upstream,
        event::{self, Events},
    },
    status::Metrics,
};

/// Where the application is told, and how it is reached.
#[derive(Debug)]
pub(super) struct Target {
    hook: event::Config,
    upstream: Upstream,
    limits: Limits,
    caller: caller::Config,
}

/// The one of a configuration, if its application wants to be told.
pub(super) fn target(config: &Config) -> Option<Target> {
    let hook = config.app_hook.clone()?;
    let (proxy, caller) = (&config.proxy, config.caller.clone());
    Some(Target { hook, upstream: proxy.upstream.clone(), limits: proxy.limits, caller })
}

/// Both ends of what the application is told, if it wants to be told.
pub(super) fn notices(config: &Config) -> (Option<Notices>, Option<Receiver<Notice>>) {
    config.app_hook.as_ref().map(|_| Notices::channel()).unzip()
}

/// The loop that tells it. To be built and run where the process began: its connections live there.
pub(super) fn build(
    target: Current<Target>,
    notices: Receiver<Notice>,
    metrics: &Arc<Metrics>,
    world: &World,
) -> AppHook {
    let reached = Reached { target, events: RefCell::new(None) };
    let tell: Tell = Box::new(move |message| {
        let events = reached.events();
        Box::pin(async move { events.logout(message).await.map_err(|error| error.to_string()) })
    });
    AppHook { notices, teller: Teller { tell, metrics: metrics.clone(), random: world.random.clone() } }
}

/// Connections to the application as it is configured now.
struct Reached {
    target: Current<Target>,
    events: RefCell<Option<(Arc<Target>, Rc<Events>)>>,
}

impl Reached {
    fn events(&self) -> Rc<Events> {
        let target = self.target.get();
        let mut held = self.events.borrow_mut();
        match &*held {
            Some((of, events)) if Arc::ptr_eq(of, &target) => events.clone(),
            _ => {
                let Target { hook, upstream, limits, caller } = &*target;
                let events = Rc::new(Events::new(hook.clone(), upstream.clone(), *limits, caller));
                *held = Some((target, events.clone()));
                events
            }
        }
    }
}
