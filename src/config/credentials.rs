//! How this client proves itself at the token endpoint: `credentials` (keycloak-adapter:
//! `ClientCredentialsProviderUtils`) and the keys under `sidecar.provider`, made into one way.

use std::{path::Path, time::Duration};

use serde_json::Value;

use super::{
    bearer, pem, tls,
    value::{Node, Object},
};
use crate::{
    domain::SecretString,
    oidc::{Algorithm, ClientAuth, PrivateKey, PrivateKeyForm},
    tls::keystore::Passwords,
};

/// How long a client assertion is good when nothing says otherwise (keycloak-adapter: `JWTClientCredentialsProvider`).
const ASSERTION_LIFETIME: Duration = Duration::from_secs(10);
const MAX_ASSERTION_LIFETIME: Duration = Duration::from_secs(300);
const ABSENT: &str = "is required, unless `public-client` is true, or the certificate in `client-keystore` proves this client: \
                      `sidecar.provider.client-authentication` is `none` then";
const ABSENT_KEY: &str = "needs a private key: `private-key`, `private-key-file` or `credentials.jwt`";
const ABSENT_SECRET: &str = "needs a secret: `client-secret` or `credentials.secret`";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Basic,
    Nothing,
    Post,
    PrivateKeyJwt,
    SecretJwt,
}

const METHODS: [(&str, Method); 5] = [
    ("basic", Method::Basic),
    ("none", Method::Nothing),
    ("post", Method::Post),
    ("private-key-jwt", Method::PrivateKeyJwt),
    ("secret-jwt", Method::SecretJwt),
];

/// What a client may prove itself with, as far as it is there and could be read.
#[derive(Debug, Default)]
struct Material {
    /// How the place where it stands says to use it.
    method: Option<Method>,
    secret: Option<SecretString>,
    algorithm: Option<Algorithm>,
    key: Option<PrivateKey>,
    lifetime: Option<Duration>,
    /// Whether something stands there, well-formed or not.
    is_there: bool,
}

/// Client authentication. A client that is not public and has nothing to prove itself with is a fault, and so is one
/// whose proof stands in two places.
pub(super) fn client_auth(root: &Object<'_>, provider: &Object<'_>) -> Option<ClientAuth> {
    let chosen = provider.at("client-authentication");
    let public = root.at("public-client").flag().unwrap_or(false);
    let resource = root.at("resource");
    let resource = resource.raw().and_then(Value::as_str);
    let (theirs, own) = (keycloak_material(&root.at("credentials"), resource), own_material(provider));
    if theirs.is_there && own.is_there {
        provider.node().fault("holds a secret or key although `credentials` does too");
    }
    let material = if own.is_there { own } else { theirs };
    let method = match (chosen.one_of(&METHODS), public) {
        (Some(Method::Nothing) | None, true) => Some(Method::Nothing),
        (Some(_), true) => {
            chosen.fault("must be `none`, since `public-client` is true");
            None
        }
        (chosen, false) => chosen.or(material.method),
    };
    if method == Some(Method::Nothing) && material.is_there {
        let by = if public { root.at("public-client") } else { chosen };
        by.warn("makes this a public client: its credentials are not used");
    } else if method.is_none() && !material.is_there && chosen.is_absent() && bearer::proves_nothing(root) {
        return Some(ClientAuth::None);
    } else if method.is_none() && !material.is_there && chosen.is_absent() {
        root.at("credentials").fault(ABSENT);
    }
    material.into_auth(method?, provider)
}

impl Material {
    fn into_auth(self, method: Method, provider: &Object<'_>) -> Option<ClientAuth> {
        let chosen = provider.at("client-authentication");
        let key_id = provider.at("key-id").text().map(str::to_owned);
        let by_key = |method| method == Method::PrivateKeyJwt;
        let is_other = self.method.is_none_or(|own| by_key(own) != by_key(method));
        // What is of the right kind but could not be read has its own fault already.
        let missing = |what| {
            if is_other {
                chosen.fault(what);
            }
        };
        if key_id.is_some() && !by_key(method) {
            provider.at("key-id").warn("has no effect: the client does not prove itself with a key");
        }
        if by_key(method) {
            let lifetime = self.lifetime.unwrap_or(ASSERTION_LIFETIME);
            let key = self.key.or_else(|| {
                missing(ABSENT_KEY);
                None
            })?;
            return Some(ClientAuth::PrivateKeyJwt { key, key_id, lifetime });
        }
        if method == Method::Nothing {
            return Some(ClientAuth::None);
        }
        let secret = self.secret.or_else(|| {
            missing(ABSENT_SECRET);
            None
        })?;
        let algorithm = self.algorithm.unwrap_or(Algorithm::Hs256);
        Some(match method {
            Method::Post => ClientAuth::SecretPost(secret),
            Method::SecretJwt => ClientAuth::SecretJwt { secret, algorithm },
            _ => ClientAuth::SecretBasic(secret),
        })
    }
}

