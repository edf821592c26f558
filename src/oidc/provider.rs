//! The provider as the rest of the program sees it: a handle over what discovery last said, ready or not.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use openidconnect::{AuthType, AuthUrl, ClientSecret, IssuerUrl, JsonWebKeySet, RedirectUrl, TokenUrl};
use thiserror::Error;
use url::Url;

use super::{
    ClientAuth, Config, RoleMappings,
    client_assertion::{AssertionSigner, KeyError},
    key_source::{Asker, KeySource},
    keys::KeySet,
    metadata::{DiscoveryError, Metadata},
    verify::{Refusal, Verified, Verifier, VerifyError},
    wire::WireClient,
};
use crate::{
    domain::{Clock, Random, Timestamp},
    http_client::{HttpClient, HttpError},
};

/// One provider. Everything that was read from it is one snapshot that is swapped as a whole.
#[derive(Debug)]
pub struct Provider {
    pub(super) config: Config,
    pub(super) http: HttpClient,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) assertions: Option<AssertionSigner>,
    pub(super) keys: KeySource,
    snapshot: ArcSwapOption<Snapshot>,
    /// One reading at a time on behalf of requests; holds when the last one failed.
    reading: tokio::sync::Mutex<Option<Timestamp>>,
    /// One harmless call at a time on behalf of sessions in doubt; holds when the last one ended, and whether it was answered.
    pub(super) probing: tokio::sync::Mutex<Option<(Timestamp, bool)>>,
}

/// What one discovery said, and what follows from it.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) metadata: Metadata,
    pub(super) verifier: Verifier,
    pub(super) client: WireClient,
    read_at: Timestamp,
}

/// Why a provider cannot be set up at all.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The client's key cannot be used.
    #[error("the client's key cannot be used: {0}")]
    Key(#[from] KeyError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// Longest wait of a request for metadata that is being read.
const READING_PATIENCE: Duration = Duration::from_secs(3);
/// Shortest time between two readings for requests when the first one failed.
const READING_COOLDOWN: Duration = Duration::from_secs(1);

/// The provider has not been reached yet.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the identity server has not been reached yet")]
pub struct NotReady;

impl Provider {
    /// Sets up a provider that has not been asked anything yet.
    ///
    /// # Errors
    /// When keys or TLS cannot be used.
    pub fn build(config: Config, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, BuildError> {
        let http = HttpClient::build(&config.http)?;
        Ok(Self {
            assertions: AssertionSigner::new(&config.client_auth)?,
            keys: KeySource::new(http.clone(), clock.clone(), config.jwks_cooldown, config.pinned_key.as_ref()),
            snapshot: ArcSwapOption::empty(),
            reading: tokio::sync::Mutex::new(None),
            probing: tokio::sync::Mutex::new(None),
            config,
            http,
            clock,
            random,
        })
    }

    /// The same provider by another configuration.
    ///
    /// # Errors
    /// As [`Provider::build`].
    pub fn succeeding(&self, config: Config) -> Result<Self, BuildError> {
        Self::build(config, self.clock.clone(), self.random.clone())
    }

    /// Knows from now on what `former` has read, if that is the same provider and nothing was read since.
    pub fn take_over(&self, former: &Self) {
        if self.config.provider != former.config.provider || self.is_ready() {
            return;
        }
        self.keys.take_over(&former.keys);
        let known = former.snapshot.load_full();
        // What cannot be said in these words is read anew.
        let known = known.and_then(|known| Snapshot::of(&self.config, known.metadata.clone(), known.read_at).ok());
        self.snapshot.store(known.map(Arc::new));
    }

    /// How long one call may take: its answer may be worth a session.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.config.http.total_timeout
    }

    /// Asks the provider who it is and which keys it has, and from then on uses that.
    ///
    /// # Errors
    /// When it cannot be reached or may not be believed; what was known stays.
    pub async fn discover(&self) -> Result<Metadata, DiscoveryError> {
        let read_at = self.clock.now();
        let metadata = Metadata::discover(&self.config.provider, &self.http).await?;
        self.keys.read(&metadata.jwks_uri).await?;
        self.snapshot.store(Some(Arc::new(Snapshot::of(&self.config, metadata.clone(), read_at)?)));
        Ok(metadata)
    }

    /// Whether discovery has succeeded.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.snapshot.load().is_some()
    }

    /// What discovery last said.
    #[must_use]
    pub fn metadata(&self) -> Option<Metadata> {
        self.snapshot.load().as_ref().map(|snapshot| snapshot.metadata.clone())
    }

    /// Which roles count for a [`Principal`](crate::domain::Principal), and by which names.
    #[must_use]
    pub fn role_mappings(&self) -> &RoleMappings {
        &self.config.role_mappings
    }

    /// How long keys may be used before they are read again.
    #[must_use]
    pub fn keys_ttl(&self) -> Duration {
        self.config.jwks_ttl
    }

    /// The snapshot to use now. When there is none, or it has grown too old, it is read first; if that fails, an old one will do.
    pub(super) async fn snapshot(&self) -> Result<Arc<Snapshot>, NotReady> {
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        // A provider that is slower than this is read by the loop in the background, which nobody waits for.
        let _ = tokio::time::timeout(READING_PATIENCE, self.read_once()).await;
        self.snapshot.load_full().ok_or(NotReady)
    }

    fn fresh(&self) -> Option<Arc<Snapshot>> {
        let snapshot = self.snapshot.load_full()?;
        (self.clock.now().since(snapshot.read_at) <= self.config.jwks_ttl).then_some(snapshot)
    }

    /// Reads the metadata for requests that wait for it: once for all of them, and not again right after a failure.
    async fn read_once(&self) {
        let mut failed_at = self.reading.lock().await;
        let now = self.clock.now();
        let just_failed = failed_at.is_some_and(|at| now >= at && now.since(at) < READING_COOLDOWN);
        if just_failed || self.fresh().is_some() {
            return;
        }
        *failed_at = Some(now);
        match self.discover().await {
            Ok(_) => *failed_at = None,
            Err(error) => tracing::warn!(%error, "the identity server cannot be asked who it is"),
        }
    }

    /// Verifies something with the keys at hand, and once more with newer ones when a key was missing and newer ones can be had.
    pub(super) async fn verify_with<T, E: Refusal>(
        &self,
        snapshot: &Snapshot,
        verify: impl Fn(&Verifier, &KeySet) -> Result<Verified<T>, E>,
    ) -> Result<Verified<T>, E> {
        self.verify_for(Asker::Token, snapshot, verify).await
    }

    /// The same on behalf of whoever asks.
    pub(super) async fn verify_for<T, E: Refusal>(
        &self,
        asker: Asker,
        snapshot: &Snapshot,
        verify: impl Fn(&Verifier, &KeySet) -> Result<Verified<T>, E>,
    ) -> Result<Verified<T>, E> {
        let keys = self.keys.current();
        match verify(&snapshot.verifier, &keys) {
            Err(error) if error.verify_error().is_some_and(VerifyError::wants_fresh_keys) => {
                match self.keys.newer_than(&keys, &snapshot.metadata.jwks_uri, asker).await {
                    Some(newer) => verify(&snapshot.verifier, &newer),
                    None => Err(error),
                }
            }
            outcome => outcome,
        }
    }
}

