//! The demo: an identity server, a small application and the adapter between them, in one process and on loopback only.
//!
//! `cargo run --release --example demo`, then open the address that it prints. Further arguments are origins whose pages may use the
//! application with the user's session (CORS).

mod application;

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    future::pending,
    io,
    io::Write,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use doorward::{
    app::{App, World},
    config::Config,
    domain::{SystemClock, SystemRandom},
};
use identity_server::{Client, IdentityServer, Options, User};
use serde_json::{Value, json};

/// The adapter's name and secret at the demo's identity server.
const CLIENT: (&str, &str) = ("demo-app", "demo-secret-that-protects-nothing");

/// The realm that the identity server plays.
const REALM: &str = "demo";

fn main() -> Result<(), Box<dyn Error>> {
    actix_rt::System::new().block_on(demo())
}

async fn demo() -> Result<(), Box<dyn Error>> {
    let adapter = free_address()?;
    let public_url = format!("http://{adapter}");
    let identity_server = IdentityServer::start(options(&public_url))?;
    let application = application::start()?;
    let config = adapter_config(&identity_server, application.address, adapter);
    let adapter = build_adapter(&config.to_string())?;
    print(&greeting(&public_url))?;
    tokio::select! {
        ended = application.server => ended?,
        ended = adapter.run(pending()) => ended?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}

/// A free port of loopback. Somebody may take it before the adapter does; then the demo says so and ends.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

/// The origins that the command line names.
fn web_origins() -> Vec<String> {
    env::args().skip(1).collect()
}

fn options(public_url: &str) -> Options {
    let mut client = Client::confidential(CLIENT.0, CLIENT.1, &format!("{public_url}/oauth2/callback"));
    client.web_origins = web_origins();
    client.post_logout_redirect_uris = vec![format!("{public_url}/oauth2/signed_out"), format!("{public_url}/")];
    let mut demo = User::named("demo").group("/staff").role("user");
    "Dana Demo".clone_into(&mut demo.name);
    let mut admin = User::named("admin").group("/staff").group("/operators").role("user").role("admin");
    "Ada Admin".clone_into(&mut admin.name);
    let users = vec![demo, admin];
    Options { clients: vec![client], users, rotate_refresh: true, ..Options::default() }.realm(REALM)
}

/// The adapter's configuration: a `keycloak.json` with a `sidecar`.
fn adapter_config(identity_server: &IdentityServer, application: SocketAddr, adapter: SocketAddr) -> Value {
    json!({
        "realm": REALM,
        "auth-server-url": identity_server.origin(),
        "resource": CLIENT.0,
        "credentials": { "secret": CLIENT.1 },
        "ssl-required": "none",
        "enable-cors": !web_origins().is_empty(),
        "sidecar": {
            "listen": adapter.to_string(),
            "admin": { "listen": "127.0.0.1:0" },
            "public-url": format!("http://{adapter}"),
            "upstream": format!("http://{application}"),
        },
    })
}

fn greeting(public_url: &str) -> String {
    format!("Open {public_url}/\n\nSign in as demo / demo or admin / admin. Ctrl-C ends the demo.")
}

fn print(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// The real adapter, on this configuration.
fn build_adapter(config_json: &str) -> Result<App, Box<dyn Error>> {
    let config = Config::from_json(config_json, &BTreeMap::new())?;
    let world = World { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
    Ok(App::build(config, &world)?)
}
