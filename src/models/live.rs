//! The model that serves, exchanged while it does.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{Card, Model, ModelError, ModelRegistry, Pointer};

/// A model in use. Whoever asks gets the whole of one version; [`refresh`](Self::refresh) is called now and then, by one
/// thread, and blocks on the place of models.
pub struct LiveModel<M> {
    registry: ModelRegistry,
    name: String,
    /// Held for the moment of a clone or an exchange, never while a model is read.
    current: RwLock<Option<Arc<LiveVersion<M>>>>,
    /// The pointer that was refused last, so that it is said once and not each time. Held as briefly.
    refused: Mutex<Option<Pointer>>,
}

/// One version in use.
#[derive(Debug)]
pub struct LiveVersion<M> {
    /// What it is.
    pub card: Card,
    /// The model; any number of threads may ask it at once.
    pub model: M,
}

/// What a look for another version found.
#[derive(Debug)]
pub enum Refresh {
    /// What serves is the latest, or there is none.
    Unchanged,
    /// This version serves from now on.
    Changed(String),
    /// The latest cannot be used; what served before goes on. Said once a pointer.
    Refused(ModelError),
}

impl<M: Model> LiveModel<M> {
    /// A model by name; nothing serves before the first refresh.
    #[must_use]
    pub fn new(registry: ModelRegistry, name: String) -> Self {
        Self {
            registry,
            name,
            current: RwLock::new(None),
            refused: Mutex::new(None),
        }
    }

    /// What serves, if anything does.
    #[must_use]
    pub fn current(&self) -> Option<Arc<LiveVersion<M>>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Looks whether another version should serve and lets it, if it is whole.
    ///
    /// # Errors
    /// [`ModelError::Place`] if the place of models cannot be read; what serves goes on.
    pub fn refresh(&self) -> Result<Refresh, ModelError> {
        let pointer = match self.registry.pointer(&self.name) {
            Ok(Some(pointer)) => pointer,
            Ok(None) => return Ok(Refresh::Unchanged),
            Err(error @ ModelError::Place { .. }) => return Err(error),
            Err(error) => {
                let nowhere = Pointer {
                    version: String::new(),
                    card_sha256: error.to_string(),
                };
                return Ok(self.refuse(nowhere, error));
            }
        };
        if self
            .current()
            .is_some_and(|current| current.card.version == pointer.version)
        {
            return Ok(Refresh::Unchanged);
        }
        match self.registry.load(&self.name, &pointer) {
            Ok((card, model)) => {
                let version = card.version.clone();
                let new = Arc::new(LiveVersion { card, model });
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(new);
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Ok(Refresh::Changed(version))
            }
            Err(error @ ModelError::Place { .. }) => Err(error),
            Err(error) => Ok(self.refuse(pointer, error)),
        }
    }

    fn refuse(&self, pointer: Pointer, error: ModelError) -> Refresh {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref() == Some(&pointer) {
            return Refresh::Unchanged;
        }
        *refused = Some(pointer);
        Refresh::Refused(error)
    }
}
