//! What others may read and touch while we serve: whether this node is ready and registered, what it counts, and the streams that
//! are open.

mod active;
mod metrics;
mod readiness;
mod registration;
mod streams;

pub use active::{ActiveSession, ActiveSessions};
pub use metrics::Metrics;
pub use readiness::{Readiness, Report};
pub use registration::{RegistrationSnapshot, RegistrationState, RegistrationStatus};
pub use streams::{Ending, Opened, Owner, Registration, Streams, TokenOwner};
