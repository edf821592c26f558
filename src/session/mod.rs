//! Where a login lives between requests.

mod app_cookies;
mod chunks;
mod codec;
#[cfg(test)]
mod contract;
mod cookie_store;
mod keys;
mod memory_store;
mod own_cookies;
mod request_cookies;
mod sealed;
mod sealed_cookie;
mod store;

pub use app_cookies::{Admitted, AppCookie, AppCookies, Owner};
pub use chunks::{MAX_CHUNKS, MAX_VALUE, StateTooLarge};
pub use codec::{CodecError, MAX_UNPACKED, SessionCodec};
pub use cookie_store::CookieStore;
pub use keys::{KeyRing, KeyRingError, MASTER_KEY_LEN};
pub use memory_store::{MemoryStore, SessionTable};
pub use own_cookies::{CookieConfigError, InvalidCookie, Keep, OwnCookies, SetCookies};
pub use request_cookies::{Lookup, RequestCookies};
pub use sealed::{Opened, Purpose, Sealed, Sealer, TooLargeToSeal, Unsealable};
pub use sealed_cookie::SealedCookie;
pub use store::{Recall, SessionStore, StoreError};

use crate::{
    domain::{Lifetimes, SecretBytes, Session},
    remembered::Remembered,
};

/// Sessions that a worker has opened before, by their sealed text.
pub type OpenedSessions = Remembered<Session>;

/// Everything about sessions and the cookies that carry them.
#[derive(Clone, Debug)]
pub struct Config {
    /// Limits.
    pub lifetimes: Lifetimes,
    /// The cookies.
    pub cookie: CookieConfig,
    /// Where sessions are kept.
    pub store: TokenStore,
    /// Most sessions kept in the process; of meaning for [`TokenStore::Session`] alone.
    pub capacity: usize,
}

/// `token-store` (keycloak-adapter: `TokenStore`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStore {
    /// In the browser: see [`CookieStore`].
    Cookie,
    /// In this process: see [`MemoryStore`].
    Session,
}

/// The attributes and keys of our cookies.
#[derive(Clone, Debug)]
pub struct CookieConfig {
    /// Base name, by default `KEYCLOAK_ADAPTER_STATE`. `__Host-` is put before it when `secure` and `path` is `/`.
    pub name: String,
    /// `Path`: `/`, unless `adapter-state-cookie-path` says otherwise.
    pub path: String,
    /// `Secure`. From the configuration alone, never from a request.
    pub secure: bool,
    /// `SameSite`.
    pub same_site: SameSite,
    /// Master keys of 32 bytes: the first seals, all open. Empty: `App` makes one at start and warns.
    pub keys: Vec<SecretBytes>,
}

/// `SameSite` of the session cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Sent with top-level navigations from elsewhere.
    Lax,
    /// Sent always; needs `Secure`.
    None,
}
