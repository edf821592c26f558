//! The loop that tells the application of sessions that ended from outside, put together with what knows the way there.

use std::{rc::Rc, sync::Arc};

use tokio::sync::mpsc::Receiver;

use super::World;
use crate::{
    background::app_hook::{AppHook, Tell, Teller},
    config::Config,
    endings::{Notice, Notices},
    proxy::event::Events,
    status::Metrics,
};

/// Both ends of what the application is told, if it wants to be told.
pub(super) fn notices(config: &Config) -> (Option<Notices>, Option<Receiver<Notice>>) {
    config.app_hook.as_ref().map(|_| Notices::channel()).unzip()
}

/// The loop that tells it. To be built and run where the process began: its connections live there.
pub(super) fn build(
    config: &Config,
    notices: Option<Receiver<Notice>>,
    metrics: &Arc<Metrics>,
    world: &World,
) -> Option<AppHook> {
    let (hook, notices) = (config.app_hook.clone()?, notices?);
    let proxy = &config.proxy;
    let events = Rc::new(Events::new(hook, proxy.upstream.clone(), proxy.limits, &config.caller));
    let tell: Tell = Box::new(move |message| {
        let events = events.clone();
        Box::pin(async move { events.logout(message).await.map_err(|error| error.to_string()) })
    });
    let teller = Teller { tell, metrics: metrics.clone(), random: world.random.clone() };
    Some(AppHook { notices, teller })
}
