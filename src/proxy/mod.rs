//! The request path: one file a stage, each consuming what the one before left.
//!
//! `route` (which rule?), `authenticate` (who claims to be?), `validity` (still true?), `authorize` (allowed?), `inject` (say
//! who), `forward` (pass on). What may last is `held` to its session; a `tunnel` carries a WebSocket. No stage knows a server framework.

pub mod admission;
pub mod authenticate;
pub mod authorize;
pub mod bearer;
pub mod body;
mod config;
mod cookies;
pub mod cors;
pub mod event;
pub mod expose;
pub mod forward;
pub mod frames;
mod held;
pub mod gateway;
pub mod inject;
pub mod pool;
pub mod route;
mod strip;
pub mod tunnel;
mod upload;
pub mod validity;

use std::{rc::Rc, sync::Arc};

use http::{HeaderMap, HeaderValue, header};

use crate::{
    caller::Caller,
    domain::Clock,
    message::{Body, Handshake, Request, Response},
    oidc::Provider,
    respond::Refusal,
    session::{AppCookies, OpenedSessions, OwnCookies, RequestCookies, SessionStore, SetCookies},
    status::{Metrics, Streams},
};
use admission::Destination;
pub use admission::{Admission, Approach};
use authorize::Permit;
use bearer::VerifiedTokens;
pub use config::{Access, Config, IdentityHeader, IdentityValue, Limits, PathPattern, Rule, Upstream};
use forward::{ForwardError, Forwarded, forward};
use inject::Injector;
use pool::Pool;
use route::Rules;
pub use strip::{StrippedHeader, StrippedHeaderError};
use validity::{Current, Judge, Renewing, Standing};

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
    /// The application's own session cookies, each of which goes to whom it was given; `None`: they are cookies like any other.
    pub app_cookies: Option<Arc<AppCookies>>,
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

/// By what somebody is known who may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// A session.
    Session,
    /// A bearer token, or a user and password.
    Token,
}

/// Why the request path gives no answer of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// For whoever is known by this.
    NotPermitted(KnownBy),
    /// For good.
    Refused(Refusal),
    /// Until somebody signs in.
    SignInNeeded,
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
            injector: Injector::new(config.headers, config.strip_headers, config.forward_access_token),
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

    /// The standing of a session that is about to be used: renewed first, if it is time, and proved, if it must be.
    ///
    /// # Errors
    /// When it cannot be used before that, and that cannot be done now.
    pub async fn renewed(&self, standing: Standing, renewing: Renewing) -> Result<Standing, Refusal> {
        let renewed = self.parts.judge.renew(standing, renewing).await;
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
        request: Box<Request>,
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
        request: Box<Request>,
        approach: Approach<'_>,
        permit: &Permit,
    ) -> Result<Response, Stopped> {
        let Approach { local, caller, cookies, .. } = approach;
        let Request { method, target, headers, body, handshake, id, .. } = *request;
        let strays = handshake.is_none() && headers.contains_key(header::UPGRADE);
        let mut headers = self.injector.apply(headers, permit, caller, &id);
        if strays {
            Handshake::forget(&mut headers);
        }
        self.hide_own_cookies(&mut headers, cookies, permit.current());
        let body = self.hold_upload(body, permit.current())?;
        let forwarded = Forwarded { method, target, headers, body, handshake };
        let answer = forward(&local.pool, forwarded, &self.limits).await.map_err(|error| self.unanswered(&error))?;
        let mut answer = self.hold(answer, permit.current())?;
        self.keep_own_cookies(&mut answer.headers, permit.current());
        Ok(answer)
    }

    /// A page of another site may open a WebSocket with the user's cookies and read all that comes, since CORS does not bind it (cross-site
    /// WebSocket hijacking; RFC 6455, section 10.2). Only its `Origin` tells; what is no browser sends none. To be asked of handshakes.
    fn refuse_foreign_page(&self, headers: &HeaderMap, caller: &Caller) -> Result<(), Refusal> {
        let own = caller.origin.to_string();
        let admitted =
            |origin: &http::HeaderValue| *origin == own || self.websocket_origins.iter().any(|o| origin == o);
        if headers.get_all(header::ORIGIN).iter().all(admitted) {
            return Ok(());
        }
        Err(Refusal::Forbidden("Pages of that origin may not open a WebSocket here.".into()))
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
