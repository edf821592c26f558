//! The authorization code flow (OpenID Connect Core 1.0, section 3.1): the address that a browser is sent to, and what a code
//! is worth when it comes back. `openidconnect` builds the requests; every token is believed only after our own verifier.

pub(super) mod error;

use http::{HeaderName, StatusCode, header};
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, CsrfToken, HttpRequest, HttpResponse, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, Scope, core::CoreResponseType,
};
use serde_json::{Map, Value};
use url::Url;

use super::{
    Provider, ProviderId,
    claims::{AccessTokenClaims, IdTokenClaims},
    client_assertion::SigningFailed,
    client_session::ClientSession,
    provider::{NotReady, Snapshot},
    verify::{IdTokenChecks, Verified},
    wire::TokenReply,
};
use crate::{
    domain::{SecretString, Timestamp, TokenSet, opaque_token},
    http_client::HttpClient,
};
pub use error::RedeemError;
pub(super) use error::{CallError, refusal_name};

/// What one attempt sends along to the provider.
#[derive(Debug)]
pub struct Authorization<'a> {
    /// Where the browser comes back to; exact.
    pub redirect_uri: &'a Url,
    /// Ties the callback to the attempt.
    pub state: &'a str,
    /// Ties the ID token to the attempt.
    pub nonce: &'a str,
    /// The PKCE verifier (RFC 7636); its S256 challenge is sent.
    pub pkce: &'a SecretString,
    /// `response_mode`, when not the default of the flow.
    pub response_mode: Option<&'static str>,
    /// Further parameters of this attempt.
    pub passed_on: &'a [(String, String)],
}

/// What a callback brings to be redeemed.
#[derive(Debug)]
pub struct Redemption<'a> {
    /// The code.
    pub code: &'a SecretString,
    /// The very `redirect_uri` that was sent.
    pub redirect_uri: &'a Url,
    /// The attempt's nonce.
    pub nonce: &'a str,
    /// The attempt's PKCE verifier.
    pub pkce: &'a SecretString,
    /// What the session will be known by, for a Keycloak realm to call it.
    pub client_session: Option<ClientSession<'a>>,
}

/// A login as the provider vouches for it; every claim verified.
#[derive(Debug)]
pub struct Login {
    /// The ID token's claims.
    pub id_token: Verified<IdTokenClaims>,
    /// The access token's, when the provider is Keycloak.
    pub access_token: Option<Verified<AccessTokenClaims>>,
    /// What UserInfo said, its `sub` compared.
    pub userinfo: Option<Map<String, Value>>,
    /// The tokens themselves.
    pub tokens: TokenSet,
    /// When the code was sent to the provider, on this node's clock.
    pub asked_at: Timestamp,
    /// Keycloak's `not-before-policy`: tokens of this subject from before it count no more.
    pub not_before: Option<Timestamp>,
}

/// Fresh values for one attempt.
#[derive(Debug)]
pub struct AttemptSecrets {
    /// 256 random bits.
    pub state: String,
    /// 256 random bits.
    pub nonce: String,
    /// 256 random bits, as RFC 7636, section 4.1, recommends.
    pub pkce: SecretString,
}

impl Provider {
    /// Draws the secrets of one attempt.
    #[must_use]
    pub fn attempt_secrets(&self) -> AttemptSecrets {
        let draw = || opaque_token(self.random.as_ref());
        AttemptSecrets { state: draw(), nonce: draw(), pkce: SecretString::new(draw()) }
    }

