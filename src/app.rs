//! The composition root: a configuration becomes listeners, one site behind a swappable snapshot, and loops. It alone names concrete
//! stores and clients; nobody imports it but the commands.

mod listener;
mod logout_hook;
mod registrar;
mod reload;
mod site;

use std::{fmt, future::Future, io, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use actix_server::{Server, ServerHandle};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

use crate::{
    admin::{Admin, SessionApi, refused_written},
    background::{
        app_hook::AppHook,
        certificate::CertificateWatch,
        discovery::Discovery,
        registration::{self, Registration},
        stream_watch::StreamWatch,
    },
    config::Config,
    current::Current,
    domain::{Clock, Random},
    endings::Endings,
    front::Worker,
    lifecycle::{Nudged, Shutdown, Supervisor},
    message::Transport,
    oidc::{self, Provider},
    revocation::JournalError,
    session::{CookieConfigError, KeyRingError, TokenStore},
    status::{Metrics, Readiness},
    tls::{ListenerTls, TlsError},
};
use listener::Bound;
pub use reload::Source;
use reload::{Reload, Serving, Watched};
use site::{Lasting, make};

/// A process that is about to serve: bound, but not yet accepting.
#[derive(Debug)]
pub struct App {
    public: Bound,
    public_tls: Option<Encryption>,
    admin: Bound,
    admin_tls: Option<Encryption>,
    serving: Serving,
    lasting: Arc<Lasting>,
    status: Arc<Admin>,
    discovery: Discovery,
    registration: Option<Registration>,
    stream_watch: StreamWatch,
    logout_hook: Option<AppHook>,
    watched: Watched,
    /// Where the configuration is read again, if it is.
    source: Option<(Source, Nudged)>,
    world: World,
    drain: Duration,
}

/// TLS of one listener: what shakes hands, and the loop that keeps its certificate fresh.
struct Encryption {
    acceptor: TlsAcceptor,
    watch: CertificateWatch,
}

/// What the outside world is to a process; tests bring their own.
#[derive(Clone, Debug)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

/// Why a process cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A listener cannot be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// Where.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The configured cookies cannot work.
    #[error("the configured cookies cannot work")]
    Cookies(#[from] CookieConfigError),
    /// The cookie keys cannot be used.
    #[error("the cookie keys cannot be used")]
    Keys(#[from] KeyRingError),
    /// Metrics cannot be set up.
    #[error("metrics cannot be set up")]
    Metrics(#[from] prometheus::Error),
    /// Revocations of our own making cannot be kept.
    #[error(transparent)]
    Persist(#[from] JournalError),
    /// The provider's side cannot be set up.
    #[error("the identity server's side cannot be set up")]
    Provider(#[from] oidc::BuildError),
    /// A listener's TLS cannot be set up.
    #[error("a listener's TLS cannot be set up")]
    Tls(#[from] TlsError),
}

/// Longest time for loops to end after the listeners have.
const LOOPS_END_WITHIN: Duration = Duration::from_secs(5);

impl App {
    /// Builds everything and binds both listeners.
    ///
    /// # Errors
    /// When something cannot be set up; nothing was served then.
    pub fn build(config: Config, world: &World) -> Result<Self, StartError> {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let (readiness, metrics) = (Arc::new(Readiness::default()), Arc::new(Metrics::new()?));
        let public = listener::public(&config.listen)?;
        let admin = listener::admin(config.admin.listen)?;
        let public_tls = Encryption::of("public", config.tls.as_ref(), &metrics)?;
        let admin_tls = Encryption::of("admin", config.admin.tls.as_ref(), &metrics)?;
        let provider = Arc::new(Provider::build(config.oidc.clone(), world.clock.clone(), world.random.clone())?);
        let (notices, told) = logout_hook::notices(&config);
        let lasting =
            Arc::new(Lasting::build(&config, Current::new(provider.clone()), notices, metrics.clone(), world)?);
        let node = Arc::new(registrar::status(&config));
        let registration = registrar::build(&config, lasting.provider.clone(), &node, &readiness, &metrics, world);
        let drain = config.proxy.limits.drain;
        let (watched, store) = (Watched::new(&config), config.session.store);
        metrics.config_loaded(world.clock.now().as_secs(), 0);
        let serving = Serving::new(make(config, provider, &lasting, world)?);
        let logout_hook = serving.hook.clone().zip(told);
        let logout_hook = logout_hook.map(|(target, told)| logout_hook::build(target, told, &metrics, world));
        let status = Arc::new(Admin {
            readiness: readiness.clone(),
            registration: node,
            metrics: metrics.clone(),
            revocations: lasting.endings.revocations.clone(),
            back_channel: lasting.back_channel.clone(),
            access: serving.access.clone(),
            transport: if admin_tls.is_some() { Transport::Tls } else { Transport::Plain },
            sessions: session_api(lasting.endings.clone(), store, world),
        });
        let provider = lasting.provider.clone();
        let discovery = Discovery { provider, readiness, metrics: metrics.clone(), random: world.random.clone() };
        let stream_watch = StreamWatch {
            spending: lasting.spending,
            endings: lasting.endings.clone(),
            renewals: serving.renewals.clone(),
            metrics,
            clock: world.clock.clone(),
        };
        Ok(Self {
            public,
            public_tls,
            admin,
            admin_tls,
            serving,
            lasting,
            status,
            discovery,
            registration,
            stream_watch,
            logout_hook,
            watched,
            source: None,
            world: world.clone(),
            drain,
        })
    }

    /// The same process, which reads its configuration again from `source`.
    #[must_use]
    pub fn reloading(self, source: Source) -> Self {
        let nudged = source.nudge.listen();
        Self { source: Some((source, nudged)), ..self }
    }

    /// Where the public listener listens; `None` for a unix socket.
    #[must_use]
    pub fn public_address(&self) -> Option<SocketAddr> {
        self.public.address()
    }

    /// Where the admin listener listens.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.address()
    }

    /// Serves until `stop` is done; then not ready, then finishes what is in flight up to the drain limit, then takes this node off
    /// the identity server's list, then ends.
    ///
    /// # Errors
    /// When a listener fails.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let shutdown = Shutdown::default();
        let supervisor = Supervisor::new(shutdown.clone());
        let (public, admin) = self.servers()?;
        tracing::info!(listener = "public", address = %self.public, "listening");
        tracing::info!(listener = "admin", address = %self.admin, "listening");
        supervisor.spawn("discovery", self.discovery.run(shutdown.clone()));
        let registrar = registrar::start(self.registration);
        supervisor.spawn("stream watch", self.stream_watch.run(shutdown.clone()));
        if let Some(hook) = self.logout_hook {
            supervisor.spawn("application's hook", hook.run(shutdown.clone()));
        }
        let nudge = self.source.as_ref().map(|(source, _)| source.nudge.clone()).unwrap_or_default();
        for encryption in [self.public_tls, self.admin_tls].into_iter().flatten() {
            supervisor.spawn("certificate", encryption.watch.run(nudge.listen(), shutdown.clone()));
        }
        let (errands, provider) = (self.lasting.errands.clone(), self.lasting.provider.clone());
        let (readiness, streams) = (self.status.readiness.clone(), self.lasting.endings.streams.clone());
        if let Some((source, nudged)) = self.source {
            let reload = Reload {
                source,
                serving: self.serving,
                lasting: self.lasting,
                world: self.world,
                metrics: self.status.metrics.clone(),
                watched: self.watched,
                nudged,
            };
            supervisor.spawn("reload", reload.run(shutdown.clone()));
        }
        let (public_handle, admin_handle) = (public.handle(), admin.handle());
        let mut servers = std::pin::pin!(async { futures_util::join!(public, admin) });
        // Cancel-safe: the servers are polled again where they were.
        let (public, admin) = tokio::select! {
            ended = &mut servers => ended,
            () = stop => {
                tracing::info!("stopping: no longer ready, finishing what is in flight");
                readiness.drain();
                streams.stop();
                futures_util::join!(servers, finish(&public_handle, &admin_handle)).0
            }
        };
        // Together: a slow identity server is waited for once, and the node leaves its list before patience with the process ends.
        futures_util::join!(errands.finish(provider.get().patience()), registrar.finish(registration::ENDS_WITHIN));
        supervisor.finish(LOOPS_END_WITHIN).await;
        tracing::info!("stopped");
        public.and(admin)
    }

    /// The public server, and the admin server, which outlives it so that readiness can be asked to the end.
    fn servers(&self) -> io::Result<(Server, Server)> {
        let (site, metrics, random) =
            (self.serving.site.clone(), self.status.metrics.clone(), self.world.random.clone());
        let worker = move || Rc::new(Worker::new(site.clone(), metrics.clone(), random.clone()));
        let limits = self.serving.site.get().limits;
        let acceptor = |encryption: &'_ Option<Encryption>| encryption.as_ref().map(|one| one.acceptor.clone());
        let (public_tls, admin_tls) = (acceptor(&self.public_tls), acceptor(&self.admin_tls));
        let public = listener::serve_public(&self.public, public_tls.as_ref(), worker, limits, self.drain)?;
        let admin = listener::serve_admin(&self.admin, admin_tls.as_ref(), &self.status)?;
        Ok((public, admin))
    }
}

impl Encryption {
    fn of(listener: &'static str, tls: Option<&ListenerTls>, metrics: &Arc<Metrics>) -> Result<Option<Self>, TlsError> {
        let Some(tls) = tls else { return Ok(None) };
        metrics.certificate_served(listener);
        let watch = CertificateWatch {
            listener,
            watch: tls.pair.clone(),
            interval: tls.reload_interval,
            metrics: metrics.clone(),
        };
        Ok(Some(Self { acceptor: tls.acceptor()?, watch }))
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encryption({:?})", self.watch)
    }
}

fn session_api(endings: Endings, store: TokenStore, world: &World) -> SessionApi {
    SessionApi { endings, store, started: world.clock.now(), written: refused_written(), clock: world.clock.clone() }
}

async fn finish(public: &ServerHandle, admin: &ServerHandle) {
    public.stop(true).await;
    admin.stop(true).await;
}
