//! The way back: state, then code, then tokens, then session, then where the user was going. Each step has what the one before left, and
//! none comes before the attempt has been found to be this browser's.

use http::{Method, StatusCode};

use super::{Attempt, Login, ReturnTo, Visit, redirect, with_cookies};
use crate::{
    audit,
    domain::{AdapterSessionId, SecretString, Session, SessionStatus, Timestamp, opaque_token},
    endings::By,
    forms::{Params, is_form, read_form},
    message::{Request, Response},
    oidc::{self, ClientSession, RedeemError, Redemption, principal},
    respond::{Action, Audience, Blame, Page, Refusal, SignInFailed},
    session::{SetCookies, StoreError},
};

/// Largest form of a `form_post` callback, in bytes.
const MAX_FORM: usize = 64 * 1024;
/// Longest part of a provider's error that is shown, in characters.
const MAX_SHOWN: usize = 200;

/// Why a callback became no session.
struct NotSignedIn {
    /// A word for metrics and audit lines.
    reason: &'static str,
    /// `error` of the provider, if it sent one.
    error: Option<String>,
    /// What is shown.
    shown: SignInFailed,
}

/// What a callback says, once it belongs to an attempt.
enum Answer {
    Code(SecretString),
    Error { name: String, description: String },
}

impl Login {
    pub(super) async fn callback(&self, request: Request, visit: Visit<'_>) -> Result<Response, Refusal> {
        let status = if request.method == Method::POST { StatusCode::SEE_OTHER } else { StatusCode::FOUND };
        let (audience, id) = (Audience::of(&request.headers), request.id.clone());
        let params = read_params(request).await?;
        let Some(attempt) = self.claim(&params, visit) else { return self.no_attempt(visit) };
        let forget = self.attempts.forget(attempt.state.expose(), visit.cookies);
        match self.complete(&attempt, &params, visit).await {
            Ok(set) => {
                self.parts.metrics.sign_in("ok");
                let mut all = forget;
                all.extend(set);
                all.extend(self.forget_application());
                Ok(with_cookies(redirect(status, self.landing(&attempt.return_to, visit.caller).as_str())?, &all))
            }
            Err(failed) => {
                let page = Refusal::SignInFailed(self.note(failed, visit)).into_response(audience, &id);
                Ok(with_cookies(page, &forget))
            }
        }
    }

    /// The attempt that this callback belongs to, claimed so that no other callback gets it. Before this nothing of the callback is believed,
    /// and the provider is not called.
    fn claim(&self, params: &Params, visit: Visit<'_>) -> Option<Attempt> {
        let now = self.parts.clock.now();
        let attempt = self.attempts.find(params.get("state")?, &visit.caller.origin, visit.cookies, now)?;
        self.parts.used.claim(&attempt.state, now, self.attempts.ttl()).then_some(attempt)
    }

    /// Missing, foreign, expired or used: the reasons look alike to whoever sent it. Never a redirect, which could loop.
    fn no_attempt(&self, visit: Visit<'_>) -> Result<Response, Refusal> {
        if visit.current().is_some() {
            self.parts.metrics.sign_in("no_attempt");
            let page = Page {
                title: "You are signed in".to_owned(),
                text: "This sign-in was already completed, or belongs to another tab.".to_owned(),
                actions: vec![Action::link("Continue", "/")],
                id: None,
            };
            return Ok(page.into_response(StatusCode::OK));
        }
        tracing::info!("a callback belongs to no attempt of this browser");
        let message = "This sign-in has expired, was already completed, or was begun in another browser.";
        let failed = self.failed("no_attempt", Blame::Browser, message, &ReturnTo::home());
        Err(Refusal::SignInFailed(self.note(failed, visit)))
    }

    /// Counts and tells a sign-in that came to nothing. What is left is what is shown.
    fn note(&self, failed: NotSignedIn, visit: Visit<'_>) -> SignInFailed {
        let NotSignedIn { reason, error, shown } = failed;
        self.parts.metrics.sign_in(reason);
        let event = audit::Event::SignInFailed { reason, error: error.as_deref(), client: visit.caller.client };
        audit::record(&event, self.parts.clock.now());
        shown
    }

