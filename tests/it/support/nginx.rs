//! Debian's real nginx, as a process of its own on a port of its own, with the configuration that docs/gateways.md gives.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::until;

/// Where Debian puts it, which is not in everybody's `PATH`.
const PROGRAM: &str = "/usr/sbin/nginx";

/// The address that its connections come from: what comes from elsewhere is not it.
pub(crate) const PEER: &str = "127.0.0.2";

/// A running nginx. Ends when dropped.
pub(crate) struct Nginx {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    child: Child,
    folder: TempDir,
}

impl Nginx {
    /// Starts it before Doorward and an application, which stand in for the addresses that the page names.
    ///
    /// # Panics
    /// When nginx is not there, or does not start.
    pub(crate) fn start(doorward: SocketAddr, application: SocketAddr) -> Self {
        Self::serving(|address| site(address, doorward, application))
    }

    /// Starts it with what stands in `http`, for the address at which it listens.
    ///
    /// # Panics
    /// When nginx is not there, or does not start.
    pub(crate) fn serving(site: impl FnOnce(SocketAddr) -> String) -> Self {
        assert!(Path::new(PROGRAM).exists(), "{PROGRAM} is missing: `./test setup` installs it");
        // It inherits a socket that listens already: so nobody else can take the port, and no connection comes too early.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = configuration(folder.path(), &site(address));
        fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let log = File::create(folder.path().join("printed")).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("-p").arg(folder.path()).arg("-c").arg(folder.path().join("nginx.conf")).env("NGINX", "0:");
        let child =
            command.stdin(Stdio::from(OwnedFd::from(listener))).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut nginx = Self { address, child, folder };
        until("nginx runs", || nginx.runs().then_some(()));
        nginx
    }

    fn runs(&mut self) -> bool {
        assert!(self.child.try_wait().unwrap().is_none(), "nginx has ended: {}", self.printed());
        fs::read_to_string(self.folder.path().join("pid")).is_ok_and(|pid| !pid.is_empty())
    }

    /// What it logged.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(self.folder.path().join("printed")).unwrap()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Asked to end, so that it takes its worker along. One that has ended already needs no asking.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// The page's configuration with these addresses.
fn site(address: SocketAddr, doorward: SocketAddr, application: SocketAddr) -> String {
    let page = fs::read_to_string("docs/gateways.md").unwrap();
    let (_, rest) = page.split_once("```nginx\n").expect("docs/gateways.md has a configuration for nginx");
    let (shown, _) = rest.split_once("\n```").unwrap();
    let put = |text: String, from: &str, to: &str| {
        assert!(text.contains(from), "the page's configuration for nginx does not say `{from}`");
        text.replace(from, to)
    };
    let site = put(shown.to_owned(), "listen 80;", &format!("listen {address};"));
    let site = put(site, "http://127.0.0.1:8080", &format!("http://{doorward}"));
    put(site, "http://127.0.0.1:3000", &format!("http://{application}"))
}

/// What makes a process that keeps to its folder, around a site.
fn configuration(folder: &Path, site: &str) -> String {
    let folder = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"))
        .concat();
    format!(
        "daemon off;\nworker_processes 1;\nuser root;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\nproxy_bind {PEER};\n{temporary}{site}\n}}\n"
    )
}
