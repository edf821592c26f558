//! What is held under one name, and what that does to whatever bears the name.

use super::{Config, Marks, Source, Target};
use crate::domain::Timestamp;

/// A revocation as it is held.
#[derive(Clone, Copy, Debug)]
pub(super) enum Held {
    /// A login at this adapter, ended.
    Session { heard: Timestamp, source: Source },
    /// Sessions of a `sid` or a subject from before a cut: one that the identity server knows of, one of our own making, or both.
    Cut { there: Option<Cut>, ours: Option<Cut> },
    /// Tokens of a subject from before a cut.
    NotBefore(Cut),
}

/// An instant on the identity server's clock, and when it was heard of, on this node's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) at: Timestamp,
    pub(super) heard: Timestamp,
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

impl Cut {
    /// What this does to a session that the identity server may be asked about. It pushes first and commits after, so that until an end must
    /// have been committed, a login which is younger than the cut may have been ended with the others.
    pub(super) fn asks(self, established_at: Timestamp, config: &Config) -> Hit {
        if established_at < self.at.minus(config.skew) {
            Hit::Ended
        } else if established_at <= self.at.plus(config.settle).plus(config.skew) {
            Hit::Asks { heard: self.heard }
        } else {
            Hit::None
        }
    }

    fn later(held: Option<Self>, new: Option<Self>) -> Option<Self> {
        match (held, new) {
            (Some(held), Some(new)) if held.at >= new.at => Some(held),
            (held, new) => new.or(held),
        }
    }
}

impl Held {
    /// What `target`, a session or not, is held as.
    pub(super) fn of(target: Target<'_>, at: Timestamp, source: Source, heard: Timestamp) -> Self {
        let cut = Some(Cut { at, heard });
        match (target, source) {
            (Target::Session(_), source) => Self::Session { heard, source },
            (_, Source::IdentityServer) => Self::Cut { there: cut, ours: None },
            (_, Source::Ours) => Self::Cut { there: None, ours: cut },
        }
    }

    /// Of two revocations under one name: the later cut of each kind stands, with the time when that was heard.
    pub(super) fn joined(self, new: Self) -> Self {
        match (self, new) {
            (Self::Cut { there, ours }, Self::Cut { there: other, ours: our_other }) => {
                Self::Cut { there: Cut::later(there, other), ours: Cut::later(ours, our_other) }
            }
            (Self::NotBefore(held), Self::NotBefore(new)) if held.at >= new.at => self,
            (Self::Session { source: Source::Ours, .. }, _) => self,
            _ => new,
        }
    }

    pub(super) fn hits(&self, marks: &Marks<'_>, config: &Config) -> Hit {
        let ended = |is_meant| if is_meant { Hit::Ended } else { Hit::None };
        let (there, ours) = match *self {
            Self::Session { .. } => return Hit::Ended,
            Self::NotBefore(cut) => return ended(marks.token_iat < cut.at),
            Self::Cut { there, ours } => (there, ours),
        };
        // What we alone know is known to nobody who could be asked.
        let ours = ours.map_or(Hit::None, |cut| ended(marks.established_at <= cut.at));
        let there = there.map_or(Hit::None, |cut| match marks.proof {
            Some(_) => cut.asks(marks.established_at, config),
            // A bearer token cannot be asked for.
            None => ended(marks.established_at <= cut.at),
        });
        ours.or(there)
    }

    /// When this was heard of last.
    pub(super) fn heard(&self) -> Timestamp {
        match *self {
            Self::NotBefore(Cut { heard, .. }) | Self::Session { heard, .. } => heard,
            Self::Cut { there, ours } => {
                let heard = [there, ours].into_iter().flatten().map(|cut| cut.heard);
                heard.max().unwrap_or(Timestamp::from_millis(i64::MIN))
            }
        }
    }

    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Self::Cut { ours: Some(_), .. } | Self::Session { source: Source::Ours, .. })
    }
}
