//! What the adaptive profile calls anomalous, as it is in force: it changes while pages are served.

use std::sync::{Arc, PoisonError, RwLock};

use skywatch_settings::Adaptive;

/// The section as it is in force. Copies are of one.
#[derive(Debug, Clone)]
pub struct LiveAdaptive(Arc<RwLock<Arc<Adaptive>>>);

impl LiveAdaptive {
    /// Begins with this.
    #[must_use]
    pub fn new(adaptive: Adaptive) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(adaptive))))
    }

    /// Has this in force from here on.
    pub fn replace(&self, adaptive: Adaptive) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(adaptive);
    }

    /// What is in force.
    pub(super) fn get(&self) -> Arc<Adaptive> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
