//! Doorward: an OpenID Connect relying-party adapter that stands before one node of an application.
//!
//! **A request** comes in at [`front`], which makes a framework-neutral [`message::Request`] of it: its [`target`] has one reading, or it is
//! refused. [`site`] asks [`caller`] who is at the other end, and hands the request to our own endpoints ([`login`]) or to the application
//! ([`proxy`]). There each stage consumes what the one before left: a rule is found, what was presented (a session, a bearer
//! token) is verified and judged, a permit is given, the headers are stripped and set, and the request passes on. Whatever says no says a
//! kind of no, and [`respond`] alone says what that is in HTTP.
//!
//! **A sign-in** begins where a page needs one, or at `start`: [`login`] seals what must be remembered into a cookie of its own and sends
//! the browser to the provider. It comes back at the callback with a state that must be this browser's; only then is the code redeemed by
//! [`oidc`], every token verified, and a [`domain::Session`] put into its store ([`session`]).
//!
//! **A refresh** ([`renewal`]) is one for all requests that wait for it; only the provider's own word ends a session by it. **A proof** flies
//! the same way: where what this node has heard does not cover a session ([`revocation::horizon`]), the provider must say that it lives
//! before it is served.
//!
//! **A sign-out** ends the session in [`revocation`] first, so that a copy of its cookie is refused from then on; then the refresh token is
//! revoked server to server; then the browser is sent to end its session at the provider.
//!
//! **The back channel** is what the provider says by itself: [`admin`] hears a word, [`oidc`] verifies it, and [`endings`] writes down what
//! is over, closes what is open for it ([`status::Streams`]), and throws away what is kept, in this order; only then comes the answer. A
//! front-channel logout, which anybody may send, only makes a session be proved.
//!
//! **Another configuration**, read while the process serves ([`app::Source`]), becomes a [`site`] of its own beside the old one, and then stands in
//! its place ([`current`]). What was ended, spent, used or learned belongs to neither, and outlives both.
//!
//! **In the background** ([`background`]) the provider's metadata and keys are read until they are there, and read again before they grow
//! old; the node is registered; and what is open is looked at, whether anybody still vouches for it. [`admin`] tells on a listener of its
//! own whether this node is ready, and what it counts. What happened to whom goes to [`audit`].
//!
//! The modules, in the order in which data meets them:

pub mod commands;
pub mod config;
pub mod app;
pub mod front;
pub mod site;
pub mod caller;
pub mod target;
pub mod message;
pub mod proxy;
pub mod login;
pub mod session;
pub mod renewal;
pub mod endings;
pub mod revocation;
pub mod oidc;
pub mod admin;
pub mod background;
pub mod respond;
pub mod forms;
pub mod status;
pub mod http_client;
pub mod tls;
pub mod lifecycle;
pub mod current;
pub mod telemetry;
pub mod audit;
pub mod expiring;
pub mod rate;
pub mod remembered;
pub mod domain;
