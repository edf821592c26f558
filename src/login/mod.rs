//! The browser's detour.

use std::time::Duration;

/// How sign-in behaves at the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Path below which our own endpoints live; starts with `/`, does not end with it, canonical.
    pub path_prefix: String,
    /// How the provider hands the code back.
    pub response_mode: ResponseMode,
    /// How long one attempt may take.
    pub attempt_ttl: Duration,
    /// Attempts kept per browser; the oldest goes.
    pub max_attempts: usize,
}

/// How the provider hands the code back (OAuth 2.0 Multiple Response Types, section 2.1; OAuth 2.0 Form Post Response Mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    /// A cross-site POST: the attempt cookie alone is then `SameSite=None; Secure`. https only.
    FormPost,
    /// A redirect with a query.
    Query,
}
