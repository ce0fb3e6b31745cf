//! The kinds of models there are, a file each.
//!
//! A kind says how its models become numbers and come back, and what its cards say beside them; that a version is checked,
//! published, taken back and brought into use is the same for all ([`ModelRegistry`](super::ModelRegistry),
//! [`LiveModel`](super::LiveModel)). Who uses a model knows its type and asks for that; [`KINDS`] is for those who only have a
//! card.

mod entity;
mod entity_network;
mod families;
mod sequence;
mod traces;

use serde::Serialize;
use serde::de::DeserializeOwned;
use skywatch_algorithms::learned::masked_span::FittedTraces;
use skywatch_algorithms::learned::{FittedFamilies, FittedSequence, LearnedError, Weights};

pub use entity::EntityModel;
pub use entity_network::{EntityNetworkModel, EntityNetworkSubject};

use super::{Card, ModelError};

/// A fitted model that can be kept. Any number of threads may ask it at once.
pub trait Model: Sized + Send + Sync + 'static {
    /// What cards call the kind.
    const KIND: &'static str;

    /// What the card says beside the weights: fields of JSON, whose names are none of [`Card`]'s own.
    type Details: Serialize + DeserializeOwned;

    /// The model as it is kept.
    ///
    /// # Errors
    /// [`LearnedError::Compute`], which would be a defect.
    fn save(&self) -> Result<(Self::Details, Weights), LearnedError>;

    /// The model that was kept. Nothing of what comes in is believed: shapes and numbers are checked.
    ///
    /// # Errors
    /// [`LearnedError::Weights`] for weights that are missing or do not fit.
    fn load(details: Self::Details, weights: &Weights) -> Result<Self, LearnedError>;

    /// What it knows, in a few words for a list of models.
    fn describe(details: &Self::Details) -> String;

    /// What of its answers is an anomaly, in a few words.
    fn threshold(_: &Self::Details) -> String {
        "none of its own: what error is usual is learnt with each metric's state".to_owned()
    }
}

/// One kind, for whoever has a card and no type.
#[derive(Debug)]
pub struct ModelKind {
    /// What cards call it.
    pub name: &'static str,
    check: fn(&Card, &Weights) -> Result<(), ModelError>,
    describe: fn(&Card) -> Result<String, ModelError>,
    threshold: fn(&Card) -> Result<String, ModelError>,
}

/// All kinds.
pub static KINDS: [ModelKind; 5] = [
    ModelKind::of::<FittedFamilies>(),
    ModelKind::of::<FittedSequence>(),
    ModelKind::of::<FittedTraces>(),
    ModelKind::of::<EntityModel>(),
    ModelKind::of::<EntityNetworkModel>(),
];

impl ModelKind {
    const fn of<M: Model>() -> Self {
        Self {
            name: M::KIND,
            check: |card, weights| load::<M>(card, weights).map(drop),
            describe: |card| Ok(M::describe(&details::<M>(card)?)),
            threshold: |card| Ok(M::threshold(&details::<M>(card)?)),
        }
    }

    /// The kind of a card.
    ///
    /// # Errors
    /// [`ModelError::Refused`] for one that this Skywatch does not know.
    pub fn of_card(card: &Card) -> Result<&'static Self, ModelError> {
        let known = KINDS.iter().find(|kind| kind.name == card.kind);
        known.ok_or_else(|| {
            card.refused(format!(
                "this Skywatch knows no models of the kind `{}`",
                card.kind
            ))
        })
    }

    /// Whether the model of a card could be used.
    ///
    /// # Errors
    /// [`ModelError::Refused`] if not.
    pub(super) fn check(&self, card: &Card, weights: &Weights) -> Result<(), ModelError> {
        (self.check)(card, weights)
    }

    /// What the model of a card knows, in a few words.
    ///
    /// # Errors
    /// [`ModelError::Refused`] for a card that does not say what its kind says.
    pub fn describe(&self, card: &Card) -> Result<String, ModelError> {
        (self.describe)(card)
    }

    /// What of the answers of a card's model is an anomaly, in a few words.
    ///
    /// # Errors
    /// [`ModelError::Refused`] for a card that does not say what its kind says.
    pub fn threshold(&self, card: &Card) -> Result<String, ModelError> {
        (self.threshold)(card)
    }
}

fn details<M: Model>(card: &Card) -> Result<M::Details, ModelError> {
    if card.kind != M::KIND {
        return Err(card.refused(format!("it is of the kind `{}`, not `{}`", card.kind, M::KIND)));
    }
    serde_json::from_value(card.details.clone().into()).map_err(|error| card.refused(error))
}

/// The model of a card and its weights.
pub(super) fn load<M: Model>(card: &Card, weights: &Weights) -> Result<M, ModelError> {
    M::load(details::<M>(card)?, weights).map_err(|error| card.refused(error))
}
