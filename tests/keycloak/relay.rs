//! A port before another server, for everything that a network does to an identity server: nobody there, nobody who answers, answers that
//! never arrive.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use url::Url;

use crate::adapter::free_port;

/// A relay to one server.
pub(crate) struct Relay {
    address: SocketAddr,
    line: Arc<Line>,
    listening: Option<JoinHandle<()>>,
}

/// What becomes of what is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing listens; connections break.
    Closed,
    /// It passes.
    Open,
    /// Connections are taken, and nothing passes.
    Hanging,
    /// Requests pass; the answers of the token endpoint do not, and their connections break.
    LosingTokens,
}

/// What the relay's threads share.
struct Line {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    mode: Mode,
    /// Both sides of every connection.
    sockets: Vec<TcpStream>,
    /// Answers of the token endpoint that were lost.
    lost: usize,
}

impl Relay {
    /// A free port on which nothing listens yet.
    pub(crate) fn closed() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(Ipv4Addr::LOCALHOST)));
        let state = Mutex::new(State { mode: Mode::Closed, sockets: Vec::new(), lost: 0 });
        Self { address, line: Arc::new(Line { state, changed: Condvar::new() }), listening: None }
    }

    pub(crate) fn url(&self) -> Url {
        Url::parse(&format!("http://{}/", self.address)).expect("a socket address makes an address")
    }

    /// From now on the port leads to `server`. What was on its way while it hung is lost.
    pub(crate) fn open(&mut self, server: &Url) {
        self.line.turn(Mode::Open);
        if self.listening.is_some() {
            return;
        }
        let listener = TcpListener::bind(self.address).expect("the port is still free");
        let server = server.socket_addrs(|| None).expect("an address on loopback")[0];
        let line = Arc::clone(&self.line);
        self.listening = Some(thread::spawn(move || line.take_connections(&listener, server)));
    }

    /// Nothing listens any more.
    pub(crate) fn close(&mut self) {
        self.line.turn(Mode::Closed);
        if let Some(listening) = self.listening.take() {
            // One more connection, so that the listener sees it.
            drop(TcpStream::connect(self.address));
            listening.join().expect("the relay's thread ends in good order");
        }
    }

    /// Connections are taken, and nothing passes.
    pub(crate) fn hang(&self) {
        self.line.turn(Mode::Hanging);
    }

    /// From now on the answers of the token endpoint are lost, after it has sent them.
    pub(crate) fn lose_tokens(&self) {
        self.line.turn(Mode::LosingTokens);
    }

    /// How many answers of the token endpoint were lost.
    pub(crate) fn lost(&self) -> usize {
        self.line.lock().lost
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.close();
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no one panics holding it")
    }

    /// Connections from before break: none of them carries anything over.
    fn turn(&self, mode: Mode) {
        let mut state = self.lock();
        state.mode = mode;
        for socket in state.sockets.drain(..) {
            // One that is gone already needs no closing.
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
    }

    fn take_connections(self: &Arc<Self>, listener: &TcpListener, server: SocketAddr) {
        for near in listener.incoming().flatten() {
            if self.lock().mode == Mode::Closed {
                return;
            }
            // What cannot be joined is dropped, which the other side sees as a closed connection.
            let _ = TcpStream::connect(server).and_then(|far| self.join(near, far));
        }
    }

    fn join(self: &Arc<Self>, near: TcpStream, far: TcpStream) -> io::Result<()> {
        self.lock().sockets.extend([near.try_clone()?, far.try_clone()?]);
        let asks_for_tokens = Arc::new(AtomicBool::new(false));
        let (back_from, back_to) = (far.try_clone()?, near.try_clone()?);
        let (forth, back) = (Arc::clone(self), Arc::clone(self));
        let (tell, told) = (Arc::clone(&asks_for_tokens), asks_for_tokens);
        thread::spawn(move || {
            forth.copy(&near, &far, |bytes| {
                if bytes.starts_with(b"POST ") {
                    tell.store(bytes.windows(11).any(|part| part == b"/token HTTP"), Ordering::SeqCst);
                }
                true
            });
        });
        thread::spawn(move || {
            back.copy(&back_from, &back_to, |_| !(told.load(Ordering::SeqCst) && back.loses_tokens()));
        });
        Ok(())
    }

    fn loses_tokens(&self) -> bool {
        let mut state = self.lock();
        let loses = state.mode == Mode::LosingTokens;
        state.lost += usize::from(loses);
        loses
    }

    /// Copies while `passes`. A connection that breaks ends like one that closes: the other side is told that no more will come.
    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream, passes: impl Fn(&[u8]) -> bool) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let open = self.changed.wait_while(self.lock(), |state| state.mode == Mode::Hanging);
            drop(open);
            if !passes(&buffer[..count]) {
                let _ = to.shutdown(Shutdown::Both);
                break;
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }
}
