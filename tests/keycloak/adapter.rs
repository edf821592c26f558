//! The real adapter, as its users start it: the binary, a configuration file, and an application behind it.

use std::{fs, net::TcpListener, process::Command, time::Duration};

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
    port: u16,
}

impl Place {
    /// A port that is free now.
    pub(crate) fn choose() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        Self { port: listener.local_addr().expect("a bound socket has an address").port() }
    }

    /// The origin that users see.
    pub(crate) fn origin(self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A running adapter.
pub(crate) struct Adapter {
    place: Place,
    _process: Process,
    /// Holds the configuration file.
    _folder: TempDir,
}

impl Adapter {
    /// Starts the adapter for an application that echoes. `keycloak` has the top-level keys of the file, in Keycloak's own
    /// form; `sidecar` what differs from the least that is needed.
    pub(crate) fn start(place: Place, keycloak: &Value, sidecar: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("adapter.json");
        fs::write(&file, configuration(place, keycloak, sidecar).to_string()).expect("the folder is writable");
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.args(["serve", "-c"]).arg(&file);
        let log = server::logs().join(format!("doorward-{}.log", place.port));
        let mut process = Process::start(&mut command, STOP_SECONDS, log).expect("the adapter's binary starts");
        let listening = process.wait_for(START, |printed| printed.lines().find_map(public_address));
        listening.unwrap_or_else(|reason| panic!("the adapter does not listen: {reason}"));
        Self { place, _process: process, _folder: folder }
    }

    /// An address on the public listener.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.place.origin())
    }
}

/// The whole file: the top-level keys as they are, and `sidecar` over the least that is needed.
pub(crate) fn configuration(place: Place, keycloak: &Value, sidecar: &Value) -> Value {
    let mut configuration = keycloak.clone();
    configuration["sidecar"] = json!({
        "listen": format!("127.0.0.1:{}", place.port),
        "admin": { "listen": "127.0.0.1:0" },
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
