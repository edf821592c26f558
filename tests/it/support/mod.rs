//! What the stories share: the adapter in this process, the scene around it, and waiting for what others do.

mod adapter;
pub(crate) mod families;
pub(crate) mod nginx;
pub(crate) mod page;
pub(crate) mod proxied;
mod program;
mod push;
mod scene;
pub(crate) mod tls;
mod wait;
pub(crate) mod websocket;

pub(crate) use adapter::Adapter;
pub(crate) use program::{Program, commands, run_doorward};
pub(crate) use push::{push, push_logout_token, pushed};
pub(crate) use scene::{CLIENT, KEY, Options, SECRET, Scene};
pub(crate) use wait::until;
