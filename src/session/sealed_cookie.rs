//! Small state of one kind under one name: a login attempt in its cookie, a form that is kept over a sign-in. Never compressed, since it may hold
//! text that an attacker chose beside secrets.

use std::{fmt, marker::PhantomData};

use serde::{Serialize, de::DeserializeOwned};

use super::{KeyRing, Purpose, Sealed, Sealer, TooLargeToSeal, codec::to_wiped_bytes};
use crate::domain::{Random, Timestamp};

/// Seals values of type `T` for one purpose at one site. Whoever changes `T` changes its format: what was sealed before
/// is then absent, or misread where the bytes happen to fit, so give `T` a version field if it may outlive a release.
pub struct SealedCookie<T> {
    sealer: Sealer,
    value: PhantomData<fn(T) -> T>,
}

impl<T: Serialize + DeserializeOwned> SealedCookie<T> {
    /// Cookies of `purpose` at `site`.
    #[must_use]
    pub fn new(keys: &KeyRing, purpose: Purpose, site: &str) -> Self {
        Self { sealer: Sealer::new(keys, purpose, site), value: PhantomData }
    }

    /// Seals `value` for the cookie `name` until `expires_at`.
    ///
    /// # Errors
    /// When `value` cannot be written; for plain structs that is never.
    pub fn seal(
        &self,
        value: &T,
        name: &str,
        expires_at: Timestamp,
        random: &dyn Random,
    ) -> Result<Sealed, TooLargeToSeal> {
        let body = to_wiped_bytes(value).map_err(|_| TooLargeToSeal)?;
        self.sealer.seal(name, &body, expires_at, random)
    }

    /// The value that the cookie `name` carries; `None` when it does not open, for whatever reason.
    #[must_use]
    pub fn open(&self, name: &str, text: &[u8], now: Timestamp) -> Option<T> {
        let opened = self.sealer.open(name, text, now)?;
        match postcard::take_from_bytes(opened.body()) {
            Ok((value, [])) => Some(value),
            _ => None,
        }
    }
}

impl<T> fmt::Debug for SealedCookie<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealedCookie").field(&self.sealer).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SystemRandom;

    const NOW: Timestamp = Timestamp::from_secs(1_763_780_000);
    const END: Timestamp = Timestamp::from_secs(1_763_780_060);

    fn attempts<T: Serialize + DeserializeOwned>(keys: &KeyRing) -> SealedCookie<T> {
        SealedCookie::new(keys, Purpose::LoginAttempt, "site")
    }

    #[test]
    fn a_value_comes_back_under_its_name_until_its_end() {
        let keys = KeyRing::generate(&SystemRandom);
        let cookie = attempts::<(String, u32)>(&keys);
        let value = ("state".to_owned(), 7);
        let sealed = cookie.seal(&value, "a.login.1", END, &SystemRandom).unwrap();
        let text = sealed.as_str().as_bytes();
        assert_eq!(cookie.open("a.login.1", text, NOW), Some(value));
        assert_eq!(cookie.open("a.login.2", text, NOW), None);
        assert_eq!(cookie.open("a.login.1", text, END), None);
        assert_eq!(
            SealedCookie::<(String, u32)>::new(&keys, Purpose::KeptForm, "site").open("a.login.1", text, NOW),
            None
        );
    }

    #[test]
    fn a_value_of_another_form_is_absent() {
        let keys = KeyRing::generate(&SystemRandom);
        let sealed = attempts::<(u8, u8)>(&keys).seal(&(1, 2), "a", END, &SystemRandom).unwrap();
        assert_eq!(attempts::<u8>(&keys).open("a", sealed.as_str().as_bytes(), NOW), None);
        assert_eq!(attempts::<[u8; 3]>(&keys).open("a", sealed.as_str().as_bytes(), NOW), None);
    }

    /// The length tells the value's length and nothing of what it repeats.
    #[test]
    fn nothing_is_compressed() {
        let keys = KeyRing::generate(&SystemRandom);
        let len = |value: &str| {
            attempts::<String>(&keys).seal(&value.to_owned(), "a", END, &SystemRandom).unwrap().as_str().len()
        };
        assert_eq!(
            len(&"a".repeat(100)),
            len("https://x.example/?guess=0123456789012345678901234567890123456789abcdefghijklmnopqrstuvwxyzABCDEFGHI")
        );
    }
}
