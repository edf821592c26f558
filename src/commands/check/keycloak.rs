//! What at a Keycloak realm would keep a logout from coming here, or a sign-in from working: found in the client as the realm has it.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Args, ValueHint};

use crate::{
    domain::SecretString,
    oidc::{AdminCredentials, ClientFacts, KeycloakAdminError, NodesTest, Provider},
};

/// How the realm's side is looked at as well.
#[derive(Debug, Args)]
pub(in crate::commands) struct Options {
    /// An administrator of Keycloak: what the realm knows of this client is checked too.
    #[arg(long = "keycloak-admin-user", value_name = "NAME", requires = "password_file")]
    user: Option<String>,
    /// The file that holds the administrator's password.
    #[arg(long = "keycloak-admin-password-file", value_name = "FILE", value_hint = ValueHint::FilePath, requires = "user")]
    password_file: Option<PathBuf>,
    /// The administrator's own realm.
    #[arg(long = "keycloak-admin-realm", value_name = "REALM", default_value = "master")]
    realm: String,
}

/// What Keycloak puts the node's host for.
const PLACEHOLDER: &str = "${application.session.host}";

/// What is ours of the things that have to fit.
pub(super) struct Ours {
    /// Where browsers come back to.
    pub(super) redirect_uris: Vec<String>,
    /// Where they come back to after a sign-out.
    pub(super) post_logout_redirect_uris: Vec<String>,
    /// How often this node registers.
    pub(super) period: Option<Duration>,
    /// How long a session is served at most before it is proved again.
    pub(super) proof_life: Duration,
}

impl Options {
    /// Whom the realm is asked as, if it is to be asked.
    ///
    /// # Errors
    /// When the password's file cannot be read.
    fn credentials(&self) -> io::Result<Option<AdminCredentials>> {
        let Some((user, file)) = self.user.as_ref().zip(self.password_file.as_ref()) else {
            return Ok(None);
        };
        let password = SecretString::new(std::fs::read_to_string(file)?.trim_end_matches(['\r', '\n']));
        Ok(Some(AdminCredentials { realm: self.realm.clone(), user: user.clone(), password }))
    }
}

