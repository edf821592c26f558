//! What stays open through an adapter: a WebSocket, and a stream of events. Each is watched until its end.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    sync::mpsc::{self, Receiver, TryRecvError},
    thread,
    time::{Duration, Instant},
};

use url::Url;

use crate::{browser::Browser, http, wait};

/// For what is sent before the stream is open.
const PATIENCE: Duration = Duration::from_secs(60);
/// `FIN`, and the opcodes of text and close (RFC 6455, section 5.2).
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;

/// How a stream came to its end, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) at: Instant,
    /// The status code of a WebSocket's close frame; `None`: the connection ended without one.
    pub(crate) code: Option<u16>,
}

/// An open stream. Its connection is closed when this is dropped and the other side says something.
pub(crate) struct Stream {
    name: &'static str,
    told: Receiver<Ended>,
}

impl Stream {
    /// Opens a WebSocket at an address of the application that says back what it hears, as a page of the same origin does.
    /// Returns once a message has made the way there and back.
    pub(crate) fn websocket(browser: &Browser, url: &str) -> Self {
        let more = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let mut socket = request(browser, url, "101", more);
        // Masked with zeros (section 5.3), which leave the text as it is.
        let hello = [&[TEXT, 0x80 | 5, 0, 0, 0, 0][..], b"hello"].concat();
        socket.get_ref().write_all(&hello).expect("the tunnel takes a message");
        let mut echo = [0; 7];
        socket.read_exact(&mut echo).expect("a message comes back");
        assert_eq!(&echo, b"\x81\x05hello");
        Self::watch("WebSocket", socket, |socket| frames(socket).unwrap_or(None))
    }

    /// Opens a stream of events. Returns once the first has arrived.
    pub(crate) fn events(browser: &Browser, url: &str) -> Self {
        let mut socket = request(browser, url, "200", "Accept: text/event-stream\r\n");
        let mut line = String::new();
        while !line.contains("data:") {
            line.clear();
            assert_ne!(socket.read_line(&mut line).expect("an event"), 0, "it ended before the first event");
        }
        Self::watch("event stream", socket, |socket| {
            // What it says until its end is not of interest, nor whether it ends with a last chunk or a reset.
            let _ = socket.read_to_end(&mut Vec::new());
            None
        })
    }

    fn watch(
        name: &'static str,
        mut socket: BufReader<TcpStream>,
        to_end: impl FnOnce(&mut BufReader<TcpStream>) -> Option<u16> + Send + 'static,
    ) -> Self {
        let (tell, told) = mpsc::channel();
        socket.get_ref().set_read_timeout(None).expect("a socket can wait for ever");
        thread::spawn(move || {
            let code = to_end(&mut socket);
            // Nobody is interested in a stream that its story has dropped.
            let _ = tell.send(Ended { at: wait::now(), code });
        });
        Self { name, told }
    }

    /// Whether it goes on. One that has ended is to be asked for its end only once.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.told.try_recv(), Err(TryRecvError::Empty))
    }

    /// Its end, which is waited for. Panics when it does not come.
    pub(crate) fn ended(&self, limit: Duration) -> Ended {
        self.told.recv_timeout(limit).unwrap_or_else(|_| panic!("the {} is still open after {limit:?}", self.name))
    }
}

/// Sends a GET and reads the head of the answer, which must have that status.
fn request(browser: &Browser, url: &str, status: &str, more: &str) -> BufReader<TcpStream> {
    let url = Url::parse(url).expect("stories open well-formed addresses");
    let (host, cookies) = (http::authority(&url), browser.cookies_for(&url));
    let socket = TcpStream::connect(&host).expect("the adapter listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket has a timeout");
    let head = format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: {cookies}\r\n{more}\r\n",
        url.path()
    );
    (&socket).write_all(head.as_bytes()).expect("the adapter takes a request");
    let mut reader = BufReader::new(socket);
    let mut answer = String::new();
    while !answer.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut answer).expect("an answer"), 0, "{answer}");
    }
    assert_eq!(answer.split(' ').nth(1), Some(status), "{answer}");
    reader
}

/// Reads frames until a close frame, whose status code is returned.
fn frames(socket: &mut BufReader<TcpStream>) -> io::Result<Option<u16>> {
    loop {
        let mut head = [0; 2];
        socket.read_exact(&mut head)?;
        let mut payload = vec![0; head[1].into()];
        socket.read_exact(&mut payload)?;
        if head[0] == CLOSE {
            return Ok(payload.first_chunk().map(|code| u16::from_be_bytes(*code)));
        }
    }
}
