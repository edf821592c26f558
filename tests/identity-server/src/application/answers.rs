//! The application's answers, one function a path. What is written here is the bytes on the wire.

use std::io::{self, BufRead, Write};

use ring::digest::{SHA256, digest};
use serde_json::json;

use super::{After, Heard, Shared, websocket};

/// Answers one request; `releases` is how often waiting requests had been released when this one was heard.
pub(super) fn answer(
    out: &mut impl Write,
    reader: &mut impl BufRead,
    shared: &Shared,
    heard: &Heard,
    releases: u64,
) -> io::Result<After> {
    let path = heard.target.split('?').next().unwrap_or_default();
    let (first, rest) = path[path.len().min(1)..].split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    match first {
        "chunked" => chunked(out, number(rest))?,
        "download" => whole(out, "200 OK", "", &vec![b'x'; number(rest)])?,
        "download-eof" => return until_close(out, number(rest)),
        "sse" => return events(out, shared),
        "slow" => return slow(out, shared, releases),
        "close" => return Ok(After::Close),
        "close-midway" => return close_midway(out),
        "interim" => {
            out.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")?;
            whole(out, "200 OK", "", b"after the hints")?;
        }
        "status" => status(out, rest)?,
        "hop-by-hop" => whole(out, "200 OK", HOP_BY_HOP, b"ok")?,
        "cors" => whole(out, "200 OK", CORS, b"ok")?,
        "set-cookie" => whole(out, "200 OK", &set_cookie(&heard.target), b"ok")?,
        "websocket" => return say_back(out, reader),
        "ws" => return websocket::serve(out, reader, heard, rest),
        _ => whole(out, "200 OK", "Content-Type: application/json\r\n", echo(heard).as_bytes())?,
    }
    Ok(After::KeepAlive)
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_default()
}

fn whole(out: &mut impl Write, status: &str, headers: &str, body: &[u8]) -> io::Result<()> {
    write!(out, "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len())?;
    out.write_all(body)
}

/// The lines that the query gives, as `line=…`; without any, the usual ones.
fn set_cookie(target: &str) -> String {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let given = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "line");
    let lines = given.fold(String::new(), |lines, (_, line)| lines + "Set-Cookie: " + &line + "\r\n");
    if lines.is_empty() { SET_COOKIE.to_owned() } else { lines }
}

fn echo(heard: &Heard) -> String {
    let hash = hex(digest(&SHA256, &heard.body).as_ref());
    json!({
        "method": heard.method, "target": heard.target, "headers": heard.headers,
        "body_length": heard.body.len(), "body_sha256": hash,
    })
    .to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn chunked(out: &mut impl Write, count: usize) -> io::Result<()> {
    out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    (0..count).try_for_each(|number| chunk(out, &format!("chunk {number};")))?;
    out.write_all(b"0\r\n\r\n")
}

fn chunk(out: &mut impl Write, text: &str) -> io::Result<()> {
    write!(out, "{:x}\r\n{text}\r\n", text.len())
}

fn until_close(out: &mut impl Write, length: usize) -> io::Result<After> {
    out.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
    out.write_all(&vec![b'x'; length])?;
    Ok(After::Close)
}

fn close_midway(out: &mut impl Write) -> io::Result<After> {
    out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nnot much")?;
    Ok(After::Close)
}

fn status(out: &mut impl Write, code: &str) -> io::Result<()> {
    let length = if matches!(code, "204" | "304") { "" } else { "Content-Length: 0\r\n" };
    write!(out, "HTTP/1.1 {code} Told\r\n{length}\r\n")
}

fn slow(out: &mut impl Write, shared: &Shared, releases: u64) -> io::Result<After> {
    if !shared.wait_until(|diary| diary.releases > releases) {
        return Ok(After::Close);
    }
    whole(out, "200 OK", "", b"at last")?;
    Ok(After::KeepAlive)
}

fn events(out: &mut impl Write, shared: &Shared) -> io::Result<After> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    out.write_all(head.as_bytes())?;
    let mut told = shared.lock().ticks.len();
    chunk(out, "data: open\n\n")?;
    shared.change(|diary| diary.listeners += 1);
    // Ends when the client has left (the write fails) or nothing has happened for a long time.
    while shared.wait_until(|diary| diary.ticks.len() > told) {
        let ticks = shared.lock().ticks[told..].to_vec();
        told += ticks.len();
        if ticks.iter().try_for_each(|tick| chunk(out, &format!("data: {tick}\n\n"))).is_err() {
            break;
        }
    }
    shared.change(|diary| diary.listeners -= 1);
    Ok(After::Close)
}

fn say_back(out: &mut impl Write, reader: &mut impl BufRead) -> io::Result<After> {
    out.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")?;
    loop {
        let bytes = reader.fill_buf()?.to_vec();
        if bytes.is_empty() {
            return Ok(After::Close);
        }
        out.write_all(&bytes)?;
        reader.consume(bytes.len());
    }
}

/// What a proxy must keep to this connection (RFC 9110, section 7.6.1), named by `Connection` and not.
const HOP_BY_HOP: &str = "Connection: keep-alive, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n\
Proxy-Authenticate: Basic\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Connection: keep-alive\r\nX-Kept: yes\r\n";

/// As a careless application says it.
const CORS: &str = "Access-Control-Allow-Origin: null\r\nAccess-Control-Allow-Origin: *\r\n\
Access-Control-Allow-Credentials: true\r\nAccess-Control-Expose-Headers: *\r\nVary: Accept\r\n";

const SET_COOKIE: &str = "Set-Cookie: JSESSIONID=own; Path=/; HttpOnly\r\nSet-Cookie: theme=dark; Path=/\r\n";
