//! A small OpenID provider for the tests and the demo of Doorward, and what else a story needs: a browser and an
//! application.
//!
//! * [`IdentityServer`] does the protocol for real: discovery, keys, the authorization code flow with PKCE and a login page,
//!   refresh, UserInfo, RP-initiated logout, revocation; plainly or at Keycloak's places and in its shapes. It counts and
//!   remembers what it was asked ([`IdentityServer::calls`], [`IdentityServer::received`]) and goes wrong when told
//!   ([`IdentityServer::next`], [`IdentityServer::always`], with a [`Fault`]).
//! * Its back channel is the test's to use: what clients said of their sessions ([`IdentityServer::client_session`]), a
//!   realm's admin actions and logout tokens, right or wrong ([`IdentityServer::admin_action`],
//!   [`IdentityServer::logout_token`]), and sessions that end at once or when it is told
//!   ([`IdentityServer::hold_commits`]).
//! * [`Browser`] keeps cookies, follows redirects and fills in forms.
//! * [`Application`] is what stands behind the proxy: it tells what it got and answers in every awkward way.
//! * [`http`] is the bare client that the browser is built on.
//!
//! None of it is fit for anything but tests and demonstrations on one machine: no TLS, test keys that are public, no
//! protection against those who can reach its port.

mod application;
mod back_channel;
mod bounded;
mod browser;
mod endings;
mod endpoints;
pub mod http;
mod jws;
mod keys;
mod message;
mod misbehave;
mod options;
mod paths;
mod server;
mod state;
mod transport;

pub use application::{Application, Heard};
pub use back_channel::{AdminAction, ClientSession};
pub use browser::{Browser, Cookie, Form, Jar, Page};
pub use jws::{claims, header};
pub use keys::{Algorithm, junk_keys};
pub use message::Received;
pub use misbehave::{CallbackFault, Endpoint, Fault, Faults, Patch, Rewrite, TokenFault};
pub use options::{
    AccessFormat, CLIENT_RSA_PKCS8, Client, ClientAuthentication, Now, Options, RefreshFormat, User,
    client_rsa_components,
};
pub use server::{IdentityServer, OldKeys, StartError};
