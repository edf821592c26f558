//! The application behind the proxy: it writes down what it hears and answers in every awkward way, by path.
//!
//! | path | answer |
//! |---|---|
//! | `/chunked/{n}` | `n` chunks, `chunk 0;` and so on |
//! | `/download/{n}`, `/download-eof/{n}` | `n` bytes by `Content-Length`, or until the end of the connection |
//! | `/sse` | an event stream: `data: open`, then whatever [`Application::tick`] says |
//! | `/slow` | waits for [`Application::release`] |
//! | `/close`, `/close-midway` | closes with no answer, or in the middle of a body |
//! | `/interim` | a 103 before the answer |
//! | `/status/{code}` | that status without a body |
//! | `/hop-by-hop` | connection headers that must not pass |
//! | `/set-cookie` | cookies of its own; with `?line=…` those `Set-Cookie` lines |
//! | `/cors` | every origin allowed, by its own headers |
//! | `/websocket` | 101, then says back every byte it hears |
//! | `/ws`, `/ws/wrong` | a WebSocket that says back every message and answers pings; `wrong`: agrees to another handshake |
//! | any other | JSON: `method`, `target`, `headers` in order, `body_length`, `body_sha256` |

mod answers;
mod websocket;

use std::{
    io::{self, BufReader, Read},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::http::{Body, Framing, Headers, PATIENCE, read_head};

/// How many requests are remembered.
const REMEMBERED: usize = 10_000;

/// A request as the application heard it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The method.
    pub method: String,
    /// The request target, byte for byte (as Latin-1).
    pub target: String,
    /// The headers, names as written, in order.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Heard {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        crate::http::find(&self.headers, name)
    }
}

/// A running application: one thread a connection, keep-alive. Stops listening when dropped.
#[derive(Debug)]
pub struct Application {
    place: Place,
    shared: Arc<Shared>,
}

#[derive(Clone, Debug)]
enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What the connections share.
#[derive(Debug, Default)]
struct Shared {
    diary: Mutex<Diary>,
    changed: Condvar,
    stopped: AtomicBool,
}

#[derive(Debug, Default)]
struct Diary {
    heard: Vec<Heard>,
    connections: usize,
    /// Open event streams.
    listeners: usize,
    ticks: Vec<String>,
    releases: u64,
}

impl Application {
    /// Starts on `127.0.0.1` at a free port.
    ///
    /// # Errors
    /// When there is no port or thread to be had.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let place = Place::Tcp(listener.local_addr()?);
        Self::run(place, move || listener.accept().map(|(stream, _)| stream))
    }

    /// Starts on a Unix socket at this path, which must not exist.
    ///
    /// # Errors
    /// When the path is taken or cannot be made.
    pub fn start_unix(path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        Self::run(Place::Unix(path.to_owned()), move || listener.accept().map(|(stream, _)| stream))
    }

    fn run<S: Stream>(place: Place, accept: impl Fn() -> io::Result<S> + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("application".to_owned()).spawn(move || {
            while let Ok(stream) = accept() {
                if theirs.stopped.load(Ordering::SeqCst) {
                    return;
                }
                theirs.change(|diary| diary.connections += 1);
                let shared = Arc::clone(&theirs);
                // A broken connection is the other side's business; what was heard is in the diary.
                thread::spawn(move || drop(serve(stream, &shared)));
            }
        })?;
        Ok(Self { place, shared })
    }

    /// Where it listens; `None` on a Unix socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.place {
            Place::Tcp(address) => Some(*address),
            Place::Unix(_) => None,
        }
    }

    /// As `sidecar.upstream` writes it: `http://127.0.0.1:port` or `unix:/path`.
    #[must_use]
    pub fn upstream(&self) -> String {
        match &self.place {
            Place::Tcp(address) => format!("http://{address}"),
            Place::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// Everything it heard, oldest first.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.shared.lock().heard.clone()
    }

    /// The latest that it heard.
    #[must_use]
    pub fn last(&self) -> Option<Heard> {
        self.shared.lock().heard.last().cloned()
    }

    /// How many connections were made to it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Waits until it has heard so many requests; `false` when they do not come within [`PATIENCE`].
    #[must_use]
    pub fn wait_for_requests(&self, count: usize) -> bool {
        self.shared.wait_until(|diary| diary.heard.len() >= count)
    }

    /// Waits until exactly so many event streams are open. A stream that its client left is noticed at the next
    /// [`tick`](Self::tick) at the latest.
    #[must_use]
    pub fn wait_for_listeners(&self, count: usize) -> bool {
        self.shared.wait_until(|diary| diary.listeners == count)
    }

    /// Sends an event to every open event stream.
    pub fn tick(&self, data: &str) {
        self.shared.change(|diary| diary.ticks.push(data.to_owned()));
    }

    /// Lets every request to `/slow` that waits now be answered.
    pub fn release(&self) {
        self.shared.change(|diary| diary.releases += 1);
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
        // One more connection, so that the listener sees it.
        match &self.place {
            Place::Tcp(address) => drop(TcpStream::connect(address)),
            Place::Unix(path) => drop(UnixStream::connect(path)),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Diary> {
        self.diary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Diary)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn wait_until(&self, done: impl Fn(&Diary) -> bool) -> bool {
        let stopped = || self.stopped.load(Ordering::SeqCst);
        let waited = self.changed.wait_timeout_while(self.lock(), PATIENCE, |diary| !done(diary) && !stopped());
        waited.is_ok_and(|(diary, _)| done(&diary))
    }
}

/// A connection that can be read and written from two ends.
trait Stream: io::Read + io::Write + Send + 'static {
    fn twin(&self) -> io::Result<Box<dyn io::Read + Send>>;
    fn close(&self);
}

impl Stream for TcpStream {
    fn twin(&self) -> io::Result<Box<dyn io::Read + Send>> {
        self.set_nodelay(true)?;
        Ok(Box::new(self.try_clone()?))
    }

    fn close(&self) {
        drop(self.shutdown(Shutdown::Both));
    }
}

impl Stream for UnixStream {
    fn twin(&self) -> io::Result<Box<dyn io::Read + Send>> {
        Ok(Box::new(self.try_clone()?))
    }

    fn close(&self) {
        drop(self.shutdown(Shutdown::Both));
    }
}

/// Whether the connection goes on after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Close,
    KeepAlive,
}

fn serve(mut stream: impl Stream, shared: &Shared) -> Result<(), crate::http::Error> {
    let mut reader = BufReader::new(stream.twin()?);
    while let Some((line, headers)) = read_head(&mut reader)? {
        let heard = hear(&mut reader, &line, headers)?;
        // At once with the entry: whoever has seen it may release it from then on.
        let mut releases = 0;
        shared.change(|diary| {
            releases = diary.releases;
            if diary.heard.len() < REMEMBERED {
                diary.heard.push(heard.clone());
            }
        });
        let closing = heard.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let after = answers::answer(&mut stream, &mut reader, shared, &heard, releases)?;
        if closing || after == After::Close {
            break;
        }
    }
    stream.close();
    Ok(())
}

fn hear(reader: &mut impl io::BufRead, line: &str, headers: Headers) -> Result<Heard, crate::http::Error> {
    let malformed = crate::http::Error::Malformed("request line");
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1"), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(malformed);
    };
    let mut body = Vec::new();
    Body::new(reader, Framing::of_request(&headers)?).read_to_end(&mut body)?;
    Ok(Heard { method: method.to_owned(), target: target.to_owned(), headers, body })
}
