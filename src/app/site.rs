//! What a configuration makes, and what outlives a swap of one for another. Here concrete stores are named.

use std::sync::Arc;

use super::{StartError, World, logout_hook};
use crate::{
    admin::{Access, BackChannel, refused_written},
    config::Config,
    current::Current,
    domain::{NodeIncarnation, opaque_token},
    endings::{Endings, Notices},
    lifecycle::Errands,
    login::{self, Login, UsedStates},
    oidc::Provider,
    proxy::{self, Proxy, validity::Judge},
    renewal::{self, Ledger, Renewals, Spending},
    revocation::Revocations,
    session::{
        self, AppCookie, AppCookies, CookieConfigError, CookieStore, KeyRing, KeyRingError, MemoryStore, OwnCookies,
        SessionStore, SessionTable, TokenStore,
    },
    site::Site,
    status::Metrics,
};

/// The one site of this version. Its name is in every seal.
const SITE: &str = "default";
/// What outlives a swap of one configuration for another.
#[derive(Debug)]
pub(super) struct Lasting {
    pub(super) provider: Current<Provider>,
    pub(super) incarnation: NodeIncarnation,
    ledger: Arc<Ledger>,
    used: Arc<UsedStates>,
    /// For a configuration without one.
    made_keys: Arc<KeyRing>,
    pub(super) endings: Endings,
    pub(super) back_channel: BackChannel,
    pub(super) spending: Spending,
    pub(super) metrics: Arc<Metrics>,
    pub(super) errands: Errands,
}

impl Lasting {
    pub(super) fn build(
        config: &Config,
        provider: Current<Provider>,
        notices: Option<Notices>,
        metrics: Arc<Metrics>,
        world: &World,
    ) -> Result<Self, StartError> {
        let incarnation = NodeIncarnation::new(opaque_token(world.random.as_ref()));
        let revocations = Revocations::open(config.revocation.clone(), incarnation.clone(), world.clock.now())?;
        let endings = Endings {
            revocations: Arc::new(revocations),
            streams: Arc::default(),
            active: Arc::default(),
            table: Arc::new(SessionTable::new(config.session.capacity, metrics.clone())),
            notices,
            metrics: metrics.clone(),
            clock: world.clock.clone(),
            max: config.session.lifetimes.max,
        };
        let errands = Errands::here();
        let back_channel = BackChannel {
            provider: provider.clone(),
            endings: endings.clone(),
            metrics: metrics.clone(),
            written: refused_written(),
            errands: errands.clone(),
            clock: world.clock.clone(),
        };
        let spending = match config.session.store {
            TokenStore::Cookie => Spending::Forbidden,
            TokenStore::Session => Spending::Allowed,
        };
        Ok(Self {
            provider,
            ledger: Arc::new(Ledger::new(&config.renewal, incarnation.clone(), config.session.lifetimes)),
            incarnation,
            used: Arc::default(),
            made_keys: Arc::new(KeyRing::generate(world.random.as_ref())),
            endings,
            back_channel,
            spending,
            metrics,
            errands,
        })
    }
}

/// What one configuration makes: a snapshot, to be swapped in as a whole.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) site: Arc<Site>,
    pub(super) renewals: Arc<Renewals>,
    pub(super) provider: Arc<Provider>,
    pub(super) access: Arc<Access>,
    pub(super) hook: Option<Arc<logout_hook::Target>>,
}

/// What `config` describes, with `provider` for its identity server.
pub(super) fn make(
    config: Config,
    provider: Arc<Provider>,
    lasting: &Lasting,
    world: &World,
) -> Result<Made, StartError> {
    let access = Access { caller: config.caller.clone(), token: config.admin.token.clone() };
    let hook = logout_hook::target(&config);
    let (site, renewals) = site(config, &provider, lasting, world)?;
    Ok(Made { site: Arc::new(site), renewals, provider, access: Arc::new(access), hook: hook.map(Arc::new) })
}

