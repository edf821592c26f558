//! The server as a test holds it: start, stop, look, and make it go wrong.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use actix_web::dev::ServerHandle;
use serde_json::Value;

use crate::{
    http::PATIENCE,
    keys::{Algorithm, Generation},
    message::Received,
    misbehave::{Endpoint, Faults},
    options::Options,
    state::{Shared, State},
    transport,
};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No socket, or no thread.
    #[error("the identity server cannot listen")]
    Listen(#[from] io::Error),
    /// No keys.
    #[error("the identity server cannot make its keys")]
    Keys,
}

/// What happens to the old keys when new ones come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldKeys {
    /// They are still published: an orderly rotation.
    Keep,
    /// They are not published any more: an emergency.
    Forget,
}

/// A running OpenID provider on a loopback port of its own. Ends when dropped.
#[derive(Debug)]
pub struct IdentityServer {
    address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    handle: ServerHandle,
    thread: JoinHandle<()>,
}

impl IdentityServer {
    /// Starts on `127.0.0.1` at a free port, with a thread and an async runtime of its own, so that any `#[test]` can call it.
    ///
    /// # Errors
    /// When there is no port, thread or randomness to be had.
    pub fn start(options: Options) -> Result<Self, StartError> {
        Self::start_at(options, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts at this address.
    ///
    /// # Errors
    /// As [`start`](Self::start), or when the address is taken.
    pub fn start_at(options: Options, address: SocketAddr) -> Result<Self, StartError> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let state = State::new(options, format!("http://{address}")).map_err(|_| StartError::Keys)?;
        let shared = Arc::new(Shared::new(state));
        let running = Some(run(listener, &shared)?);
        Ok(Self { address, shared, running })
    }

    /// Stops: connections break, new ones are refused, and nothing is served any more when this returns. What it knows stays.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            // The command is sent when the future is made; the thread ends when all workers have obeyed it.
            drop(running.handle.stop(false));
            let _ = running.thread.join();
        }
    }

    /// Starts again on the same port, as after an outage. Does nothing when it runs.
    ///
    /// # Errors
    /// When the port is taken by now.
    pub fn restart(&mut self) -> Result<(), StartError> {
        if self.running.is_none() {
            self.running = Some(run(TcpListener::bind(self.address)?, &self.shared)?);
        }
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port`; for Keycloak's dialect this is `auth-server-url`.
    #[must_use]
    pub fn origin(&self) -> String {
        self.shared.lock().origin.clone()
    }

    /// The issuer that it claims.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.shared.lock().issuer()
    }

    /// The URL of an endpoint.
    #[must_use]
    pub fn url(&self, endpoint: Endpoint) -> String {
        self.shared.lock().url(endpoint)
    }

    /// Changes any option while it runs; a new `realm` or `path` moves the endpoints.
    pub fn configure(&self, change: impl FnOnce(&mut Options)) {
        change(&mut self.shared.lock().options);
    }

    /// Signs by this algorithm from now on.
    pub fn set_algorithm(&self, algorithm: Algorithm) {
        self.configure(|options| options.algorithm = algorithm);
    }

    /// How many requests an endpoint has got.
    #[must_use]
    pub fn calls(&self, endpoint: Endpoint) -> usize {
        self.shared.lock().log.calls.get(&endpoint).copied().unwrap_or_default()
    }

    /// Waits until an endpoint has got so many requests in all; `false` when they do not come within [`PATIENCE`].
    #[must_use]
    pub fn wait_for_calls(&self, endpoint: Endpoint, count: usize) -> bool {
        let few = |state: &mut State| state.log.calls.get(&endpoint).copied().unwrap_or_default() < count;
        let waited = self.shared.arrived.wait_timeout_while(self.shared.lock(), PATIENCE, few);
        waited.is_ok_and(|(_, waited)| !waited.timed_out())
    }

    /// The requests that an endpoint got, oldest first (the last thousand).
    #[must_use]
    pub fn received(&self, endpoint: Endpoint) -> Vec<Received> {
        let state = self.shared.lock();
        state.log.received.get(&endpoint).map(|all| all.iter().cloned().collect()).unwrap_or_default()
    }

    /// The latest request that an endpoint got.
    #[must_use]
    pub fn last(&self, endpoint: Endpoint) -> Option<Received> {
        self.shared.lock().log.received.get(&endpoint)?.back().cloned()
    }

    /// The endpoint's next request goes wrong this way; several calls line up for as many requests.
    pub fn next(&self, endpoint: Endpoint, faults: impl Into<Faults>) {
        self.shared.lock().log.next.entry(endpoint).or_default().push_back(faults.into());
    }

    /// All of the endpoint's requests go wrong this way, except those that [`next`](Self::next) speaks of.
    pub fn always(&self, endpoint: Endpoint, faults: impl Into<Faults>) {
        self.shared.lock().log.always.insert(endpoint, faults.into());
    }

    /// Nothing goes wrong at this endpoint any more.
    pub fn behave(&self, endpoint: Endpoint) {
        let log = &mut self.shared.lock().log;
        log.next.remove(&endpoint);
        log.always.remove(&endpoint);
    }

    /// Lets everything go on that hangs or is held at this moment.
    pub fn release(&self) {
        self.shared.gate.send_modify(|generation| *generation += 1);
    }

    /// New signing keys under new `kid`s.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn rotate_keys(&self, old: OldKeys) -> Result<(), StartError> {
        let mut state = self.shared.lock();
        let number = state.keys.number() + 1;
        let present = state.keys.jwks(state.options.algorithm);
        match old {
            OldKeys::Keep => state.old_keys.extend(present),
            OldKeys::Forget => state.old_keys.clear(),
        }
        state.keys = Generation::make(number).map_err(|_| StartError::Keys)?;
        Ok(())
    }

    /// Publishes these besides the real keys, before them; see [`junk_keys`](crate::junk_keys).
    pub fn set_junk_keys(&self, keys: Vec<Value>) {
        self.shared.lock().junk_keys = keys;
    }

    /// The present RSA public key as a DER `RSAPublicKey`.
    #[must_use]
    pub fn rsa_public_der(&self) -> Vec<u8> {
        self.shared.lock().keys.rsa_public_der()
    }

    /// The sessions that live, as `(sid, user name)`.
    #[must_use]
    pub fn sessions(&self) -> Vec<(String, String)> {
        let state = self.shared.lock();
        let live = state.logins.iter().filter(|(_, login)| !login.ended);
        live.map(|(sid, login)| (sid.clone(), login.username.clone())).collect()
    }
}

impl Drop for IdentityServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(listener: TcpListener, shared: &Arc<Shared>) -> Result<Running, StartError> {
    let (sender, receiver) = mpsc::channel();
    let shared = Arc::clone(shared);
    let thread = thread::Builder::new().name("identity-server".to_owned()).spawn(move || {
        // A failure shows as the missing handle below, or as refused connections later.
        let _ = transport::serve(listener, shared, |handle| drop(sender.send(handle)));
    })?;
    let handle = receiver.recv().map_err(|_| io::Error::other("the server's thread ended"))?;
    Ok(Running { handle, thread })
}
