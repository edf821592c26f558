//! The real adapter, as its users start it: the binary, a configuration file, and an application behind it.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{application::Application, process::Process, server};

/// It listens within milliseconds; a machine may have something else to do.
const START: Duration = Duration::from_secs(30);

/// Longer than any request of these stories takes to drain.
const STOP_SECONDS: u8 = 10;

/// Where the adapter will be. Known before it starts, since its redirect URI is registered at the server first.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    host: Ipv4Addr,
    port: u16,
    /// Where its admin listener is; 0: at any free port.
    admin: u16,
}

impl Place {
    /// A port that is free now, and any for the admin listener.
    pub(crate) fn choose() -> Self {
        Self::on(Ipv4Addr::LOCALHOST, 0)
    }

    /// A port that is free now, and another one for the admin listener, so that the identity server can be told of it.
    pub(crate) fn with_admin() -> Self {
        Self::on(Ipv4Addr::LOCALHOST, free_port(Ipv4Addr::LOCALHOST))
    }

    /// On a loopback address of a node's own (all of 127.0.0.0/8 is there without set-up), with that admin port.
    pub(crate) fn on(host: Ipv4Addr, admin: u16) -> Self {
        Self { host, port: free_port(host), admin }
    }

    /// Its address.
    pub(crate) fn host(self) -> Ipv4Addr {
        self.host
    }

    /// The origin that users see.
    pub(crate) fn origin(self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }

    /// The origin of the admin listener.
    pub(crate) fn admin_origin(self) -> String {
        format!("http://{}:{}", self.host, self.admin)
    }
}

/// A port on which something will listen later: free now at that address, and handed out once in this process. Below those that the kernel
/// gives to outgoing connections (32768 and above, `ip_local_port_range`): one of these would take it meanwhile, on a machine with much to do.
pub(crate) fn free_port(host: Ipv4Addr) -> u16 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 16_384;
    const SPAN: u32 = 16_384;
    // Two runs at a time begin at different places.
    let start = std::process::id().wrapping_mul(257);
    let next = || FIRST + start.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed)) % SPAN;
    let candidates = (0..SPAN).filter_map(|_| u16::try_from(next()).ok());
    let mut free = candidates.filter(|port| TcpListener::bind((host, *port)).is_ok());
    free.next().expect("loopback has a free port")
}

/// A running adapter.
pub(crate) struct Adapter {
    place: Place,
    /// `None` while it is down.
    process: Option<Process>,
    /// Holds the configuration file.
    folder: TempDir,
}

impl Adapter {
    /// Starts the adapter for an application that echoes. `keycloak` has the top-level keys of the file, in Keycloak's own
    /// form; `sidecar` what differs from the least that is needed.
    pub(crate) fn start(place: Place, keycloak: &Value, sidecar: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(file(folder.path()), configuration(place, keycloak, sidecar).to_string()).expect("it is writable");
        let mut adapter = Self { place, process: None, folder };
        adapter.start_again();
        adapter
    }

    /// Ends it without a word to anybody: SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("a running adapter").kill();
    }

    /// Ends it as an orchestrator does: SIGTERM, and time to leave in good order.
    pub(crate) fn stop(&mut self) {
        drop(self.process.take());
    }

    /// Starts it at the same place with the same configuration file, and waits until it listens.
    pub(crate) fn start_again(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.args(["serve", "-c"]).arg(file(self.folder.path()));
        let log = server::logs().join(format!("doorward-{}-{}.log", self.place.host, self.place.port));
        let mut process = Process::start(&mut command, STOP_SECONDS, log).expect("the adapter's binary starts");
        let listening = process.wait_for(START, |printed| printed.lines().find_map(public_address));
        listening.unwrap_or_else(|reason| panic!("the adapter does not listen: {reason}"));
        self.process = Some(process);
    }

    /// An address on the public listener.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.place.origin())
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("adapter.json")
}

/// The whole file: the top-level keys as they are, and `sidecar` over the least that is needed.
pub(crate) fn configuration(place: Place, keycloak: &Value, sidecar: &Value) -> Value {
    let mut configuration = keycloak.clone();
    configuration["sidecar"] = json!({
        "listen": format!("{}:{}", place.host, place.port),
        "admin": { "listen": format!("{}:{}", place.host, place.admin) },
        "public-url": place.origin(),
        "upstream": Application::start().url(),
        "log": { "format": "json", "filter": "debug" },
    });
    for (key, value) in sidecar.as_object().into_iter().flatten() {
        configuration["sidecar"][key] = value.clone();
    }
    configuration
}

/// The address in `{"message":"listening","listener":"public","address":"127.0.0.1:4711"}`, wherever in the line's object
/// the fields stand.
fn public_address(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = if line["fields"].is_object() { &line["fields"] } else { &line };
    let found = fields["message"] == "listening" && fields["listener"] == "public";
    fields["address"].as_str().filter(|_| found).map(str::to_owned)
}
