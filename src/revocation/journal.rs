//! Revocations of our own making over a restart: one JSON object a line, appended and flushed before the answer is sent. Whatever cannot be
//! read (a line torn by a crash) is passed over. It is written anew without what has passed when it is opened, and when it has grown.
//!
//! It never says what this node has *heard*: a process that starts asks for every session all the same.

mod prospect;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Revocation, Source, Target};
use crate::domain::{AdapterSessionId, Sid, Subject, Timestamp};

pub use prospect::Prospect;

/// Why revocations cannot be kept.
#[derive(Debug, Error)]
#[error("revocations cannot be kept in `{directory}` (sidecar.persist)")]
pub struct JournalError {
    directory: String,
    #[source]
    source: io::Error,
}

/// The file.
#[derive(Clone, Debug)]
pub(super) struct Journal(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    file: File,
    /// Bytes when it was last written anew.
    compacted: u64,
}

/// A revocation as it is written.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    #[serde(flatten)]
    target: Meant,
    /// Milliseconds, the identity server's clock.
    cut: i64,
    /// Milliseconds, this node's clock.
    until: i64,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "lowercase")]
enum Meant {
    Everybody,
    Session { id: String },
    Sid { id: String },
    Subject { id: String },
}

/// An entry whose names are ids again.
#[derive(Debug)]
pub(super) struct KeptEntry {
    session: Option<AdapterSessionId>,
    sid: Option<Sid>,
    subject: Option<Subject>,
    cut: Timestamp,
    until: Timestamp,
}

/// How often one entry is written at the most while another process writes the file anew.
const MOST_TRIES: usize = 4;
const NAME: &str = "revocations.jsonl";
/// A file that has not grown to this is not worth writing anew.
const WORTH_COMPACTING: u64 = 4 << 20;

impl Journal {
    /// Opens the file below `directory`, and reads what still counts at `now`.
    pub(super) fn open(directory: &Path, now: Timestamp) -> Result<(Self, Vec<KeptEntry>), JournalError> {
        let failed = |source| JournalError { directory: directory.display().to_string(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let path = directory.join(NAME);
        let (inner, entries) = Inner::compacted(path, now).map_err(failed)?;
        let kept = entries.into_iter().map(Entry::kept).collect();
        Ok((Self(Arc::new(Mutex::new(inner))), kept))
    }

    /// Writes them down in one go, and returns when they would survive a loss of power.
    pub(super) async fn append(&self, revocations: &[Revocation<'_>], now: Timestamp) -> Result<(), JournalError> {
        let entries: Vec<Entry> = revocations.iter().map(Entry::of).collect();
        let inner = self.0.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
            let directory = inner.path.parent().unwrap_or(Path::new("")).display().to_string();
            inner.append(&entries, now).map_err(|source| JournalError { directory, source })
        });
        written
            .await
            .unwrap_or_else(|error| Err(JournalError { directory: String::new(), source: io::Error::other(error) }))
    }
}

impl Inner {
    /// What counts of the file at `path`, in a new file in its place. Nothing is lost if this is broken off.
    fn compacted(path: PathBuf, now: Timestamp) -> io::Result<(Self, Vec<Entry>)> {
        let (entries, torn) = read(&path, now)?;
        if torn > 0 {
            tracing::warn!(lines = torn, "sidecar.persist: lines that cannot be read are passed over");
        }
        let draft = path.with_extension("new");
        // Made anew: whatever lies there, a link perhaps, was not made by us.
        if let Err(error) = fs::remove_file(&draft)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let text = lines(&entries)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        let file = append_to(&path)?;
        let compacted = text.len() as u64;
        Ok((Self { path, file, compacted }, entries))
    }

    fn append(&mut self, entries: &[Entry], now: Timestamp) -> io::Result<()> {
        let text = lines(entries)?;
        // Again where the file was written anew meanwhile: a line that stands twice harms nobody.
        for _ in 0..MOST_TRIES {
            if self.is_replaced() {
                self.file = append_to(&self.path)?;
            }
            self.file.write_all(&text)?;
            self.file.sync_data()?;
            if !self.is_replaced() {
                break;
            }
        }
        if self.file.metadata()?.len() > WORTH_COMPACTING.max(2 * self.compacted) {
            *self = Self::compacted(self.path.clone(), now)?.0;
        }
        Ok(())
    }

    /// Whether the process that follows this one has written the file anew already.
    fn is_replaced(&self) -> bool {
        let same = |there: &fs::Metadata, ours: &fs::Metadata| there.ino() == ours.ino() && there.dev() == ours.dev();
        !matches!((fs::metadata(&self.path), self.file.metadata()), (Ok(there), Ok(ours)) if same(&there, &ours))
    }
}

fn lines(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for entry in entries {
        text.extend(entry.line()?);
    }
    Ok(text)
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// What counts of the file at `path`, and how many of its lines cannot be read. A file that is not there holds nothing.
fn read(path: &Path, now: Timestamp) -> io::Result<(Vec<Entry>, usize)> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(error) => return Err(error),
    };
    let mut entries = Vec::new();
    let mut torn = 0;
    for line in BufReader::new(file).split(b'\n') {
        match line?.as_slice() {
            [] => {}
            line => match serde_json::from_slice::<Entry>(line) {
                Ok(entry) if entry.counts(now) => entries.push(entry),
                Ok(_) => {}
                Err(_) => torn += 1,
            },
        }
    }
    Ok((entries, torn))
}

