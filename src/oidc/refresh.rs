//! Refresh (OpenID Connect Core 1.0, section 12): new tokens for a session, all of them verified before they are believed. What kind of
//! failure it was decides over a session's life, so the kinds are told apart here, where the answer is read.

use std::time::Duration;

use http::StatusCode;
use openidconnect::{OAuth2TokenResponse, RefreshToken, RequestTokenError};
use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    Provider, ProviderId,
    claims::{AccessTokenClaims, IdTokenClaims},
    client_assertion::SigningFailed,
    client_session::ClientSession,
    code_flow::{CallError, TokenTypeIsNotBearer, call, is_bearer, refusal_name},
    principal::Sources,
    provider::{NotReady, Snapshot},
    verify::{RefreshChecks, Verified, VerifyError},
    wire::{TokenRefusal, TokenReply},
};
use crate::{
    domain::{Principal, SecretString, Session, Timestamp, TokenSet},
    http_client::{HttpClient, HttpError},
};

/// How long one harmless call speaks for all.
const PROBE_LIFE: Duration = Duration::from_secs(1);

/// What a refresh brought; every token verified.
#[derive(Debug)]
pub struct Refreshed {
    /// The tokens. Where the provider gave none anew, the ID token and the refresh token are the session's own.
    pub tokens: TokenSet,
    /// Who the user is by the new tokens.
    pub principal: Principal,
    /// `iat` of the newest access token, or of the new ID token; `None` when neither could be read.
    pub token_iat: Option<Timestamp>,
    /// When the refresh token was sent, on this node's clock.
    pub asked_at: Timestamp,
    /// Keycloak's `not-before-policy`: tokens of this subject from before it count no more.
    pub not_before: Option<Timestamp>,
}

/// Why there are no new tokens.
#[derive(Debug, Error)]
pub enum RefreshError {
    /// `invalid_grant`: the provider says that it is over. The only answer that ends a session by its own word.
    #[error("the identity server says that the session is over")]
    Ended,
    /// What came back may not be believed: another subject, another issuer, a bad signature.
    #[error("the {token} of a refresh is refused: {error}")]
    Untrusted {
        /// Which token.
        token: &'static str,
        /// Why.
        #[source]
        error: VerifyError,
    },
    /// Nothing was done with the refresh token: it never left, or the provider answered that it will not look at it now.
    #[error("the token endpoint is unavailable: {0}")]
    Unavailable(String),
    /// The provider will not take this refresh token, in words that say nothing of the session: `invalid_request`, which some answer for one
    /// that is spent, revoked or too old. Sending it again would bring the same.
    #[error("the token endpoint refuses the refresh token with `{0}`")]
    Refused(String),
    /// The provider, or something before it, answered that it failed. Mostly before the refresh token was spent, but that is not said.
    #[error("the token endpoint is in trouble: it answered with status {0}")]
    Trouble(StatusCode),
    /// The refresh token left, and nobody knows what became of it. A rotating provider may have spent it.
    #[error("the token endpoint may have spent the refresh token: {0}")]
    Uncertain(String),
}

impl RefreshError {
    /// A word for metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Refused(_) => "refused",
            Self::Trouble(_) => "trouble",
            Self::Untrusted { .. } => "untrusted",
            Self::Unavailable(_) => "unavailable",
            Self::Uncertain(_) => "uncertain",
        }
    }
}

impl Provider {
    /// Whether the provider answers at all: asked before a refresh token is sent again whose fate is unknown. Its metadata is read, which
    /// changes nothing there; once for all who ask at a time, so that an outage which left many sessions in doubt is not followed by a storm.
    pub async fn answers(&self) -> bool {
        let mut last = self.probing.lock().await;
        let now = self.clock.now();
        if let Some((_, answered)) = last.filter(|(at, _)| now >= *at && now.since(*at) < PROBE_LIFE) {
            return answered;
        }
        let answered = self.discover().await.is_ok();
        *last = Some((self.clock.now(), answered));
        answered
    }

