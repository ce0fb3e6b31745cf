//! Between a model in memory and the bytes of its files.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};
use skywatch_algorithms::learned::{Tensor32, Weights};

use super::card::{Card, FORMAT, Pointer, Provenance};
use super::{Model, ModelError};

/// A version as files: weights, card, and the pointer that makes it serve.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parts {
    /// safetensors.
    pub(super) weights: Vec<u8>,
    /// JSON.
    pub(super) card: Vec<u8>,
    /// JSON.
    pub(super) pointer: Vec<u8>,
}

/// SHA-256 in hexadecimal.
pub(super) fn checksum(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

impl Parts {
    /// Writes a model down; the card is made of what is said of it and of what its kind says.
    ///
    /// # Errors
    /// [`ModelError::Refused`] if the model cannot be written, which would be a defect.
    pub(super) fn new<M: Model>(
        model: &str,
        version: &str,
        provenance: Provenance,
        fitted: &M,
    ) -> Result<(Self, Card), ModelError> {
        let refused = |error: &dyn ToString| ModelError::refused(model, error.to_string());
        let (details, weights) = fitted.save().map_err(|error| refused(&error))?;
        let weights = write(&weights).map_err(|error| refused(&error))?;
        let details = serde_json::to_value(details).map_err(|error| refused(&error))?;
        let card = Card {
            format: FORMAT,
            model: model.to_owned(),
            version: version.to_owned(),
            kind: M::KIND.to_owned(),
            provenance,
            bytes: weights.len() as u64,
            sha256: checksum(&weights),
            details: details.as_object().cloned().unwrap_or_default(),
        };
        let text = serde_json::to_vec_pretty(&card).map_err(|error| refused(&error))?;
        let pointer = Pointer {
            version: version.to_owned(),
            card_sha256: checksum(&text),
        };
        let parts = Self {
            weights,
            card: text,
            pointer: serde_json::to_vec_pretty(&pointer).map_err(|error| refused(&error))?,
        };
        Ok((parts, card))
    }
}

/// Reads a card and holds it against its checksum.
pub(super) fn read_card(name: &str, bytes: &[u8], sum: Option<&str>) -> Result<Card, ModelError> {
    if sum.is_some_and(|sum| sum != checksum(bytes)) {
        return Err(ModelError::refused(
            name,
            "its card is not the one that was published",
        ));
    }
    let card: Card = serde_json::from_slice(bytes).map_err(|error| ModelError::refused(name, error))?;
    if card.format != FORMAT {
        let why = format!(
            "its card has form {}, this Skywatch reads form {FORMAT}",
            card.format
        );
        return Err(ModelError::refused(name, why));
    }
    Ok(card)
}

/// Reads weights, which must be the ones the card speaks of.
pub(super) fn read_weights(card: &Card, bytes: &[u8]) -> Result<Weights, ModelError> {
    if card.bytes != bytes.len() as u64 {
        let why = format!(
            "its weights have {} bytes and should have {}",
            bytes.len(),
            card.bytes
        );
        return Err(card.refused(why));
    }
    if card.sha256 != checksum(bytes) {
        return Err(card.refused("its weights are not the ones that were published"));
    }
    read(bytes).map_err(|why| card.refused(why))
}

fn write(weights: &Weights) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let bytes: BTreeMap<&str, Vec<u8>> = weights
        .0
        .iter()
        .map(|(name, tensor)| {
            let numbers = tensor.data.iter().flat_map(|number| number.to_le_bytes());
            (name.as_str(), numbers.collect())
        })
        .collect();
    let mut views = Vec::with_capacity(bytes.len());
    for (name, bytes) in &bytes {
        let shape = weights.0[*name].shape.clone();
        views.push((*name, TensorView::new(Dtype::F32, shape, bytes)?));
    }
    safetensors::serialize(views, None)
}

fn read(bytes: &[u8]) -> Result<Weights, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut weights = Weights::default();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(format!("weights `{name}` are {:?}, not f32", view.dtype()));
        }
        let (numbers, _) = view.data().as_chunks::<4>();
        let tensor = Tensor32 {
            shape: view.shape().to_vec(),
            data: numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        };
        weights.0.insert(name.to_owned(), tensor);
    }
    Ok(weights)
}
