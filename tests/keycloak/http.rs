//! One HTTP/1.1 exchange over a socket, plain or with TLS: all that the browser and the admin client of these stories need. Blocking,
//! a connection each, no redirects, no cookies; whoever wants those sees every exchange that way.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use url::Url;

use crate::tls;

/// Longer than the slowest answer of a Keycloak on a busy machine, shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(180);

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// What is answered; the names of headers in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &'static str, url: Url) -> Self {
        Self { method, url, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A form, encoded as browsers do.
    pub(crate) fn form<'a>(self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body.into_bytes())
    }

    pub(crate) fn json(self, value: &serde_json::Value) -> Self {
        self.body("application/json", value.to_string().into_bytes())
    }

    /// What Keycloak's admin messages come as.
    pub(crate) fn text(self, text: &str) -> Self {
        self.body("text/plain; charset=ISO-8859-1", text.as_bytes().to_vec())
    }

    fn body(mut self, media_type: &str, body: Vec<u8>) -> Self {
        self.body = body;
        self.header("Content-Type", media_type)
    }

    /// Sends it and reads the whole answer.
    pub(crate) fn send(&self) -> io::Result<Response> {
        let socket = TcpStream::connect(self.address()?)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let host = self.url.host_str().unwrap_or_default();
        let answer =
            if self.url.scheme() == "https" { self.exchange(tls::over(socket, host)?) } else { self.exchange(socket) }?;
        Response::parse(&answer).ok_or_else(|| io::Error::other(format!("no HTTP answer from {}", self.url)))
    }

    fn exchange(&self, mut socket: impl Read + Write) -> io::Result<Vec<u8>> {
        socket.write_all(&self.bytes())?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer)?;
        Ok(answer)
    }

    /// Where it goes. Names below `.test`, which nobody can own (RFC 6761), are this machine's.
    fn address(&self) -> io::Result<String> {
        match (self.url.host_str(), self.url.port_or_known_default()) {
            (Some(host), Some(port)) if host.rsplit('.').next() == Some("test") => Ok(format!("127.0.0.1:{port}")),
            (Some(host), Some(port)) => Ok(format!("{host}:{port}")),
            _ => Err(io::Error::other(format!("not an address: {}", self.url))),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let query = self.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let (method, path, host, length) = (self.method, self.url.path(), authority(&self.url), self.body.len());
        let fields: String = self.headers.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect();
        let head = format!("{method} {path}{query} HTTP/1.1\r\nHost: {host}\r\n{fields}");
        let head = format!("{head}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

impl Response {
    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every `Set-Cookie`, in order.
    pub(crate) fn cookies(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn parse(answer: &[u8]) -> Option<Self> {
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&answer[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(':')).map(field).collect();
        let mut response = Self { status, headers, body: answer[end + 4..].to_vec() };
        if response.header("transfer-encoding") == Some("chunked") {
            response.body = unchunk(&response.body)?;
        }
        Some(response)
    }
}

fn field((name, value): (&str, &str)) -> (String, String) {
    (name.to_ascii_lowercase(), value.trim().to_owned())
}

/// Host and port as `Host` and `Origin` write them: the default port is left out.
pub(crate) fn authority(url: &Url) -> String {
    url.port().map_or_else(
        || url.host_str().unwrap_or_default().to_owned(),
        |port| format!("{}:{port}", url.host_str().unwrap_or_default()),
    )
}

/// The bytes of a chunked body (RFC 9112, section 7.1); `None` when it was cut off.
fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