/// Tells one line for each finding. Findings change no exit code, as warnings do not; a realm that cannot be asked does.
pub(super) async fn tell(
    out: &mut impl Write,
    options: &Options,
    provider: &Provider,
    ours: &Ours,
) -> io::Result<ExitCode> {
    let who = match options.credentials() {
        Ok(None) => return Ok(ExitCode::SUCCESS),
        Ok(Some(who)) => who,
        Err(error) => {
            writeln!(out, "keycloak: the file of the administrator's password cannot be read: {error}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    match look(provider, &who, ours).await {
        Ok(findings) if findings.is_empty() => writeln!(out, "keycloak: nothing stands in a logout's way")?,
        Ok(findings) => {
            for finding in findings {
                writeln!(out, "keycloak: {finding}")?;
            }
        }
        Err(error) => {
            writeln!(out, "keycloak: {error}")?;
            return Ok(ExitCode::from(super::UNAVAILABLE));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn look(provider: &Provider, who: &AdminCredentials, ours: &Ours) -> Result<Vec<String>, KeycloakAdminError> {
    let admin = provider.keycloak_admin(who).await?;
    let facts = admin.client_facts().await?;
    let mut findings = findings(&facts, ours);
    if facts.admin_url.is_some() {
        match admin.test_nodes(&facts).await {
            Ok(test) => findings.extend(unheard(&test)),
            Err(error) => findings.push(format!("the realm could not be made to try the admin URL: {error}")),
        }
    }
    Ok(findings)
}

/// One line for each thing to change.
fn findings(facts: &ClientFacts, ours: &Ours) -> Vec<String> {
    let mut findings = Vec::new();
    findings.extend(channels(facts));
    findings.extend(nodes(facts, ours));
    findings.extend(addresses(facts, ours));
    if let Some(life) = facts.access_token_lifespan.filter(|life| *life > ours.proof_life) {
        findings.push(format!(
            "access tokens live for {} s, longer than `proof-life` ({} s): shorten them (realm settings, Tokens, or the client's \
             advanced settings)",
            life.as_secs(),
            ours.proof_life.as_secs()
        ));
    }
    findings
}

/// Whether a logout comes at all, and by which way.
fn channels(facts: &ClientFacts) -> Vec<String> {
    let mut findings = Vec::new();
    if facts.frontchannel_logout {
        findings.push(
            "`frontchannelLogout` is on, so that no logout is pushed to this node: switch \"Front channel logout\" off"
                .to_owned(),
        );
    }
    match (&facts.admin_url, &facts.backchannel_logout_url) {
        (None, None) => findings.push(
            "neither an admin URL nor a backchannel logout URL is set, so that no logout is pushed: set the admin URL to the admin \
             listener"
                .to_owned(),
        ),
        (Some(_), Some(_)) => findings.push(
            "`backchannel.logout.url` stands beside an admin URL and silences its logouts of single sessions: remove one of the two"
                .to_owned(),
        ),
        (None, Some(_)) => findings.push(
            "there is no admin URL: \"logout all\" and \"push not before\" of the realm never come, set it as well if you use them"
                .to_owned(),
        ),
        (Some(_), None) => {}
    }
    findings
}

/// Whether the realm calls the nodes that there are.
fn nodes(facts: &ClientFacts, ours: &Ours) -> Vec<String> {
    let mut findings = Vec::new();
    let has_placeholder = |url: &Option<String>| url.as_ref().is_some_and(|url| url.contains(PLACEHOLDER));
    let by_host = has_placeholder(&facts.admin_url) || has_placeholder(&facts.backchannel_logout_url);
    if by_host && facts.registered_nodes.is_empty() {
        findings.push(format!(
            "a logout URL holds `{PLACEHOLDER}`, but no node is registered: start the nodes with `register-node-at-startup`"
        ));
    }
    if by_host && facts.public_client {
        findings.push("the client is public and can register no nodes: switch \"Client authentication\" on".to_owned());
    }
    if let (Some(timeout), Some(period)) = (facts.node_re_registration_timeout, ours.period)
        && timeout <= period
    {
        findings.push(format!(
            "nodes are forgotten after {} s, but registered again only every {} s: raise the node re-registration timeout",
            timeout.as_secs(),
            period.as_secs()
        ));
    }
    findings
}

/// Whether browsers may come back.
fn addresses(facts: &ClientFacts, ours: &Ours) -> Vec<String> {
    let root = facts.root_url.as_deref();
    let missing = |allowed: &[String], uri: &str| !allowed.iter().any(|pattern| matches(pattern, root, uri));
    let mut findings: Vec<String> = ours
        .redirect_uris
        .iter()
        .filter(|uri| missing(&facts.redirect_uris, uri))
        .map(|uri| format!("the redirect URI {uri} is not registered: add it to \"Valid redirect URIs\""))
        .collect();
    let after = &facts.post_logout_redirect_uris;
    let before: &[String] = if after.iter().any(|pattern| pattern == "+") { &facts.redirect_uris } else { &[] };
    let unknown = ours.post_logout_redirect_uris.iter().filter(|uri| missing(after, uri) && missing(before, uri));
    findings.extend(unknown.map(|uri| {
        format!("the post-logout redirect URI {uri} is not registered: add it to \"Valid post logout redirect URIs\"")
    }));
    findings
}

/// As Keycloak compares (`RedirectUtils`): exact, or with `*` as the last character; what begins with `/` stands on the root URL.
fn matches(pattern: &str, root: Option<&str>, uri: &str) -> bool {
    let absolute = match (pattern.starts_with('/'), root) {
        (true, Some(root)) => format!("{}{pattern}", root.trim_end_matches('/')),
        _ => pattern.to_owned(),
    };
    match absolute.strip_suffix('*') {
        Some(beginning) => uri.starts_with(beginning) || beginning.strip_suffix('/') == Some(uri),
        None => absolute == uri,
    }
}

/// The nodes that the realm did not reach.
fn unheard(test: &NodesTest) -> Vec<String> {
    let lost = test.failed_requests.iter();
    lost.map(|url| {
        format!("the realm cannot reach {url}: correct the admin URL, let the realm through to it, or remove a node that is gone")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn good() -> ClientFacts {
        ClientFacts {
            admin_url: Some("http://doorward:9080/".to_owned()),
            redirect_uris: vec!["https://app.example/oauth2/callback".to_owned()],
            post_logout_redirect_uris: vec!["https://app.example/oauth2/signed_out".to_owned()],
            access_token_lifespan: Some(Duration::from_secs(300)),
            ..ClientFacts::default()
        }
    }

    fn found(change: impl FnOnce(&mut ClientFacts)) -> Vec<String> {
        let mut facts = good();
        change(&mut facts);
        let ours = Ours {
            redirect_uris: vec!["https://app.example/oauth2/callback".to_owned()],
            post_logout_redirect_uris: vec!["https://app.example/oauth2/signed_out".to_owned()],
            period: Some(Duration::from_secs(60)),
            proof_life: Duration::from_secs(10 * 60),
        };
        findings(&facts, &ours)
    }

    /// One finding, which holds these words.
    fn names(words: &str, change: impl FnOnce(&mut ClientFacts)) {
        let found = found(change);
        assert!(matches!(found.as_slice(), [one] if one.contains(words)), "{words}: {found:?}");
    }

    #[test]
    fn a_client_that_is_set_up_well_gives_no_finding() {
        assert_eq!(found(|_| {}), Vec::<String>::new());
        assert_eq!(
            found(|facts| facts.node_re_registration_timeout = Some(Duration::from_secs(61))),
            Vec::<String>::new()
        );
    }

    #[test]
    fn each_switch_that_silences_a_logout_is_named() {
        let url = || Some("http://doorward:9080/oauth2/backchannel-logout".to_owned());
        names("Front channel logout", |facts| facts.frontchannel_logout = true);
        names("silences", |facts| facts.backchannel_logout_url = url());
        names("neither", |facts| facts.admin_url = None);
        names("logout all", |facts| {
            facts.admin_url = None;
            facts.backchannel_logout_url = url();
        });
        names("no node is registered", |facts| facts.admin_url = Some(format!("http://{PLACEHOLDER}:9080/")));
        names("is public", |facts| {
            facts.admin_url = Some(format!("http://{PLACEHOLDER}:9080/"));
            facts.registered_nodes = vec!["node-a".to_owned()];
            facts.public_client = true;
        });
        names("longer than `proof-life`", |facts| facts.access_token_lifespan = Some(Duration::from_secs(601)));
        names("are forgotten", |facts| facts.node_re_registration_timeout = Some(Duration::from_secs(60)));
        names("the redirect URI", |facts| facts.redirect_uris = Vec::new());
        names("the post-logout redirect URI", |facts| facts.post_logout_redirect_uris = vec!["+".to_owned()]);
    }

    #[test]
    fn a_node_that_the_realm_cannot_reach_is_named() {
        let test = NodesTest { failed_requests: vec!["http://dead:9080".to_owned()], ..NodesTest::default() };
        assert!(matches!(unheard(&test).as_slice(), [one] if one.contains("http://dead:9080")));
    }

    #[test]
    fn a_redirect_uri_fits_as_keycloak_says() {
        let root = Some("https://app.example/");
        for (pattern, uri, fits) in [
            ("https://app.example/a", "https://app.example/a", true),
            ("https://app.example/a", "https://app.example/ab", false),
            ("https://app.example/*", "https://app.example/a", true),
            ("https://app.example/*", "https://app.example", true),
            ("https://app.example/*", "https://app.example.evil/a", false),
            ("https://*.example/a", "https://app.example/a", false),
            ("/a", "https://app.example/a", true),
            ("/*", "https://app.example/a", true),
            ("/*", "https://other.example/a", false),
            ("*", "https://app.example/a", true),
        ] {
            assert_eq!(matches(pattern, root, uri), fits, "{pattern} {uri}");
        }
    }

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn an_administrator_has_a_password_and_a_realm() {
        let line = |words: &[&str]| Line::try_parse_from([&["check"], words].concat()).map(|line| line.options);
        let (user, file) = ("--keycloak-admin-user=root", "--keycloak-admin-password-file=p");
        let options = line(&[user, file]).unwrap();
        assert_eq!((options.user.as_deref(), options.realm.as_str()), (Some("root"), "master"));
        assert_eq!(line(&[user, file, "--keycloak-admin-realm=one"]).unwrap().realm, "one");
        assert!(line(&[]).unwrap().credentials().unwrap().is_none());
        assert!(line(&[user]).is_err());
        assert!(line(&[file]).is_err());
    }
}
