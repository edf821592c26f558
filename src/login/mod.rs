//! The browser's detour: our own endpoints below one prefix. A sign-in begins at a request that needs one or at `start`, comes back
//! at `callback`, and ends at `sign_out`.

mod attempt;
mod callback;
mod front_channel;
mod kept_form;
mod redirect_rewrite;
mod return_to;
mod sign_out;
mod used;

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;
use url::Url;

use crate::{
    caller::Caller,
    domain::{Clock, Lifetimes, NodeHost, NodeIncarnation, Random, Session},
    endings::Endings,
    message::{Request, Response},
    oidc::{Authorization, Provider},
    respond::Refusal,
    session::{
        AppCookies, CookieConfigError, InvalidCookie, KeyRing, OwnCookies, Purpose, RequestCookies, SameSite,
        SealedCookie, SessionStore, SetCookies,
    },
    status::Metrics,
};
use attempt::{Attempt, Attempts};
use callback::read_params;
use kept_form::KeptForms;
pub use redirect_rewrite::{RedirectRewrite, RewriteError};
pub use return_to::ReturnTo;
pub use used::UsedStates;

/// How sign-in behaves at the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Path below which our own endpoints live; starts with `/`, does not end with it, canonical.
    pub path_prefix: String,
    /// How the provider hands the code back.
    pub response_mode: ResponseMode,
    /// How long one attempt may take.
    pub attempt_ttl: Duration,
    /// Attempts kept per browser; the oldest goes.
    pub max_attempts: usize,
    /// Largest form, in bytes, that is kept over a sign-in; 0: none is.
    pub kept_form_bytes: usize,
    /// Whether front-channel logouts are heard.
    pub front_channel: bool,
    /// How our paths are called outside, where something before us calls them otherwise.
    pub redirect_rewrite: Option<RedirectRewrite>,
}

/// How the provider hands the code back (OAuth 2.0 Multiple Response Types, section 2.1; OAuth 2.0 Form Post Response Mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    /// A cross-site POST: the attempt cookie alone is then `SameSite=None; Secure`. https only.
    FormPost,
    /// A redirect with a query.
    Query,
}

impl Config {
    /// The path of the redirect URI, as it is called outside.
    #[must_use]
    pub fn callback_path(&self) -> String {
        let path = format!("{}/callback", self.path_prefix);
        self.redirect_rewrite.as_ref().map_or(path.clone(), |rewrite| rewrite.apply(&path))
    }
}

/// Sign-in and sign-out at one site.
#[derive(Debug)]
pub struct Login {
    config: Config,
    parts: Parts,
    attempts: Attempts,
    forms: KeptForms,
}

/// What sign-in works with.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Whom it sends browsers to.
    pub provider: Arc<Provider>,
    /// Where it puts sessions.
    pub store: Arc<dyn SessionStore>,
    /// The application's own session cookies, which go with a session.
    pub app_cookies: Option<Arc<AppCookies>>,
    /// What it ends.
    pub endings: Endings,
    /// Which attempts were redeemed already; outlives a configuration.
    pub used: Arc<UsedStates>,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// This start of this node, for `proved_by`.
    pub incarnation: NodeIncarnation,
    /// Where the identity server reaches this node, told to it with every sign-in.
    pub node_host: NodeHost,
    /// How long sessions live.
    pub lifetimes: Lifetimes,
    /// Claims that headers ask for, beyond the usual ones.
    pub wanted_claims: Vec<String>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

/// One of our own endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Callback,
    FrontChannelLogout,
    Resume,
    SignOut,
    SignedOut,
    Start,
    UserInfo,
}

/// What an own endpoint needs to know of a request, besides the request itself.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// Who calls.
    pub caller: &'a Caller,
    /// The cookies.
    pub cookies: &'a RequestCookies,
    /// The session.
    pub presented: Presented<'a>,
}

/// The session that a visitor brings.
#[derive(Clone, Copy, Debug)]
pub enum Presented<'a> {
    /// One that counts.
    Current(&'a Session),
    /// None, or one that is over.
    Nothing,
    /// One whose access token has ended. It opens nothing, but can still be signed out.
    Stale(&'a Session),
}

impl<'a> Visit<'a> {
    /// The session, if it counts.
    fn current(&self) -> Option<&'a Session> {
        match self.presented {
            Presented::Current(session) => Some(session),
            Presented::Nothing | Presented::Stale(_) => None,
        }
    }

    /// The session that a sign-out ends.
    fn known(&self) -> Option<&'a Session> {
        match self.presented {
            Presented::Current(session) | Presented::Stale(session) => Some(session),
            Presented::Nothing => None,
        }
    }
}

