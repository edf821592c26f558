//! What a start would find where revocations are to be kept, told without touching anything there: a node may be running by it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::{JournalError, NAME, read};
use crate::domain::Timestamp;

/// What is to be expected of a directory, for the user of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prospect {
    /// It is not there, and can be made.
    Absent,
    /// It is there and can be used; so many lines of what it holds cannot be read, and would be passed over.
    There {
        /// How many.
        unreadable: usize,
    },
}

impl Prospect {
    /// Looks at `directory`. Neither it nor anything in it is changed.
    ///
    /// # Errors
    /// When this process could not keep revocations there. Another one might, of another user or on another machine, unless
    /// [`JournalError::is_everybodys`].
    pub fn of(directory: &Path, now: Timestamp) -> Result<Self, JournalError> {
        look(directory, now).map_err(|source| JournalError { directory: directory.display().to_string(), source })
    }
}

impl JournalError {
    /// Whether no process could do better by other rights: what should be a directory is none, or what should be a file is one.
    #[must_use]
    pub fn is_everybodys(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory)
    }
}

fn look(directory: &Path, now: Timestamp) -> io::Result<Prospect> {
    match fs::metadata(directory) {
        Ok(found) if !found.is_dir() => Err(io::ErrorKind::NotADirectory.into()),
        Ok(_) => {
            may(directory, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?;
            let (_, unreadable) = read(&directory.join(NAME), now)?;
            Ok(Prospect::There { unreadable })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            may(&nearest(directory), Access::WRITE_OK | Access::EXEC_OK).map(|()| Prospect::Absent)
        }
        Err(error) => Err(error),
    }
}

/// The nearest directory above that is there: those between are made too.
fn nearest(directory: &Path) -> PathBuf {
    let above = directory.ancestors().skip(1).find(|above| fs::metadata(above).is_ok());
    // What is relative ends with the empty path, which is where this process is.
    above.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// As the kernel judges it, read-only mounts and access lists included.
fn may(path: &Path, access: Access) -> io::Result<()> {
    accessat(CWD, path, access, AtFlags::EACCESS).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::revocation::journal::append_to;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    #[test]
    fn what_is_not_there_is_not_made() {
        let above = tempfile::tempdir().unwrap();
        assert_eq!(Prospect::of(&above.path().join("a/b"), NOW).unwrap(), Prospect::Absent);
        assert_eq!(fs::read_dir(above.path()).unwrap().count(), 0);
        assert_eq!(nearest(Path::new("no-such/directory")), Path::new("."));
    }

    #[test]
    fn lines_that_cannot_be_read_are_counted_and_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        assert_eq!(Prospect::of(directory.path(), NOW).unwrap(), Prospect::There { unreadable: 0 });
        assert!(!path.exists());
        append_to(&path).unwrap().write_all(b"{\"end\":\n\n{}\n").unwrap();
        assert_eq!(Prospect::of(directory.path(), NOW).unwrap(), Prospect::There { unreadable: 2 });
        assert_eq!(fs::read(&path).unwrap(), b"{\"end\":\n\n{}\n");
    }

    #[test]
    fn what_nobody_could_use_is_told_from_what_we_may_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            assert!(Prospect::of(&path, NOW).unwrap_err().is_everybodys(), "{}", path.display());
        }
        fs::create_dir(directory.path().join(NAME)).unwrap();
        assert!(Prospect::of(directory.path(), NOW).unwrap_err().is_everybodys());
        let denied = JournalError { directory: String::new(), source: io::ErrorKind::PermissionDenied.into() };
        assert!(!denied.is_everybodys());
    }
}
