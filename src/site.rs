//! One application behind one door: what serving it needs, as one snapshot that can be swapped while requests are under way, and which part
//! answers which path. Every front (actix-web's `App` today) comes in here.

use http::HeaderValue;

use crate::{
    admin::{BackChannel, Word},
    caller::{self, Caller},
    login::{Login, Presented, ReturnTo, Visit},
    message::{Request, RequestId, Response},
    proxy::{
        Approach, KnownBy, Limits, Local, Proxy, Stopped,
        gateway::{Dialect, Original},
        validity::{Renewing, Standing},
    },
    respond::{Audience, Refusal, is_navigation},
    session::RequestCookies,
};

/// A site while it is served.
#[derive(Debug)]
pub struct Site {
    /// How it is reached.
    pub caller: caller::Config,
    /// The request path.
    pub proxy: Proxy,
    /// Sign-in and sign-out.
    pub login: Login,
    /// What answers the identity server.
    pub back_channel: BackChannel,
    /// Below which path it is answered here too; at its own endpoint for standard logout it always is.
    pub admin_path: Option<String>,
    /// Bounds that the front keeps.
    pub limits: Limits,
}

impl Site {
    /// Answers one request; every no becomes a response here. The request is boxed, since each stage hands it on.
    pub async fn serve(&self, local: &Local, mut request: Box<Request>) -> Response {
        let audience = Audience::of(&request.headers);
        let caller = match Caller::of(&request, &self.caller) {
            Ok(caller) => caller,
            Err(refusal) => {
                request.id.record();
                return refusal.into_response(audience, &request.id);
            }
        };
        if caller.peer_is_trusted {
            request.adopt_id();
        }
        let id = request.id.clone();
        id.record();
        // Scripts ask for pages too, and expect a problem.
        let navigates = request.headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate");
        let mut response = match self.admitted(local, request, &caller).await {
            Ok(response) => response,
            Err(refusal @ Refusal::SignInNeeded { .. }) if !navigates => refusal.into_response(Audience::Program, &id),
            Err(refusal) => refusal.into_response(audience, &id),
        };
        response.headers.insert(RequestId::HEADER, id.header());
        response
    }

    async fn admitted(&self, local: &Local, mut request: Box<Request>, caller: &Caller) -> Result<Response, Refusal> {
        let cookies = RequestCookies::from_headers(&request.headers);
        let approach = Approach { local, caller, cookies: &cookies, renewing: Renewing::WhenDue };
        // Before all else: whatever is judged from here on is judged of the request that the gateway holds.
        if self.is_from_gateway(&request, caller) {
            return Box::pin(self.answer_gateway(*request, approach)).await;
        }
        if !caller.satisfies(self.caller.ssl_required) {
            return Err(self.insecure(&request, caller));
        }
        if let Some(word) = self.word(request.target.decoded_path()) {
            return Ok(Box::pin(self.back_channel.answer(word, request.method.as_str(), request.body)).await);
        }
        if self.login.owns(request.target.decoded_path()) {
            // Boxed, as all of sign-in is: its state is large and would be moved along with every proxied request.
            return Box::pin(self.answer_here(*request, approach)).await;
        }
        if let Some(answer) = self.proxy.preflight(&request) {
            return Ok(answer);
        }
        let stopped = match self.proxy.admit(&mut request, approach).await {
            Ok(admission) => match self.proxy.pass(request, approach, admission).await {
                Ok(response) => return Ok(response),
                // The session may have ended while the application answered.
                Err(stopped) => return Err(self.refusal(stopped)),
            },
            Err(stopped) => stopped,
        };
        match stopped {
            Stopped::SignInNeeded => Box::pin(self.challenge(*request, nobody(approach))).await,
            stopped => Err(self.refusal(stopped)),
        }
    }

    /// The word of the back channel that a path stands for on this listener, where nobody else's path may be taken for one (attack case 54).
    fn word(&self, path: &str) -> Option<Word> {
        if self.login.is_for_back_channel(path) {
            return Some(Word::BackChannelLogout);
        }
        let below = path.strip_prefix(self.admin_path.as_deref()?)?;
        below.starts_with('/').then(|| Word::at_end_of(below)).flatten()
    }

    /// Answers a request to one of our own endpoints.
    async fn answer_here(&self, request: Request, approach: Approach<'_>) -> Result<Response, Refusal> {
        if !self.proxy.offers_sign_in() {
            return Err(Refusal::NotFound);
        }
        let standing = self.proxy.standing(approach.local, approach.cookies).await?;
        let speaks_of_it = self.login.speaks_of_session(request.target.decoded_path());
        let standing = if speaks_of_it { self.proxy.renewed(standing, Renewing::WhenDue).await? } else { standing };
        let presented = match &standing {
            Standing::Current(current) => current.session().map_or(Presented::Nothing, Presented::Current),
            Standing::Stale(session) | Standing::Unproved(session, _) => Presented::Stale(session),
            Standing::Nobody | Standing::Revoked => Presented::Nothing,
        };
        self.login.answer(request, Visit { caller: approach.caller, cookies: approach.cookies, presented }).await
    }

