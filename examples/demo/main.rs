//! The demo: an identity server, a small application and the adapter between them, in one process and on loopback only.
//!
//! `cargo run --release --example demo`, then open the address that it prints.

mod application;

use std::{
    collections::BTreeMap,
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
use identity_server::{Client, Endpoint, IdentityServer, Options, User};
use serde_json::{Value, json};

use application::Places;

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
    let places = Places { sessions: identity_server.url(Endpoint::Sessions), sign_out: "/oauth2/sign_out".to_owned() };
    let application = application::start(places)?;
    let config = adapter_config(&identity_server, application.address, adapter);
    print(&greeting(&public_url, &identity_server))?;
    tokio::select! {
        ended = application.server => ended?,
        ended = run_adapter(config.to_string()) => ended?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}

/// A free port of loopback. Somebody may take it before the adapter does; then the demo says so and ends.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

fn options(public_url: &str) -> Options {
    let mut client = Client::confidential(CLIENT.0, CLIENT.1, &format!("{public_url}/oauth2/callback"));
    client.post_logout_redirect_uris = vec![format!("{public_url}/oauth2/signed_out"), format!("{public_url}/")];
    client.backchannel_logout_uri = Some(format!("{public_url}/oauth2/backchannel-logout"));
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
        "sidecar": {
            "listen": adapter.to_string(),
            "admin": { "listen": "127.0.0.1:0" },
            "public-url": format!("http://{adapter}"),
            "upstream": format!("http://{application}"),
        },
    })
}

fn greeting(public_url: &str, identity_server: &IdentityServer) -> String {
    let sessions = identity_server.url(Endpoint::Sessions);
    format!(
        "Open {public_url}/\n\nSign in as demo / demo or admin / admin.\n\
         To sign out from elsewhere, end the session at {sessions}\nCtrl-C ends the demo."
    )
}

fn print(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// Runs the adapter on this configuration until the demo ends.
async fn run_adapter(config_json: String) -> Result<(), Box<dyn Error>> {
    let config = Config::from_json(&config_json, &BTreeMap::new())?;
    let world = World { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
    App::build(config, &world)?.run(pending()).await?;
    Ok(())
}
