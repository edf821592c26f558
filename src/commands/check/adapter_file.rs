//! A file without `sidecar`, mostly a Keycloak adapter's `keycloak.json`: what of it holds here, what is missing, and what to set at the identity
//! server. The faults go to standard error as ever, a line each; this help goes to standard output.

use std::{
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use super::{ours, tell_failure};
use crate::{
    config::{AdapterFile, Config},
    domain::{SystemClock, SystemRandom},
    oidc::Provider,
};

/// Tells everything that can be told without asking anybody.
pub(super) fn tell(out: &mut impl Write, path: &Path, file: &AdapterFile) -> io::Result<()> {
    if file.is_keycloaks {
        writeln!(
            out,
            "This is the file of a Keycloak adapter. Doorward reads it as it stands; what it lacks is `sidecar`."
        )?;
        tell_keys(out, file)?;
    } else {
        writeln!(out, "This file lacks `sidecar`, where all that is Doorward's own stands.")?;
    }
    tell_addition(out, file)?;
    match &file.completed {
        Err(_) => writeln!(out, "\nWhat to set at the identity server is told when nothing is refused any more.")?,
        Ok(config) if file.is_keycloaks => tell_settings(out, config)?,
        Ok(config) => tell_addresses(out, config)?,
    }
    writeln!(out, "\nThen: doorward check -c {0}, and: doorward serve -c {0}", path.display())?;
    if file.is_keycloaks {
        writeln!(
            out,
            "From web.xml to rules, what the application is told, logout: docs/migration/keycloak-java-adapter.md"
        )?;
    }
    Ok(())
}

fn tell_keys(out: &mut impl Write, file: &AdapterFile) -> io::Result<()> {
    if !file.as_they_are.is_empty() {
        writeln!(out, "\nTaken, with the meaning that they have there: {}", file.as_they_are.join(", "))?;
    }
    if !file.refused.is_empty() {
        writeln!(out, "\nRefused, as standard error tells: {}", file.refused.join(", "))?;
    }
    if !file.otherwise.is_empty() || !file.warnings.is_empty() {
        writeln!(out, "\nOtherwise than in Keycloak's adapters, or worth knowing:")?;
    }
    for (key, text) in &file.otherwise {
        writeln!(out, "  {key}: {text}")?;
    }
    file.warnings.iter().try_for_each(|warning| writeln!(out, "  {warning}"))
}

/// What each key of the addition is for, as far as it is in it.
const MEANINGS: [(&str, &str); 4] = [
    ("upstream", "where the application listens; let nothing but Doorward reach it there"),
    ("public-url", "the origin that users see; or, where there are several, \"allowed-hosts\": [\"app.example.com\"]"),
    ("path-prefix", "Doorward's own endpoints, within adapter-state-cookie-path"),
    ("cookie", "its key is made by: doorward keygen > /run/secrets/cookie-key"),
];

fn tell_addition(out: &mut impl Write, file: &AdapterFile) -> io::Result<()> {
    writeln!(
        out,
        "\nTo be put right after the first `{{` of the file, with addresses of your own:\n\n{}",
        file.addition
    )?;
    for (key, meaning) in MEANINGS.iter().filter(|(key, _)| file.addition.contains(&format!("\"{key}\":"))) {
        writeln!(out, "  {key:<12} {meaning}")?;
    }
    writeln!(
        out,
        "\nWhere TLS ends before Doorward, at a load balancer or an ingress, add \"trusted-proxies\": [\"10.0.0.5\"] with its\n\
         address; where it ends at Doorward, \"tls\": {{ \"certificate\": \"…\", \"key\": \"…\" }}."
    )
}

fn tell_settings(out: &mut impl Write, config: &Config) -> io::Result<()> {
    writeln!(out, "\nTo be set at this client, by the names of Keycloak's console:")?;
    let ours = ours(config);
    for (redirect_uri, after) in ours.redirect_uris.iter().zip(&ours.post_logout_redirect_uris) {
        writeln!(out, "  Valid redirect URIs              {redirect_uri}")?;
        writeln!(out, "  Valid post logout redirect URIs  {after}")?;
    }
    if !config.is_bearer_only() {
        writeln!(out, "  Front channel logout             off, since it silences the next")?;
    }
    let what = if config.is_bearer_only() {
        "there \"logout all\" and \"push not before\" are told, which end bearer tokens"
    } else {
        "there logouts are told"
    };
    writeln!(
        out,
        "  Admin URL                        http://NODE:9080/ in place of the application's, with \"admin\": {{ \"listen\": \"0.0.0.0:9080\" }}\n\
         {:35}in `sidecar`: {what}",
        ""
    )
}

fn tell_addresses(out: &mut impl Write, config: &Config) -> io::Result<()> {
    let ours = ours(config);
    if !ours.redirect_uris.is_empty() {
        writeln!(out, "\nTo be registered at the identity server, with your own origin:")?;
    }
    for (redirect_uri, after) in ours.redirect_uris.iter().zip(&ours.post_logout_redirect_uris) {
        writeln!(out, "  redirect URI              {redirect_uri}")?;
        writeln!(out, "  post-logout redirect URI  {after}")?;
    }
    Ok(())
}

/// What the identity server says when it is asked by the completed file; nothing without one.
pub(super) async fn tell_provider(out: &mut impl Write, file: &AdapterFile) -> io::Result<()> {
    let Ok(config) = &file.completed else {
        return Ok(());
    };
    writeln!(out)?;
    let provider = match Provider::build(config.oidc.clone(), Arc::new(SystemClock), Arc::new(SystemRandom)) {
        Ok(provider) => provider,
        Err(error) => return writeln!(out, "identity server: {error}"),
    };
    match provider.discover().await {
        Ok(metadata) => writeln!(out, "identity server: issuer {}", metadata.issuer),
        Err(error) => tell_failure(out, &config.oidc.provider, &error),
    }
}
