//! The stories: the real adapter between a browser, an application and an identity server that misbehaves on request. No
//! network, no fixed port, no order; each test's name is a sentence.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a story that cannot go on has failed, and says where")]

mod support;

mod app_cookies;
mod app_hook;
mod architecture;
mod audit;
mod backchannel;
mod bearer;
mod callback;
mod challenge;
mod client_authentication;
mod config_commands;
mod cookies_hidden;
mod cors;
mod discovery;
mod docs;
mod foreign_files;
mod forwarded;
mod framing;
mod gateway;
mod gateway_questions;
mod headers;
mod kept_form;
mod keycloak_keys;
mod large;
mod limits;
mod login;
mod manual;
mod memory_store;
mod monitoring;
mod migration;
mod nginx;
mod operation;
mod operations_page;
mod paths;
mod patience;
mod refresh;
mod registration;
mod reload;
mod rules;
mod session_api;
mod sessions;
mod sign_out;
mod streaming;
mod strip;
mod tls;
mod tls_provider;
mod tokens;
mod tunnels;
mod upstream;
mod userinfo;
