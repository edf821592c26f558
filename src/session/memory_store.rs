//! Sessions in this process. The browser has a ticket, 256 random bits that mean nothing elsewhere; what is kept here is found by the
//! ticket's hash, so that nobody who reads this memory has a cookie of it. What ends here is gone for every copy of its cookie; and all
//! of it ends with the process, and no other node knows of it.

mod table;

use std::{fmt, sync::Arc};

use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, ready},
};

use super::{
    Config, CookieConfigError, Keep, Lookup, OpenedSessions, OwnCookies, Recall, RequestCookies, SessionCodec,
    SessionStore, SetCookies, StoreError, chunks,
};
use crate::domain::{Lifetimes, Random, SecretString, Session, SessionStatus, Subject, Timestamp, opaque_token};
pub use table::SessionTable;
use table::{Content, Record, TicketHash};

/// Characters of a ticket: 256 bits in base64url.
const TICKET_LEN: usize = 43;

/// Sessions of one site in a table that outlives it.
pub struct MemoryStore {
    table: Arc<SessionTable>,
    site: String,
    codec: SessionCodec,
    cookies: OwnCookies,
    lifetimes: Lifetimes,
    random: Arc<dyn Random>,
}

impl MemoryStore {
    /// The store of the site `site`, which no other site with the same table may be called.
    ///
    /// # Errors
    /// When the configured cookie cannot work.
    pub fn new(
        config: &Config,
        table: Arc<SessionTable>,
        site: &str,
        random: Arc<dyn Random>,
    ) -> Result<Self, CookieConfigError> {
        Ok(Self {
            table,
            site: site.to_owned(),
            codec: SessionCodec::new(),
            cookies: OwnCookies::new(&config.cookie)?,
            lifetimes: config.lifetimes,
            random,
        })
    }

    /// What the request's ticket is kept under, whether or not anything is.
    fn presented(&self, cookies: &RequestCookies) -> Option<TicketHash> {
        match cookies.find(self.cookies.session_name()) {
            Lookup::One(ticket) if ticket.len() == TICKET_LEN => Some(TicketHash::of(&self.site, ticket)),
            Lookup::One(_) | Lookup::Absent | Lookup::Ambiguous => None,
        }
    }

    fn open(
        &self,
        cookies: &RequestCookies,
        opened: &OpenedSessions,
        now: Timestamp,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        let Some(ticket) = self.presented(cookies) else { return Ok(None) };
        // Two ends count: the one by the limits when it was written, and below the one by today's.
        let Some(record) = self.table.find(&ticket).filter(|record| now < record.ends()) else { return Ok(None) };
        let name = record.name(&ticket);
        let session = match opened.find(&name, now) {
            Some(session) => session,
            None => self.decode(&record, &name, opened)?,
        };
        Ok((session.status(now, self.lifetimes) != SessionStatus::Ended).then_some(session))
    }

    /// Ended ones are kept until the table is swept.
    fn subject_of(&self, cookies: &RequestCookies) -> Option<Subject> {
        let record = self.table.find(&self.presented(cookies)?)?;
        Some(self.codec.decode(record.body()).ok()?.principal.subject)
    }

    fn decode(&self, record: &Record, name: &[u8], opened: &OpenedSessions) -> Result<Arc<Session>, StoreError> {
        let session = Arc::new(self.codec.decode(record.body())?);
        opened.keep(name, record.ends(), &session);
        Ok(session)
    }

    fn write(&self, session: &Session, previous: &RequestCookies, now: Timestamp) -> Result<SetCookies, StoreError> {
        let name = self.cookies.session_name();
        let presented = self.presented(previous);
        let mut set = SetCookies::default();
        let changed = presented.map_or(Ok(false), |ticket| self.change(&ticket, session, now))?;
        if !changed {
            let ticket = SecretString::new(opaque_token(&*self.random));
            set.push(self.cookies.set(name, ticket.expose(), Keep::BrowserSession)?);
            let content = self.content(session)?;
            if let Some(replaced) = presented {
                self.table.remove(&replaced);
            }
            self.table.insert(TicketHash::of(&self.site, ticket.expose().as_bytes()), content, now);
        }
        set.extend(self.expire(chunks::surplus(name, previous, 1))?);
        Ok(set)
    }

