//! Where the keys of a Keycloak adapter's file do otherwise here than in Keycloak's Java adapters, as far as the file's own values make it
//! so. One table; what is a fault or a warning anyway does not stand in it.

use serde_json::Value;

use super::keycloak::asks_for_nothing;

/// A key, whether it does otherwise in this file, and what it does.
type Difference = (&'static str, fn(&File<'_>) -> bool, &'static str);

const DIFFERENCES: [Difference; 12] = [
    (
        "token-store",
        |file| file.is_absent("token-store"),
        "absent, it is `cookie` (in Java `session`): a session outlives a restart and needs no affinity; `session` keeps it in the process",
    ),
    (
        "verify-token-audience",
        |file| file.is_absent("verify-token-audience"),
        "absent, a bearer token must name this client as its audience or be issued to it (in Java any of the realm's counts); `false` for that",
    ),
    (
        "ignore-oauth-query-parameter",
        |file| file.is_absent("ignore-oauth-query-parameter"),
        "absent, a token in the query (`access_token`) does not count (in Java it does); `false` for that",
    ),
    (
        "register-node-at-startup",
        |file| file.asks("register-node-at-startup"),
        "registers as soon as the identity server is reached (in Java with the first request)",
    ),
    (
        "register-node-period",
        |file| file.asks("register-node-at-startup") && !file.asks("register-node-period"),
        "not above 0, the node registers once (in Java again with every request); 600 renews it every ten minutes",
    ),
    (
        "enable-pkce",
        |file| !file.is_absent("enable-pkce") && !file.asks("enable-pkce"),
        "PKCE is always used, whatever stands here",
    ),
    (
        "autodetect-bearer-only",
        |file| file.asks("autodetect-bearer-only"),
        "the session is looked at first: a script of somebody who is signed in passes (in Java it gets 401)",
    ),
    (
        "enable-cors",
        |file| file.asks("enable-cors"),
        "a preflight is one that has `Access-Control-Request-Method`; paths that are `public` are left to the application",
    ),
    (
        "redirect-rewrite-rules",
        |file| file.asks("redirect-rewrite-rules"),
        "the query is kept after a sign-in (Java drops it), and the redirect URI to register is the rewritten one",
    ),
    (
        "token-minimum-time-to-live",
        |file| file.asks("token-minimum-time-to-live"),
        "no token is renewed by it in the first half of its own life (in Java a large value renews with every request)",
    ),
    (
        "socket-timeout-millis",
        |file| !file.is_absent("socket-timeout-millis"),
        "bounds a whole call of the identity server; 10 s where it is not above 0 (in Java no bound)",
    ),
    (
        "truststore",
        |file| file.names_a_class_path(),
        "`classpath:` is Java's, here and in any other key: give the path of a file",
    ),
];

/// The top level of a file.
struct File<'a>(&'a Value);

impl File<'_> {
    fn is_absent(&self, key: &str) -> bool {
        self.0[key].is_null()
    }

    /// Whether a key is there and asks for something.
    fn asks(&self, key: &str) -> bool {
        !asks_for_nothing(&self.0[key])
    }

    fn names_a_class_path(&self) -> bool {
        let stores = ["/truststore", "/client-keystore", "/credentials/jwt/client-keystore-file"];
        let texts = stores.iter().filter_map(|place| self.0.pointer(place)?.as_str());
        texts.into_iter().any(|text| text.starts_with("classpath:"))
    }
}

/// The keys that do otherwise, with what they do. Nothing where the file does not name a realm, since only Keycloak's files have such a past.
pub(super) fn of(root: &Value) -> Vec<(&'static str, &'static str)> {
    if root["realm"].is_null() {
        return Vec::new();
    }
    let file = File(root);
    DIFFERENCES.iter().filter(|(_, does, _)| does(&file)).map(|(key, _, text)| (*key, *text)).collect()
}
