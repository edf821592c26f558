//! What the server knows: its keys, who is signed in, what was handed out, what was asked of it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use ring::{
    error::Unspecified,
    rand::{SecureRandom, SystemRandom},
};
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    back_channel::ClientSession,
    bounded::Bounded,
    endings::Endings,
    jws::{self, Draft},
    keys::{Generation, encode},
    message::Received,
    misbehave::{Endpoint, Faults, TokenFault},
    options::{Client, Options, User},
    paths::Paths,
};

/// How many requests per endpoint are remembered.
const REMEMBERED: usize = 1000;

/// The state, and what waits for it to change.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Told when a request has arrived.
    pub(crate) arrived: Condvar,
    /// Moves on when held answers are released.
    pub(crate) gate: watch::Sender<u64>,
}

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self { state: Mutex::new(state), arrived: Condvar::new(), gate: watch::Sender::new(0) }
    }

    /// The state; a test that panicked elsewhere does not make it unusable.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything the endpoints read and write.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) options: Options,
    /// `http://127.0.0.1:port`.
    pub(crate) origin: String,
    pub(crate) keys: Generation,
    /// Keys of earlier generations that are still published.
    pub(crate) old_keys: Vec<Value>,
    pub(crate) junk_keys: Vec<Value>,
    /// When each node was last registered, by client and host; `None` once it was taken off.
    pub(crate) nodes: Bounded<(String, String), Option<i64>>,
    /// Sessions by `sid`.
    pub(crate) logins: Bounded<String, Login>,
    pub(crate) codes: Bounded<String, Code>,
    pub(crate) access_tokens: Bounded<String, Issued>,
    pub(crate) refresh_tokens: Bounded<String, Issued>,
    /// How often UserInfo was asked with an access token of a session, by `sid`.
    pub(crate) userinfo: Bounded<String, usize>,
    /// What has ended but is not committed, and what outlives the sessions that it ended.
    pub(crate) endings: Endings,
    /// `jti` of client assertions that were used.
    pub(crate) assertions: Bounded<String, ()>,
    pub(crate) log: Log,
}

/// A session at this server.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// What the single-sign-on cookie proves itself with.
    pub(crate) secret: String,
    pub(crate) username: String,
    pub(crate) auth_time: i64,
    pub(crate) ended: bool,
    /// Clients that were given tokens in it.
    pub(crate) clients: Vec<String>,
    /// What the clients said of their own sessions, by client. Bounded by the clients.
    pub(crate) client_sessions: HashMap<String, ClientSession>,
}

impl Login {
    /// A user who has just signed in.
    pub(crate) fn new(username: &str, now: i64) -> Self {
        let (clients, client_sessions) = (Vec::new(), HashMap::new());
        Self { secret: random(), username: username.to_owned(), auth_time: now, ended: false, clients, client_sessions }
    }
}

/// What a user has granted to a client.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) sid: String,
    pub(crate) scope: String,
    pub(crate) nonce: Option<String>,
}

/// A code and what it is bound to.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) grant: Grant,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<String>,
    pub(crate) expires: i64,
    pub(crate) spent: bool,
}

/// A token that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) grant: Grant,
    pub(crate) made_at: i64,
    pub(crate) expires: i64,
    pub(crate) spent: bool,
}

impl State {
    pub(crate) fn new(options: Options, origin: String) -> Result<Self, Unspecified> {
        Ok(Self {
            options,
            origin,
            keys: Generation::make(0)?,
            old_keys: Vec::new(),
            junk_keys: Vec::new(),
            nodes: Bounded::default(),
            logins: Bounded::default(),
            codes: Bounded::default(),
            access_tokens: Bounded::default(),
            refresh_tokens: Bounded::default(),
            userinfo: Bounded::default(),
            endings: Endings::default(),
            assertions: Bounded::default(),
            log: Log::default(),
        })
    }

    pub(crate) fn now(&self) -> i64 {
        (self.options.now)()
    }

    /// The URL of an endpoint.
    pub(crate) fn url(&self, endpoint: Endpoint) -> String {
        format!("{}{}", self.origin, Paths::of(&self.options).of_endpoint(endpoint))
    }

    pub(crate) fn issuer(&self) -> String {
        let slash = if self.options.trailing_slash { "/" } else { "" };
        let own = || format!("{}{}{slash}", self.origin, Paths::of(&self.options).base);
        self.options.issuer.clone().unwrap_or_else(own)
    }

    pub(crate) fn client(&self, id: &str) -> Option<&Client> {
        self.options.clients.iter().find(|client| client.id == id)
    }

    pub(crate) fn user(&self, username: &str) -> Option<&User> {
        self.options.users.iter().find(|user| user.username == username)
    }

    /// A session that has not ended.
    pub(crate) fn live_login(&self, sid: &str) -> Option<&Login> {
        self.logins.get(sid).filter(|login| !login.ended)
    }

    /// Ends a session: nothing that was handed out in it is good any more.
    pub(crate) fn end_login(&mut self, sid: &str) {
        if let Some(login) = self.logins.get_mut(sid) {
            login.ended = true;
        }
    }

    /// Whether a token is as good as when it was handed out.
    pub(crate) fn is_good(&self, issued: &Issued) -> bool {
        let login = self.live_login(&issued.grant.sid);
        let in_force = |login: &Login| issued.made_at >= self.not_before_of(&login.username);
        issued.expires > self.now() && login.is_some_and(in_force)
    }

    /// Signs claims for a client by the present key and algorithm.
    pub(crate) fn sign(&self, typ: &str, client_id: &str, claims: Value, faults: &[TokenFault]) -> Option<String> {
        let secret = self.client(client_id).and_then(|client| client.authentication.secret()).unwrap_or_default();
        let draft = Draft { typ, claims, algorithm: self.options.algorithm, secret: secret.as_bytes() };
        jws::sign(&self.keys, draft, faults).ok()
    }
}

/// What was asked, and how the next answers go wrong.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) calls: HashMap<Endpoint, usize>,
    pub(crate) received: HashMap<Endpoint, VecDeque<Received>>,
    pub(crate) next: HashMap<Endpoint, VecDeque<Faults>>,
    pub(crate) always: HashMap<Endpoint, Faults>,
}

impl Log {
    /// Counts and remembers a request; what goes wrong with its answer.
    pub(crate) fn arrive(&mut self, endpoint: Endpoint, received: Received) -> Faults {
        *self.calls.entry(endpoint).or_default() += 1;
        let remembered = self.received.entry(endpoint).or_default();
        remembered.push_back(received);
        if remembered.len() > REMEMBERED {
            remembered.pop_front();
        }
        let next = self.next.get_mut(&endpoint).and_then(VecDeque::pop_front);
        next.or_else(|| self.always.get(&endpoint).cloned()).unwrap_or_default()
    }
}

/// A fresh random string of 128 bits.
pub(crate) fn random() -> String {
    let mut bytes = [0; 16];
    // Filling fails only where the system has no randomness at all; a known value is then as good as any in a test.
    let _ = SystemRandom::new().fill(&mut bytes);
    encode(&bytes)
}
