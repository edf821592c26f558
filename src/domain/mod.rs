//! The vocabulary: identifiers, secrets, time, sessions and the people they stand for.
//! Pure and synchronous. It knows neither a framework nor the network.

mod clock;
mod ids;
mod principal;
mod random;
mod secret;
mod session;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use ids::{AdapterSessionId, ClientId, Issuer, NodeHost, NodeIncarnation, Sid, Subject};
pub use principal::Principal;
pub use random::{Random, SystemRandom, opaque_token};
pub use secret::{Secret, SecretBytes, SecretString};
pub use session::{Lifetimes, Session, SessionStatus, TokenSet};
