//! Large bodies through the real binary: its memory does not grow with them.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use identity_server::http::{self, PATIENCE, Request};
use serde_json::{Value, json};

/// Each way. The release build passes a gibibyte by `bench/large`.
const SIZE: usize = 256 << 20;
/// What the whole process may hold at its worst, in KiB.
const MOST: u64 = 64 << 10;
const PIECE: usize = 64 << 10;

/// The adapter's process; killed when dropped.
struct Adapter {
    child: Child,
    address: SocketAddr,
}

impl Adapter {
    fn start(folder: &Path, upstream: SocketAddr) -> Self {
        let file = folder.join("adapter.json");
        fs::write(&file, configuration(upstream).to_string()).expect("the folder is writable");
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.args(["serve", "-c"]).arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let log = fs::File::create(folder.join("log")).expect("a log");
        command.stdout(log.try_clone().expect("the log twice")).stderr(log);
        let mut adapter = Self { child: command.spawn().expect("the binary starts"), address: upstream };
        adapter.address = wait_for_address(&folder.join("log"), &mut adapter.child);
        adapter
    }

    /// The most memory that it ever held, in KiB.
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Nobody signs in here, so that the identity server need not exist.
fn configuration(upstream: SocketAddr) -> Value {
    json!({
        "provider-url": "http://127.0.0.1:9",
        "client-id": "shop",
        "credentials": { "secret": "a secret" },
        "ssl-required": "none",
        "sidecar": {
            "listen": "127.0.0.1:0",
            "admin": { "listen": "127.0.0.1:0" },
            "public-url": "http://app.test",
            "upstream": format!("http://{upstream}"),
            "rules": [{ "path": "/*", "access": "public" }],
            "log": { "format": "json" },
        },
    })
}

fn wait_for_address(log: &Path, child: &mut Child) -> SocketAddr {
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(5);
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        let lines = fs::read_to_string(log).expect("a log");
        if let Some(address) = lines.lines().find_map(public_address) {
            return address;
        }
        assert!(child.try_wait().expect("a child").is_none(), "the adapter ended: {lines}");
        thread::sleep(PAUSE);
    }
    panic!("the adapter does not listen");
}

fn public_address(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = if line["fields"].is_object() { &line["fields"] } else { &line };
    let found = fields["message"] == "listening" && fields["listener"] == "public";
    fields["address"].as_str().filter(|_| found)?.parse().ok()
}

/// An application that keeps nothing: `GET` is answered with [`SIZE`] bytes, anything else with how many came.
fn start_application() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            // A connection that breaks fails the story at its other end.
            thread::spawn(move || drop(answer(stream)));
        }
    });
    address
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::with_capacity(PIECE, stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        let said = line.to_ascii_lowercase();
        length = said.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().expect("a length"));
        line.clear();
    }
    if first.starts_with("GET") {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\nConnection: close\r\n\r\n")?;
        return send_zeros(&mut stream);
    }
    let count = std::io::copy(&mut reader.take(length), &mut std::io::sink())?.to_string();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{count}", count.len())
}

fn send_zeros(to: &mut impl Write) -> std::io::Result<()> {
    let piece = vec![0; PIECE];
    (0..SIZE / PIECE).try_for_each(|_| to.write_all(&piece))
}

fn download(address: SocketAddr) -> u64 {
    let mut exchange = http::open(address, &Request::get("/download")).expect("an answer");
    std::io::copy(&mut exchange.body, &mut std::io::sink()).expect("the whole body")
}

fn upload(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(stream, "POST /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: {SIZE}\r\nConnection: close\r\n\r\n")
        .and_then(|()| send_zeros(&mut stream))
        .expect("the adapter reads on");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_large_upload_and_a_large_download_pass_in_little_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let adapter = Adapter::start(folder.path(), start_application());
    assert_eq!(download(adapter.address), SIZE as u64);
    let answer = upload(adapter.address);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&format!("\r\n\r\n{SIZE}")), "{answer}");
    assert!(adapter.peak() < MOST, "{} KiB at the peak", adapter.peak());
}

#[test]
fn a_reader_that_does_not_read_holds_up_the_application_and_not_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let adapter = Adapter::start(folder.path(), start_application());
    let stalled: Vec<_> =
        (0..8).map(|_| http::open(adapter.address, &Request::get("/download")).expect("an answer")).collect();
    // By the end of one whole download the others have long been sent all that anybody would buffer.
    assert_eq!(download(adapter.address), SIZE as u64);
    assert!(adapter.peak() < MOST, "{} KiB at the peak", adapter.peak());
    drop(stalled);
}
