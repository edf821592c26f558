//! A tiny HTTP/1.1 client over `std::net`, so that tests see the very bytes: no connection pool, no redirects, no header
//! that was not asked for except `Host`, `Connection: close` and `Content-Length`. One request, one connection.

mod wire;

use std::{
    fmt, io,
    io::{BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

pub use wire::Body;
pub(crate) use wire::{Framing, read_head};

/// A header list in its order on the wire.
pub type Headers = Vec<(String, String)>;

/// How long a silent server is waited for. Long, because a loaded machine is slow, and no test waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What went wrong with an exchange.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection, a time-out, or one that broke.
    #[error("the connection failed")]
    Connection(#[from] io::Error),
    /// The other side closed before a whole head was there.
    #[error("the connection was closed without an answer")]
    Closed,
    /// What came is not HTTP/1.1 as this client is willing to read it.
    #[error("malformed message: {0}")]
    Malformed(&'static str),
    /// A URL that this client cannot request.
    #[error("not a URL that can be requested: {0}")]
    Url(String),
    /// A browser was sent on more often than it follows.
    #[error("too many redirects, the last one to {0}")]
    TooManyRedirects(String),
}

/// A request to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method, as written on the wire.
    pub method: String,
    /// The request target, as written on the wire.
    pub target: String,
    /// The headers, in order. `Host`, `Connection` and `Content-Length` are added when not among them.
    pub headers: Headers,
    /// The body; may be empty.
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    /// Method and target without its query, since codes and tokens travel in the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        write!(f, "{} {path} ({} bytes)", self.method, self.body.len())
    }
}

impl Request {
    /// A request with this method and target, without headers or body.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// A GET.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST of a form.
    #[must_use]
    pub fn form(target: &str, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::new("POST", target).header("Content-Type", "application/x-www-form-urlencoded").body(body)
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn to_bytes(&self, host: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut line = |name: &str, value: &str| head.extend([name, ": ", value, "\r\n"]);
        if find(&self.headers, "host").is_none() {
            line("Host", host);
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        if find(&self.headers, "connection").is_none() {
            line("Connection", "close");
        }
        let framed = ["content-length", "transfer-encoding"].iter().any(|name| find(&self.headers, name).is_some());
        if !framed && (!self.body.is_empty() || self.method == "POST") {
            line("Content-Length", &self.body.len().to_string());
        }
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The status codes of the interim (1xx) answers before it.
    pub interim: Vec<u16>,
    /// The headers, in order.
    pub headers: Headers,
    /// The body, without its transfer coding.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name (case does not matter).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// All headers of this name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        all(&self.headers, name)
    }

    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` when it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// An answer whose head has come and whose body is still to be read: for event streams, downloads and upgrades.
#[derive(Debug)]
pub struct Exchange {
    /// The status code.
    pub status: u16,
    /// The status codes of the interim (1xx) answers before it.
    pub interim: Vec<u16>,
    /// The headers, in order.
    pub headers: Headers,
    /// The body; after a 101 the raw bytes of the tunnel.
    pub body: Body<BufReader<TcpStream>>,
    /// The sending side of the connection, for what follows a 101 or a slow upload.
    pub sender: TcpStream,
}

impl Exchange {
    /// Reads the rest.
    ///
    /// # Errors
    /// When the body ends before its framing says so, or in silence.
    pub fn finish(mut self) -> Result<Response, Error> {
        let mut body = Vec::new();
        self.body.read_to_end(&mut body)?;
        Ok(Response { status: self.status, interim: self.interim, headers: self.headers, body })
    }
}

/// Sends `request` to `address` and reads the whole answer.
///
/// # Errors
/// When there is no connection, no answer, or one that is no HTTP/1.1.
pub fn send(address: SocketAddr, request: &Request) -> Result<Response, Error> {
    open(address, request)?.finish()
}

/// Sends `request` to `address` and reads the head of the answer.
///
/// # Errors
/// As [`send`], as far as the head goes.
pub fn open(address: SocketAddr, request: &Request) -> Result<Exchange, Error> {
    let sender = write(address, &request.to_bytes(&address.to_string()))?;
    read_answer(sender, &request.method)
}

/// Sends these bytes as they stand and reads the head of the answer: for requests that no decent client would make.
///
/// # Errors
/// As [`open`].
pub fn open_raw(address: SocketAddr, bytes: &[u8]) -> Result<Exchange, Error> {
    read_answer(write(address, bytes)?, "")
}

fn write(address: SocketAddr, bytes: &[u8]) -> Result<TcpStream, Error> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    // A server may answer and close before it has read a long body; the answer is still to be read then.
    match stream.write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(stream),
    }
}

fn read_answer(sender: TcpStream, method: &str) -> Result<Exchange, Error> {
    let mut reader = BufReader::new(sender.try_clone()?);
    let mut interim = Vec::new();
    let (status, headers) = loop {
        let (first, headers) = read_head(&mut reader)?.ok_or(Error::Closed)?;
        match status_of(&first)? {
            status @ (100 | 102..=199) => interim.push(status),
            status => break (status, headers),
        }
    };
    let framing = Framing::of_response(method, status, &headers)?;
    Ok(Exchange { status, interim, headers, body: Body::new(reader, framing), sender })
}

fn status_of(line: &str) -> Result<u16, Error> {
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
    let digits = rest.and_then(|rest| rest.get(..3)).ok_or(Error::Malformed("status line"))?;
    digits.parse().map_err(|_| Error::Malformed("status code"))
}

/// The first header of this name.
#[must_use]
pub fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// All headers of this name, in order.
pub fn all<'a>(headers: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests;
