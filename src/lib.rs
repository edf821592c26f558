//! Doorward: an OpenID Connect relying-party adapter that stands before one node of an application.

pub mod admin;
pub mod config;
pub mod domain;
pub mod http_client;
pub mod login;
pub mod oidc;
pub mod proxy;
pub mod session;
pub mod telemetry;
