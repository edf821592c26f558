//! `doorward check`: every fault of a file, every warning, and then what the identity server says.

mod adapter_file;
mod foreign;
mod keycloak;

use std::{
    error::Error as _,
    io::{self, Write, stdout},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use super::{BAD_CONFIG, UNAVAILABLE, refuse};
use crate::{
    config::{AdapterFile, Config, Faults, ProcessEnvironment},
    domain::{Clock as _, SystemClock, SystemRandom},
    login::ResponseMode,
    oidc::{Metadata, Provider},
    revocation::{JournalError, Prospect},
};

pub(super) use keycloak::Options as KeycloakOptions;
use keycloak::Ours;

/// Checks the file, then asks the identity server.
pub(super) fn run(path: &Path, keycloak: &KeycloakOptions) -> ExitCode {
    let config = match Config::load(path, &ProcessEnvironment) {
        Ok(config) => config,
        Err(faults) => return help(path, &faults).unwrap_or(ExitCode::FAILURE),
    };
    actix_rt::System::new().block_on(check(&config, keycloak)).unwrap_or(ExitCode::FAILURE)
}

/// The faults, and what helps somebody who comes from elsewhere with a file of theirs.
fn help(path: &Path, faults: &Faults) -> io::Result<ExitCode> {
    let mut out = stdout();
    let Some(file) = AdapterFile::read(path, &ProcessEnvironment) else {
        let code = refuse(faults);
        // What cannot be read has been told as a fault.
        foreign::tell(&mut out, &foreign::text_of(path).unwrap_or_default())?;
        return Ok(code);
    };
    let code = refuse(&file.faults);
    adapter_file::tell(&mut out, path, &file)?;
    actix_rt::System::new().block_on(adapter_file::tell_provider(&mut out, &file))?;
    Ok(code)
}

async fn check(config: &Config, keycloak: &KeycloakOptions) -> io::Result<ExitCode> {
    let mut out = stdout();
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    for (key, text) in &config.differences {
        writeln!(out, "otherwise than in Keycloak's Java adapters: {key}: {text}")?;
    }
    let provider = match Provider::build(config.oidc.clone(), Arc::new(SystemClock), Arc::new(SystemRandom)) {
        Ok(provider) => provider,
        Err(error) => {
            writeln!(out, "fault: {error}")?;
            return Ok(ExitCode::from(BAD_CONFIG));
        }
    };
    if let Some(directory) = &config.revocation.persist
        && !tell_persist(&mut out, directory)?
    {
        return Ok(ExitCode::from(BAD_CONFIG));
    }
    writeln!(out, "configuration: no fault")?;
    tell_response_mode(&mut out, config)?;
    match provider.discover().await {
        Ok(metadata) => {
            tell_provider(&mut out, config, &metadata)?;
            keycloak::tell(&mut out, keycloak, &provider, &ours(config)).await
        }
        Err(error) => {
            writeln!(out, "identity server: {error}")?;
            Ok(ExitCode::from(UNAVAILABLE))
        }
    }
}

fn tell_response_mode(out: &mut impl Write, config: &Config) -> io::Result<()> {
    let text = match config.login.response_mode {
        ResponseMode::Query => "query; a POST to the callback is answered with 405",
        ResponseMode::FormPost => {
            "form_post; the cookie of a sign-in under way is SameSite=None, a GET to the callback is answered with 405"
        }
    };
    writeln!(out, "response-mode: {text}")
}

fn tell_provider(out: &mut impl Write, config: &Config, metadata: &Metadata) -> io::Result<()> {
    writeln!(out, "identity server: issuer {}", metadata.issuer)?;
    let told = [
        ("UserInfo", metadata.userinfo_endpoint.is_some()),
        ("sign-out there (RP-initiated logout)", metadata.end_session_endpoint.is_some()),
        ("revocation of tokens (RFC 7009)", metadata.revocation_endpoint.is_some()),
    ];
    for (what, there) in told {
        writeln!(out, "identity server: {what}: {}", if there { "yes" } else { "no" })?;
    }
    let ours = ours(config);
    for (redirect_uri, after) in ours.redirect_uris.iter().zip(&ours.post_logout_redirect_uris) {
        writeln!(out, "to register there: redirect URI {redirect_uri}")?;
        writeln!(out, "to register there: post-logout redirect URI {after}")?;
    }
    Ok(())
}

/// Tells what a start would find where revocations are to be kept; false when it is a fault. What this user may not do there is none: the node
/// may run as another, and on another machine.
fn tell_persist(out: &mut impl Write, directory: &Path) -> io::Result<bool> {
    let cause = |error: &JournalError| error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    match Prospect::of(directory, SystemClock.now()) {
        Ok(Prospect::Absent) => {
            writeln!(out, "sidecar.persist: `{}` is not there; it is made at start", directory.display())?;
        }
        Ok(Prospect::There { unreadable: 0 }) => {}
        Ok(Prospect::There { unreadable }) => writeln!(
            out,
            "warning: sidecar.persist: {unreadable} lines of what is kept there cannot be read; they are passed over at start"
        )?,
        Err(error) if error.is_everybodys() => {
            writeln!(out, "fault: {error}{}", cause(&error))?;
            return Ok(false);
        }
        Err(error) => writeln!(
            out,
            "warning: sidecar.persist: by the user of this check {error}{}; the user of `serve` must be able to",
            cause(&error)
        )?,
    }
    Ok(true)
}

fn ours(config: &Config) -> Ours {
    let (callback, prefix) = (config.login.callback_path(), &config.login.path_prefix);
    let origins = origins(config);
    Ours {
        redirect_uris: origins.iter().map(|origin| format!("{origin}{callback}")).collect(),
        post_logout_redirect_uris: origins.iter().map(|origin| format!("{origin}{prefix}/signed_out")).collect(),
        period: config.registration.as_ref().and_then(|registration| registration.period),
        proof_life: config.revocation.proof_life,
    }
}

fn origins(config: &Config) -> Vec<String> {
    let hosts = config.caller.allowed_hosts.iter().map(|host| format!("https://{host}")).collect();
    config.caller.public_url.as_ref().map_or(hosts, |origin| vec![origin.to_string()])
}
