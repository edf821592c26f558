//! The keys of Keycloak's adapters that concern bearer tokens and the scripts that send them: `bearer-only` and its kin,
//! `verify-token-audience`, `cors-*`.

use http::HeaderValue;

use super::value::{Node, Object};
use crate::{
    oidc::{BearerAudience, ProviderId},
    proxy::{
        authenticate::{self, SignIn},
        cors,
    },
};

const CORS: [&str; 4] = ["cors-allowed-headers", "cors-allowed-methods", "cors-exposed-headers", "cors-max-age"];
/// Longest time that a preflight may be remembered, in seconds: a day, as long as any browser does.
const MAX_AGE: i64 = 86_400;

/// `bearer-only`, `autodetect-bearer-only`, `enable-basic-auth`, `ignore-oauth-query-parameter`. The last is `false` in Keycloak's adapters
/// when it is absent; here a token in a URL counts only where that is said, since URLs are logged and kept in histories.
pub(super) fn authentication(root: &Object<'_>, provider: Option<&ProviderId>) -> Option<authenticate::Config> {
    let (bearer_only, autodetect) = (is_set(root, "bearer-only"), is_set(root, "autodetect-bearer-only"));
    let ignores_query = root.at("ignore-oauth-query-parameter").flag().unwrap_or(true);
    if !ignores_query {
        root.at("ignore-oauth-query-parameter").warn("is false: tokens in URLs end up in logs and histories");
    }
    let basic = is_set(root, "enable-basic-auth");
    Some(authenticate::Config {
        realm: provider?.challenge_realm(),
        sign_in: match (bearer_only, autodetect) {
            (true, _) => SignIn::Never,
            (false, true) => SignIn::OfferedToBrowsers,
            (false, false) => SignIn::Offered,
        },
        basic,
        query_parameter: !ignores_query,
    })
}

/// Whether this client never has to prove itself: it verifies tokens and asks for none.
pub(super) fn proves_nothing(root: &Object<'_>) -> bool {
    // Silently: whoever reads the keys themselves notes what is wrong with them.
    let says_so = |name| matches!(root.at(name).raw(), Some(value) if *value == true || *value == "true");
    says_so("bearer-only") && !says_so("enable-basic-auth")
}

/// `verify-token-audience`. Absent, it is stricter than in Keycloak's adapters, which would take any token of the realm.
pub(super) fn audience(root: &Object<'_>) -> BearerAudience {
    let node = root.at("verify-token-audience");
    match node.flag() {
        Some(true) => BearerAudience::Named,
        Some(false) => {
            node.warn("is false: a bearer token counts here whichever client it was made for");
            BearerAudience::Anybody
        }
        None => BearerAudience::NamedOrIssuedTo,
    }
}

/// `enable-cors` and `cors-*`.
pub(super) fn cors(root: &Object<'_>) -> Option<cors::Config> {
    let [headers, methods, exposed, max_age] = CORS.map(|name| root.at(name));
    let config = cors::Config {
        max_age: max_age.number(-1..=MAX_AGE).and_then(|seconds| u64::try_from(seconds).ok()),
        allowed_headers: names(&headers),
        allowed_methods: names(&methods),
        exposed_headers: names(&exposed),
    };
    if is_set(root, "enable-cors") {
        return Some(config);
    }
    for node in [headers, methods, exposed, max_age] {
        if node.raw().is_some_and(|value| !super::keycloak::asks_for_nothing(value)) {
            node.warn("has no effect: `enable-cors` is not true");
        }
    }
    None
}

/// Names of headers or methods, separated by commas, as they are sent.
fn names(node: &Node<'_>) -> Option<HeaderValue> {
    if node.raw().is_some_and(super::keycloak::asks_for_nothing) {
        return None;
    }
    let is_name = |name: &str| {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !name.is_empty() && name.bytes().all(is_token)
    };
    node.parse(|text| {
        let all = text.split(',').all(|name| is_name(name.trim()));
        all.then(|| HeaderValue::try_from(text).ok()).flatten().ok_or("must be names separated by commas")
    })
}

fn is_set(root: &Object<'_>, name: &str) -> bool {
    root.at(name).flag().unwrap_or(false)
}
