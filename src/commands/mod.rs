//! What can be said on the command line.

mod check;
mod keygen;
mod serve;
mod sessions;

use std::{
    io::{Write as _, stderr},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::config::Faults;

/// An OpenID Connect relying-party adapter that stands before one node of an application.
#[derive(Debug, Parser)]
#[command(name = "doorward", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell every fault of a configuration, then ask the identity server.
    Check {
        /// The configuration file.
        #[arg(short, long, default_value = "adapter.json")]
        config: PathBuf,
        #[command(flatten)]
        keycloak: check::KeycloakOptions,
    },
    /// Print a new cookie key.
    Keygen,
    /// Serve.
    Serve {
        /// The configuration file.
        #[arg(short, long, default_value = "adapter.json")]
        config: PathBuf,
    },
    /// List and end sessions at a running node.
    Sessions(sessions::Options),
}

/// `EX_UNAVAILABLE` of sysexits.h: a listener cannot be bound, or who is to be asked (the identity server, a node) cannot be.
const UNAVAILABLE: u8 = 69;
/// `EX_CONFIG` of sysexits.h: the configuration is faulty.
const BAD_CONFIG: u8 = 78;

/// Does what the arguments say; the exit code says how it went.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Check { config, keycloak } => check::run(config, keycloak),
        Command::Keygen => keygen::run(),
        Command::Serve { config } => serve::run(config),
        Command::Sessions(options) => sessions::run(options),
    }
}

/// One line for each fault.
fn refuse(faults: &Faults) -> ExitCode {
    complain(faults.to_string().trim_end());
    ExitCode::from(BAD_CONFIG)
}

/// A line on standard error; where there is none, the exit code must do.
fn complain(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}