/// The site, and what renews its sessions.
fn site(
    config: Config,
    provider: &Arc<Provider>,
    lasting: &Lasting,
    world: &World,
) -> Result<(Site, Arc<Renewals>), StartError> {
    let Lasting { incarnation, endings, back_channel, metrics, .. } = lasting;
    let keys = key_ring(&config, lasting)?;
    let cookies = OwnCookies::new(&config.session.cookie)?;
    let app_cookies = app_cookies(&config.app_cookies, &cookies, &keys)?;
    let store = store(&config.session, &keys, &endings.table, world)?;
    let wanted_claims = wanted_claims(&config.proxy);
    let lifetimes = config.session.lifetimes;
    let parts = renewal_parts(&config, provider, lasting, &wanted_claims, world);
    let renewals = Arc::new(Renewals::new(config.renewal, parts, lasting.ledger.clone()));
    let login_parts = login::Parts {
        provider: provider.clone(),
        store: store.clone(),
        app_cookies: app_cookies.clone(),
        endings: endings.clone(),
        used: lasting.used.clone(),
        metrics: metrics.clone(),
        node_host: config.node_host.clone(),
        incarnation: incarnation.clone(),
        lifetimes,
        wanted_claims: wanted_claims.clone(),
        clock: world.clock.clone(),
        random: world.random.clone(),
    };
    let judge = Judge {
        lifetimes,
        endings: endings.clone(),
        renewals: renewals.clone(),
        when_unprovable: config.when_unprovable,
        metrics: metrics.clone(),
    };
    let proxy_parts = proxy::Parts {
        provider: provider.clone(),
        wanted_claims,
        store,
        judge,
        cookies: cookies.clone(),
        app_cookies,
        streams: endings.streams.clone(),
        metrics: metrics.clone(),
        clock: world.clock.clone(),
    };
    let site = Site {
        caller: config.caller,
        limits: config.proxy.limits,
        back_channel: BackChannel { written: refused_written(), ..back_channel.clone() },
        admin_path: config.admin.public_path,
        login: Login::new(config.login, login_parts, &cookies, &keys, SITE)?,
        proxy: Proxy::new(config.proxy, proxy_parts),
    };
    Ok((site, renewals))
}

fn renewal_parts(
    config: &Config,
    provider: &Arc<Provider>,
    lasting: &Lasting,
    wanted_claims: &[String],
    world: &World,
) -> renewal::Parts {
    renewal::Parts {
        provider: provider.clone(),
        endings: lasting.endings.clone(),
        prove_by: config.prove_by,
        incarnation: lasting.incarnation.clone(),
        node_host: config.node_host.clone(),
        metrics: lasting.metrics.clone(),
        lifetimes: config.session.lifetimes,
        wanted_claims: wanted_claims.to_vec(),
        clock: world.clock.clone(),
        errands: lasting.errands.clone(),
    }
}

fn store(
    config: &session::Config,
    keys: &KeyRing,
    sessions: &Arc<SessionTable>,
    world: &World,
) -> Result<Arc<dyn SessionStore>, CookieConfigError> {
    let random = world.random.clone();
    Ok(match config.store {
        TokenStore::Cookie => Arc::new(CookieStore::new(config, keys, SITE, random)?),
        TokenStore::Session => Arc::new(MemoryStore::new(config, sessions.clone(), SITE, random)?),
    })
}

/// `None` when there are none, so that nothing is computed for them.
fn app_cookies(
    config: &[AppCookie],
    own: &OwnCookies,
    keys: &KeyRing,
) -> Result<Option<Arc<AppCookies>>, CookieConfigError> {
    let cookies = (!config.is_empty()).then(|| AppCookies::new(config, own, keys, SITE).map(Arc::new));
    cookies.transpose()
}

/// The configured keys, or those that were made at this start: what reads the configuration warns of that.
fn key_ring(config: &Config, lasting: &Lasting) -> Result<Arc<KeyRing>, KeyRingError> {
    if config.session.cookie.keys.is_empty() {
        return Ok(lasting.made_keys.clone());
    }
    KeyRing::new(&config.session.cookie.keys).map(Arc::new)
}

fn wanted_claims(config: &proxy::Config) -> Vec<String> {
    config.headers.iter().filter_map(|header| header.value.further_claim()).map(str::to_owned).collect()
}
