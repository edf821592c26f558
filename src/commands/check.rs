//! `doorward check`: every fault of a file, every warning, and then what the identity server says.

mod adapter_file;
mod foreign;
mod keycloak;

use std::{
    error::Error as _,
    fmt,
    io::{self, Write, stdout},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use super::{BAD_CONFIG, UNAVAILABLE, complain, refuse};
use crate::{
    config::{AdapterFile, Config, Faults, ProcessEnvironment},
    domain::{Clock as _, SystemClock, SystemRandom},
    login::ResponseMode,
    oidc::{ClientStanding, DiscoveryError, Metadata, Provider, ProviderId},
    revocation::{JournalError, Prospect},
    tls::read_file,
};

pub(super) use keycloak::Options as KeycloakOptions;
use keycloak::Ours;

/// Checks the file, then asks the identity server. The file is read once: it may be a pipe.
pub(super) fn run(path: &Path, keycloak: &KeycloakOptions) -> ExitCode {
    let bytes = match read_file(path) {
        Ok(bytes) => bytes,
        Err(error) => return unreadable(path, &error),
    };
    let Ok(text) = str::from_utf8(&bytes) else {
        let code = unreadable(path, &"is not UTF-8 text");
        let told = foreign::tell(&mut stdout(), &String::from_utf8_lossy(&bytes));
        return told.map_or(ExitCode::FAILURE, |()| code);
    };
    if text.trim().is_empty() {
        return unreadable(path, &"is empty");
    }
    match Config::from_json(text, &ProcessEnvironment) {
        Ok(config) => actix_rt::System::new().block_on(check(&config, keycloak)),
        Err(faults) => help(path, text, &faults),
    }
    .unwrap_or(ExitCode::FAILURE)
}

fn unreadable(path: &Path, why: &dyn fmt::Display) -> ExitCode {
    complain(&format!("the file `{}` {why}", path.display()));
    ExitCode::from(BAD_CONFIG)
}

/// The faults, and what helps somebody who comes from elsewhere with a file of theirs.
fn help(path: &Path, text: &str, faults: &Faults) -> io::Result<ExitCode> {
    let mut out = stdout();
    let Some(file) = AdapterFile::from_json(text, &ProcessEnvironment) else {
        let code = refuse(faults);
        foreign::tell(&mut out, text)?;
        return Ok(code);
    };
    let code = refuse(&file.faults);
    adapter_file::tell(&mut out, path, &file)?;
    actix_rt::System::new().block_on(adapter_file::tell_provider(&mut out, &file))?;
    Ok(code)
}

/// Everything about a file without a fault; what is only of interest to those who come from Java last.
async fn check(config: &Config, keycloak: &KeycloakOptions) -> io::Result<ExitCode> {
    let mut out = stdout();
    let code = tell(&mut out, config, keycloak).await?;
    for (key, text) in &config.differences {
        writeln!(out, "otherwise than in Keycloak's Java adapters: {key}: {text}")?;
    }
    Ok(code)
}

async fn tell(out: &mut impl Write, config: &Config, keycloak: &KeycloakOptions) -> io::Result<ExitCode> {
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let provider = match Provider::build(config.oidc.clone(), Arc::new(SystemClock), Arc::new(SystemRandom)) {
        Ok(provider) => provider,
        Err(error) => {
            writeln!(out, "fault: {error}")?;
            return Ok(ExitCode::from(BAD_CONFIG));
        }
    };
    if let Some(directory) = &config.revocation.persist
        && !tell_persist(out, directory)?
    {
        return Ok(ExitCode::from(BAD_CONFIG));
    }
    writeln!(out, "configuration: no fault")?;
    tell_response_mode(out, config)?;
    let discovered = provider.discover().await;
    match &discovered {
        Ok(metadata) => tell_metadata(out, metadata)?,
        Err(error) => tell_failure(out, &config.oidc.provider, error)?,
    }
    tell_registration(out, config)?;
    if discovered.is_err() {
        return Ok(ExitCode::from(UNAVAILABLE));
    }
    let is_accepted = tell_credentials(out, &provider).await?;
    let code = keycloak::tell(out, keycloak, &provider, &ours(config)).await?;
    Ok(if is_accepted { code } else { ExitCode::from(BAD_CONFIG) })
}

fn tell_response_mode(out: &mut impl Write, config: &Config) -> io::Result<()> {
    let text = match config.login.response_mode {
        _ if config.is_bearer_only() => return Ok(()),
        ResponseMode::Query => "query; a POST to the callback is answered with 405",
        ResponseMode::FormPost => {
            "form_post; the cookie of a sign-in under way is SameSite=None, a GET to the callback is answered with 405"
        }
    };
    writeln!(out, "response-mode: {text}")
}

fn tell_metadata(out: &mut impl Write, metadata: &Metadata) -> io::Result<()> {
    writeln!(out, "identity server: issuer {}", metadata.issuer)?;
    let told = [
        ("UserInfo", metadata.userinfo_endpoint.is_some()),
        ("sign-out there (RP-initiated logout)", metadata.end_session_endpoint.is_some()),
        ("revocation of tokens (RFC 7009)", metadata.revocation_endpoint.is_some()),
    ];
    for (what, there) in told {
        writeln!(out, "identity server: {what}: {}", if there { "yes" } else { "no" })?;
    }
    Ok(())
}

/// Why it is not known who the identity server is, and what is mostly wrong then.
fn tell_failure(out: &mut impl Write, provider: &ProviderId, error: &DiscoveryError) -> io::Result<()> {
    writeln!(out, "identity server: {error}")?;
    let hint = match provider {
        ProviderId::Keycloak { auth_server_url, .. } if auth_server_url.path().trim_end_matches('/') == "/auth" => {
            "`auth-server-url` ends in `/auth`: Keycloak 17 and later has that only where `http-relative-path` says so"
        }
        _ if !error.is_not_found() => return Ok(()),
        ProviderId::Keycloak { .. } => {
            "there is no such `realm`, or `auth-server-url` is not where Keycloak begins: before version 17 that ends in `/auth`"
        }
        ProviderId::Plain { .. } => {
            "`provider-url` must be the issuer: all that stands before `/.well-known/openid-configuration`"
        }
    };
    writeln!(out, "  {hint}")
}

/// What must be set at the identity server: known without it.
fn tell_registration(out: &mut impl Write, config: &Config) -> io::Result<()> {
    if config.is_bearer_only() && matches!(config.oidc.provider, ProviderId::Keycloak { .. }) {
        let scheme = if config.admin.tls.is_some() { "https" } else { "http" };
        writeln!(
            out,
            "to set there: Admin URL {scheme}://NODE:{}/ (`sidecar.admin.listen`): by it \"logout all\" and \"push not before\" reach \
             bearer tokens",
            config.admin.listen.port()
        )?;
    }
    let ours = ours(config);
    for (redirect_uri, after) in ours.redirect_uris.iter().zip(&ours.post_logout_redirect_uris) {
        writeln!(out, "to register there: redirect URI {redirect_uri}")?;
        writeln!(out, "to register there: post-logout redirect URI {after}")?;
    }
    Ok(())
}

/// False when the identity server does not take us for the client.
async fn tell_credentials(out: &mut impl Write, provider: &Provider) -> io::Result<bool> {
    let standing = provider.client_standing().await;
    match &standing {
        Ok(ClientStanding::Public) => {}
        Ok(ClientStanding::Accepted) => writeln!(out, "identity server: it accepts the client's credentials")?,
        Ok(ClientStanding::Refused) => {
            writeln!(out, "fault: the identity server does not accept the client's credentials (`credentials`)")?;
        }
        Ok(ClientStanding::Unknown) => {
            writeln!(
                out,
                "identity server: whether it accepts the client's credentials is not known: its answer does not say"
            )?;
        }
        Err(error) => {
            writeln!(out, "identity server: whether it accepts the client's credentials is not known: {error}")?;
        }
    }
    Ok(!matches!(standing, Ok(ClientStanding::Refused)))
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
    // Nobody comes back who was not sent away.
    let origins = if config.is_bearer_only() { Vec::new() } else { origins(config) };
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
