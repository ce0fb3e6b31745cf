//! Versions, the pointer, publishing and going back, over whatever keeps bytes under names.

use std::sync::Arc;

use skywatch_algorithms::learned::Weights;

use super::card::{Card, Pointer, Provenance};
use super::kinds;
use super::parts::{self, Parts, checksum};
use super::{BlobStore, Model, ModelError, ModelKind};

/// What a model is to be fitted to, under its name.
const EXAMPLES: &str = "examples";

/// All models of one place.
#[derive(Clone)]
pub struct ModelRegistry {
    blobs: Arc<dyn BlobStore>,
}

impl ModelRegistry {
    /// The models that lie in `blobs`.
    #[must_use]
    pub fn new(blobs: impl BlobStore + 'static) -> Self {
        Self {
            blobs: Arc::new(blobs),
        }
    }

    /// Where they are.
    #[must_use]
    pub fn describe(&self) -> String {
        self.blobs.describe()
    }

    /// All names, in order.
    ///
    /// # Errors
    /// [`ModelError::Place`].
    pub fn names(&self) -> Result<Vec<String>, ModelError> {
        let mut names = self.blobs.list("")?;
        names.retain(|name| is_name(name));
        Ok(names)
    }

    /// All versions of a model, oldest first.
    ///
    /// # Errors
    /// [`ModelError::Name`] and [`ModelError::Place`].
    pub fn versions(&self, model: &str) -> Result<Vec<String>, ModelError> {
        self.blobs.list(&format!("{}/versions", check(model)?))
    }

    /// Which version serves; `None` if the model was never published.
    ///
    /// # Errors
    /// [`ModelError::Refused`] for a pointer that cannot be read.
    pub fn pointer(&self, model: &str) -> Result<Option<Pointer>, ModelError> {
        let Some(bytes) = self.blobs.get(&format!("{}/latest", check(model)?))? else {
            return Ok(None);
        };
        let pointer: Pointer = serde_json::from_slice(&bytes)
            .map_err(|error| ModelError::refused(model, format!("its pointer: {error}")))?;
        check(&pointer.version)?;
        Ok(Some(pointer))
    }

    /// The card of a version, held against `sum` if that is known.
    ///
    /// # Errors
    /// [`ModelError::Missing`] and [`ModelError::Refused`].
    pub fn card(&self, model: &str, version: &str, sum: Option<&str>) -> Result<Card, ModelError> {
        let name = format!("{}/{}", check(model)?, check(version)?);
        let bytes = self.part(&name, model, version, "card.json")?;
        let card = parts::read_card(&name, &bytes, sum)?;
        if card.model != model || card.version != version {
            let why = format!("its card is that of `{}/{}`", card.model, card.version);
            return Err(ModelError::refused(&name, why));
        }
        Ok(card)
    }

    /// The version a pointer leads to, checked from end to end.
    ///
    /// # Errors
    /// [`ModelError::Missing`], and [`ModelError::Refused`] also for a model of another kind.
    pub fn load<M: Model>(&self, model: &str, pointer: &Pointer) -> Result<(Card, M), ModelError> {
        let (card, weights) = self.parts(model, pointer)?;
        let loaded = kinds::load(&card, &weights)?;
        Ok((card, loaded))
    }

    fn parts(&self, model: &str, pointer: &Pointer) -> Result<(Card, Weights), ModelError> {
        let card = self.card(model, &pointer.version, Some(&pointer.card_sha256))?;
        let name = format!("{model}/{}", pointer.version);
        let bytes = self.part(&name, model, &pointer.version, "model.safetensors")?;
        let weights = parts::read_weights(&card, &bytes)?;
        Ok((card, weights))
    }

    /// Writes a version and lets it serve: weights, card, then the pointer. Broken off in between, nothing has changed
    /// for a reader.
    ///
    /// # Errors
    /// [`ModelError::Name`] and [`ModelError::Place`].
    pub fn publish<M: Model>(
        &self,
        model: &str,
        version: &str,
        provenance: Provenance,
        fitted: &M,
    ) -> Result<Card, ModelError> {
        let folder = format!("{}/versions/{}", check(model)?, check(version)?);
        let (parts, card) = Parts::new(model, version, provenance, fitted)?;
        self.blobs
            .put(&format!("{folder}/model.safetensors"), &parts.weights)?;
        self.blobs.put(&format!("{folder}/card.json"), &parts.card)?;
        self.blobs.put(&format!("{model}/latest"), &parts.pointer)?;
        Ok(card)
    }