impl Entry {
    fn of(revocation: &Revocation<'_>) -> Self {
        let target = match revocation.target {
            Target::Everybody => Meant::Everybody,
            Target::Session(id) => Meant::Session { id: id.as_str().to_owned() },
            Target::Sid(sid) => Meant::Sid { id: sid.as_str().to_owned() },
            Target::Subject(subject) => Meant::Subject { id: subject.as_str().to_owned() },
        };
        Self { target, cut: revocation.cut.as_millis(), until: revocation.keep_until.as_millis() }
    }

    /// A line break before it too: what a write that failed left behind must not take this one with it.
    fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = vec![b'\n'];
        serde_json::to_writer(&mut line, self)?;
        line.push(b'\n');
        Ok(line)
    }

    fn counts(&self, now: Timestamp) -> bool {
        now < Timestamp::from_millis(self.until)
    }

    fn kept(self) -> KeptEntry {
        let (mut session, mut sid, mut subject) = (None, None, None);
        match self.target {
            Meant::Everybody => {}
            Meant::Session { id } => session = Some(AdapterSessionId::new(id)),
            Meant::Sid { id } => sid = Some(Sid::new(id)),
            Meant::Subject { id } => subject = Some(Subject::new(id)),
        }
        let (cut, until) = (Timestamp::from_millis(self.cut), Timestamp::from_millis(self.until));
        KeptEntry { session, sid, subject, cut, until }
    }
}

impl KeptEntry {
    pub(super) fn revocation(&self) -> Revocation<'_> {
        let session = self.session.as_ref().map(Target::Session);
        let others = || self.sid.as_ref().map(Target::Sid).or(self.subject.as_ref().map(Target::Subject));
        let target = session.or_else(others).unwrap_or(Target::Everybody);
        Revocation { target, cut: self.cut, source: Source::Ours, keep_until: self.until }
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, time::Duration};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn session(id: &AdapterSessionId) -> Revocation<'_> {
        Revocation { target: Target::Session(id), cut: NOW, source: Source::Ours, keep_until: NOW.plus(HOUR) }
    }

    fn kept(directory: &Path, now: Timestamp) -> Vec<String> {
        let (_, entries) = Journal::open(directory, now).unwrap();
        entries.into_iter().map(|entry| entry.session.unwrap().to_string()).collect()
    }

    #[tokio::test]
    async fn what_was_written_is_read_again_until_it_has_passed_and_by_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(directory.path(), NOW).unwrap();
        let ids = ["a", "b"].map(AdapterSessionId::new);
        journal.append(&ids.each_ref().map(session), NOW).await.unwrap();
        assert_eq!(kept(directory.path(), NOW), ["a", "b"]);
        let mode = fs::metadata(directory.path().join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // The process before this one goes on writing while it drains.
        journal.append(&[session(&AdapterSessionId::new("c"))], NOW).await.unwrap();
        assert_eq!(kept(directory.path(), NOW), ["a", "b", "c"]);
        assert!(kept(directory.path(), NOW.plus(HOUR)).is_empty());
        assert_eq!(fs::metadata(directory.path().join(NAME)).unwrap().len(), 0, "what has passed is written no more");
    }

    #[tokio::test]
    async fn a_torn_line_takes_no_other_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(directory.path(), NOW).unwrap();
        journal.append(&[session(&AdapterSessionId::new("a"))], NOW).await.unwrap();
        let mut file = append_to(&directory.path().join(NAME)).unwrap();
        file.write_all(br#"{"end":"session","id":"tor"#).unwrap();
        journal.append(&[session(&AdapterSessionId::new("b"))], NOW).await.unwrap();
        file.write_all(b"\xff\xfe{").unwrap();
        assert_eq!(kept(directory.path(), NOW), ["a", "b"]);
    }

    #[tokio::test]
    async fn a_file_that_has_grown_is_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(directory.path(), NOW).unwrap();
        let mut file = append_to(&directory.path().join(NAME)).unwrap();
        file.write_all(&vec![b'\n'; usize::try_from(WORTH_COMPACTING).unwrap()]).unwrap();
        journal.append(&[session(&AdapterSessionId::new("a"))], NOW).await.unwrap();
        assert!(fs::metadata(directory.path().join(NAME)).unwrap().len() < 200);
        journal.append(&[session(&AdapterSessionId::new("b"))], NOW).await.unwrap();
        assert_eq!(kept(directory.path(), NOW), ["a", "b"]);
    }

    #[test]
    fn every_target_comes_back_as_it_was() {
        let (id, sid, subject) = (AdapterSessionId::new("x"), Sid::new("y"), Subject::new("z"));
        for target in [Target::Everybody, Target::Session(&id), Target::Sid(&sid), Target::Subject(&subject)] {
            let revocation = Revocation { target, cut: NOW, source: Source::Ours, keep_until: NOW.plus(HOUR) };
            let line = Entry::of(&revocation).line().unwrap();
            let read: Entry = serde_json::from_slice(line.trim_ascii()).unwrap();
            assert_eq!(read.kept().revocation(), revocation);
        }
    }
}
