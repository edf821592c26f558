//! `doorward check`: every fault of a file, every warning, and then what the identity server says.

use std::{
    io::{self, Write, stdout},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use super::{BAD_CONFIG, UNAVAILABLE, refuse};
use crate::{
    config::{Config, ProcessEnvironment},
    domain::{SystemClock, SystemRandom},
    login::ResponseMode,
    oidc::{Metadata, Provider},
};

/// Checks the file, then asks the identity server.
pub(super) fn run(path: &Path) -> ExitCode {
    let config = match Config::load(path, &ProcessEnvironment) {
        Ok(config) => config,
        Err(faults) => return refuse(&faults),
    };
    actix_rt::System::new().block_on(check(&config)).unwrap_or(ExitCode::FAILURE)
}

async fn check(config: &Config) -> io::Result<ExitCode> {
    let mut out = stdout();
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
    writeln!(out, "configuration: no fault")?;
    tell_response_mode(&mut out, config)?;
    match provider.discover().await {
        Ok(metadata) => tell_provider(&mut out, config, &metadata).map(|()| ExitCode::SUCCESS),
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
    for origin in origins(config) {
        let prefix = &config.login.path_prefix;
        writeln!(out, "to register there: redirect URI {origin}{}", config.login.callback_path())?;
        writeln!(out, "to register there: post-logout redirect URI {origin}{prefix}/signed_out")?;
    }
    Ok(())
}

fn origins(config: &Config) -> Vec<String> {
    let hosts = config.caller.allowed_hosts.iter().map(|host| format!("https://{host}")).collect();
    config.caller.public_url.as_ref().map_or(hosts, |origin| vec![origin.to_string()])
}
