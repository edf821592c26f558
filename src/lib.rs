//! Doorward: an OpenID Connect relying-party adapter that stands before one node of an application.

pub mod config;
pub mod caller;
pub mod target;
pub mod message;
pub mod proxy;
pub mod login;
pub mod session;
pub mod revocation;
pub mod oidc;
pub mod admin;
pub mod respond;
pub mod status;
pub mod http_client;
pub mod telemetry;
pub mod domain;
