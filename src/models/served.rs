//! The model that serves, exchanged while it does.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use skywatch_algorithms::Window;
use skywatch_algorithms::streaming::Forecasts;

use super::{Card, Library, Model, ModelError, Pointer};

/// A model in use. Whoever asks gets the whole of one version; [`refresh`](Self::refresh) is called now and then, by one
/// thread, and blocks on the shelf.
pub struct Served {
    library: Library,
    name: String,
    /// Held for the moment of a clone or an exchange, never while a model is read.
    current: RwLock<Option<Arc<Serving>>>,
    /// The pointer that was refused last, so that it is said once and not each time. Held as briefly.
    refused: Mutex<Option<Pointer>>,
}

/// One version in use.
#[derive(Debug)]
pub struct Serving {
    /// What it is.
    pub card: Card,
    /// The model; any number of threads may ask it at once.
    pub model: Model,
}

/// A model of families is a vote on the metrics that it knows; any other has none.
impl Forecasts for Serving {
    fn forecast(&self, metric: &str, window: Window<'_>, is_rate: bool) -> Option<f64> {
        match &self.model {
            Model::Families(families) => families.forecast(metric, window, is_rate),
            Model::Sequence(_) => None,
        }
    }
}

/// What a look at the shelf found.
#[derive(Debug)]
pub enum Turn {
    /// What serves is the latest, or there is none.
    Unchanged,
    /// This version serves from now on.
    Changed(String),
    /// The latest cannot be used; what served before goes on. Said once a pointer.
    Refused(ModelError),
}

impl Served {
    /// A model by name; nothing serves before the first refresh.
    #[must_use]
    pub fn new(library: Library, name: String) -> Self {
        Self {
            library,
            name,
            current: RwLock::new(None),
            refused: Mutex::new(None),
        }
    }

    /// What serves, if anything does.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Serving>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Looks whether another version should serve and lets it, if it is whole.
    ///
    /// # Errors
    /// [`ModelError::Place`] if the shelf cannot be read; what serves goes on.
    pub fn refresh(&self) -> Result<Turn, ModelError> {
        let pointer = match self.library.pointer(&self.name) {
            Ok(Some(pointer)) => pointer,
            Ok(None) => return Ok(Turn::Unchanged),
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
            return Ok(Turn::Unchanged);
        }
        match self.library.load(&self.name, &pointer) {
            Ok((card, model)) => {
                let version = card.version.clone();
                let new = Arc::new(Serving { card, model });
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(new);
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Ok(Turn::Changed(version))
            }
            Err(error @ ModelError::Place { .. }) => Err(error),
            Err(error) => Ok(self.refuse(pointer, error)),
        }
    }

    fn refuse(&self, pointer: Pointer, error: ModelError) -> Turn {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref() == Some(&pointer) {
            return Turn::Unchanged;
        }
        *refused = Some(pointer);
        Turn::Refused(error)
    }
}
