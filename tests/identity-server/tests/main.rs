//! The server, the browser and the application, tried from outside. One binary, one module a subject.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by panicking")]

mod application;
mod back_channel;
mod misbehaviour;
mod outages;
mod pages;
mod party;
mod protocol;
