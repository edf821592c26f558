//! `doorward keygen`: a cookie key and nothing else.

use std::{
    io::{Write as _, stdout},
    process::ExitCode,
};

use crate::domain::{SystemRandom, opaque_token};

/// Prints 256 random bits as base64url.
pub(super) fn run() -> ExitCode {
    match writeln!(stdout(), "{}", opaque_token(&SystemRandom)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
