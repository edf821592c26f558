//! The stories: the real adapter in this process, a small identity server, a browser and an application around it. No
//! network, no fixed port, no order.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a story that cannot go on has failed, and says where")]

mod support;

mod architecture;
mod challenge;
mod cookies_hidden;
mod forwarded;
mod framing;
mod headers;
mod large;
mod limits;
mod paths;
mod rules;
mod streaming;
mod upstream;
