//! Loops that outlive requests. Each is an `async fn run(self, Shutdown)` that ends soon after shutdown has begun.

pub mod app_hook;
pub mod backoff;
pub mod certificate;
pub mod discovery;
pub mod registration;
pub mod stream_watch;
