//! `sidecar.cookie` and `sidecar.session`: how long sessions live and the cookies that carry them.

use std::time::Duration;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use url::Url;
use zeroize::Zeroizing;

use super::value::{Node, Object};
use crate::{
    domain::{Lifetimes, SecretBytes},
    proxy::authenticate::SignIn,
    session::{self, AppCookie, CookieConfig, KeyRing, KeyRingError, SameSite, TokenStore},
};

const NAME: &str = "KEYCLOAK_ADAPTER_STATE";
const KEYS: [&str; 4] = ["keys", "name", "same-site", "secure"];
const KEY_BYTES: usize = 32;
/// Sessions kept in the process by default.
const CAPACITY: usize = 100_000;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// `sidecar.session`, and `cookie` of [`read`].
pub(super) fn session(node: &Node<'_>, cookie: CookieConfig, store: TokenStore) -> session::Config {
    let keys = node.object(&["capacity", "idle", "max"]);
    let capacity = keys.at("capacity");
    if store == TokenStore::Cookie && !capacity.is_absent() {
        capacity.warn("has no effect while `token-store` is `cookie`");
    }
    let capacity = capacity.count(1..=100_000_000).unwrap_or(CAPACITY);
    session::Config { lifetimes: lifetimes(&keys), cookie, store, capacity }
}

/// `idle` (30 m) and `max` (10 h).
fn lifetimes(keys: &Object<'_>) -> Lifetimes {
    let idle = keys.at("idle").duration(MINUTE..=30 * DAY);
    let max = keys.at("max").duration(MINUTE..=90 * DAY).unwrap_or(10 * HOUR);
    if idle.is_some_and(|idle| idle > max) {
        keys.at("idle").fault("must not be longer than `max`");
    }
    let idle = idle.unwrap_or((30 * MINUTE).min(max));
    Lifetimes { idle, max }
}

/// Warns where nothing seals what must outlive a restart: a key is made at start then. `apps` are the application's cookies, which are tagged.
pub(super) fn note_keys(node: &Node<'_>, session: &session::Config, sign_in: SignIn, apps: &[AppCookie]) {
    let nobody_signs_in = sign_in == SignIn::Never;
    if !session.cookie.keys.is_empty() || nobody_signs_in && apps.is_empty() {
        return;
    }
    let what = match session.store {
        _ if nobody_signs_in => "the application's sessions",
        TokenStore::Cookie => "sessions",
        TokenStore::Session => "sign-ins under way",
    };
    let keys = node.object(&KEYS).at("keys");
    keys.warn(format!(
        "none; one is made at each start, so that {what} end with the process and count on no other node"
    ));
}

/// The cookies. `public_url` decides what `auto` means for `secure`; `prefix` must lie within the cookie's path.
pub(super) fn read(root: &Object<'_>, node: &Node<'_>, public_url: Option<&Url>, prefix: &str) -> CookieConfig {
    let keys = node.object(&KEYS);
    let secure = secure(&keys.at("secure"), public_url);
    let same_site = keys.at("same-site");
    let choices = [("lax", SameSite::Lax), ("none", SameSite::None)];
    let strict = same_site.raw().and_then(|value| value.as_str()) == Some("strict");
    if strict {
        same_site.fault("is `strict`: browsers would come back from a sign-in without the cookie, and be sent again");
    }
    let chosen = (!strict).then(|| same_site.one_of(&choices)).flatten().unwrap_or(SameSite::Lax);
    if chosen == SameSite::None && !secure {
        same_site.fault("is `none`, which browsers take from secure cookies only");
    }
    let master_keys = keys.at("keys").each(master_key);
    if let Err(error @ KeyRingError::Duplicate { .. }) = KeyRing::new(&master_keys) {
        keys.at("keys").fault(error.to_string());
    }
    CookieConfig {
        name: keys.at("name").parse(name).unwrap_or_else(|| NAME.to_owned()),
        path: path(root, prefix),
        secure,
        same_site: chosen,
        keys: master_keys,
    }
}

/// `true`, `false` or `auto`: https in `public-url`. Without a `public-url` nothing tells, and the cookie is not secure.
fn secure(node: &Node<'_>, public_url: Option<&Url>) -> bool {
    let https = public_url.is_some_and(|url| url.scheme() == "https");
    let choices = [("auto", None), ("false", Some(false)), ("true", Some(true))];
    match node.one_of(&choices).flatten() {
        Some(false) if https => {
            node.fault("must not be false while `public-url` is https");
            false
        }
        Some(secure) => secure,
        None => {
            if public_url.is_none() {
                node.warn("is `auto` and there is no `public-url`: cookies are not `Secure`; write `true` if users come by https");
            }
            https
        }
    }
}

/// `adapter-state-cookie-path`, by default `/`. Our own endpoints must lie within it, or signing out would not be sent
/// the cookie that it is to end.
fn path(root: &Object<'_>, prefix: &str) -> String {
    let node = root.at_or_alias("adapter-state-cookie-path", "token-cookie-path");
    let path = node.parse(cookie_path).unwrap_or_else(|| "/".to_owned());
    let below = prefix.strip_prefix(path.trim_end_matches('/'));
    if !below.is_some_and(|below| below.is_empty() || below.starts_with('/')) {
        node.fault("must hold `sidecar.path-prefix`, for example `/app` and `/app/oauth2`");
    }
    path
}

/// Any `path-value` of RFC 6265, section 4.1.1. A relative one is below the application's root (keycloak-adapter: `CookieTokenStore`, where
/// it is below the servlet's context path).
pub(super) fn cookie_path(text: &str) -> Result<String, &'static str> {
    let proper = |byte: u8| byte.is_ascii_graphic() && byte != b';';
    let absolute = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
    text.bytes().all(proper).then_some(absolute).ok_or("must hold neither blanks nor `;`")
}

/// A `cookie-name` of RFC 6265, section 4.1.1. The prefixes are ours to put, and browsers know them in any case.
fn name(text: &str) -> Result<String, &'static str> {
    let proper = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
    let lower = text.to_ascii_lowercase();
    match () {
        () if !text.bytes().all(proper) => Err("must be a cookie name: letters, digits, `-`, `_`, `.`"),
        () if lower.starts_with("__") => {
            Err("must not begin with `__`: `__Host-` or `__Secure-` is put before it where it may be")
        }
        () if text.len() > 128 => Err("must not be longer than 128 characters"),
        () => Ok(text.to_owned()),
    }
}

/// 32 bytes in base64 or base64url, padded or not.
fn master_key(node: &Node<'_>) -> Option<SecretBytes> {
    let text = node.secret()?;
    let engines = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
    let decoded = engines.iter().find_map(|engine| engine.decode(text.expose()).ok()).map(Zeroizing::new);
    let Some(bytes) = decoded.filter(|bytes| bytes.len() == KEY_BYTES) else {
        node.fault("must be 32 bytes in base64 or base64url, as `doorward keygen` makes them");
        return None;
    };
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        node.fault("must be random: all its bytes are the same");
        return None;
    }
    Some(SecretBytes::new(bytes.to_vec()))
}
