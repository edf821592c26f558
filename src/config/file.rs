//! Reads the files that a configuration names: itself, mounted secrets, keys. Bounded, so that a wrong path
//! (`/dev/zero`) costs an error and not the memory.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use thiserror::Error;
use zeroize::Zeroizing;

/// Largest file read: far above any adapter.json or key.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a file could not be read. `Display` does not name the file: a key pasted where its file's path belongs would
/// be printed.
#[derive(Debug, Error)]
pub(super) enum FileError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is larger than 1 MiB")]
    TooLarge,
    #[error("is not UTF-8 text")]
    NotText,
}

/// The text of the file at `path`; wiped when dropped, since it may be a secret.
pub(super) fn read_text(path: &Path) -> Result<Zeroizing<String>, FileError> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(FileError::TooLarge);
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(FileError::NotText),
    }
}
