//! Reads files with certificates and keys. Bounded, so that a wrong path (`/dev/zero`) costs an error and not the memory.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use thiserror::Error;
use zeroize::Zeroizing;

/// Largest file read, in bytes: a bundle of every public authority has a quarter of that.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a file could not be read. `Display` does not name the file: a key pasted where its file's path belongs would be printed.
#[derive(Debug, Error)]
pub enum FileError {
    /// There is no such file, or it may not be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A pipe or the like: whoever looks at it again would wait for it.
    #[error("is no regular file")]
    Irregular,
    /// Nothing that is meant here is so large.
    #[error("is larger than 1 MiB")]
    TooLarge,
}

/// What stands in the file at `path`; wiped when dropped, since it may be a key.
///
/// # Errors
/// When it cannot be read, or is larger than 1 MiB.
pub fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(FileError::TooLarge) } else { Ok(bytes) }
}

/// The same of a file that is looked at again and again.
///
/// # Errors
/// As [`read_file`], and when it is no regular file.
pub fn read_regular_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    if path.metadata()?.is_file() { read_file(path) } else { Err(FileError::Irregular) }
}
