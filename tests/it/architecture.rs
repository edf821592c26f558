//! The shape of the tree, held against tables: who may import whom, which crate is named where, and the rules that no
//! compiler knows. A line that the tables lack fails, and so does a line in them that the tree no longer has. What stands
//! under `#[cfg(test)]` may name anything.

pub(crate) mod files;
mod source;
mod tokens;

use std::{collections::BTreeSet, path::PathBuf};

use files::{File, product, rust_files, text_of};
use source::{Source, allows_lints};

/// Which modules of the crate each module names, both in the order of `lib.rs`.
const IMPORTS: &[(&str, &[&str])] = &[
    ("main", &["commands"]),
    (
        "commands",
        &["config", "app", "login", "revocation", "oidc", "http_client", "tls", "lifecycle", "telemetry", "domain"],
    ),
    // Fills each component's `Config` and knows nothing else of it.
    (
        "config",
        &[
            "caller",
            "proxy",
            "login",
            "session",
            "renewal",
            "revocation",
            "oidc",
            "admin",
            "background",
            "http_client",
            "tls",
            "telemetry",
            "domain",
        ],
    ),
    (
        "app",
        &[
            "config",
            "front",
            "site",
            "caller",
            "message",
            "proxy",
            "login",
            "session",
            "renewal",
            "endings",
            "revocation",
            "oidc",
            "admin",
            "background",
            "status",
            "tls",
            "lifecycle",
            "current",
            "domain",
        ],
    ),
    ("front", &["site", "target", "message", "proxy", "session", "respond", "status", "current", "domain"]),
    ("site", &["caller", "message", "proxy", "login", "session", "admin", "respond"]),
    ("caller", &["message", "respond"]),
    ("target", &[]),
    ("message", &["target", "domain"]),
    // `proxy`, `login`, `admin` and `background` never name each other.
    (
        "proxy",
        &[
            "caller",
            "target",
            "message",
            "session",
            "renewal",
            "endings",
            "revocation",
            "oidc",
            "respond",
            "status",
            "tls",
            "audit",
            "remembered",
            "domain",
        ],
    ),
    (
        "login",
        &["caller", "target", "message", "session", "endings", "oidc", "respond", "forms", "status", "audit", "domain"],
    ),
    // What is revoked is asked by whoever has a session in hand, not by what keeps or proves it.
    ("session", &["status", "remembered", "domain"]),
    // One refresh: between what keeps sessions, what ends them, and who renews them.
    ("renewal", &["session", "endings", "revocation", "oidc", "status", "lifecycle", "audit", "expiring", "domain"]),
    // How sessions end, whoever ends them.
    ("endings", &["session", "revocation", "oidc", "status", "audit", "domain"]),
    ("revocation", &["expiring", "rate", "domain"]),
    ("oidc", &["http_client", "domain"]),
    (
        "admin",
        &[
            "caller",
            "message",
            "session",
            "endings",
            "revocation",
            "oidc",
            "forms",
            "status",
            "tls",
            "lifecycle",
            "current",
            "audit",
            "rate",
            "domain",
        ],
    ),
    (
        "background",
        &["renewal", "endings", "revocation", "oidc", "status", "tls", "lifecycle", "current", "audit", "domain"],
    ),
    ("respond", &["message"]),
    ("forms", &["message", "respond"]),
    ("status", &["expiring", "domain"]),
    ("http_client", &["tls", "domain"]),
    ("tls", &["domain"]),
    ("lifecycle", &[]),
    ("current", &[]),
    ("telemetry", &["audit"]),
    ("audit", &["domain"]),
    ("expiring", &["domain"]),
    ("rate", &["domain"]),
    ("remembered", &["domain"]),
    ("domain", &[]),
];