fn own_material(provider: &Object<'_>) -> Material {
    let [secret, key, file] = ["client-secret", "private-key", "private-key-file"].map(|name| provider.at(name));
    if !key.is_absent() && !file.is_absent() {
        file.fault("stands beside `private-key`: one of them is enough");
    }
    let has_key = !key.is_absent() || !file.is_absent();
    let by_secret = (!secret.is_absent()).then_some(Method::Basic);
    Material {
        method: has_key.then_some(Method::PrivateKeyJwt).or(by_secret),
        secret: secret.secret(),
        key: key.parse(pem::private_key).or_else(|| key_in_file(&file)),
        is_there: has_key || !secret.is_absent(),
        ..Material::default()
    }
}

fn keycloak_material(credentials: &Node<'_>, resource: Option<&str>) -> Material {
    let entries = credentials.object(&["jwt", "provider", "secret", "secret-jwt"]);
    let members = credentials.members();
    let named = entries.at("provider");
    let kinds: Vec<_> = members.iter().map(|(name, _)| *name).filter(|name| *name != "provider").collect();
    let kind = match (named.text(), kinds.as_slice()) {
        (Some(named), _) => named,
        (None, [only]) => *only,
        (None, []) => return Material::default(),
        (None, _) => {
            credentials.fault("holds several entries: name the one to use as `provider`");
            return Material { is_there: true, ..Material::default() };
        }
    };
    let material = match kind {
        "secret" => secret(&entries),
        "jwt" => signed_jwt(&entries.at("jwt").required(), resource),
        "secret-jwt" => secret_jwt(&entries.at("secret-jwt").required()),
        _ => {
            if !named.is_absent() {
                named.fault("must be one of `secret`, `jwt`, `secret-jwt`");
            }
            Material::default()
        }
    };
    Material { is_there: true, ..material }
}

fn secret(entries: &Object<'_>) -> Material {
    Material { method: Some(Method::Basic), secret: entries.at("secret").required().secret(), ..Material::default() }
}

fn secret_jwt(node: &Node<'_>) -> Material {
    let keys = node.object(&["algorithm", "secret"]);
    let choices = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512].map(|known| (known.name(), known));
    Material {
        method: Some(Method::SecretJwt),
        algorithm: keys.at("algorithm").one_of(&choices),
        secret: keys.at("secret").required().secret(),
        ..Material::default()
    }
}

fn signed_jwt(node: &Node<'_>, resource: Option<&str>) -> Material {
    let known = [
        "client-key-alias",
        "client-key-password",
        "client-keystore-file",
        "client-keystore-password",
        "client-keystore-type",
        "token-expiration",
        "token-timeout",
    ];
    let keys = node.object(&known);
    let timeout = keys.at_or_alias("token-timeout", "token-expiration");
    Material {
        method: Some(Method::PrivateKeyJwt),
        key: keystore(&keys, resource),
        lifetime: timeout.duration(Duration::from_secs(1)..=MAX_ASSERTION_LIFETIME),
        ..Material::default()
    }
}

/// The key of `client-keystore-file`. Java's stores are told apart by what stands in them, not by `client-keystore-type`.
fn keystore(keys: &Object<'_>, resource: Option<&str>) -> Option<PrivateKey> {
    let [alias, file, kind] = ["client-key-alias", "client-keystore-file", "client-keystore-type"].map(|n| keys.at(n));
    let [password, key_password] = ["client-keystore-password", "client-key-password"].map(|name| keys.at(name));
    let file = file.required();
    if kind.one_of(&[("JKS", false), ("PKCS12", false), ("PEM", true)]) == Some(true) {
        for node in [alias, password, key_password].iter().filter(|node| !node.is_absent()) {
            node.warn("has no effect: a PEM file holds one key in clear");
        }
        return key_in_file(&file);
    }
    let (opens_store, opens_key) = (password.secret(), key_password.secret());
    let store = tls::keystore(&file, Passwords { store: opens_store.as_ref(), key: opens_key.as_ref() })?;
    // As in Keycloak, but a store with one key needs no name for it.
    let alias = alias.text().or_else(|| resource.filter(|_| store.keys.len() > 1));
    match store.into_key(alias) {
        Ok(entry) if entry.alias.is_empty() => kind.fault("must be `PEM` for such a file"),
        Ok(entry) => return Some(PrivateKey { der: entry.key, form: PrivateKeyForm::Pkcs8 }),
        Err(error) => file.fault(format!("names a file that {error}")),
    }
    None
}

fn key_in_file(node: &Node<'_>) -> Option<PrivateKey> {
    let text =
        node.parse(|path| node.read_text(Path::new(path)).map_err(|error| format!("names a file that {error}")))?;
    match pem::private_key(&text) {
        Ok(key) => Some(key),
        Err(error) => {
            node.fault(error);
            None
        }
    }
}
