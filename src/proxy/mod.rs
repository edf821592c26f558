//! The request path: one file a stage, each consuming what the one before left.
//!
//! `route` (which rule?), `authenticate` (who claims to be?), `validity` (still true?), `authorize` (allowed?), `inject` (say
//! who), `forward` (pass on). What may last is `held` to its session; a `tunnel` carries a WebSocket. No stage knows a server framework.

pub mod admission;
pub mod authenticate;
pub mod authorize;
pub mod bearer;
pub mod body;
pub mod cors;
pub mod expose;
pub mod forward;
pub mod frames;
mod held;
pub mod gateway;
pub mod inject;
pub mod pool;
pub mod route;
pub mod tunnel;
mod upload;
pub mod validity;

use std::{path::PathBuf, rc::Rc, sync::Arc, time::Duration};

use http::{HeaderValue, header};

use crate::{
    caller::Caller,
    domain::{Clock, Subject},
    message::{Body, Handshake, Request, Response},
    oidc::Provider,
    respond::Refusal,
    session::{OpenedSessions, OwnCookies, RequestCookies, SessionStore, SetCookies},
    status::{Metrics, Streams},
    tls::Connector,
};
use admission::Destination;
pub use admission::{Admission, Approach};
use authorize::Permit;
use bearer::VerifiedTokens;
use forward::{ForwardError, Forwarded, forward};
use inject::Injector;
use pool::Pool;
use route::Rules;
use validity::{Current, Judge, Standing};

/// What one site's request path needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The application.
    pub upstream: Upstream,
    /// In order; the first that matches decides. Nothing matches: a login is needed.
    pub rules: Vec<Rule>,
    /// What the application is told, header by header. Every name here is also stripped from what comes in.
    pub headers: Vec<IdentityHeader>,
    /// Pass the access token on as `Authorization: Bearer`.
    pub forward_access_token: bool,
    /// Origins besides our own whose pages may open a WebSocket, written as browsers write them.
    pub websocket_origins: Vec<String>,
    /// What gateways may ask; `None`: nothing.
    pub gateway: Option<gateway::Config>,
    /// Which credentials count besides sessions.
    pub authentication: authenticate::Config,
    /// How cross-origin requests are answered; `None`: by the application alone.
    pub cors: Option<cors::Config>,
    /// Tell pages of the application the access token (`expose-token`).
    pub expose_token: bool,
    /// Bounds.
    pub limits: Limits,
}

/// Where the application listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// `http://host:port`.
    Tcp {
        /// Host name or address (IPv6 without brackets).
        host: String,
        /// Port.
        port: u16,
    },
    /// `https://host:port`.
    Tls {
        /// Host name or address (IPv6 without brackets).
        host: String,
        /// Port.
        port: u16,
        /// Whom to believe there.
        connector: Connector,
    },
    /// `unix:/path`.
    Unix(PathBuf),
}

/// Who may reach which paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which paths.
    pub path: PathPattern,
    /// Which methods, upper case; empty: all.
    pub methods: Vec<String>,
    /// What the caller must have shown.
    pub access: Access,
    /// Roles that are all needed (`name`, or `client:name`). None is empty.
    pub roles: Vec<String>,
    /// Groups of which one is needed; empty: none is. None is an empty string.
    pub groups: Vec<String>,
}

/// A path as a rule writes it: canonical, literal, compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// `/a/*`: `/a` and everything below it; `/*` is everything. Holds the path without `/*`.
    Below(String),
    /// `/a`: that path alone.
    Exact(String),
}

/// What a caller must have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A bearer token; a session does not count.
    Bearer,
    /// A login, or a bearer token.
    Login,
    /// Nothing. Who is signed in is named all the same.
    Public,
}

/// One request header to the application and the claim it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeader {
    /// The header's name, as written.
    pub name: http::HeaderName,
    /// Where its value comes from.
    pub value: IdentityValue,
}

/// What an identity header carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityValue {
    /// A claim of the ID token or UserInfo, by its name.
    Claim(String),
    /// `email`.
    Email,
    /// `groups`, joined by commas.
    Groups,
    /// Another value, and `sub` where that is absent or empty (`principal-attribute`).
    OrSubject(Box<IdentityValue>),
    /// Roles, joined by commas: those of [`crate::domain::Principal::roles`].
    Roles,
    /// `sub`.
    Subject,
    /// `preferred_username`.
    Username,
}

