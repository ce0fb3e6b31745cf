//! Models as people are shown them: which there are, which version of each serves, and which one going back would take.

use serde::{Deserialize, Serialize};

use super::{Card, ModelError, ModelKind, ModelRegistry};

/// One model with its versions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelListing {
    /// Its name.
    pub name: String,
    /// All versions, oldest first.
    pub versions: Vec<String>,
    /// The version that serves, if one does.
    pub serving: Option<String>,
    /// The version that going back would let serve, if there is one before.
    pub before: Option<String>,
    /// What the card of the version that serves says.
    pub card: Option<CardSummary>,
    /// Why nothing serves though something should, or why what should cannot be read.
    pub trouble: Option<String>,
}

/// What a list says of a card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardSummary {
    /// Which kind of model.
    pub kind: String,
    /// What it knows, in a few words.
    pub about: String,
    /// What of its answers is an anomaly, in a few words.
    pub threshold: String,
    /// Unix seconds of the first and last point that was learnt from.
    pub trained: (f64, f64),
    /// When it was made, Unix seconds.
    pub made_at: f64,
    /// Mean error on what was held back, in a unit of the kind's own.
    pub error: f64,
    /// That of the version that served before, on the same.
    pub previous: Option<f64>,
    /// Length of the weights, bytes.
    pub bytes: u64,
    /// Their SHA-256, hexadecimal.
    pub sha256: String,
}

impl CardSummary {
    /// That of a card.
    ///
    /// # Errors
    /// [`ModelError::Refused`] for a card of an unknown kind, or one that does not say what its kind says.
    pub fn of(card: &Card) -> Result<Self, ModelError> {
        let kind = ModelKind::of_card(card)?;
        let provenance = &card.provenance;
        Ok(Self {
            kind: card.kind.clone(),
            about: kind.describe(card)?,
            threshold: kind.threshold(card)?,
            trained: provenance.trained,
            made_at: provenance.made_at,
            error: provenance.holdout.error,
            previous: provenance.holdout.previous,
            bytes: card.bytes,
            sha256: card.sha256.clone(),
        })
    }
}

impl ModelRegistry {
    /// One model with its versions. What is wrong with the one that serves is part of the answer.
    ///
    /// # Errors
    /// [`ModelError::Name`], and [`ModelError::Place`] if the place of models cannot be read.
    pub fn listing(&self, model: &str) -> Result<ModelListing, ModelError> {
        let versions = self.versions(model)?;
        let listing = ModelListing {
            name: model.to_owned(),
            versions,
            ..ModelListing::default()
        };
        let pointer = match self.pointer(model) {
            Ok(Some(pointer)) => pointer,
            Ok(None) => return Ok(listing),
            Err(error) => return troubled(listing, error),
        };
        let is_before = |version: &&String| **version < pointer.version;
        let serving = ModelListing {
            serving: Some(pointer.version.clone()),
            before: listing.versions.iter().rfind(is_before).cloned(),
            ..listing
        };
        let card = self
            .card(model, &pointer.version, Some(&pointer.card_sha256))
            .and_then(|card| CardSummary::of(&card));
        match card {
            Ok(card) => Ok(ModelListing {
                card: Some(card),
                ..serving
            }),
            Err(error) => troubled(serving, error),
        }
    }
}

/// The same with what is wrong; a place that cannot be read says nothing of one model.
fn troubled(listing: ModelListing, error: ModelError) -> Result<ModelListing, ModelError> {
    match error {
        error @ ModelError::Place { .. } => Err(error),
        error => Ok(ModelListing {
            trouble: Some(error.to_string()),
            ..listing
        }),
    }
}
