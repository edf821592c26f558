//! The program: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    doorward::commands::run(&doorward::commands::Arguments::parse())
}
