//! `sidecar.provider`, and the adapter keys that belong to the provider, made into [`oidc::Config`].

use std::{collections::BTreeSet, time::Duration};

use url::Url;

use super::{
    bearer, claims, credentials, keycloak,
    value::{Node, Object},
};
use crate::oidc::{self, Algorithm, ClientAuth, PinnedKey, ProviderId};

const KEYS: [&str; 16] = [
    "acr-values",
    "algorithms",
    "ca",
    "client-authentication",
    "client-secret",
    "clock-skew",
    "forwarded-params",
    "insecure-tls",
    "key-id",
    "max-age",
    "params",
    "private-key",
    "private-key-file",
    "scopes",
    "trusted-audiences",
    "userinfo",
];

/// Parameters of the authorization request that are ours or have a key of their own.
const RESERVED_PARAMS: [&str; 14] = [
    "acr_values",
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "max_age",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// Query parameters of `<prefix>/start` that are passed on when nothing is configured: hints without power.
const FORWARDED_PARAMS: [&str; 3] = ["kc_idp_hint", "login_hint", "ui_locales"];
const CLOCK_SKEW: Duration = Duration::from_secs(30);
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Everything about the provider. `public_url` is what a relative `auth-server-url` stands on.
pub(super) fn read(root: &Object<'_>, node: &Node<'_>, public_url: Option<&Url>) -> Option<oidc::Config> {
    let keys = node.object(&KEYS);
    let provider = keycloak::provider(root, public_url);
    let client_auth = credentials::client_auth(root, &keys);
    let algorithms = algorithms(&keys.at("algorithms"), client_auth.as_ref());
    let pinned_key = pinned_key(root, &algorithms);
    let (jwks_cooldown, jwks_ttl) = keycloak::key_lifetimes(root);
    let http = keycloak::http(root, &keys);
    let params = params(&keys.at("params"));
    let forwarded_params = forwarded_params(&keys.at("forwarded-params"), &params);
    let clock_skew = keys.at("clock-skew").duration(Duration::ZERO..=MAX_CLOCK_SKEW);
    let scopes = scopes(&keys.at("scopes"));
    let userinfo = keys.at("userinfo").flag();
    let trusted = keys.at("trusted-audiences").each(|item| item.text().map(str::to_owned));
    let max_age = keys.at("max-age").duration(Duration::ZERO..=YEAR);
    let acr_values = keys.at("acr-values").each(word);
    let role_mappings = claims::role_mappings(root, provider.as_ref().map(|(_, client)| client));
    let (provider, client_id) = provider?;
    Some(oidc::Config {
        scopes: scopes.unwrap_or_else(|| default_scopes(&provider)),
        provider,
        client_id,
        client_auth: client_auth?,
        pinned_key,
        role_mappings: role_mappings?,
        algorithms,
        clock_skew: clock_skew.unwrap_or(CLOCK_SKEW),
        trusted_audiences: trusted.into_iter().collect(),
        bearer_audience: bearer::audience(root),
        userinfo: userinfo.unwrap_or(true),
        max_age: max_age.map(|age| age.as_secs()),
        acr_values,
        authorization_params: params,
        forwarded_params,
        jwks_cooldown,
        jwks_ttl,
        http,
    })
}

/// The pinned key, beside which no token may be believed by anything else.
fn pinned_key(root: &Object<'_>, algorithms: &BTreeSet<Algorithm>) -> Option<PinnedKey> {
    let pinned = claims::pinned_key(root)?;
    if algorithms.iter().any(|algorithm| algorithm.is_symmetric()) {
        root.at("realm-public-key").fault("cannot stand beside `HS*` in `sidecar.provider.algorithms`");
    }
    Some(pinned)
}

/// The scopes, `openid` first and nothing twice.
fn scopes(node: &Node<'_>) -> Option<Vec<String>> {
    (!node.is_absent()).then(|| openid_and(node.each(word)))
}

/// Keycloak's default client scopes bring profile and email by themselves; elsewhere they are asked for (OpenID Connect
/// Core 1.0, section 5.4).
fn default_scopes(provider: &ProviderId) -> Vec<String> {
    match provider {
        ProviderId::Keycloak { .. } => openid_and(Vec::new()),
        ProviderId::Plain { .. } => openid_and(["profile", "email"].map(str::to_owned).to_vec()),
    }
}

fn openid_and(others: Vec<String>) -> Vec<String> {
    let mut scopes = vec!["openid".to_owned()];
    for scope in others {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    scopes
}

/// A text without blanks: its parameter joins several by blanks.
fn word(node: &Node<'_>) -> Option<String> {
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
    node.parse(|text| is_word(text).then(|| text.to_owned()).ok_or("must be one word of visible ASCII"))
}

/// The algorithms believed; by default all that need a public key. `HS*` only with a secret shared with the provider.
fn algorithms(node: &Node<'_>, client_auth: Option<&ClientAuth>) -> BTreeSet<Algorithm> {
    let shares_no_secret = matches!(client_auth, Some(ClientAuth::None | ClientAuth::PrivateKeyJwt { .. }));
    let read = |item: &Node<'_>| {
        let algorithm = item.parse(|name| name.parse::<Algorithm>().map_err(|_| algorithm_names()))?;
        if algorithm.is_symmetric() && shares_no_secret {
            item.fault("needs a client secret as its key, and this client has none");
        }
        Some(algorithm)
    };
    let asymmetric = Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric());
    node.some_of(read).map_or_else(|| asymmetric.collect(), |chosen| chosen.into_iter().collect())
}

fn algorithm_names() -> String {
    let names: Vec<_> = Algorithm::ALL.iter().map(|algorithm| format!("`{algorithm}`")).collect();
    format!("must be one of {}", names.join(", "))
}

fn params(node: &Node<'_>) -> Vec<(String, String)> {
    let param = |(name, value): (&str, Node<'_>)| {
        check_param(name, &value)?;
        Some((name.to_owned(), value.text()?.to_owned()))
    };
    node.members().into_iter().filter_map(param).collect()
}

/// The parameters passed on. A fixed one cannot be passed on as well: the request would carry it twice.
fn forwarded_params(node: &Node<'_>, fixed: &[(String, String)]) -> BTreeSet<String> {
    let is_fixed = |name: &str| fixed.iter().any(|(fixed, _)| fixed == name);
    if node.is_absent() {
        let free = FORWARDED_PARAMS.into_iter().filter(|name| !is_fixed(name));
        return free.map(str::to_owned).collect();
    }
    let read = |item: &Node<'_>| {
        let name = item.text()?;
        check_param(name, item)?;
        if is_fixed(name) {
            item.fault("is fixed under `params` already");
        }
        Some(name.to_owned())
    };
    node.each(read).into_iter().collect()
}

fn check_param(name: &str, node: &Node<'_>) -> Option<()> {
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    match () {
        () if !is_name => node.fault("is not the name of a parameter"),
        () if RESERVED_PARAMS.contains(&name) => node.fault("is a parameter that Doorward sets itself"),
        () => return Some(()),
    }
    None
}