    /// Keeps what a model is to be fitted to beside its versions, instead of what was kept there: whoever trains need not be on
    /// the machine where it was seen.
    ///
    /// # Errors
    /// [`ModelError::Name`] and [`ModelError::Place`].
    pub fn keep_examples(&self, model: &str, bytes: &[u8]) -> Result<(), ModelError> {
        self.blobs.put(&format!("{}/{EXAMPLES}", check(model)?), bytes)
    }

    /// What was kept last.
    ///
    /// # Errors
    /// [`ModelError::Missing`] if there is nothing.
    pub fn examples(&self, model: &str) -> Result<Vec<u8>, ModelError> {
        let bytes = self.blobs.get(&format!("{}/{EXAMPLES}", check(model)?))?;
        bytes.ok_or_else(|| ModelError::Missing(format!("{model}/{EXAMPLES}")))
    }

    /// Removes all versions of a model but the newest `most` and the one that serves.
    ///
    /// # Errors
    /// [`ModelError::Name`] and [`ModelError::Place`].
    pub fn keep_newest(&self, model: &str, most: usize) -> Result<(), ModelError> {
        let versions = self.versions(model)?;
        let serving = self.pointer(model)?.map(|pointer| pointer.version);
        let old = &versions[..versions.len().saturating_sub(most)];
        for version in old.iter().filter(|version| Some(*version) != serving.as_ref()) {
            // The card first: without it a version is none.
            for file in ["card.json", "model.safetensors"] {
                self.blobs.remove(&format!("{model}/versions/{version}/{file}"))?;
            }
        }
        Ok(())
    }

    /// Lets `version` serve again, or without one the version before the one that serves. It is loaded first: what
    /// could not serve is not pointed at. Returns the version.
    ///
    /// # Errors
    /// [`ModelError::Missing`] if there is no such version, [`ModelError::Refused`] if it cannot be used.
    pub fn roll_back(&self, model: &str, version: Option<&str>) -> Result<String, ModelError> {
        let serving = self
            .pointer(model)?
            .ok_or_else(|| ModelError::Missing(model.to_owned()))?;
        let version = match version {
            Some(version) => check(version)?.to_owned(),
            None => {
                let mut before = self.versions(model)?;
                before.retain(|version| *version < serving.version);
                before.pop().ok_or_else(|| {
                    ModelError::Missing(format!("{model}, before version {}", serving.version))
                })?
            }
        };
        let name = format!("{model}/{version}");
        let card = self.part(&name, model, &version, "card.json")?;
        let pointer = Pointer {
            card_sha256: checksum(&card),
            version: version.clone(),
        };
        let (card, weights) = self.parts(model, &pointer)?;
        ModelKind::of_card(&card)?.check(&card, &weights)?;
        let bytes = serde_json::to_vec_pretty(&pointer).map_err(|error| ModelError::refused(&name, error))?;
        self.blobs.put(&format!("{model}/latest"), &bytes)?;
        Ok(version)
    }

    fn part(&self, name: &str, model: &str, version: &str, file: &str) -> Result<Vec<u8>, ModelError> {
        let bytes = self.blobs.get(&format!("{model}/versions/{version}/{file}"))?;
        bytes.ok_or_else(|| ModelError::Missing(format!("{name}/{file}")))
    }
}

fn is_name(name: &str) -> bool {
    let right = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= 100 && name.chars().all(right)
}

/// The name, if it is one.
fn check(name: &str) -> Result<&str, ModelError> {
    if is_name(name) {
        Ok(name)
    } else {
        Err(ModelError::Name(name.to_owned()))
    }
}

/// A version that sorts by time and that no other process makes.
pub(crate) fn new_version(now: f64) -> String {
    let whole = jiff::Timestamp::from_second(now as i64).unwrap_or_default();
    let micros = (now.fract() * 1e6) as u32;
    format!(
        "{}-{micros:06}-{:x}",
        whole.strftime("%Y%m%dT%H%M%SZ"),
        std::process::id()
    )
}
