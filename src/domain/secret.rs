//! Secrets that cannot print themselves. The only way to the value is [`Secret::expose`], so that one
//! search finds every place that reads one.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A value that is never printed, never serialised, compared in constant time and wiped when dropped.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

/// A secret text: a token, a client secret, a code verifier.
pub type SecretString = Secret<String>;

/// Secret bytes: a key.
pub type SecretBytes = Secret<Vec<u8>>;

impl<T: Zeroize> Secret<T> {
    /// Hides `value`.
    pub fn new(value: impl Into<T>) -> Self {
        Self(value.into())
    }

    /// The value itself. Whoever calls this must not log, print or store it in clear.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T: Zeroize + AsRef<[u8]>> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref().ct_eq(other.0.as_ref()).into()
    }
}

impl<T: Zeroize + AsRef<[u8]>> Eq for Secret<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = SecretString::new("hunter2");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert_eq!(secret.expose(), "hunter2");
    }
}
