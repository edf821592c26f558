//! `doorward completions`: what a shell needs to complete command lines, made from the commands themselves.

use std::{
    io::{Write as _, stdout},
    process::ExitCode,
};

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

/// Prints the script for `shell`.
pub(super) fn run(shell: Shell) -> ExitCode {
    // By way of memory: what writes the script takes a broken pipe for a defect.
    let mut script = Vec::new();
    generate(shell, &mut super::Arguments::command(), "doorward", &mut script);
    match stdout().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
