//! Reads the files that a configuration names: itself, mounted secrets, keys, stores. What was read is noted, so that a change is noticed.

use std::path::Path;

use thiserror::Error;
use zeroize::Zeroizing;

use super::{fault::Report, provenance};
use crate::tls;

/// Why a file could not be read as text. `Display` does not name the file: a key pasted where its file's path belongs would
/// be printed.
#[derive(Debug, Error)]
pub(super) enum FileError {
    #[error(transparent)]
    Unreadable(#[from] tls::FileError),
    #[error("is not UTF-8 text")]
    NotText,
    #[error("is no regular file, and so was read once, at the start")]
    Once,
}

/// The text of the file at `path`; wiped when dropped, since it may be a secret.
pub(super) fn read_text(path: &Path, report: &Report) -> Result<Zeroizing<String>, FileError> {
    let bytes = read_bytes(path, report)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(FileError::NotText),
    }
}

/// What stands in the file at `path`; wiped when dropped.
///
/// # Errors
/// When it cannot be read; and, where the configuration is read again, when it is a pipe or the like: that would be waited for, for ever.
pub(super) fn read_bytes(path: &Path, report: &Report) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let is_lasting = provenance::is_lasting(path);
    if report.is_again() && !is_lasting {
        return Err(FileError::Once);
    }
    let read = tls::read_file(path);
    if is_lasting {
        report.note_file(path, read.as_ref().ok().map(|bytes| provenance::digest_of(bytes)));
    }
    Ok(read?)
}
