//! The little of RFC 9112 that both ends of a test need: a head, and a body by its framing. Strict, so that a proxy's
//! faults show: CRLF only, no folding, no white space before a colon, one framing.

use std::io::{self, BufRead, Read};

use super::{Error, Headers, all};

/// Longest head that is read, in bytes.
const HEAD_LIMIT: u64 = 1024 * 1024;

/// Reads a start line and headers; `None` when the connection ends before the first byte.
pub(crate) fn read_head(reader: &mut impl BufRead) -> Result<Option<(String, Headers)>, Error> {
    let mut head = reader.take(HEAD_LIMIT);
    let Some(first) = read_line(&mut head)? else {
        return Ok(None);
    };
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut head)?.ok_or(Error::Closed)?;
        if line.is_empty() {
            return Ok(Some((first, headers)));
        }
        headers.push(header(&line)?);
    }
}

fn header(line: &str) -> Result<(String, String), Error> {
    let (name, value) = line.split_once(':').ok_or(Error::Malformed("header without a colon"))?;
    if name.is_empty() || name.bytes().any(|byte| byte <= b' ' || byte >= 0x7f) {
        return Err(Error::Malformed("header name"));
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

fn read_line(reader: &mut impl BufRead) -> Result<Option<String>, Error> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    let text = line.strip_suffix(b"\r\n").ok_or(Error::Malformed("line without CRLF"))?;
    // Field values may be any bytes; Latin-1 keeps each of them apart without loss.
    Ok(Some(text.iter().map(|byte| char::from(*byte)).collect()))
}

/// How the end of a body is known (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// `Content-Length`, or no body at all.
    Length(u64),
    /// The end of the connection.
    UntilClose,
}

impl Framing {
    pub(crate) fn of_request(headers: &Headers) -> Result<Self, Error> {
        Ok(Self::declared(headers)?.unwrap_or(Self::Length(0)))
    }

    pub(crate) fn of_response(method: &str, status: u16, headers: &Headers) -> Result<Self, Error> {
        match status {
            101 => Ok(Self::UntilClose),
            204 | 304 => Ok(Self::Length(0)),
            _ if method == "HEAD" => Ok(Self::Length(0)),
            _ => Ok(Self::declared(headers)?.unwrap_or(Self::UntilClose)),
        }
    }

    fn declared(headers: &Headers) -> Result<Option<Self>, Error> {
        let codings: Vec<_> = all(headers, "transfer-encoding").collect();
        let lengths: Vec<_> = all(headers, "content-length").collect();
        match (codings.as_slice(), lengths.as_slice()) {
            ([], []) => Ok(None),
            ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Ok(Some(Self::Chunked)),
            ([], [length]) => length.parse().map(|n| Some(Self::Length(n))).map_err(|_| Error::Malformed("length")),
            _ => Err(Error::Malformed("more than one framing")),
        }
    }
}

/// A body that ends where its framing says; one that is cut short reads as an error, not as an end.
#[derive(Debug)]
pub struct Body<R> {
    reader: R,
    framing: Framing,
    /// Bytes left of the body, or of the present chunk.
    left: u64,
    ended: bool,
}

impl<R: BufRead> Body<R> {
    pub(crate) fn new(reader: R, framing: Framing) -> Self {
        let left = if let Framing::Length(length) = framing { length } else { 0 };
        Self { reader, framing, left, ended: framing == Framing::Length(0) }
    }

    /// Reads until `text` has come and returns everything read up to then: for event streams.
    ///
    /// # Errors
    /// When the body ends first.
    pub fn read_until_text(&mut self, text: &str) -> io::Result<String> {
        let (mut seen, mut byte) = (Vec::new(), [0]);
        while !seen.ends_with(text.as_bytes()) {
            self.read_exact(&mut byte)?;
            seen.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&seen).into_owned())
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let line = self.line()?;
        let digits = line.split(';').next().unwrap_or_default();
        self.left = u64::from_str_radix(digits, 16).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        if self.left == 0 {
            while !self.line()?.is_empty() {}
            self.ended = true;
        }
        Ok(())
    }

    fn line(&mut self) -> io::Result<String> {
        match read_line(&mut self.reader) {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(Error::Connection(error)) => Err(error),
            Err(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn after_counted(&mut self) -> io::Result<()> {
        if self.left > 0 {
            return Ok(());
        }
        if self.framing != Framing::Chunked {
            self.ended = true;
            return Ok(());
        }
        if self.line()?.is_empty() { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ended || into.is_empty() {
            return Ok(0);
        }
        if self.framing == Framing::UntilClose {
            return self.reader.read(into);
        }
        if self.framing == Framing::Chunked && self.left == 0 {
            self.next_chunk()?;
            return self.read(into);
        }
        let count = (&mut self.reader).take(self.left).read(into)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        self.after_counted()?;
        Ok(count)
    }
}