    async fn complete(&self, attempt: &Attempt, params: &Params, visit: Visit<'_>) -> Result<SetCookies, NotSignedIn> {
        let code = self.code(attempt, params).await?;
        // Before the exchange, by which the provider learns it.
        let id = AdapterSessionId::new(opaque_token(self.parts.random.as_ref()));
        let redemption = Redemption {
            code: &code,
            redirect_uri: &attempt.redirect_uri,
            nonce: attempt.nonce.expose(),
            pkce: &attempt.pkce,
            client_session: Some(ClientSession { state: &id, host: &self.parts.node_host }),
        };
        let login = self.parts.provider.redeem(&redemption).await.map_err(|e| self.not_redeemed(attempt, &e))?;
        let now = self.parts.clock.now();
        self.parts.endings.hear_clock(login.id_token.get().issued_at, login.asked_at);
        let not_before = login.not_before;
        let session = self.session(id, login);
        if let Some(value) = not_before {
            // One that lies ahead may be taken back, which nobody says for one user: here it ends what is older than these tokens.
            let cut = value.min(session.token_iat);
            self.parts.endings.raise_not_before(&session.principal.subject, cut, now);
        }
        self.must_count(&session, not_before, attempt, now)?;
        let saved = self.parts.store.save(&session, visit.cookies, now).await;
        let set = saved.map_err(|error| self.not_saved(attempt, &error))?;
        if let Some(replaced) = visit.known() {
            self.parts.endings.end_session(replaced, By::Replaced).await;
        }
        self.parts.endings.active.see(&session, session.ends_at(self.parts.lifetimes), now);
        tracing::info!(subject = %session.principal.subject, "signed in");
        audit::signed_in(&session, visit.caller.client, now);
        Ok(set)
    }

