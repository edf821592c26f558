//! What is held under one name, and what that does to whatever bears the name.

use std::time::Duration;

use super::{Marks, Source};
use crate::domain::Timestamp;

/// A revocation as it is held.
#[derive(Clone, Copy, Debug)]
pub(super) enum Held {
    /// A login at this adapter, ended.
    Session { heard: Timestamp, source: Source },
    /// Sessions of a `sid` or a subject from before a cut.
    Cut { at: Timestamp, heard: Timestamp, source: Source },
    /// Tokens of a subject from before a cut.
    NotBefore { at: Timestamp, heard: Timestamp },
}

/// What a revocation does to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    None,
    /// The identity server must say whether it is meant, since then.
    Asks {
        heard: Timestamp,
    },
    Ended,
}

impl Hit {
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Ended, _) | (_, Self::Ended) => Self::Ended,
            (Self::Asks { heard }, Self::Asks { heard: also }) => Self::Asks { heard: heard.max(also) },
            (asks @ Self::Asks { .. }, Self::None) | (Self::None, asks) => asks,
        }
    }
}

impl Held {
    /// Of two revocations under one name: the later cut stands, with the time when that was heard.
    pub(super) fn joined(self, new: Self) -> Self {
        match (self.cut(), new.cut()) {
            (Some(held), Some(cut)) if cut <= held && self.is_ours() >= new.is_ours() => self,
            (None, None) if self.is_ours() => self,
            _ => new,
        }
    }

    pub(super) fn hits(&self, marks: &Marks<'_>, skew: Duration) -> Hit {
        let ended = |is_meant| if is_meant { Hit::Ended } else { Hit::None };
        match *self {
            Self::Session { .. } => Hit::Ended,
            Self::NotBefore { at, .. } => ended(marks.token_iat < at),
            // A bearer token cannot be asked for; and what we alone know is known to nobody who could be asked.
            Self::Cut { at, source, .. } if source == Source::Ours || marks.proof.is_none() => {
                ended(marks.established_at <= at)
            }
            Self::Cut { at, .. } if marks.established_at < at.minus(skew) => Hit::Ended,
            Self::Cut { at, heard, .. } if marks.established_at <= at.plus(skew) => Hit::Asks { heard },
            Self::Cut { .. } => Hit::None,
        }
    }

    fn cut(&self) -> Option<Timestamp> {
        match *self {
            Self::Cut { at, .. } | Self::NotBefore { at, .. } => Some(at),
            Self::Session { .. } => None,
        }
    }

    pub(super) fn heard(&self) -> Timestamp {
        match *self {
            Self::Cut { heard, .. } | Self::NotBefore { heard, .. } | Self::Session { heard, .. } => heard,
        }
    }

    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Self::Cut { source: Source::Ours, .. } | Self::Session { source: Source::Ours, .. })
    }
}
