//! The one Keycloak of a run: started by the first story that asks, shared by all, gone with this process.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use tempfile::TempDir;
use url::Url;

use crate::{process::Process, tls::Authority};

/// The administrator that the server makes at its first start.
pub(crate) const ADMINISTRATOR: (&str, &str) = ("admin", "admin");

/// 18 s on two free cores; machines are not always free.
const START: Duration = Duration::from_secs(240);

/// A running Keycloak.
pub(crate) struct Keycloak {
    url: Url,
    secure_url: Url,
    /// Held, not used: its standard input is what keeps the server running.
    _process: Process,
    /// Holds its certificate.
    _folder: TempDir,
}

impl Keycloak {
    /// The name that its certificate is for. Only stories that bring a name server can have it looked up.
    pub(crate) const NAME: &str = "sso.doorward.test";

    /// The server, started if it was not. Its database is in memory: each run begins with an empty one.
    pub(crate) fn get() -> &'static Self {
        static SERVER: OnceLock<Result<Keycloak, String>> = OnceLock::new();
        match SERVER.get_or_init(Self::start) {
            Ok(server) => server,
            Err(reason) => panic!("{reason}"),
        }
    }

    /// Its address, `http://127.0.0.1:PORT/`. A request under another host or port gets answers that name those:
    /// the issuer follows the `Host` header.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Its other address, `https://sso.doorward.test:PORT/`.
    pub(crate) fn secure_url(&self) -> &Url {
        &self.secure_url
    }

    fn start() -> Result<Self, String> {
        let installed = Installed::find()?;
        let mut command = Command::new(installed.keycloak.join("bin/kc.sh"));
        // `start --optimized` with http allowed, not `start-dev`: the latter builds the server anew at every first start.
        command.args(["start", "--optimized", "--cache=local", "--hostname-strict=false"]);
        command.args(["--http-enabled=true", "--http-host=127.0.0.1", "--http-port=0"]);
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let [certificate, key] = certificate(folder.path()).map_err(|error| error.to_string())?;
        command.arg("--https-port=0").args([certificate, key]);
        command.env("JAVA_HOME", &installed.java);
        // Both compilers stay on: the first alone starts sooner, and then makes RSA keys several times slower.
        command.env("JAVA_OPTS_KC_HEAP", "-Xms128m -Xmx512m");
        command.env("KC_BOOTSTRAP_ADMIN_USERNAME", ADMINISTRATOR.0);
        command.env("KC_BOOTSTRAP_ADMIN_PASSWORD", ADMINISTRATOR.1);
        // No grace: its database is in memory, and nobody waits for an orderly end.
        let log = logs().join("keycloak.log");
        let mut process =
            Process::start(&mut command, 0, log).map_err(|error| format!("cannot start Keycloak: {error}"))?;
        let found = process.wait_for(START, addresses);
        let (url, secure_url) = found.map_err(|reason| format!("Keycloak does not listen: {reason}"))?;
        Ok(Self { url, secure_url, _process: process, _folder: folder })
    }
}

/// Where the logs of a run's servers are kept, to be read after a failure.
pub(crate) fn logs() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keycloak");
    fs::create_dir_all(&folder).expect("the folder for logs can be made");
    folder
}

/// Writes a certificate for it, and says by which options it finds that and the key.
fn certificate(folder: &Path) -> io::Result<[String; 2]> {
    let pair = Authority::get().issue(Keycloak::NAME);
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| folder.join(name));
    fs::write(&chain, pair.certificate)?;
    fs::write(&key, pair.key)?;
    let option = |name: &str, file: &Path| format!("--https-certificate-{name}={}", file.display());
    Ok([option("file", &chain), option("key-file", &key)])
}

/// The addresses in `… Listening on: http://127.0.0.1:39871 and https://127.0.0.1:39872.`, the second one under its name.
fn addresses(printed: &str) -> Option<(Url, Url)> {
    let (_, rest) = printed.split_once("Listening on: ")?;
    let (line, _) = rest.split_once('\n')?;
    let urls: Vec<Url> =
        line.split_whitespace().filter_map(|word| Url::parse(word.trim_end_matches(['.', ','])).ok()).collect();
    let by = |scheme: &str| urls.iter().find(|url| url.scheme() == scheme).cloned();
    let (plain, mut secure) = (by("http")?, by("https")?);
    secure.set_host(Some(Keycloak::NAME)).ok()?;
    Some((plain, secure))
}

/// Where the server and the Java for it are.
struct Installed {
    java: PathBuf,
    keycloak: PathBuf,
}

impl Installed {
    /// Asks the script that installs them, without letting it download: a test run must not begin with a surprise of
    /// 210 MB.
    fn find() -> Result<Self, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keycloak/install");
        let output = Command::new(script).arg("--installed").output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).map(PathBuf::from);
        line("JAVA_HOME=").zip(line("KEYCLOAK_HOME=")).map(|(java, keycloak)| Self { java, keycloak }).ok_or_else(
            || "Keycloak is not installed: run `./test setup` once, or the whole suite by `./test keycloak`".into(),
        )
    }
}
