//! Where sessions live between requests, as a contract that every store keeps.

use std::{fmt, sync::Arc};

use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, ready},
};
use thiserror::Error;

use super::{CodecError, InvalidCookie, OpenedSessions, RequestCookies, SetCookies, StateTooLarge, TooLargeToSeal};
use crate::domain::{Session, Subject, Timestamp};

/// A store of sessions. Its contract:
///
/// * **What a browser presents** is the cookies of a request, and they are all that a store asks for. Whatever is wrong
///   with them (changed, of another site, ambiguous, sealed with a key that is gone, expired) the session is absent, and
///   nothing tells one reason from another but the log at debug level.
/// * **`find` yields `None`** for a session that never was, that does not open, or whose idle or absolute limit has passed
///   at `now`. It yields `Err` only when the store itself fails: then nothing is known of the session, it is not ended
///   by that, and the caller must not send the user to a new login for it.
/// * **`save`** writes the session as it is now, whether new or changed, and answers with the cookies that the response
///   must set. `previous` is what the request carried: cookies that the new value does not replace are removed. A
///   session saved by one node is found by every node with the same keys (and the same back end).
/// * **A login's session never takes over** what the request carried: it is found by another value, and a store that can forget
///   ([`Recall::Forgets`]) forgets what the old value stood for.
/// * **An older state does not win** over a newer one of the same session in a store that can compare them: the one renewed later
///   stays, with the later of the two last uses. In a browser's cookies the last answer wins.
/// * **`close`** makes the browser forget, and the store too where it can ([`Recall`]). Closing what is not there is no
///   error.
/// * **What a crash may lose**: nothing that `save` has answered, except in a store that lives in the process.
/// * **`whose`** tells whose session `cookies` carry even when it is over, as far as the store still knows. It opens nothing, and whoever
///   asks may use it for nothing but to find out whether a form comes from the user who sent it before. `None` is always right.
/// * **Neither revocation nor proof** is a store's business: what it finds may have been ended elsewhere.
///
/// Futures need not be `Send`: each request stays on its worker.
pub trait SessionStore: fmt::Debug + Send + Sync {
    /// The live session that `cookies` carry. `opened` is what this worker has opened before: a store whose sessions must be decrypted or decoded
    /// looks there first.
    fn find<'a>(
        &'a self,
        cookies: &'a RequestCookies,
        opened: &'a OpenedSessions,
        now: Timestamp,
    ) -> LocalBoxFuture<'a, Result<Option<Arc<Session>>, StoreError>>;

    /// Writes `session` and says which cookies to set.
    fn save<'a>(
        &'a self,
        session: &'a Session,
        previous: &'a RequestCookies,
        now: Timestamp,
    ) -> LocalBoxFuture<'a, Result<SetCookies, StoreError>>;

    /// Ends what `cookies` carry here, and says which cookies to set so that the browser forgets it. `session` is what
    /// `find` yielded, if anything; stores use it to clean up.
    fn close<'a>(
        &'a self,
        session: Option<&'a Session>,
        cookies: &'a RequestCookies,
    ) -> LocalBoxFuture<'a, Result<SetCookies, StoreError>>;

    /// Whose session `cookies` carry, over or not.
    fn whose<'a>(&'a self, cookies: &'a RequestCookies) -> LocalBoxFuture<'a, Option<Subject>> {
        let _ = cookies;
        ready(None).boxed_local()
    }

    /// Whether a copied cookie dies with its session.
    fn recall(&self) -> Recall;
}

/// What a store can do about a session that a client still presents after `close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recall {
    /// `find` no longer yields it.
    Forgets,
    /// It cannot be recalled: a copied cookie opens until its end. Only a revocation stops it, so whoever closes a
    /// session of this store must revoke its adapter session id as well.
    Keeps,
}

/// Why a store failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The session could not be written.
    #[error("the session cannot be encoded")]
    Codec(#[source] CodecError),
    /// A cookie could not be written.
    #[error("a cookie cannot be written")]
    Cookie(#[from] InvalidCookie),
    /// The session could not be sealed.
    #[error("the session cannot be sealed")]
    Seal(#[from] TooLargeToSeal),
    /// The session does not fit into the browser's cookies; another login would not help.
    #[error(transparent)]
    StateTooLarge(#[from] StateTooLarge),
}

impl From<CodecError> for StoreError {
    fn from(fault: CodecError) -> Self {
        match fault {
            CodecError::TooLarge { bytes } => StateTooLarge { bytes }.into(),
            fault => Self::Codec(fault),
        }
    }
}
