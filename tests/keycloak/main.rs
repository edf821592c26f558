//! The stories that only a real Keycloak can tell. One server for the run, one realm for each story, the real binary
//! between a scripted browser and an application that echoes. `./test keycloak` installs what they need and runs them.

#![expect(clippy::expect_used, reason = "a story that cannot go on has failed, and says where")]

mod actions;
mod adapter;
mod admin;
mod application;
mod browser;
mod html;
mod http;
mod node;
mod party;
mod process;
mod relay;
mod scene;
mod server;
mod streams;
mod tap;
mod tls;
mod wait;

mod adapter_keys;
mod backchannel;
mod bearer;
mod client_authentication;
mod control;
mod haproxy;
mod image;
mod migration;
mod outage;
mod refresh;
mod roles;
mod sign_in;
mod sign_out;
mod signatures;