    /// Spends `refresh`, the refresh token of `session`, for new tokens. With `client_session` a Keycloak realm learns anew which node the
    /// session is at.
    ///
    /// # Errors
    /// See [`RefreshError`]; only with `Ended` and `Untrusted` is the session over.
    pub async fn refresh(
        &self,
        session: &Session,
        refresh: &SecretString,
        wanted: &[String],
        client_session: Option<ClientSession<'_>>,
    ) -> Result<Refreshed, RefreshError> {
        let snapshot = self.snapshot().await.map_err(|NotReady| unavailable(&NotReady))?;
        let asked_at = self.clock.now();
        let reply = self.spend(&snapshot, refresh, client_session, asked_at).await?;
        is_bearer(&reply).map_err(|TokenTypeIsNotBearer| uncertain("the access token is not a bearer token"))?;
        let tokens = renewed_tokens(&reply, session, asked_at);
        let id_token = match reply.extra_fields().id_token.as_deref() {
            Some(raw) => Some(self.verify_refreshed_id_token(&snapshot, raw, session, &tokens.access).await?),
            None => None,
        };
        let access_token = self.verify_refreshed_access_token(&snapshot, session, &tokens.access).await?;
        let (userinfo, is_away) = self.userinfo_again(&snapshot, session, &tokens.access).await;
        let sources = Sources {
            userinfo: userinfo.as_ref(),
            id_token: id_token.as_ref().map(|claims| &claims.get().all),
            access_token: access_token.as_ref().map(|claims| &claims.get().all),
        };
        let hears_all = id_token.is_some() && !is_away;
        let before = (!hears_all).then_some(&session.principal);
        Ok(Refreshed {
            principal: sources.principal(&session.principal.subject, wanted, self.role_mappings(), before),
            token_iat: access_token
                .as_ref()
                .map(|claims| claims.get().issued_at)
                .or(id_token.as_ref().map(|claims| claims.get().issued_at)),
            asked_at,
            not_before: reply.extra_fields().not_before(),
            tokens,
        })
    }

    async fn spend(
        &self,
        snapshot: &Snapshot,
        refresh: &SecretString,
        client_session: Option<ClientSession<'_>>,
        now: Timestamp,
    ) -> Result<TokenReply, RefreshError> {
        let refresh = RefreshToken::new(refresh.expose().clone());
        let mut request = snapshot.client.exchange_refresh_token(&refresh);
        let assertion = self.assertion_params(snapshot, now).map_err(|error: SigningFailed| unavailable(&error))?;
        for (name, value) in assertion.into_iter().chain(self.client_session_params(client_session)) {
            request = request.add_extra_param(name, value);
        }
        let http = |request| call_plainly(self.http.clone(), request);
        request.request_async(&http).await.map_err(RefreshError::from)
    }

    async fn verify_refreshed_id_token(
        &self,
        snapshot: &Snapshot,
        raw: &str,
        session: &Session,
        access_token: &SecretString,
    ) -> Result<Verified<IdTokenClaims>, RefreshError> {
        let login = RefreshChecks {
            issuer: &session.issuer,
            subject: &session.principal.subject,
            auth_time: None,
            access_token: Some(access_token),
        };
        let now = self.clock.now();
        self.verify_with(snapshot, |verifier, keys| verifier.refreshed_id_token(raw, &login, keys, now))
            .await
            .map_err(|error| untrusted("ID token", error))
    }

    /// As at the login: Keycloak's access tokens are read, other providers' are none of our business.
    async fn verify_refreshed_access_token(
        &self,
        snapshot: &Snapshot,
        session: &Session,
        access_token: &SecretString,
    ) -> Result<Option<Verified<AccessTokenClaims>>, RefreshError> {
        if !matches!(self.config.provider, ProviderId::Keycloak { .. }) {
            return Ok(None);
        }
        let now = self.clock.now();
        let claims = self
            .verify_with(snapshot, |verifier, keys| verifier.access_token(access_token.expose(), keys, now))
            .await
            .map_err(|error| untrusted("access token", error))?;
        match &claims.get().subject {
            Some(subject) if *subject != session.principal.subject => {
                Err(untrusted("access token", VerifyError::Mismatch("sub")))
            }
            _ => Ok(Some(claims)),
        }
    }