impl Snapshot {
    fn of(config: &Config, metadata: Metadata, read_at: Timestamp) -> Result<Self, DiscoveryError> {
        let verifier = Verifier::new(metadata.issuer.clone(), config);
        Ok(Self { verifier, client: wire_client(config, &metadata)?, metadata, read_at })
    }

    /// The client that builds requests, with `redirect_uri` in them.
    pub(super) fn client(&self, redirect_uri: &Url) -> WireClient {
        self.client.clone().set_redirect_uri(RedirectUrl::from_url(redirect_uri.clone()))
    }
}

fn wire_client(config: &Config, metadata: &Metadata) -> Result<WireClient, DiscoveryError> {
    let issuer = IssuerUrl::new(metadata.issuer.as_str().to_owned()).map_err(|_| DiscoveryError::Malformed {
        url: metadata.issuer.to_string(),
        why: "the issuer is not a URL".to_owned(),
    })?;
    let client_id = openidconnect::ClientId::new(config.client_id.as_str().to_owned());
    let client: WireClient = openidconnect::Client::new(client_id, issuer, JsonWebKeySet::default())
        .set_auth_uri(AuthUrl::from_url(metadata.authorization_endpoint.clone()))
        .set_token_uri(TokenUrl::from_url(metadata.token_endpoint.clone()));
    Ok(match &config.client_auth {
        ClientAuth::SecretBasic(secret) => {
            client.set_auth_type(AuthType::BasicAuth).set_client_secret(ClientSecret::new(secret.expose().clone()))
        }
        ClientAuth::SecretPost(secret) => {
            client.set_auth_type(AuthType::RequestBody).set_client_secret(ClientSecret::new(secret.expose().clone()))
        }
        ClientAuth::None | ClientAuth::SecretJwt { .. } | ClientAuth::PrivateKeyJwt { .. } => {
            client.set_auth_type(AuthType::RequestBody)
        }
    })
}