impl Login {
    /// Sets up sign-in for `site`, whose cookies are `cookies`.
    ///
    /// # Errors
    /// When the configured cookies cannot work.
    pub fn new(
        config: Config,
        parts: Parts,
        cookies: &OwnCookies,
        keys: &KeyRing,
        site: &str,
    ) -> Result<Self, CookieConfigError> {
        let cookies = match config.response_mode {
            ResponseMode::FormPost => cookies.with_same_site(SameSite::None)?,
            ResponseMode::Query => cookies.with_same_site(SameSite::Lax)?,
        };
        let sealed = SealedCookie::new(keys, Purpose::LoginAttempt, site);
        let attempts = Attempts::new(cookies, sealed, parts.random.clone(), config.attempt_ttl, config.max_attempts);
        let forms = KeptForms::new(keys, site, parts.random.clone(), config.kept_form_bytes);
        Ok(Self { config, parts, attempts, forms })
    }

    /// Whether a decoded path is one of ours.
    #[must_use]
    pub fn owns(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.config.path_prefix.as_str());
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ';']))
    }

    /// Whether a decoded path is the one where gateways ask.
    #[must_use]
    pub fn is_for_gateways(&self, path: &str) -> bool {
        path.strip_prefix(self.config.path_prefix.as_str()) == Some("/auth")
    }

    /// Whether a decoded path is the one where the identity server logs users out (OpenID Connect Back-Channel Logout 1.0).
    #[must_use]
    pub fn is_for_back_channel(&self, path: &str) -> bool {
        path.strip_prefix(self.config.path_prefix.as_str()) == Some("/backchannel-logout")
    }

    /// Whether the endpoint at a path of ours speaks of the session, so that it must be as it is now.
    #[must_use]
    pub fn speaks_of_session(&self, path: &str) -> bool {
        path.strip_prefix(self.config.path_prefix.as_str()).and_then(Endpoint::named) == Some(Endpoint::UserInfo)
    }

    /// Answers a request to one of our endpoints.
    ///
    /// # Errors
    /// When it is not served.
    pub async fn answer(&self, request: Request, visit: Visit<'_>) -> Result<Response, Refusal> {
        let path = request.target.decoded_path();
        let name = path.strip_prefix(self.config.path_prefix.as_str()).unwrap_or_default();
        let endpoint = Endpoint::named(name).ok_or(Refusal::NotFound)?;
        endpoint.admits(&request.method, self.config.response_mode)?;
        match endpoint {
            Endpoint::Callback => self.callback(request, visit).await,
            Endpoint::FrontChannelLogout => self.front_channel_logout(&request),
            Endpoint::Resume => self.resume(request, visit).await,
            Endpoint::SignOut => self.sign_out(&request, visit).await,
            Endpoint::SignedOut => Ok(self.signed_out_page(&request)),
            Endpoint::Start => self.start(request, visit).await,
            Endpoint::UserInfo => self.userinfo(visit),
        }
    }

    /// Sends a browser to sign in, and remembers where it was going.
    ///
    /// # Errors
    /// When the provider has not been reached, or our origin makes no URL.
    pub async fn begin(
        &self,
        to: ReturnTo,
        passed_on: &[(String, String)],
        visit: Visit<'_>,
    ) -> Result<Response, Refusal> {
        let (url, set) = self.depart(to, passed_on, visit).await?;
        Ok(with_cookies(redirect(StatusCode::FOUND, url.as_str())?, &set))
    }

    /// Where to send a browser to sign in, and the cookies that remember the attempt.
    async fn depart(
        &self,
        to: ReturnTo,
        passed_on: &[(String, String)],
        visit: Visit<'_>,
    ) -> Result<(Url, SetCookies), Refusal> {
        if !self.reaches(&to) {
            // The browser would come back without its session, and be sent again, for ever.
            return Err(Refusal::Forbidden(
                "This page needs a sign-in, but lies outside the path that sessions are kept for.".into(),
            ));
        }
        let redirect_uri = visit.caller.url(&self.config.callback_path()).ok_or(Refusal::Internal)?;
        let secrets = self.parts.provider.attempt_secrets();
        let authorization = Authorization {
            redirect_uri: &redirect_uri,
            state: &secrets.state,
            nonce: &secrets.nonce,
            pkce: &secrets.pkce,
            response_mode: self.config.response_mode.parameter(),
            passed_on,
        };
        let url = self.parts.provider.authorization_url(&authorization).await.map_err(|_| Refusal::NotReady)?;
        let attempt = Attempt::new(secrets, redirect_uri, to);
        let set = self.attempts.remember(&attempt, visit.cookies, self.parts.clock.now());
        Ok((url, set.map_err(cannot_set)?))
    }

    /// Where a page may send its user to sign in and come back to `to`.
    #[must_use]
    pub fn start_url(&self, to: &ReturnTo) -> String {
        let rd: String = url::form_urlencoded::byte_serialize(to.as_str().as_bytes()).collect();
        format!("{}?rd={rd}", self.path("/start"))
    }

    /// Where a page of this site may send its user to sign out, by `POST`.
    #[must_use]
    pub fn sign_out_url(&self) -> String {
        self.path("/sign_out")
    }

    /// Where a sign-in begins by a link, ours or a third party's (OpenID Connect Core 1.0, section 4): that one names the issuer, which must be
    /// ours, so that nobody is sent to sign in at an identity server that he does not expect.
    async fn start(&self, request: Request, visit: Visit<'_>) -> Result<Response, Refusal> {
        let params = read_params(request).await?;
        if let Some(iss) = params.get("iss") {
            let issuer = self.parts.provider.issuer().ok_or(Refusal::NotReady)?;
            if iss != issuer.as_str() {
                return Err(Refusal::BadRequest(
                    "This site signs in at another identity server (parameter iss).".into(),
                ));
            }
        }
        let to = params.get("rd").or_else(|| params.get("target_link_uri"));
        let to = to.map_or_else(ReturnTo::home, |to| self.return_to(to, visit.caller));
        let to = if self.reaches(&to) { to } else { self.return_to(self.attempts.path(), visit.caller) };
        let is_third_partys = params.get("iss").is_some();
        let is_hint = |name: &str| self.parts.provider.passes_on(name) || is_third_partys && name == "login_hint";
        let passed_on: Vec<(String, String)> = params.iter().filter(|(name, _)| is_hint(name)).collect();
        self.begin(to, &passed_on, visit).await
    }

    /// What the user's own page may know of the session: no token.
    fn userinfo(&self, visit: Visit<'_>) -> Result<Response, Refusal> {
        let Some(session) = visit.current() else {
            return Err(Refusal::SignInNeeded { login_url: self.start_url(&ReturnTo::home()) });
        };
        let principal = &session.principal;
        let about = json!({
            "sub": principal.subject.as_str(),
            "preferred_username": principal.username,
            "email": principal.email,
            "groups": principal.groups,
            "roles": principal.roles,
            "signed_in_at": session.opened_at.as_secs(),
        });
        Ok(Response::new(StatusCode::OK)
            .with(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .with(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"))
            .with_body(about.to_string()))
    }

    /// Adds to `headers` what makes a browser forget every cookie of ours that it sent.
    pub fn clear_cookies(&self, sent: &RequestCookies, headers: &mut http::HeaderMap) {
        self.attempts.forget_all(sent).apply(headers);
    }

    /// What makes a browser forget the application's session: whoever is signed in from now on, it was not theirs.
    fn forget_application(&self) -> SetCookies {
        self.parts.app_cookies.as_ref().map(|cookies| cookies.farewell()).unwrap_or_default()
    }

    fn reaches(&self, to: &ReturnTo) -> bool {
        self.attempts.reach(to.as_str().split('?').next().unwrap_or_default())
    }

    fn return_to(&self, text: &str, caller: &Caller) -> ReturnTo {
        ReturnTo::parse(text, &caller.origin, &self.config.path_prefix)
    }

    /// Where a browser is sent at the end of a sign-in: `to` as it is called outside. Whatever a rule makes of a path that somebody else
    /// chose, it stays on this site and off our own endpoints; but for the one that only we choose, which no rule is for.
    fn landing(&self, to: &ReturnTo, caller: &Caller) -> ReturnTo {
        let Some(rewrite) = self.config.redirect_rewrite.as_ref().filter(|_| !to.is_resume(&self.config.path_prefix))
        else {
            return to.clone();
        };
        let (path, query) =
            to.as_str().split_once('?').map_or((to.as_str(), None), |(path, query)| (path, Some(query)));
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        ReturnTo::parse(&format!("{}{query}", rewrite.apply(path)), &caller.origin, &self.config.path_prefix)
    }

    fn path(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.config.path_prefix)
    }
}

