//! The first four stages in a row: what of a request decides whether it passes, and what that says for its answer.

use super::{
    Access, KnownBy, Local, Proxy, Stopped,
    authenticate::SignIn,
    authorize::{Denied, Permit, authorize},
    bearer::Prover,
    cors::{self, Ruling, Sender},
    expose, refuse_oversized,
    route::Route,
    validity::{Current, Renewing},
};
use crate::{
    audit,
    caller::Caller,
    message::{Request, Response},
    respond::Refusal,
    session::RequestCookies,
};

/// How a request comes: who brings what, and what may be done about it.
#[derive(Clone, Copy, Debug)]
pub struct Approach<'a> {
    /// What this worker keeps.
    pub local: &'a Local,
    /// Who calls.
    pub caller: &'a Caller,
    /// The cookies.
    pub cookies: &'a RequestCookies,
    /// Whether a session may be renewed for it.
    pub renewing: Renewing,
}

/// A request that may pass. Only [`Proxy::admit`] makes one.
#[derive(Debug)]
pub struct Admission {
    pub(super) permit: Permit,
    /// What other origins may do with the answer; `None` where that is the application's own matter.
    pub(super) ruling: Option<Ruling>,
    /// The token was in the URL, by which a shared cache would find the answer again (RFC 6750, section 2.3).
    pub(super) is_private: bool,
    /// Who answers.
    pub(super) destination: Destination,
}

/// Who answers a request that may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// The application.
    Application,
    /// We, with the access token, or with nothing when somebody else could read it.
    Token {
        /// Whether only those read it who may.
        stays_here: bool,
    },
}

impl Proxy {
    /// Whether browsers can sign in here. Where they cannot, no cookie is read.
    #[must_use]
    pub fn offers_sign_in(&self) -> bool {
        self.authentication.sign_in != SignIn::Never
    }

    /// The answer to a preflight, which comes before everything else; `None` when `request` is none, or CORS is the application's matter:
    /// without `enable-cors`, and on public routes.
    #[must_use]
    pub fn preflight(&self, request: &Request) -> Option<Response> {
        let answer = self.cors.as_ref()?.preflight(request)?;
        self.public_route_asked_for(request).is_none().then_some(answer)
    }

    /// The route of `request`. A preflight for a public route goes where that goes; what another merely names opens no more than its own
    /// method does.
    fn route(&self, request: &Request) -> Result<Route<'_>, Refusal> {
        match self.public_route_asked_for(request) {
            Some(asked) => Ok(asked),
            None => self.route_of(request, request.method.as_str()),
        }
    }

    /// The public route of what a preflight asks leave for; `None` when `request` is none, or CORS is the application's matter.
    fn public_route_asked_for(&self, request: &Request) -> Option<Route<'_>> {
        let method = self.cors.as_ref().and_then(|_| cors::asks_leave_for(request))?;
        self.route_of(request, method).ok().filter(|asked| asked.access == Access::Public)
    }

    fn route_of(&self, request: &Request, method: &str) -> Result<Route<'_>, Refusal> {
        Ok(self.authentication.narrow(self.rules.find(&request.target, method)?))
    }

    /// Decides whether `request` may pass. Takes out of it what is for us alone.
    ///
    /// # Errors
    /// When it may not.
    pub async fn admit(&self, request: &mut Request, approach: Approach<'_>) -> Result<Admission, Stopped> {
        let Approach { local, caller, .. } = approach;
        refuse_oversized(&request.body, &self.limits)?;
        if request.handshake.is_some() {
            self.refuse_foreign_page(&request.headers, caller)?;
        }
        let route = self.route(request)?;
        let length = request.target.query().map(str::len);
        let credential = match route.access {
            Access::Public => None,
            Access::Bearer | Access::Login => self.authentication.credential(request)?,
        };
        let current = match credential {
            Some(credential) => Some(self.prover(local).prove(credential).await?),
            None => self.by_session(approach, route.access).await?,
        };
        let permit = authorize(&route, current).map_err(|denied| self.denied(denied, request))?;
        let is_private = request.target.query().map(str::len) != length;
        self.admission(permit, request, caller, route.access, is_private)
    }

    /// The session that counts.
    async fn by_session(&self, approach: Approach<'_>, access: Access) -> Result<Option<Current>, Refusal> {
        if access == Access::Bearer || !self.offers_sign_in() {
            return Ok(None);
        }
        let standing = self.standing(approach.local, approach.cookies).await?;
        match self.renewed(standing, approach.renewing).await {
            // Where nobody needs to be signed in, nobody is turned away because it cannot be told who is.
            Err(_) if access == Access::Public => Ok(None),
            renewed => Ok(renewed?.current()),
        }
    }

    fn prover<'a>(&'a self, local: &'a Local) -> Prover<'a> {
        Prover {
            config: &self.authentication,
            provider: &self.parts.provider,
            judge: &self.parts.judge,
            verified: &local.verified,
            wanted_claims: &self.parts.wanted_claims,
            metrics: &self.parts.metrics,
            clock: &*self.parts.clock,
        }
    }

    fn admission(
        &self,
        permit: Permit,
        request: &Request,
        caller: &Caller,
        access: Access,
        is_private: bool,
    ) -> Result<Admission, Stopped> {
        // A WebSocket is not bound by CORS; its origin was looked at before.
        let bound = access != Access::Public && request.handshake.is_none();
        let cors = self.cors.as_ref().filter(|_| bound);
        let asks = self.expose_token && expose::asks_for_token(request);
        if cors.is_none() && !asks {
            return Ok(Admission { permit, ruling: None, is_private, destination: Destination::Application });
        }
        let sender = Sender::of(request, caller)?;
        let allowed = || permit.current().map(|current| self.allowed_origins(current)).unwrap_or_default();
        let ruling = cors.map(|cors| cors.judge(&sender, allowed)).transpose()?;
        if !asks {
            return Ok(Admission { permit, ruling, is_private, destination: Destination::Application });
        }
        if permit.current().is_none() {
            return Err(self.denied(Denied::SignInNeeded, request));
        }
        let stays_here = ruling.as_ref().is_some_and(Ruling::is_granted) || expose::stays_here(request, &sender);
        Ok(Admission { permit, ruling, is_private, destination: Destination::Token { stays_here } })
    }

    fn allowed_origins(&self, current: &Current) -> Vec<String> {
        match current.bearer() {
            Some(bearer) => bearer.allowed_origins().to_vec(),
            None => self.parts.provider.allowed_origins(current.access_token()),
        }
    }

    fn denied(&self, denied: Denied, request: &Request) -> Stopped {
        let needs_token = match denied {
            Denied::Forbidden(current) => {
                audit::forbidden(&current.principal().subject, current.session(), self.parts.clock.now());
                let known_by = if current.session().is_some() { KnownBy::Session } else { KnownBy::Token };
                return Stopped::NotPermitted(known_by);
            }
            Denied::SignInNeeded => !self.offers_sign_in() || self.authentication.challenges(&request.headers),
            Denied::TokenNeeded => true,
        };
        if needs_token { self.authentication.token_needed().into() } else { Stopped::SignInNeeded }
    }
}
