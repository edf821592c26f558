//! `doorward serve`.

use std::{error::Error as _, path::Path, process::ExitCode, sync::Arc};

use super::{BAD_CONFIG, UNAVAILABLE, complain, refuse};
use crate::{
    app::{App, Source, StartError, World},
    config::{Config, ProcessEnvironment},
    domain::{SystemClock, SystemRandom},
    lifecycle::{Nudge, ReloadSignal, Shutdown, StopSignals},
    telemetry,
};

/// Serves until asked to stop.
pub(super) fn run(path: &Path) -> ExitCode {
    actix_rt::System::new().block_on(begin(path))
}

async fn begin(path: &Path) -> ExitCode {
    // Before all else: whoever has just changed the file must not kill what reads it.
    let hangups = ReloadSignal::listen();
    let config = match Config::load(path, &ProcessEnvironment) {
        Ok(config) => config,
        Err(faults) => return refuse(&faults),
    };
    if let Err(error) = telemetry::init(&config.telemetry) {
        complain(&error.to_string());
        return ExitCode::from(BAD_CONFIG);
    }
    // Only now, since nothing hears them before: while a file is waited for, a stop must stop.
    match StopSignals::listen().and_then(|stop| Ok((stop, hangups?))) {
        Ok((stop, hangups)) => serve(path, config, stop, hangups).await,
        Err(error) => {
            tracing::error!(%error, "cannot start: signals cannot be listened for");
            ExitCode::FAILURE
        }
    }
}

async fn serve(path: &Path, config: Config, mut signals: StopSignals, hangups: ReloadSignal) -> ExitCode {
    let source = Source { path: path.to_owned(), environment: Arc::new(ProcessEnvironment), nudge: Nudge::default() };
    let world = World { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
    let app = match App::build(config, &world) {
        Ok(app) => app.reloading(source.clone()),
        Err(error) => return cannot_start(&error),
    };
    let stop = Shutdown::default();
    let asked_twice = async {
        signals.received().await;
        stop.begin();
        signals.received().await;
    };
    // No arm is polled again once the other is done.
    tokio::select! {
        outcome = app.run(stop.begun()) => match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "a listener failed");
                ExitCode::FAILURE
            }
        },
        () = hangups.pass_on(&source.nudge) => ExitCode::FAILURE,
        () = asked_twice => {
            tracing::warn!("asked to stop twice: what is in flight is dropped");
            ExitCode::FAILURE
        }
    }
}

fn cannot_start(error: &StartError) -> ExitCode {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    tracing::error!("cannot start: {error}{cause}");
    match error {
        StartError::Bind { .. } => ExitCode::from(UNAVAILABLE),
        StartError::Cookies(_)
        | StartError::Keys(_)
        | StartError::Persist(_)
        | StartError::Provider(_)
        | StartError::Tls(_) => ExitCode::from(BAD_CONFIG),
        StartError::Metrics(_) => ExitCode::FAILURE,
    }
}
