//! Sockets and the servers on them: bound eagerly, so that a busy address is told before anything else happens.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    os::unix::{
        fs::FileTypeExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix_http::{HttpService, error::DispatchError};
use actix_rt::net::ActixStream;
use actix_server::Server;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{App as ActixApp, dev::AppConfig, web};
use tokio::net::{TcpStream as Tcp, UnixStream as Unix};
use tokio_rustls::TlsAcceptor;

use super::StartError;
use crate::{
    admin::{self, Admin},
    config::Listen,
    front::{self, Worker, patience::Watched, socket::Socket, tunnel},
    proxy::Limits,
};

/// A bound socket.
#[derive(Debug)]
pub(super) enum Bound {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, PathBuf),
}

impl Bound {
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, address) => Some(*address),
            Self::Unix(..) => None,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(_, address) => address.fmt(f),
            Self::Unix(_, path) => write!(f, "unix:{}", path.display()),
        }
    }
}

pub(super) fn public(listen: &Listen) -> Result<Bound, StartError> {
    match listen {
        Listen::Tcp(address) => tcp(*address),
        Listen::Unix(path) => {
            let bound = take_socket(path).and_then(|()| UnixListener::bind(path));
            let listener = bound.map_err(|source| StartError::Bind { address: path.display().to_string(), source })?;
            Ok(Bound::Unix(listener, path.clone()))
        }
    }
}

pub(super) fn admin(address: SocketAddr) -> Result<Bound, StartError> {
    tcp(address)
}

fn tcp(address: SocketAddr) -> Result<Bound, StartError> {
    let bound = TcpListener::bind(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (local, listener) = bound.map_err(|source| StartError::Bind { address: address.to_string(), source })?;
    Ok(Bound::Tcp(listener, local))
}

/// Removes a socket that a dead process left behind; one that somebody serves stays, and binding then fails.
fn take_socket(path: &Path) -> io::Result<()> {
    let is_socket = path.symlink_metadata().is_ok_and(|meta| meta.file_type().is_socket());
    let is_dead = || UnixStream::connect(path).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
    if is_socket && is_dead() { std::fs::remove_file(path) } else { Ok(()) }
}

/// Longest wait for a client to close a connection that we have closed.
const LINGER: Duration = Duration::from_secs(1);

/// Serves the public listener: one worker per core, each with connections of its own to the application.
pub(super) fn serve_public(
    bound: &Bound,
    tls: Option<&TlsAcceptor>,
    worker: impl Fn() -> Rc<Worker> + Clone + Send + 'static,
    limits: Limits,
    drain: Duration,
) -> io::Result<Server> {
    let tls = tls.cloned();
    let builder = Server::build().disable_signals().shutdown_timeout(whole_seconds(drain));
    let signal = builder.graceful_shutdown_signal();
    macro_rules! service {
        ($stream:ty) => {
            move || {
                let signal = signal.clone();
                let tls = tls.clone();
                let worker = worker();
                let tunnels = worker.clone();
                let app = ActixApp::new()
                    .app_data(web::Data::new(worker))
                    .default_service(web::to(front::handle))
                    .into_factory()
                    .map_err(|error: actix_web::Error| error.error_response());
                let http = HttpService::build()
                    .keep_alive(limits.keep_alive)
                    .client_request_timeout(limits.client_header_timeout)
                    .client_disconnect_timeout(LINGER)
                    // With half-closed connections a client that went away is never noticed.
                    .h1_allow_half_closed(false)
                    .graceful_shutdown_signal(move || {
                        let signal = signal.clone();
                        async move { signal.notified().await }
                    })
                    .on_connect_ext(|io: &Watched<Socket<$stream>>, data| {
                        data.insert(io.turn());
                        data.insert(io.socket().transport());
                    })
                    .upgrade(fn_service(move |(request, framed)| tunnel::serve(tunnels.clone(), request, framed)))
                    .h1(map_config(app, |()| AppConfig::default()));
                fn_service(move |io: $stream| {
                    let tls = tls.clone();
                    async move { shaken(io, tls.as_ref(), limits).await }
                })
                .and_then(http)
            }
        };
    }
    let builder = match bound {
        Bound::Tcp(listener, _) => builder.listen("public", listener.try_clone()?, service!(Tcp))?,
        Bound::Unix(listener, _) => builder.listen_uds("public", listener.try_clone()?, service!(Unix))?,
    };
    Ok(builder.run())
}

/// A client's connection that has shaken hands, if it has to, and is watched from then on.
async fn shaken<S: ActixStream + Peer>(
    io: S,
    tls: Option<&TlsAcceptor>,
    limits: Limits,
) -> Result<(Watched<Socket<S>>, Option<SocketAddr>), DispatchError> {
    let peer = io.peer();
    let io = Socket::accept(io, tls, limits.client_header_timeout).await.map_err(DispatchError::Io)?;
    Ok((Watched::new(io, limits.client_header_timeout, limits.keep_alive), peer))
}

/// Longest time for a client of the admin listener to shake hands, and then to send a request's head: what actix allows by itself.
const ADMIN_PATIENCE: Duration = Duration::from_secs(5);

/// Serves the admin listener.
pub(super) fn serve_admin(bound: &Bound, tls: Option<&TlsAcceptor>, status: &Arc<Admin>) -> io::Result<Server> {
    let Bound::Tcp(listener, _) = bound else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the admin listener is TCP"));
    };
    let (tls, status) = (tls.cloned(), web::Data::from(status.clone()));
    let factory = move || {
        let tls = tls.clone();
        let app = ActixApp::new()
            .app_data(status.clone())
            .configure(admin::routes)
            .into_factory()
            .map_err(|error: actix_web::Error| error.error_response());
        let http =
            HttpService::build().client_request_timeout(ADMIN_PATIENCE).h1(map_config(app, |()| AppConfig::default()));
        fn_service(move |io: Tcp| {
            let (peer, tls) = (io.peer(), tls.clone());
            async move {
                let io = Socket::accept(io, tls.as_ref(), ADMIN_PATIENCE).await;
                Ok::<_, DispatchError>((io.map_err(DispatchError::Io)?, peer))
            }
        })
        .and_then(http)
    };
    let builder = Server::build().workers(1).disable_signals().shutdown_timeout(whole_seconds(ADMIN_ENDS_WITHIN));
    Ok(builder.listen("admin", listener.try_clone()?, factory)?.run())
}

/// Longest time for the admin listener to end: connections that are kept in use, as by a load balancer's probes, end with it.
const ADMIN_ENDS_WITHIN: Duration = Duration::from_secs(5);

/// At least one, rounded up.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0 || time.is_zero())
}

trait Peer {
    fn peer(&self) -> Option<SocketAddr>;
}

impl Peer for Tcp {
    fn peer(&self) -> Option<SocketAddr> {
        self.peer_addr().ok()
    }
}

impl Peer for Unix {
    fn peer(&self) -> Option<SocketAddr> {
        None
    }
}
