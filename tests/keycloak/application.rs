//! The application behind the adapter: answers every request with what reached it, as JSON.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use serde_json::{Map, Value, json};

/// An application that listens on a free port until this process ends.
pub(crate) struct Application {
    address: SocketAddr,
}

impl Application {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                thread::spawn(move || serve(&socket));
            }
        });
        Self { address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Answers requests on one connection until the other side closes it or says that it will. A broken connection is the other side's affair.
fn serve(socket: &TcpStream) {
    let mut reader = BufReader::new(socket);
    while let Some(seen) = read(&mut reader) {
        let body = seen.to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        let broken = (&mut &*socket).write_all([head, body].concat().as_bytes()).is_err();
        if broken || seen["headers"]["connection"] == "close" {
            return;
        }
    }
}

/// One request as `{"method", "target", "headers": {name in lower case: value}}`; a name that came twice has its values
/// joined by `\n`, so that no story mistakes two headers for one. `None` at the end of the connection.
fn read(reader: &mut impl BufRead) -> Option<Value> {
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = read_headers(reader)?;
    let length = headers.get("content-length").and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or(0);
    reader.take(length).read_to_end(&mut Vec::new()).ok()?;
    Some(json!({ "method": method, "target": target, "headers": headers }))
}

fn read_headers(reader: &mut impl BufRead) -> Option<Map<String, Value>> {
    let mut headers = Map::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            return Some(headers);
        };
        let known = headers.entry(name.to_ascii_lowercase()).or_insert(Value::Null);
        *known = match known.as_str() {
            Some(before) => format!("{before}\n{}", value.trim()).into(),
            None => value.trim().into(),
        };
    }
}