    /// What `UserInfo` says now, and whether it is away. The tokens are spent by then, so that its silence is no reason to throw the new
    /// ones away: while it is away, what it said before stands. An answer that says no, or cannot be believed, is not silence.
    async fn userinfo_again(
        &self,
        snapshot: &Snapshot,
        session: &Session,
        access_token: &SecretString,
    ) -> (Option<Map<String, Value>>, bool) {
        match self.userinfo(snapshot, access_token, &session.principal.subject).await {
            Ok(claims) => (claims, false),
            Err(error) => {
                tracing::warn!(%error, "UserInfo was not heard after a refresh");
                (None, error.is_outage())
            }
        }
    }
}

/// What the provider gave no anew stays (RFC 6749, section 6).
fn renewed_tokens(reply: &TokenReply, session: &Session, asked_at: Timestamp) -> TokenSet {
    let id = reply.extra_fields().id_token.as_deref();
    TokenSet {
        access: SecretString::new(reply.access_token().secret().as_str()),
        access_expires: reply.expires_in().map(|life| asked_at.plus(life)),
        refresh: reply
            .refresh_token()
            .map(|token| SecretString::new(token.secret().as_str()))
            .or_else(|| session.tokens.refresh.clone()),
        id: id.map_or_else(|| session.tokens.id.clone(), SecretString::new),
    }
}

fn unavailable(error: &dyn std::error::Error) -> RefreshError {
    RefreshError::Unavailable(error.to_string())
}

fn uncertain(why: &str) -> RefreshError {
    RefreshError::Uncertain(why.to_owned())
}

/// A signature that no key at hand could have made proves nothing yet when newer keys cannot be had.
fn untrusted(token: &'static str, error: VerifyError) -> RefreshError {
    match error {
        VerifyError::NoKey(_) => {
            RefreshError::Uncertain(format!("the {token} is signed with a key that cannot be had"))
        }
        error => RefreshError::Untrusted { token, error },
    }
}

/// One call whose every status but those of a token endpoint (RFC 6749, sections 5.1 and 5.2) means that something else answered.
async fn call_plainly(
    http: HttpClient,
    request: openidconnect::HttpRequest,
) -> Result<openidconnect::HttpResponse, CallError> {
    let response = call(http, request).await?;
    match response.status() {
        StatusCode::OK | StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => Ok(response),
        status => Err(CallError::Trouble(status)),
    }
}

impl From<RequestTokenError<CallError, TokenRefusal>> for RefreshError {
    /// Keeps no part of an answer that could hold a token.
    fn from(error: RequestTokenError<CallError, TokenRefusal>) -> Self {
        match error {
            RequestTokenError::Request(CallError::Http(error)) => Self::from_call(&error),
            // Between us and the provider, somebody gave up waiting for it.
            RequestTokenError::Request(CallError::Trouble(
                status @ (StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT),
            )) => Self::Uncertain(format!("it answered with status {status}")),
            RequestTokenError::Request(CallError::Trouble(status)) if status.is_server_error() => Self::Trouble(status),
            RequestTokenError::Request(error @ CallError::Trouble(_)) => unavailable(&error),
            RequestTokenError::ServerResponse(refusal) => match refusal_name(&refusal).as_str() {
                "invalid_grant" => Self::Ended,
                name @ "invalid_request" => Self::Refused(name.to_owned()),
                name => Self::Unavailable(format!("it refused with `{name}`")),
            },
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => uncertain("its answer cannot be read"),
        }
    }
}

impl RefreshError {
    fn from_call(error: &HttpError) -> Self {
        match error {
            HttpError::Connect(_) | HttpError::Unsendable(_) => unavailable(error),
            HttpError::Broken(_) | HttpError::TimedOut | HttpError::TooLarge => Self::Uncertain(error.to_string()),
        }
    }
}
