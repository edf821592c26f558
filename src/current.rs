//! What is swapped while it is used: a snapshot that whoever works with it takes once, and keeps to the end of that work.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// A value that is replaced as a whole. Clones see the same one.
#[derive(Debug)]
pub struct Current<T>(Arc<ArcSwap<T>>);

impl<T> Current<T> {
    /// With this as the first.
    #[must_use]
    pub fn new(first: Arc<T>) -> Self {
        Self(Arc::new(ArcSwap::new(first)))
    }

    /// The one that counts now. What is begun with it is to be ended with it.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Puts another in its place, for whoever asks from now on.
    pub fn put(&self, next: Arc<T>) {
        self.0.store(next);
    }
}

impl<T> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
