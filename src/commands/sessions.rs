//! `doorward sessions`: asks a running node's session API, which listens where the configuration says and opens with its `admin.token`.

mod table;

use std::{
    io::{self, Write, stdout},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Subcommand, ValueHint};
use serde_json::Value;
use url::Url;

use super::{BAD_CONFIG, UNAVAILABLE, complain, refuse};
use crate::{
    config::{Config, ProcessEnvironment},
    domain::SecretString,
    http_client::{self, HttpClient, HttpError},
    tls::{Trust, Verification},
};

/// What is asked of whom.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
    /// The configuration file, for `admin.listen` and `admin.token`.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, default_value = "adapter.json", global = true)]
    config: PathBuf,
    /// The admin listener's origin, where it is not the one of the configuration: `https://node-1.example.com:9080`.
    #[arg(long, value_hint = ValueHint::Url, global = true)]
    url: Option<Url>,
    /// Print the node's answer as it is.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the sessions that the node knows, at most 1,000.
    ///
    /// With `token-store` `session` all of them; else those that have shown themselves to the node since it started.
    List {
        /// Of one user only: subject or user name.
        #[arg(long)]
        user: Option<String>,
        /// Of one session at the identity server only.
        #[arg(long)]
        sid: Option<String>,
    },
    /// Show one session.
    Show {
        /// Its id, as `list` shows it.
        id: String,
    },
    /// End sessions.
    ///
    /// Every copy of their cookies is refused from the next request on, and what is open is closed. Nothing is ended at the identity server.
    End(Whose),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// One session, by its id.
    id: Option<String>,
    /// All of one user: subject or user name.
    #[arg(long)]
    user: Option<String>,
    /// All that stand for one session at the identity server.
    #[arg(long)]
    sid: Option<String>,
    /// Everybody's.
    #[arg(long)]
    all: bool,
}

/// Why there is no answer to show.
enum Failure {
    /// The configuration does not say whom to ask, or by what.
    Config(String),
    /// The node cannot be asked, or is in trouble.
    Unavailable(String),
    /// The node says no.
    Refused(String),
}

/// Longest time to connect, and for all of it: everybody's sessions may be many.
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(60);

/// Asks the node, and shows what it says.
pub(super) fn run(options: &Options) -> ExitCode {
    let config = match Config::load(&options.config, &ProcessEnvironment) {
        Ok(config) => config,
        Err(faults) => return refuse(&faults),
    };
    let failure = match actix_rt::System::new().block_on(ask(options, &config)) {
        Ok(answer) => return show(options, &answer).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Err(failure) => failure,
    };
    let (code, text) = match failure {
        Failure::Config(text) => (ExitCode::from(BAD_CONFIG), text),
        Failure::Unavailable(text) => (ExitCode::from(UNAVAILABLE), text),
        Failure::Refused(text) => (ExitCode::FAILURE, text),
    };
    complain(&table::plain(&text));
    code
}

async fn ask(options: &Options, config: &Config) -> Result<Value, Failure> {
    let Some(token) = &config.admin.token else {
        return Err(Failure::Config("sidecar.admin.token: there is none, and so no session API".to_owned()));
    };
    let origin = origin(options, config)?;
    let request = request(&options.action, &origin, token)?;
    let client = HttpClient::build(&client(config)).map_err(|error| Failure::Config(error.to_string()))?;
    let unavailable = |error: HttpError| Failure::Unavailable(format!("{origin} cannot be asked: {error}"));
    read(&client.call(request).await.map_err(unavailable)?)
}

/// Believed is who is believed at the identity server, and always by name: what is shown here is the token.
fn client(config: &Config) -> http_client::Config {
    let trust = Trust { roots: config.oidc.http.trust.roots.clone(), verification: Verification::Full };
    http_client::Config {
        connect_timeout: CONNECT,
        total_timeout: WHOLE,
        pool_size: 0,
        trust,
        identity: None,
        proxy: None,
    }
}

fn origin(options: &Options, config: &Config) -> Result<Url, Failure> {
    if let Some(url) = &options.url {
        let is_origin = matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none();
        return is_origin
            .then(|| url.clone())
            .ok_or(Failure::Config("--url: must be scheme, host and port".to_owned()));
    }
    let mut address = config.admin.listen;
    if address.port() == 0 {
        return Err(Failure::Config("sidecar.admin.listen: takes any free port, say which one by --url".to_owned()));
    }
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { [0, 0, 0, 0, 0, 0, 0, 1_u16].into() });
    }
    let scheme = if config.admin.tls.is_some() { "https" } else { "http" };
    Url::parse(&format!("{scheme}://{address}/")).map_err(|error| Failure::Config(error.to_string()))
}

fn request(action: &Action, origin: &Url, token: &SecretString) -> Result<http::Request<Vec<u8>>, Failure> {
    let (method, id, query) = match action {
        Action::List { user, sid } => ("GET", None, vec![("user", user.as_deref()), ("sid", sid.as_deref())]),
        Action::Show { id } => ("GET", Some(id), vec![]),
        Action::End(Whose { id, user, sid, all }) => {
            let all = all.then_some("true");
            ("DELETE", id.as_ref(), vec![("user", user.as_deref()), ("sid", sid.as_deref()), ("all", all)])
        }
    };
    let mut url = origin.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().push("sessions").extend(id);
    }
    for (name, value) in query {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    let request = http::Request::builder().method(method).uri(url.as_str());
    let request = request.header(http::header::AUTHORIZATION, format!("Bearer {}", token.expose()));
    request.body(Vec::new()).map_err(|error| Failure::Config(error.to_string()))
}

fn read(answer: &http::Response<Vec<u8>>) -> Result<Value, Failure> {
    let status = answer.status();
    let body = serde_json::from_slice::<Value>(answer.body());
    let said = body.as_ref().ok().and_then(|body| body["error"].as_str()).map(str::to_owned);
    match (status.as_u16(), said) {
        (200, _) => body.map_err(|_| Failure::Unavailable("the answer is not that of a session API".to_owned())),
        (401, _) => Err(Failure::Refused("the node does not take this `admin.token`".to_owned())),
        (403, _) => Err(Failure::Refused("the node wants https for this (`ssl-required`)".to_owned())),
        (404, None) => Err(Failure::Refused("the node has no session API: it runs without `admin.token`".to_owned())),
        (400..=499, Some(said)) => Err(Failure::Refused(said)),
        (400..=499, None) => Err(Failure::Refused(format!("the node answers {status}"))),
        _ => Err(Failure::Unavailable(format!("the node answers {status}"))),
    }
}

fn show(options: &Options, answer: &Value) -> io::Result<()> {
    let mut out = stdout();
    if options.json {
        return writeln!(out, "{answer}");
    }
    match &options.action {
        Action::List { .. } => table::list(&mut out, answer),
        Action::Show { .. } => table::one(&mut out, answer),
        Action::End(_) => table::ended(&mut out, answer),
    }
}
