//! What can be said on the command line.

mod check;
mod completions;
mod keygen;
mod man;
mod manual;
mod serve;
mod sessions;

use std::{
    io::{Write as _, stderr},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use crate::config::Faults;
use manual::{BAD_CONFIG, UNAVAILABLE};

/// An OpenID Connect relying-party adapter that stands before one node of an application.
///
/// A reverse proxy: it signs users in at Keycloak or any other OpenID provider, keeps their session, tells the application who is calling, and
/// signs them out again. One JSON file says how; the `keycloak.json` of Keycloak's Java adapters, with `sidecar` added, is one.
#[derive(Debug, Parser)]
#[command(name = "doorward", version, subcommand_value_name = "COMMAND", after_long_help = manual::PROGRAM.help())]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell every fault of a configuration, then ask the identity server.
    ///
    /// Prints warnings, whether the identity server can be reached, what it offers and whether it accepts the client's credentials (it is asked
    /// for a refresh by a token of nobody, which it may log), and the redirect URIs to register there. With an administrator of Keycloak also
    /// what at the realm stands in a logout's way. Changes nothing.
    #[command(after_long_help = manual::CHECK.help())]
    Check {
        /// The configuration file.
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, default_value = "adapter.json")]
        config: PathBuf,
        #[command(flatten)]
        keycloak: check::KeycloakOptions,
    },
    /// Print a script by which a shell completes command lines.
    #[command(after_long_help = manual::COMPLETIONS.help())]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print a new cookie key.
    ///
    /// 32 random bytes in base64url, for `sidecar.cookie.keys`. It also makes a good `sidecar.admin.token`.
    #[command(after_long_help = manual::KEYGEN.help())]
    Keygen,
    /// Print the manual page.
    ///
    /// In roff, of all commands, for section 1.
    #[command(after_long_help = manual::MAN.help())]
    Man,
    /// Serve until asked to stop.
    ///
    /// Listens at `sidecar.listen` (0.0.0.0:8080) for users, and at `sidecar.admin.listen` (127.0.0.1:9080) for health, metrics, and what the
    /// identity server says. The log goes to standard error, the audit stream to standard output.
    #[command(after_long_help = manual::SERVE.help())]
    Serve {
        /// The configuration file.
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, default_value = "adapter.json")]
        config: PathBuf,
    },
    /// List and end sessions at a running node.
    ///
    /// Asks the node's session API, at `sidecar.admin.listen` of the configuration and by its `sidecar.admin.token`. What is ended is ended at that
    /// node: whoever is still signed in at the identity server is signed in here again without a password.
    #[command(subcommand_value_name = "COMMAND", after_long_help = manual::SESSIONS.help())]
    Sessions(sessions::Options),
}

/// Does what the arguments say; the exit code says how it went.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Check { config, keycloak } => check::run(config, keycloak),
        Command::Completions { shell } => completions::run(*shell),
        Command::Keygen => keygen::run(),
        Command::Man => man::run(),
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
