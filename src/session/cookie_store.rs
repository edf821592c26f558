//! The store without a store: the whole session, sealed, in the browser's cookies. Any node with the key reads it;
//! nothing is kept here, so nothing can be recalled.

use std::{fmt, sync::Arc};

use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, ready},
};

use super::{
    Config, CookieConfigError, Keep, KeyRing, OpenedSessions, OwnCookies, Purpose, Recall, RequestCookies, Sealer,
    SessionCodec, SessionStore, SetCookies, StoreError, chunks,
};
use crate::domain::{Lifetimes, Random, Session, SessionStatus, Subject, Timestamp};

/// Sessions in sealed cookies of one site.
pub struct CookieStore {
    sealer: Sealer,
    codec: SessionCodec,
    cookies: OwnCookies,
    lifetimes: Lifetimes,
    random: Arc<dyn Random>,
}

impl CookieStore {
    /// The store of the site `site`, which no other site with the same keys may be called.
    ///
    /// # Errors
    /// When the configured cookie cannot work.
    pub fn new(
        config: &Config,
        keys: &KeyRing,
        site: &str,
        random: Arc<dyn Random>,
    ) -> Result<Self, CookieConfigError> {
        Ok(Self {
            sealer: Sealer::new(keys, Purpose::Session, site),
            codec: SessionCodec::new(),
            cookies: OwnCookies::new(&config.cookie)?,
            lifetimes: config.lifetimes,
            random,
        })
    }

    fn open(&self, cookies: &RequestCookies, opened: &OpenedSessions, now: Timestamp) -> Option<Arc<Session>> {
        let name = self.cookies.session_name();
        let text = chunks::join(name, cookies)?;
        let session = match opened.find(&text, now) {
            Some(session) => session,
            None => self.unseal(name, &text, opened, now)?,
        };
        (session.status(now, self.lifetimes) != SessionStatus::Ended).then_some(session)
    }

    /// The one place where an end is not looked at: what is opened here goes no further than its subject.
    fn subject_of(&self, cookies: &RequestCookies) -> Option<Subject> {
        let name = self.cookies.session_name();
        let seal = self.sealer.open_even_expired(name, &chunks::join(name, cookies)?).ok()?;
        Some(self.codec.decode(seal.body()).ok()?.principal.subject)
    }

    /// Two ends count: the one sealed in, by the limits when it was written, and, with the caller, the one by today's limits.
    fn unseal(&self, name: &str, text: &[u8], opened: &OpenedSessions, now: Timestamp) -> Option<Arc<Session>> {
        let seal = self.sealer.open(name, text, now)?;
        let session = self.codec.decode(seal.body());
        let session =
            session.inspect_err(|reason| tracing::debug!(%reason, "a genuine cookie holds no session")).ok()?;
        let session = Arc::new(session);
        opened.keep(text, seal.ends(), &session);
        Some(session)
    }

    fn write(&self, session: &Session, previous: &RequestCookies) -> Result<SetCookies, StoreError> {
        let name = self.cookies.session_name();
        let body = self.codec.encode(session)?;
        let sealed = self.sealer.seal(name, &body, session.ends_at(self.lifetimes), &*self.random)?;
        let pieces = chunks::cut(name, &sealed)?;
        let mut set = SetCookies::default();
        for (name, value) in &pieces {
            set.push(self.cookies.set(name, value, Keep::BrowserSession)?);
        }
        set.extend(self.expire(chunks::surplus(name, previous, pieces.len()))?);
        Ok(set)
    }

    fn expire(&self, names: impl IntoIterator<Item = String>) -> Result<SetCookies, StoreError> {
        let values = names.into_iter().map(|name| self.cookies.expire(&name));
        Ok(values.collect::<Result<_, _>>()?)
    }
}

impl SessionStore for CookieStore {
    fn find<'a>(
        &'a self,
        cookies: &'a RequestCookies,
        opened: &'a OpenedSessions,
        now: Timestamp,
    ) -> LocalBoxFuture<'a, Result<Option<Arc<Session>>, StoreError>> {
        ready(Ok(self.open(cookies, opened, now))).boxed_local()
    }

    fn save<'a>(
        &'a self,
        session: &'a Session,
        previous: &'a RequestCookies,
        _now: Timestamp,
    ) -> LocalBoxFuture<'a, Result<SetCookies, StoreError>> {
        ready(self.write(session, previous)).boxed_local()
    }

    /// The plain name is always removed; further chunks when the request carried them.
    fn close<'a>(
        &'a self,
        _session: Option<&'a Session>,
        cookies: &'a RequestCookies,
    ) -> LocalBoxFuture<'a, Result<SetCookies, StoreError>> {
        let name = self.cookies.session_name();
        let names = std::iter::once(name.to_owned()).chain(chunks::surplus(name, cookies, 1));
        ready(self.expire(names)).boxed_local()
    }

    fn whose<'a>(&'a self, cookies: &'a RequestCookies) -> LocalBoxFuture<'a, Option<Subject>> {
        ready(self.subject_of(cookies)).boxed_local()
    }

    fn recall(&self) -> Recall {
        Recall::Keeps
    }
}

impl fmt::Debug for CookieStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieStore")
            .field("sealer", &self.sealer)
            .field("cookies", &self.cookies)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
