//! One end of a connection, byte by byte: several requests on one connection, and what no decent client would send.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
};

use identity_server::http::{Headers, PATIENCE, Response, find};

/// One end of a connection. Every read ends after [`PATIENCE`] at the latest, and then fails its story.
pub(crate) struct Wire<S> {
    stream: BufReader<S>,
}

impl Wire<TcpStream> {
    /// A connection to `address`.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect_timeout(&address, PATIENCE).expect("a connection"))
    }

    /// This connection.
    pub(crate) fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self::over(stream)
    }

    /// Closes it both ways.
    pub(crate) fn close(self) {
        drop(self.stream.get_ref().shutdown(Shutdown::Both));
    }
}

impl<S: Read + Write> Wire<S> {
    /// This stream.
    pub(crate) fn over(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Sends these bytes; that the other end has closed already shows when its answer is read.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.stream.get_mut().write_all(bytes.as_ref()));
    }

    /// Reads a start line and headers; `None` when the connection was closed instead.
    pub(crate) fn head(&mut self) -> Option<(String, Headers)> {
        let first = self.line()?;
        let mut headers = Headers::new();
        loop {
            let line = self.line().expect("a whole head");
            if line.is_empty() {
                return Some((first, headers));
            }
            let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
            headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Reads one answer whose end does not need the connection's, to a request that was no HEAD.
    pub(crate) fn answer(&mut self) -> Response {
        let (mut status, mut headers) = self.status();
        let mut interim = Vec::new();
        while status < 200 && status != 101 {
            interim.push(status);
            (status, headers) = self.status();
        }
        let chunked = find(&headers, "transfer-encoding").is_some();
        let length = find(&headers, "content-length").map_or(0, |length| length.parse().expect("a length"));
        let body = if chunked { self.chunks() } else { self.exactly(length) };
        Response { status, interim, headers, body }
    }

    /// Reads a status line and headers.
    pub(crate) fn status(&mut self) -> (u16, Headers) {
        let (line, headers) = self.head().expect("an answer");
        (line[9..12].parse().expect("a status"), headers)
    }

    /// Reads one chunk; empty at the end of the body.
    pub(crate) fn chunk(&mut self) -> Vec<u8> {
        let size = self.line().expect("a chunk");
        let size = usize::from_str_radix(&size, 16).expect("a chunk's size");
        let data = self.exactly(size);
        assert_eq!(self.exactly(2), b"\r\n");
        data
    }

    /// Reads so many bytes.
    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).expect("more bytes");
        bytes
    }

    /// Reads until the other end closes, in good order or not. Fails when it does not.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("the connection stays open: {error}"),
            _ => bytes,
        }
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            match self.chunk() {
                chunk if chunk.is_empty() => return body,
                chunk => body.extend(chunk),
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("nothing comes: {error}"),
            _ if line.is_empty() => None,
            _ => Some(line.strip_suffix(b"\r\n").expect("CRLF").iter().map(|byte| char::from(*byte)).collect()),
        }
    }
}