    /// A session that would not count at its first use is none: to go on would be to come back at once, for ever.
    fn must_count(
        &self,
        session: &Session,
        not_before: Option<Timestamp>,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<(), NotSignedIn> {
        let lies_ahead = not_before.is_some_and(|value| session.token_iat < value);
        if lies_ahead || self.parts.endings.revocations.check(session, now).is_err() {
            // One that is new can be hit by a not-before alone: the clock of whoever set it is ahead.
            tracing::warn!(subject = %session.principal.subject, "a not-before lies ahead of a sign-in");
            return Err(self.failed("not_before", Blame::Denied, NOT_BEFORE, &attempt.return_to));
        }
        if session.status(now, self.parts.lifetimes) != SessionStatus::Live {
            let message = "The identity server's tokens end at once.";
            return Err(self.failed("expired", Blame::Provider, message, &attempt.return_to));
        }
        Ok(())
    }

    async fn code(&self, attempt: &Attempt, params: &Params) -> Result<SecretString, NotSignedIn> {
        let accepted = self.parts.provider.accepts_issuer(params.get("iss")).await;
        let accepted = accepted.map_err(|e| self.not_redeemed(attempt, &RedeemError::NotReady(e)))?;
        if !accepted {
            tracing::warn!("a callback names another issuer, or none where the provider always names itself");
            let message = "The answer came from another identity server than the one that was asked.";
            return Err(self.failed("wrong_issuer", Blame::Browser, message, &attempt.return_to));
        }
        match Answer::of(params) {
            Some(Answer::Code(code)) => Ok(code),
            Some(Answer::Error { name, description }) => Err(self.refused(attempt, &name, &description)),
            None => {
                let message = "The identity server sent no code.";
                Err(self.failed("no_code", Blame::Browser, message, &attempt.return_to))
            }
        }
    }

    fn refused(&self, attempt: &Attempt, name: &str, description: &str) -> NotSignedIn {
        tracing::info!(error = name, "the provider answered a sign-in with an error");
        let blame = match name {
            "temporarily_unavailable" | "server_error" => Blame::Unavailable,
            _ => Blame::Denied,
        };
        let message = match (name, description) {
            // What becomes of a Cancel there, and so mostly the user's own doing.
            ("access_denied", "") => "The sign-in was cancelled, or refused by the identity server.".to_owned(),
            (name, "") => format!("The identity server answered: {name}."),
            (name, description) => format!("The identity server answered: {description} ({name})."),
        };
        let failed = self.failed("provider_error", blame, &message, &attempt.return_to);
        NotSignedIn { error: Some(name.to_owned()), ..failed }
    }

    fn not_redeemed(&self, attempt: &Attempt, error: &RedeemError) -> NotSignedIn {
        let (blame, message) = match error {
            RedeemError::NotReady(_) | RedeemError::Unavailable(_) => (Blame::Unavailable, UNAVAILABLE),
            RedeemError::UserInfo(error) if error.is_outage() => (Blame::Unavailable, UNAVAILABLE),
            RedeemError::Refused(_) => (Blame::Denied, "The identity server did not accept this sign-in."),
            _ => (Blame::Provider, "The identity server's answer cannot be trusted."),
        };
        tracing::warn!(%error, "a code became no login");
        self.failed(error.kind(), blame, message, &attempt.return_to)
    }

    fn not_saved(&self, attempt: &Attempt, error: &StoreError) -> NotSignedIn {
        tracing::error!(%error, "a session cannot be kept");
        let message = match error {
            StoreError::StateTooLarge(_) => "Your account has too many roles or groups to be kept in this browser.",
            _ => "Your session cannot be kept.",
        };
        self.failed("not_saved", Blame::Provider, message, &attempt.return_to)
    }

    fn failed(&self, reason: &'static str, blame: Blame, message: &str, return_to: &ReturnTo) -> NotSignedIn {
        let shown = SignInFailed { blame, message: message.to_owned(), retry_url: self.start_url(return_to) };
        NotSignedIn { reason, error: None, shown }
    }

    /// A new session, whatever the browser brought: nothing of before the login lives on in it.
    fn session(&self, adapter_session_id: AdapterSessionId, login: oidc::Login) -> Session {
        let now = self.parts.clock.now();
        let principal = principal(&login, &self.parts.wanted_claims, self.parts.provider.role_mappings());
        let id_token = login.id_token.get();
        let token_iat = login.access_token.as_ref().map_or(id_token.issued_at, |claims| claims.get().issued_at);
        Session {
            adapter_session_id,
            issuer: id_token.issuer.clone(),
            sid: id_token.sid.clone(),
            principal,
            established_at: id_token.issued_at,
            token_iat,
            renewed_at: login.asked_at,
            proved_at: login.asked_at,
            proved_by: self.parts.incarnation.clone(),
            opened_at: now,
            last_seen: now,
            tokens: login.tokens,
        }
    }
}

impl Answer {
    fn of(params: &Params) -> Option<Self> {
        if let Some(name) = params.get("error") {
            let shown = |text: &str| text.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect();
            let description = params.get("error_description").unwrap_or_default();
            return Some(Self::Error { name: shown(name), description: shown(description) });
        }
        params.get("code").map(|code| Self::Code(SecretString::new(code)))
    }
}

const NOT_BEFORE: &str = "The identity server has taken back what it issued up to this moment, or to one that has not come yet. Please try again later.";
const UNAVAILABLE: &str = "The identity server cannot be reached. Please try again in a moment.";

/// Parameters of a query, or of the form that is posted in its place.
pub(super) async fn read_params(request: Request) -> Result<Params, Refusal> {
    if request.method != Method::POST {
        return Params::parse(request.target.query().unwrap_or_default());
    }
    if !is_form(&request.headers) {
        return Err(Refusal::BadRequest("What is posted here must be a form.".into()));
    }
    let form = read_form(request.body, MAX_FORM).await?;
    let form = std::str::from_utf8(&form).map_err(|_| Refusal::BadRequest("The form is not UTF-8.".into()))?;
    Params::parse(form)
}
