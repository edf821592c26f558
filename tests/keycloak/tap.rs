//! A listener at the address that Keycloak knows as a client's admin URL: writes down what arrives there and when, and passes it on.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::Url;

use crate::{
    http::{Request, Response},
    wait,
};

/// Something that Keycloak pushed.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    /// When the whole of it was here.
    pub(crate) at: Instant,
    pub(crate) path: String,
    /// The claims: of the body, or of the form's `logout_token`.
    pub(crate) claims: Value,
    /// The JOSE header of the same.
    pub(crate) header: Value,
    /// What was answered.
    pub(crate) status: u16,
    /// How long that took.
    pub(crate) took: Duration,
}

impl Push {
    /// The last segment of the path: `k_logout`, `backchannel-logout`.
    pub(crate) fn word(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// The listener. It stays until this process ends.
pub(crate) struct Tap {
    address: SocketAddr,
    pushes: Arc<Mutex<Vec<Push>>>,
}

impl Tap {
    /// Answers everything with 204 by itself.
    pub(crate) fn alone() -> Self {
        Self::start(None)
    }

    /// Passes everything on to the listener at that origin, and its answers back. One that is not there is a 502.
    pub(crate) fn before(origin: &str) -> Self {
        Self::start(Some(Url::parse(origin).expect("an origin")))
    }

    fn start(behind: Option<Url>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let pushes = Arc::new(Mutex::new(Vec::new()));
        let (behind, known) = (Arc::new(behind), Arc::clone(&pushes));
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (behind, known) = (Arc::clone(&behind), Arc::clone(&known));
                // A broken connection is Keycloak's affair.
                thread::spawn(move || drop(serve(&socket, behind.as_ref().as_ref(), &known)));
            }
        });
        Self { address, pushes }
    }

    /// Its origin.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that was pushed and answered so far.
    pub(crate) fn pushes(&self) -> Vec<Push> {
        self.pushes.lock().expect("no one panics holding it").clone()
    }

    /// The words that were pushed so far, in their order.
    pub(crate) fn words(&self) -> Vec<String> {
        self.pushes().iter().map(|push| push.word().to_owned()).collect()
    }

    /// The newest push.
    pub(crate) fn last(&self) -> Push {
        self.pushes().pop().expect("something was pushed")
    }
}

/// One request, then the connection closes.
fn serve(socket: &TcpStream, behind: Option<&Url>, pushes: &Mutex<Vec<Push>>) -> io::Result<()> {
    let (path, media_type, body) = read(&mut BufReader::new(socket))?;
    let at = wait::now();
    let answer = behind.map_or(Ok((204, Vec::new())), |behind| pass_on(behind, &path, media_type, &body));
    let (status, text) = answer.unwrap_or_else(|error| (502, error.to_string().into_bytes()));
    let [header, claims] = jws(&body);
    let push = Push { at, path, claims, header, status, took: at.elapsed() };
    pushes.lock().expect("no one panics holding it").push(push);
    let length = if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", text.len()) };
    let head = format!("HTTP/1.1 {status} Told\r\nConnection: close\r\n{length}\r\n");
    (&mut &*socket).write_all(&[head.as_bytes(), &text].concat())
}

/// Path, media type and body of a request.
fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<(String, String, Vec<u8>)> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let (mut media_type, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-type" => value.trim().clone_into(&mut media_type),
            "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
            _ => (),
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((path, media_type, body))
}

fn pass_on(behind: &Url, path: &str, media_type: String, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    let url = behind.join(path).map_err(io::Error::other)?;
    let request = Request { method: "POST", url, headers: vec![("Content-Type", media_type)], body: body.to_vec() };
    request.send().map(|Response { status, body, .. }| (status, body))
}

/// Header and claims of what was pushed; `null` where it is no JWS.
fn jws(body: &[u8]) -> [Value; 2] {
    let form = url::form_urlencoded::parse(body).find(|(name, _)| name == "logout_token");
    let compact = form.map_or_else(|| String::from_utf8_lossy(body).into_owned(), |(_, value)| value.into_owned());
    let mut parts = compact.split('.').map(|part| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(json!(null))
    });
    [parts.next().unwrap_or_default(), parts.next().unwrap_or_default()]
}
