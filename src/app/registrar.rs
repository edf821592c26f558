//! The node's registration at the identity server, from configuration to loop. It ends after the listeners and before all other
//! loops: a node that is still listed must still answer.

use std::sync::Arc;

use super::World;
use crate::{
    background::registration::Registration,
    config::Config,
    current::Current,
    lifecycle::{Shutdown, Supervisor},
    oidc::Provider,
    status::{Metrics, Readiness, RegistrationStatus},
};

/// How the registration stands before anything was done.
pub(super) fn status(config: &Config) -> RegistrationStatus {
    let host = config.node_host.clone();
    match config.registration {
        Some(_) => RegistrationStatus::pending(host),
        None => RegistrationStatus::off(host),
    }
}

/// The loop, if the node is to be registered; readiness waits for it from now on.
pub(super) fn build(
    config: &Config,
    provider: Current<Provider>,
    status: &Arc<RegistrationStatus>,
    readiness: &Arc<Readiness>,
    metrics: &Arc<Metrics>,
    world: &World,
) -> Option<Registration> {
    let config = config.registration?;
    readiness.await_registration();
    Some(Registration {
        config,
        provider,
        status: status.clone(),
        readiness: readiness.clone(),
        metrics: metrics.clone(),
        clock: Arc::clone(&world.clock),
        random: Arc::clone(&world.random),
    })
}

/// Starts the loop. It ends when what is returned is finished.
pub(super) fn start(registration: Option<Registration>) -> Supervisor {
    let shutdown = Shutdown::default();
    let supervisor = Supervisor::new(shutdown.clone());
    if let Some(registration) = registration {
        supervisor.spawn("registration", registration.run(shutdown));
    }
    supervisor
}