impl Endpoint {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "/callback" => Self::Callback,
            "/frontchannel-logout" => Self::FrontChannelLogout,
            "/resume" => Self::Resume,
            "/sign_out" => Self::SignOut,
            "/signed_out" => Self::SignedOut,
            "/start" => Self::Start,
            "/userinfo" => Self::UserInfo,
            _ => return None,
        })
    }

    fn admits(self, method: &Method, mode: ResponseMode) -> Result<(), Refusal> {
        let allowed = match (self, mode) {
            (Self::Callback, ResponseMode::FormPost) => "POST",
            (Self::SignOut | Self::Resume | Self::Start, _) => "GET, POST",
            _ => "GET",
        };
        let admitted = allowed.split(", ").any(|m| m == method.as_str());
        if admitted { Ok(()) } else { Err(Refusal::MethodNotAllowed(allowed)) }
    }
}

impl ResponseMode {
    fn parameter(self) -> Option<&'static str> {
        match self {
            Self::FormPost => Some("form_post"),
            Self::Query => None,
        }
    }
}

fn redirect(status: StatusCode, to: &str) -> Result<Response, Refusal> {
    let to = HeaderValue::try_from(to).map_err(|_| Refusal::Internal)?;
    Ok(Response::new(status)
        .with(header::LOCATION, to)
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

fn with_cookies(mut response: Response, set: &SetCookies) -> Response {
    set.apply(&mut response.headers);
    response
}

fn cannot_set(error: InvalidCookie) -> Refusal {
    tracing::error!(%error, "an attempt cannot be remembered");
    Refusal::Internal
}
