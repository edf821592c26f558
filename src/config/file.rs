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

/// Why a file could not be read. `Display` names the path and the cause, nothing of the content.
#[derive(Debug, Error)]
pub(super) enum FileError {
    #[error("cannot read the file `{0}`: {1}")]
    Io(String, io::ErrorKind),
    #[error("the file `{0}` is larger than 1 MiB")]
    TooLarge(String),
    #[error("the file `{0}` is not UTF-8 text")]
    NotText(String),
}

/// The text of the file at `path`; wiped when dropped, since it may be a secret.
pub(super) fn read_text(path: &Path) -> Result<Zeroizing<String>, FileError> {
    let name = || path.display().to_string();
    let io = |error: io::Error| FileError::Io(name(), error.kind());
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(io)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(FileError::TooLarge(name()));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(FileError::NotText(name())),
    }
}