    fn refusal(&self, stopped: Stopped) -> Refusal {
        match stopped {
            Stopped::NotPermitted(KnownBy::Session) => {
                Refusal::NotPermitted { sign_out_url: Some(self.login.sign_out_url()) }
            }
            Stopped::NotPermitted(KnownBy::Token) => Refusal::NotPermitted { sign_out_url: None },
            Stopped::Refused(refusal) => refusal,
            Stopped::SignInNeeded => self.sign_in_needed(),
        }
    }

    fn sign_in_needed(&self) -> Refusal {
        Refusal::SignInNeeded { login_url: self.login.start_url(&ReturnTo::home()) }
    }

    /// A browser that opens a page finds it by https; whatever else it asks for has crossed the network in clear already.
    fn insecure(&self, request: &Request, caller: &Caller) -> Refusal {
        let https = is_navigation(request).then(|| caller.https_url(request, &self.caller)).flatten();
        https.map_or_else(https_missing, |location| Refusal::HttpsNeeded { location })
    }

    /// nginx makes an error of a redirect; Traefik passes it on.
    fn insecure_at_gateway(&self, original: &Original, caller: &Caller) -> Refusal {
        match original.dialect() {
            Dialect::Forwarded => self.insecure(original.request(), caller),
            Dialect::Original => https_missing(),
        }
    }

    /// Whether a gateway asks. Everybody else finds nothing there, as at any endpoint that does not exist.
    fn is_from_gateway(&self, request: &Request, caller: &Caller) -> bool {
        let path = request.target.decoded_path();
        self.proxy.answers_gateways() && caller.peer_is_trusted && self.login.is_for_gateways(path)
    }

    /// Answers for the request that a gateway describes.
    async fn answer_gateway(&self, asked: Request, approach: Approach<'_>) -> Result<Response, Refusal> {
        let mut original = Original::read(asked, approach.caller).map_err(|error| {
            tracing::info!(%error, "a gateway's request is refused");
            Refusal::Forbidden("This request cannot be read in one way only.".into())
        })?;
        if original.request().target.readings().any(|path| self.login.owns(&path)) {
            tracing::info!(
                "a gateway's request is refused: our own endpoints are to be forwarded to us, not asked about"
            );
            return Err(Refusal::Forbidden("This path is the sign-in's own.".into()));
        }
        if !approach.caller.satisfies(self.caller.ssl_required) {
            return Err(self.insecure_at_gateway(&original, approach.caller));
        }
        match self.proxy.vouch(&mut original, approach).await {
            Ok(response) => Ok(response),
            Err(Stopped::SignInNeeded) => self.challenge_at_gateway(&original, nobody(approach)).await,
            Err(stopped) => Err(self.refusal(stopped)),
        }
    }

    /// Traefik passes our answer on. nginx shows the client nothing of it, but can send a page to where a header says.
    async fn challenge_at_gateway(&self, original: &Original, visit: Visit<'_>) -> Result<Response, Refusal> {
        let request = original.request();
        if !is_navigation(request) {
            // Its body, if it has one, stayed at the gateway: no form is kept.
            return Err(self.sign_in_needed());
        }
        let to = ReturnTo::to(&request.target);
        if original.dialect() == Dialect::Forwarded {
            return self.login.begin(to, &[], visit).await;
        }
        let login_url = self.login.start_url(&to);
        let absolute = visit.caller.url(&login_url).and_then(|url| HeaderValue::try_from(url.as_str()).ok());
        let mut response = Refusal::SignInNeeded { login_url }.into_response(Audience::Program, &request.id);
        response.headers.insert("x-doorward-login", absolute.ok_or(Refusal::Internal)?);
        Ok(response)
    }

    /// A page is sent to sign in, and a form of ours is kept meanwhile; anything else is told where that would be, and gets no cookie.
    async fn challenge(&self, request: Request, visit: Visit<'_>) -> Result<Response, Refusal> {
        if is_navigation(&request) {
            self.login.begin(ReturnTo::to(&request.target), &[], visit).await
        } else {
            self.login.keep_form(request, visit).await
        }
    }
}

fn https_missing() -> Refusal {
    Refusal::Forbidden("This site must be visited by https.".into())
}

/// A visitor whose session does not count.
fn nobody(approach: Approach<'_>) -> Visit<'_> {
    Visit { caller: approach.caller, cookies: approach.cookies, presented: Presented::Nothing }
}
