//! Keycloak's keys about what tokens say: by which key they are believed, which of their roles count, and which claim names the user.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::value::Object;
use crate::{
    domain::ClientId,
    oidc::{PinnedKey, RoleMappings},
    proxy::IdentityValue,
};

/// `realm-public-key`, if there is one: base64 of a DER public key, as a PEM file holds it between its first and last line, which may be
/// there too (keycloak-adapter: `PemUtils.decodePublicKey`).
pub(super) fn pinned_key(root: &Object<'_>) -> Option<PinnedKey> {
    let node = root.at("realm-public-key");
    let body = node.parse(pem_body)?;
    node.parse(|_| PinnedKey::from_der(&body))
}

fn pem_body(text: &str) -> Result<Vec<u8>, &'static str> {
    let body = text.trim();
    let body = body.strip_prefix("-----BEGIN PUBLIC KEY-----").unwrap_or(body);
    let body = body.strip_suffix("-----END PUBLIC KEY-----").unwrap_or(body);
    let dense: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(dense).map_err(|_| "must be a public key in base64, as the body of a PEM file")
}

/// `use-resource-role-mappings` (by default false) and `use-realm-role-mappings` of Elytron. In Keycloak's adapters the one is the other's
/// contrary; in Elytron each stands for itself, so that both count where both are asked for. `None` without a client.
pub(super) fn role_mappings(root: &Object<'_>, client: Option<&ClientId>) -> Option<RoleMappings> {
    let resource = root.at("use-resource-role-mappings").flag();
    let realm = root.at("use-realm-role-mappings").flag();
    let client = client?.clone();
    Some(match (resource.unwrap_or(false), realm) {
        (false, Some(false)) => RoleMappings::Clients,
        (false, _) => RoleMappings::All,
        (true, Some(true)) => RoleMappings::ResourceAndRealm(client),
        (true, _) => RoleMappings::Resource(client),
    })
}

/// `principal-attribute`: what names the user to the application, by default `sub`. Keycloak takes an unknown name for `sub`; a user would
/// then be known by another name than the file says, so it is a fault here.
pub(super) fn principal_attribute(root: &Object<'_>) -> IdentityValue {
    let claim = |name: &str| IdentityValue::Claim(name.to_owned());
    let or_subject = |value| IdentityValue::OrSubject(Box::new(value));
    let node = root.at("principal-attribute");
    let names = ["sub", "preferred_username", "email", "name", "nickname", "given_name", "family_name"];
    match node.one_of(&names.map(|name| (name, name))) {
        None | Some("sub") => IdentityValue::Subject,
        Some("preferred_username") => or_subject(IdentityValue::Username),
        Some("email") => or_subject(IdentityValue::Email),
        Some(other) => or_subject(claim(other)),
    }
}
