//! What revocations are filed under: 128 bits of each name, by keys that are drawn anew at each start. A million names take little room
//! then, and nobody outside can make two of them meet.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
};

/// A name as it is filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Digest(u64, u64);

/// Makes digests; two of these make different ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Digests(RandomState, RandomState);

#[derive(Clone, Copy)]
enum Kind {
    Session = 1,
    Sid,
    Subject,
    SubjectNotBefore,
}

impl Digests {
    pub(super) fn session(&self, id: &str) -> Digest {
        self.of(Kind::Session, id)
    }

    pub(super) fn sid(&self, sid: &str) -> Digest {
        self.of(Kind::Sid, sid)
    }

    pub(super) fn subject(&self, subject: &str) -> Digest {
        self.of(Kind::Subject, subject)
    }

    pub(super) fn subject_not_before(&self, subject: &str) -> Digest {
        self.of(Kind::SubjectNotBefore, subject)
    }

    fn of(&self, kind: Kind, name: &str) -> Digest {
        let half = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            hasher.write_u8(kind as u8);
            hasher.write(name.as_bytes());
            hasher.finish()
        };
        Digest(half(&self.0), half(&self.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_one_kind_is_none_of_another() {
        let digests = Digests::default();
        let all = [
            digests.session("a"),
            digests.sid("a"),
            digests.subject("a"),
            digests.subject_not_before("a"),
            digests.subject("b"),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other != one));
        }
        assert_eq!(digests.sid("a"), digests.sid("a"));
    }
}
