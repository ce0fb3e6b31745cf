//! The models that serve, by name; a model is named for its sensor.
//!
//! Looked for now and then by one thread ([`SensorModels::refresh`]), never by a request: a request that comes when the place
//! of models is away is answered by what is known. Which version serves is a small file a model, and only where that names
//! another version than the one in use is the model itself fetched.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use skywatch_algorithms::learned::FittedSequence;

use crate::models::{LiveVersion, Model as _, ModelError, ModelRegistry, Pointer};

/// Models by name.
type ServingModels = BTreeMap<String, Arc<LiveVersion<FittedSequence>>>;

/// The models of all sensors.
pub(super) struct SensorModels {
    registry: ModelRegistry,
    /// Held for the moment of a look or an exchange.
    current: RwLock<ServingModels>,
    /// Pointers that lead to nothing that serves here, so that they are followed and named once. Held as briefly.
    passed_over: Mutex<HashMap<String, Pointer>>,
}

impl SensorModels {
    /// Those of a registry; none serves before the first look.
    pub(super) fn new(registry: ModelRegistry) -> Self {
        Self {
            registry,
            current: RwLock::default(),
            passed_over: Mutex::default(),
        }
    }

    /// The model of that name, if one serves.
    pub(super) fn find(&self, name: &str) -> Option<Arc<LiveVersion<FittedSequence>>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.get(name).cloned()
    }

    /// Looks which versions are to serve, and fetches those that do not yet. Blocks on the place of models.
    ///
    /// # Errors
    /// [`ModelError::Place`] if that cannot be read; what serves goes on.
    pub(super) fn refresh(&self) -> Result<(), ModelError> {
        let before = self
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut after = ServingModels::new();
        for name in self.registry.names()? {
            match self.version_of(&name, before.get(&name)) {
                Ok(Some(version)) => {
                    after.insert(name, version);
                }
                Ok(None) => {}
                Err(error @ ModelError::Place { .. }) => return Err(error),
                Err(error) => tracing::warn!("outliers :: {error}"),
            }
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = after;
        Ok(())
    }

    fn version_of(
        &self,
        name: &str,
        before: Option<&Arc<LiveVersion<FittedSequence>>>,
    ) -> Result<Option<Arc<LiveVersion<FittedSequence>>>, ModelError> {
        let Some(pointer) = self.registry.pointer(name)? else {
            return Ok(None);
        };
        let serving = before.cloned();
        if before.is_some_and(|before| before.card.version == pointer.version)
            || self.is_passed_over(name, &pointer)
        {
            return Ok(serving);
        }
        let loaded = self
            .registry
            .card(name, &pointer.version, Some(&pointer.card_sha256))
            .and_then(|card| match card.kind == FittedSequence::KIND {
                true => self.registry.load(name, &pointer).map(Some),
                false => Ok(None),
            });
        match loaded {
            Ok(Some((card, model))) => {
                tracing::info!("outliers :: version {} of model `{name}` serves", card.version);
                Ok(Some(Arc::new(LiveVersion { card, model })))
            }
            Ok(None) => {
                self.pass_over(name, pointer);
                Ok(None)
            }
            Err(error @ ModelError::Place { .. }) => Err(error),
            Err(error) => {
                tracing::warn!("outliers :: {error} :: what served before goes on");
                self.pass_over(name, pointer);
                Ok(serving)
            }
        }
    }

    fn is_passed_over(&self, name: &str, pointer: &Pointer) -> bool {
        let passed_over = self.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
        passed_over.get(name) == Some(pointer)
    }

    fn pass_over(&self, name: &str, pointer: Pointer) {
        let mut passed_over = self.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
        passed_over.insert(name.to_owned(), pointer);
    }
}