    /// Where to send a browser to sign in.
    ///
    /// # Errors
    /// When discovery has not succeeded.
    pub async fn authorization_url(&self, attempt: &Authorization<'_>) -> Result<Url, NotReady> {
        let snapshot = self.snapshot().await?;
        let client = snapshot.client(attempt.redirect_uri);
        let (state, nonce) = (attempt.state.to_owned(), attempt.nonce.to_owned());
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let verifier = PkceCodeVerifier::new(attempt.pkce.expose().clone());
        let mut request = client
            .authorize_url(flow, || CsrfToken::new(state), || Nonce::new(nonce))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        for scope in self.config.scopes.iter().filter(|scope| *scope != "openid") {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        for (name, value) in self.further_params(attempt) {
            request = request.add_extra_param(name, value);
        }
        Ok(request.url().0)
    }

    /// Whether `<prefix>/start` passes a parameter of this name on to the provider.
    #[must_use]
    pub fn passes_on(&self, name: &str) -> bool {
        self.config.forwarded_params.contains(name)
    }

    /// Configured parameters, unless this attempt brings its own of that name; then the attempt's.
    fn further_params(&self, attempt: &Authorization<'_>) -> Vec<(String, String)> {
        let mut params: Vec<(String, String)> = Vec::new();
        let mut put = |name: &str, value: String| match params.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value,
            None => params.push((name.to_owned(), value)),
        };
        for (name, value) in self.config.authorization_params.iter().chain(attempt.passed_on) {
            put(name, value.clone());
        }
        if let Some(mode) = attempt.response_mode {
            put("response_mode", mode.to_owned());
        }
        if let Some(max_age) = self.config.max_age {
            put("max_age", max_age.to_string());
        }
        if !self.config.acr_values.is_empty() {
            put("acr_values", self.config.acr_values.join(" "));
        }
        params
    }

    /// Whether a callback's `iss` may stand (RFC 9207, section 2.4): equal when present, present when the provider says it always
    /// is.
    ///
    /// # Errors
    /// When discovery has not succeeded.
    pub async fn accepts_issuer(&self, iss: Option<&str>) -> Result<bool, NotReady> {
        let snapshot = self.snapshot().await?;
        let metadata = &snapshot.metadata;
        Ok(iss.map_or(!metadata.sends_issuer, |iss| iss == metadata.issuer.as_str()))
    }

    /// Redeems a code and verifies all that comes back.
    ///
    /// # Errors
    /// When there is no login to be had from it; no token has been kept then.
    pub async fn redeem(&self, redemption: &Redemption<'_>) -> Result<Login, RedeemError> {
        let snapshot = self.snapshot().await?;
        let asked_at = self.clock.now();
        let reply = self.exchange(&snapshot, redemption, asked_at).await?;
        let tokens = token_set(&reply, asked_at)?;
        let not_before = reply.extra_fields().not_before();
        let id_token = self.verify_id_token(&snapshot, &tokens, redemption.nonce).await?;
        let access_token = self.verify_access_token(&snapshot, &tokens, &id_token).await?;
        let issued_at = access_token.as_ref().map_or(id_token.get().issued_at, |claims| claims.get().issued_at);
        // Tokens from before the not-before are refused at Keycloak's UserInfo too: whoever reads `not_before` has the better reason.
        let userinfo = match not_before {
            Some(not_before) if issued_at < not_before => None,
            _ => self.userinfo(&snapshot, &tokens.access, &id_token.get().subject).await?,
        };
        Ok(Login { id_token, access_token, userinfo, tokens, asked_at, not_before })
    }

    async fn exchange(
        &self,
        snapshot: &Snapshot,
        redemption: &Redemption<'_>,
        now: Timestamp,
    ) -> Result<TokenReply, RedeemError> {
        let client = snapshot.client(redemption.redirect_uri);
        let mut request = client
            .exchange_code(AuthorizationCode::new(redemption.code.expose().clone()))
            .set_pkce_verifier(PkceCodeVerifier::new(redemption.pkce.expose().clone()));
        let further = self.client_session_params(redemption.client_session);
        for (name, value) in self.assertion_params(snapshot, now)?.into_iter().chain(further) {
            request = request.add_extra_param(name, value);
        }
        let http = |request| call(self.http.clone(), request);
        request.request_async(&http).await.map_err(RedeemError::from)
    }