/// Bounds on what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest request head, in bytes.
    pub header_bytes: usize,
    /// Most request headers.
    pub header_count: usize,
    /// Largest request body, in bytes; `None`: any.
    pub body_bytes: Option<u64>,
    /// Longest time to connect to the application.
    pub connect_timeout: Duration,
    /// Longest time until the application begins its answer.
    pub response_timeout: Duration,
    /// Longest silence while a body streams, either way; of both ends of a WebSocket together.
    pub idle_timeout: Duration,
    /// Longest time that a WebSocket is open; `None`: as long as the session may last.
    pub tunnel_max: Option<Duration>,
    /// Longest time for a client to send its request head.
    pub client_header_timeout: Duration,
    /// How long an idle client connection is kept.
    pub keep_alive: Duration,
    /// Longest time to finish what is in flight after SIGTERM.
    pub drain: Duration,
}

/// The request path of one site.
#[derive(Debug)]
pub struct Proxy {
    rules: Rules,
    injector: Injector,
    authentication: authenticate::Config,
    cors: Option<cors::Config>,
    expose_token: bool,
    upstream: Upstream,
    websocket_origins: Vec<String>,
    limits: Limits,
    gateway: Option<gateway::Config>,
    parts: Parts,
}

/// What the request path works with.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Who verifies bearer tokens.
    pub provider: Arc<Provider>,
    /// Claims that headers ask for, beyond the usual ones.
    pub wanted_claims: Vec<String>,
    /// Where sessions are.
    pub store: Arc<dyn SessionStore>,
    /// Which sessions count.
    pub judge: Judge,
    /// Our cookies, which the application does not see.
    pub cookies: OwnCookies,
    /// What is open.
    pub streams: Arc<Streams>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// What one worker thread keeps for one site; it goes with the site.
#[derive(Debug)]
pub struct Local {
    /// Connections to the application.
    pool: Rc<Pool>,
    /// Sessions that were opened before.
    opened: OpenedSessions,
    /// Bearer tokens that were verified before.
    verified: VerifiedTokens,
}