    /// Changes what is kept under `ticket` if it is an earlier or later state of `session`; says whether it is. Another session's ticket
    /// is never taken over: whoever knew it before a login would know the session after it (attack case 35).
    fn change(&self, ticket: &TicketHash, session: &Session, now: Timestamp) -> Result<bool, StoreError> {
        while let Some(record) = self.table.find(ticket) {
            let kept = self.codec.decode(record.body())?;
            if kept.adapter_session_id != session.adapter_session_id {
                return Ok(false);
            }
            let content = self.content(&newest(kept, session))?;
            if self.table.replace(ticket, record.version(), content, now) {
                return Ok(true);
            }
            // Somebody else changed it since it was read: look at what they wrote.
        }
        Ok(false)
    }

    fn content(&self, session: &Session) -> Result<Content, StoreError> {
        Ok(Content {
            id: session.adapter_session_id.clone(),
            body: self.codec.encode(session)?,
            used: session.last_seen,
            ends: session.ends_at(self.lifetimes),
        })
    }

    fn expire(&self, names: impl IntoIterator<Item = String>) -> Result<SetCookies, StoreError> {
        let values = names.into_iter().map(|name| self.cookies.expire(&name));
        Ok(values.collect::<Result<_, _>>()?)
    }

    fn forget(&self, cookies: &RequestCookies) -> Result<SetCookies, StoreError> {
        if let Some(ticket) = self.presented(cookies) {
            self.table.remove(&ticket);
        }
        let name = self.cookies.session_name();
        self.expire(std::iter::once(name.to_owned()).chain(chunks::surplus(name, cookies, 1)))
    }
}

/// Of two states of one session the one that was renewed later, of two with the same tokens the one proved later, with the later of their last uses: a request that began before a renewal
/// and ends after it must not bring the spent tokens back.
fn newest(kept: Session, written: &Session) -> Session {
    let age = |session: &Session| (session.renewed_at, session.proved_at, session.last_seen);
    let last_seen = kept.last_seen.max(written.last_seen);
    let newest = if age(&kept) > age(written) { kept } else { written.clone() };
    Session { last_seen, ..newest }
}

impl SessionStore for MemoryStore {
    fn find<'a>(
        &'a self,
        cookies: &'a RequestCookies,
        opened: &'a OpenedSessions,
        now: Timestamp,
    ) -> LocalBoxFuture<'a, Result<Option<Arc<Session>>, StoreError>> {
        ready(self.open(cookies, opened, now)).boxed_local()
    }

    /// A session that the request's ticket stands for already is changed in place, and no cookie is set. Any other gets a new ticket, and
    /// what the request's ticket stood for is removed.
    fn save<'a>(
        &'a self,
        session: &'a Session,
        previous: &'a RequestCookies,
        now: Timestamp,
    ) -> LocalBoxFuture<'a, Result<SetCookies, StoreError>> {
        ready(self.write(session, previous, now)).boxed_local()
    }

    fn close<'a>(
        &'a self,
        _session: Option<&'a Session>,
        cookies: &'a RequestCookies,
    ) -> LocalBoxFuture<'a, Result<SetCookies, StoreError>> {
        ready(self.forget(cookies)).boxed_local()
    }

    fn whose<'a>(&'a self, cookies: &'a RequestCookies) -> LocalBoxFuture<'a, Option<Subject>> {
        ready(self.subject_of(cookies)).boxed_local()
    }

    fn recall(&self) -> Recall {
        Recall::Forgets
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("site", &self.site)
            .field("table", &self.table)
            .field("cookies", &self.cookies)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