    /// `client_assertion` and its type (RFC 7523, section 2.2), when that is how we prove who we are.
    pub(super) fn assertion_params(
        &self,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<Vec<(&'static str, String)>, SigningFailed> {
        let Some(signer) = &self.assertions else { return Ok(Vec::new()) };
        let audience = match self.config.provider {
            // What Keycloak's own adapters send (`JWTClientCredentialsProvider`).
            ProviderId::Keycloak { .. } => snapshot.metadata.issuer.as_str(),
            // OpenID Connect Core 1.0, section 9.
            ProviderId::Plain { .. } => snapshot.metadata.token_endpoint.as_str(),
        };
        let jti = opaque_token(self.random.as_ref());
        let assertion = signer.sign(audience, &self.config.client_id, now, &jti)?;
        Ok(vec![
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
            ("client_assertion", assertion.expose().clone()),
        ])
    }

    async fn verify_id_token(
        &self,
        snapshot: &Snapshot,
        tokens: &TokenSet,
        nonce: &str,
    ) -> Result<Verified<IdTokenClaims>, RedeemError> {
        let checks = IdTokenChecks {
            nonce: Some(nonce),
            access_token: Some(&tokens.access),
            max_age: self.config.max_age,
            acr_values: &self.config.acr_values,
        };
        let now = self.clock.now();
        self.verify_with(snapshot, |verifier, keys| verifier.id_token(tokens.id.expose(), &checks, keys, now))
            .await
            .map_err(|error| RedeemError::Token { token: "ID token", error })
    }

    /// Keycloak's access tokens carry the roles; other providers' are none of our business (RFC 6749, section 1.4).
    async fn verify_access_token(
        &self,
        snapshot: &Snapshot,
        tokens: &TokenSet,
        id_token: &Verified<IdTokenClaims>,
    ) -> Result<Option<Verified<AccessTokenClaims>>, RedeemError> {
        if !matches!(self.config.provider, ProviderId::Keycloak { .. }) {
            return Ok(None);
        }
        let now = self.clock.now();
        let claims = self
            .verify_with(snapshot, |verifier, keys| verifier.access_token(tokens.access.expose(), keys, now))
            .await
            .map_err(|error| RedeemError::Token { token: "access token", error })?;
        match &claims.get().subject {
            Some(subject) if *subject != id_token.get().subject => Err(RedeemError::SubjectsDiffer),
            _ => Ok(Some(claims)),
        }
    }
}

/// The token's type is another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenTypeIsNotBearer;

/// Tokens of other types (`DPoP`) cannot be passed on or presented as we do (RFC 6749, section 7.1).
pub(super) fn is_bearer(reply: &TokenReply) -> Result<(), TokenTypeIsNotBearer> {
    let bearer = *reply.token_type() == openidconnect::core::CoreTokenType::Bearer;
    bearer.then_some(()).ok_or(TokenTypeIsNotBearer)
}

fn token_set(reply: &TokenReply, asked_at: Timestamp) -> Result<TokenSet, RedeemError> {
    is_bearer(reply).map_err(|TokenTypeIsNotBearer| RedeemError::TokenType)?;
    let id = reply.extra_fields().id_token.as_deref().ok_or(RedeemError::NoIdToken)?;
    Ok(TokenSet {
        access: SecretString::new(reply.access_token().secret().as_str()),
        access_expires: reply.expires_in().map(|life| asked_at.plus(life)),
        refresh: reply.refresh_token().map(|token| SecretString::new(token.secret().as_str())),
        id: SecretString::new(id),
    })
}

/// One call for `openidconnect`. A provider in trouble is told apart from one that refuses; the content type is dropped, since
/// providers differ and only JSON will parse.
pub(super) async fn call(http: HttpClient, request: HttpRequest) -> Result<HttpResponse, CallError> {
    let mut response = http.call(request).await?;
    let status = response.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(CallError::Trouble(status));
    }
    let content_type: HeaderName = header::CONTENT_TYPE;
    response.headers_mut().remove(content_type);
    Ok(response)
}
