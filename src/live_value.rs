//! A value that is replaced while others use it.

use std::sync::{Arc, PoisonError, RwLock};

/// The value in force. Copies are of one: what one of them puts in its place, all of them have from then on. Whoever has taken it keeps
/// what he has.
#[derive(Debug)]
pub struct LiveValue<T: ?Sized>(Arc<RwLock<Arc<T>>>);

impl<T: ?Sized> LiveValue<T> {
    /// Begins with this.
    pub fn new(value: impl Into<Arc<T>>) -> Self {
        Self(Arc::new(RwLock::new(value.into())))
    }

    /// The one in force now.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in its place.
    pub fn replace(&self, value: impl Into<Arc<T>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value.into();
    }
}

impl<T: ?Sized> Clone for LiveValue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Default> Default for LiveValue<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}