/// Where each dependency is named: modules, or single files of them. Empty: anywhere.
const CRATES: &[(&str, &[&str])] = &[
    ("actix_codec", &["front::tunnel"]),
    ("actix_http", &["app::listener", "front"]),
    ("actix_rt", &["app::listener", "commands", "front::patience", "front::socket", "lifecycle"]),
    ("actix_server", &["app"]),
    ("actix_service", &["app::listener"]),
    ("actix_web", &["admin", "app::listener", "front"]),
    ("aes_gcm", &["session::sealed"]),
    ("arc_swap", &["current", "oidc", "revocation", "tls::listener"]),
    ("base64", &["config", "domain::random", "message", "oidc", "proxy::authenticate", "session"]),
    ("bytes", &["admin", "forms", "front::tunnel", "message", "proxy"]),
    ("clap", &["commands", "main"]),
    ("clap_complete", &["commands"]),
    ("clap_mangen", &["commands::man"]),
    ("config", &["config::source"]),
    ("cookie", &["session::own_cookies"]),
    ("dashmap", &["expiring", "status::streams", "session::memory_store::table"]),
    ("futures_util", &[]),
    ("getrandom", &["domain::random"]),
    ("http", &[]),
    ("http_body", &["proxy::body", "proxy::forward"]),
    ("hyper", &["proxy::forward", "proxy::pool"]),
    ("hyper_util", &["proxy::forward", "proxy::pool"]),
    ("ipnet", &["caller", "config::address"]),
    ("memchr", &["session::request_cookies"]),
    ("openidconnect", &["oidc"]),
    ("p12_keystore", &["tls::keystore"]),
    ("postcard", &["session"]),
    ("prometheus", &["app", "status::metrics"]),
    ("regex", &["login::redirect_rewrite"]),
    ("reqwest", &["http_client"]),
    (
        "ring",
        &[
            "config::provenance",
            "message::handshake",
            "oidc",
            "session::app_cookies",
            "session::keys",
            "session::memory_store::table",
            "tls",
        ],
    ),
    ("rustix", &["revocation::journal::prospect"]),
    ("rustls_native_certs", &["tls::connector"]),
    ("rustls", &["config::tls", "tls"]),
    (
        "serde",
        &[
            "audit",
            "background::app_hook",
            "config::source",
            "domain::ids",
            "login::attempt",
            "login::kept_form",
            "oidc",
            "revocation::journal",
            "session",
            "status",
        ],
    ),
    (
        "serde_json",
        &[
            "admin",
            "audit",
            "background::app_hook",
            "commands::sessions",
            "config",
            "login",
            "oidc",
            "respond",
            "revocation::journal",
            "telemetry::audit_lines",
        ],
    ),
    ("subtle", &["domain::secret", "oidc::verify", "session::app_cookies"]),
    ("thiserror", &[]),
    ("tokio", &[]),
    ("tokio_rustls", &["app", "front::socket", "tls"]),
    ("tokio_util", &["lifecycle", "proxy::held", "status::streams"]),
    ("tracing", &[]),
    ("tracing_subscriber", &["config::sidecar", "telemetry"]),
    ("url", &["caller", "commands::sessions", "config", "forms", "http_client", "login", "oidc", "target"]),
    ("webpki_roots", &["tls::connector"]),
    (
        "zeroize",
        &[
            "config",
            "domain::secret",
            "login::attempt",
            "login::kept_form",
            "remembered",
            "renewal::known",
            "session",
            "tls",
        ],
    ),
    ("zstd", &["session::codec"]),
];

/// The same for parts of the standard library.
const STANDARD: &[(&str, &[&str])] = &[("std::env", &["config::environment"])];

/// Where our answers get their status.
const STATUS_CHOSEN: &[&str] = &["admin", "login", "proxy::cors", "proxy::expose", "proxy::gateway", "respond"];

/// Where somebody else's status is read: the provider's, the application's, or one that was chosen before.
const STATUS_READ: &[&str] = &["front", "oidc", "proxy::forward"];

/// Where the program may end in a panic by its own words, each with an `#[expect]` that says why.
const PANICS: &[&str] = &["domain::random", "session::keys"];

const LONGEST_FILE: usize = 500;

