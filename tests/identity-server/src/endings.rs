//! How sessions end from this side: one, a user's, all of them, or what is older than an instant; at once, or on
//! [`commit`](crate::IdentityServer::commit), since Keycloak tells its adapters first and commits after.

use std::collections::HashMap;

use crate::state::{Login, State};

/// What ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The session with this `sid`.
    Session(String),
    /// All sessions of this subject. As at Keycloak, the user's not-before moves to now.
    User(String),
    /// All sessions.
    All,
    /// Tokens issued before this instant (seconds), to anybody.
    NotBefore(i64),
}

/// What has ended.
#[derive(Debug, Default)]
pub(crate) struct Endings {
    /// Whether endings wait for a commit.
    pub(crate) held: bool,
    /// What waits, in order. A test's own, so as long as a test makes it.
    waiting: Vec<Ending>,
    /// The users' own not-before (seconds), by subject. Bounded by the users.
    not_before: HashMap<String, i64>,
}

impl State {
    /// Ends something now, or when it is committed.
    pub(crate) fn end(&mut self, ending: Ending) {
        if self.endings.held {
            self.endings.waiting.push(ending);
        } else {
            self.apply(ending);
        }
    }

    /// Ends what waited, and holds nothing any more.
    pub(crate) fn commit(&mut self) {
        self.endings.held = false;
        for ending in std::mem::take(&mut self.endings.waiting) {
            self.apply(ending);
        }
    }

    /// The greatest not-before that holds for a user (seconds): everybody's, or their own.
    pub(crate) fn not_before_of(&self, username: &str) -> i64 {
        let own = self.user(username).and_then(|user| self.endings.not_before.get(&user.subject));
        own.copied().unwrap_or_default().max(self.options.not_before)
    }

    /// The same for whoever has this session: what Keycloak writes into token responses.
    pub(crate) fn not_before_of_session(&self, sid: &str) -> i64 {
        self.logins.get(sid).map_or(self.options.not_before, |login| self.not_before_of(&login.username))
    }

    fn apply(&mut self, ending: Ending) {
        match ending {
            Ending::Session(sid) => self.end_login(&sid),
            Ending::User(subject) => self.end_user(subject),
            Ending::All => self.logins.values_mut().for_each(|login| login.ended = true),
            Ending::NotBefore(instant) => self.options.not_before = instant,
        }
    }

    fn end_user(&mut self, subject: String) {
        let named = self.options.users.iter().find(|user| user.subject == subject);
        let username = named.map(|user| user.username.clone());
        let theirs = |login: &&mut Login| Some(&login.username) == username.as_ref();
        self.logins.values_mut().filter(theirs).for_each(|login| login.ended = true);
        let now = self.now();
        self.endings.not_before.insert(subject, now);
    }
}