/// Why the request path gives no answer of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// For good.
    Refused(Refusal),
    /// Until somebody signs in. Holds whose session has lapsed, if that is known.
    SignInNeeded(Option<Subject>),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Proxy {
    /// The request path that `config` describes.
    #[must_use]
    pub fn new(config: Config, parts: Parts) -> Self {
        Self {
            rules: Rules::new(config.rules),
            injector: Injector::new(config.headers, config.forward_access_token),
            authentication: config.authentication,
            cors: config.cors,
            expose_token: config.expose_token,
            upstream: config.upstream,
            websocket_origins: config.websocket_origins,
            limits: config.limits,
            gateway: config.gateway,
            parts,
        }
    }

    /// What one worker keeps for this site.
    #[must_use]
    pub fn local(&self) -> Local {
        Local {
            pool: Rc::new(Pool::new(self.upstream.clone(), self.limits.connect_timeout)),
            opened: OpenedSessions::default(),
            verified: bearer::none_verified(),
        }
    }

    /// How the session stands that the cookies carry.
    ///
    /// # Errors
    /// When the store fails, so that nothing is known.
    pub async fn standing(&self, local: &Local, cookies: &RequestCookies) -> Result<Standing, Refusal> {
        let now = self.parts.clock.now();
        let found = self.parts.store.find(cookies, &local.opened, now).await.map_err(|error| {
            tracing::error!(%error, "the session store fails");
            Refusal::Internal
        })?;
        let Some(session) = found else { return Ok(Standing::Nobody) };
        Ok(self.parts.judge.judge(session, now))
    }

    /// The standing of a session that is about to be used: renewed first, if it is time.
    ///
    /// # Errors
    /// When it cannot be used before it is renewed, and that cannot be done now.
    pub async fn renewed(&self, standing: Standing) -> Result<Standing, Refusal> {
        let renewed = self.parts.judge.renew(standing, self.parts.clock.now()).await;
        let lapsed = renewed.as_ref().map_or(Some("unavailable"), Standing::lapsed);
        if let Some(reason) = lapsed {
            self.parts.metrics.lapsed(reason);
        }
        renewed
    }

    /// Takes a request that may pass to the application, and its answer back.
    ///
    /// # Errors
    /// When the application does not answer, or the session ended while it did.
    pub async fn pass(
        &self,
        request: Request,
        approach: Approach<'_>,
        admission: Admission,
    ) -> Result<Response, Stopped> {
        let Admission { permit, ruling, is_private, destination } = admission;
        let mut answer = match destination {
            Destination::Application => self.ask_application(request, approach, &permit).await?,
            Destination::Token { stays_here } => {
                expose::answer(permit.current().filter(|_| stays_here).map(Current::access_token))
            }
        };
        if is_private {
            answer.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        }
        if let Some(ruling) = ruling {
            ruling.apply(&mut answer.headers);
        }
        self.write_down(permit, approach.cookies).await.apply(&mut answer.headers);
        Ok(answer)
    }

    async fn ask_application(
        &self,
        request: Request,
        approach: Approach<'_>,
        permit: &Permit,
    ) -> Result<Response, Stopped> {
        let Approach { local, caller, cookies, .. } = approach;
        let Request { method, target, headers, body, handshake, id, .. } = request;
        let strays = handshake.is_none() && headers.contains_key(header::UPGRADE);
        let mut headers = self.injector.apply(headers, permit, caller, &id);
        if strays {
            Handshake::forget(&mut headers);
        }
        self.hide_own_cookies(&mut headers, cookies);
        let forwarded = Forwarded { method, target, headers, body, handshake };
        let answer = forward(&local.pool, forwarded, &self.limits).await.map_err(|error| self.unanswered(&error))?;
        let mut answer = self.hold(answer, permit.current().and_then(Current::session))?;
        self.keep_own_cookies(&mut answer.headers);
        Ok(answer)
    }

    /// A page of another site may open a WebSocket with the user's cookies and read all that comes, since CORS does not bind it (cross-site
    /// WebSocket hijacking; RFC 6455, section 10.2). Only its `Origin` tells; what is no browser sends none.
    fn refuse_foreign_page(&self, request: &Request, caller: &Caller) -> Result<(), Refusal> {
        if request.handshake.is_none() {
            return Ok(());
        }
        let own = caller.origin.to_string();
        let admitted =
            |origin: &http::HeaderValue| *origin == own || self.websocket_origins.iter().any(|o| origin == o);
        if request.headers.get_all(header::ORIGIN).iter().all(admitted) {
            return Ok(());
        }
        Err(Refusal::Forbidden("Pages of that origin may not open a WebSocket here.".into()))
    }

    fn hide_own_cookies(&self, headers: &mut http::HeaderMap, cookies: &RequestCookies) {
        if headers.remove(header::COOKIE).is_some()
            && let Some(others) = self.parts.cookies.strip_own(cookies)
        {
            headers.insert(header::COOKIE, others);
        }
    }

    /// The application may set any cookie but ours.
    fn keep_own_cookies(&self, headers: &mut http::HeaderMap) {
        if !headers.contains_key(header::SET_COOKIE) {
            return;
        }
        let all: Vec<_> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
        headers.remove(header::SET_COOKIE);
        for value in all {
            let name = value.as_bytes().split(|byte| matches!(byte, b'=' | b';')).next().unwrap_or_default();
            if !self.parts.cookies.is_own(name.trim_ascii()) {
                headers.append(header::SET_COOKIE, value);
            }
        }
    }

    fn unanswered(&self, error: &ForwardError) -> Refusal {
        let refusal = error.refusal();
        self.parts.metrics.upstream_error(error.kind());
        tracing::warn!(error = %Chain(error), "no answer from the application");
        refusal
    }

    /// Keeps a session alive that is in use, and renewed. That it could not be written is no reason to withhold an answer: the session
    /// lives on as it was.
    async fn write_down(&self, permit: Permit, cookies: &RequestCookies) -> SetCookies {
        let now = self.parts.clock.now();
        let to_be_written = permit.into_current().and_then(|current| self.parts.judge.to_be_written(current, now));
        let Some(session) = to_be_written else { return SetCookies::default() };
        self.parts.store.save(&session, cookies, now).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a session in use cannot be written");
            SetCookies::default()
        })
    }
}

fn refuse_oversized(body: &Body, limits: &Limits) -> Result<(), Refusal> {
    match (body, limits.body_bytes) {
        (Body::Stream { length: Some(length), .. }, Some(most)) if *length > most => Err(Refusal::BodyTooLarge),
        _ => Ok(()),
    }
}

/// An error with its causes, on one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(inner) = cause {
            write!(f, ": {inner}")?;
            cause = inner.source();
        }
        Ok(())
    }
}