#[test]
fn modules_import_each_other_as_the_table_says() {
    let listed = IMPORTS.iter().flat_map(|(module, uses)| uses.iter().map(move |used| arrow(module, used)));
    let sources = product();
    let found = sources.iter().flat_map(|source| source.imports().map(|used| arrow(source.top(), used)));
    assert_same(listed, found);
}

#[test]
fn every_module_has_its_line_in_the_table() {
    let lib = Source::new("lib.rs".as_ref(), &text_of("src/lib.rs"));
    let declared = lib.modules().map(str::to_owned);
    assert_same(IMPORTS.iter().skip(1).map(|(module, _)| (*module).to_owned()), declared);
}

#[test]
fn every_crate_is_named_where_the_table_says() {
    let sources = product();
    for (path, places) in CRATES.iter().chain(STANDARD) {
        let naming: Vec<&Source> = sources.iter().filter(|source| source.names(path)).collect();
        assert!(!naming.is_empty(), "nobody names {path}");
        if !places.is_empty() {
            assert_only_in(path, places, &naming);
        }
    }
}

#[test]
fn every_dependency_has_its_line_in_the_table() {
    let manifest = text_of("Cargo.toml");
    let section = manifest.split("\n[").find_map(|section| section.strip_prefix("dependencies]"));
    let lines = section.unwrap_or_default().lines().filter_map(|line| line.split_once(" = "));
    let names = lines.map(|(name, _)| name.replace('-', "_"));
    assert_same(CRATES.iter().map(|(name, _)| (*name).to_owned()), names);
}

#[test]
fn a_status_is_named_only_where_one_is_chosen_or_read() {
    let sources = product();
    let naming: Vec<&Source> = sources.iter().filter(|source| source.names_a_status()).collect();
    assert_only_in("a status", &[STATUS_CHOSEN, STATUS_READ].concat(), &naming);
}

#[test]
fn nothing_panics_by_its_own_words_outside_tests() {
    let sources = product();
    let naming: Vec<&Source> = sources.iter().filter(|source| source.panics()).collect();
    assert_only_in("a panic", PANICS, &naming);
}

#[test]
fn every_file_says_what_it_is_for() {
    assert_none("does not open with `//!`", |file| !file.text.starts_with("//! "));
}

#[test]
fn no_file_is_longer_than_one_can_read_at_once() {
    assert_none("is too long", |file| file.text.lines().count() > LONGEST_FILE);
}

#[test]
fn no_lint_is_silenced_without_an_end() {
    assert_none("says `allow` where `expect` would tell when it is over", |file| allows_lints(&file.text));
}

fn arrow(from: &str, to: &str) -> String {
    format!("{from} -> {to}")
}

fn assert_same(listed: impl Iterator<Item = String>, found: impl Iterator<Item = String>) {
    let (listed, found): (BTreeSet<String>, BTreeSet<String>) = (listed.collect(), found.collect());
    let unlisted: Vec<_> = found.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&found).collect();
    assert!(unlisted.is_empty() && stale.is_empty(), "not in the table: {unlisted:#?}, only in the table: {stale:#?}");
}

/// Asserts that `what` is found in `places` only, and in each of them.
fn assert_only_in(what: &str, places: &[&str], found: &[&Source]) {
    let strays: Vec<String> = found
        .iter()
        .filter(|source| !places.iter().any(|place| source.is_in(place)))
        .map(|source| source.module.join("::"))
        .collect();
    let stale: Vec<&&str> = places.iter().filter(|place| !found.iter().any(|source| source.is_in(place))).collect();
    assert!(strays.is_empty() && stale.is_empty(), "{what} in {strays:?}, in the table but no longer in {stale:?}");
}

fn assert_none(fault: &str, has_fault: impl Fn(&File) -> bool) {
    let files = ["src", "tests", "examples", "fuzz"].into_iter().flat_map(rust_files);
    let faulty: Vec<PathBuf> = files.filter(has_fault).map(|file| file.path).collect();
    assert!(faulty.is_empty(), "{fault}: {faulty:#?}");
}
