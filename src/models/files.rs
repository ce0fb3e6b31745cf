//! Between a model in memory and the bytes of its files.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};
use skywatch_algorithms::learned::{
    FittedFamilies, FittedFamily, FittedSequence, LearnedError, Tensor32, Weights,
};

use super::ModelError;
use super::card::{Card, FORMAT, Kind, Pointer};

/// A model that can judge.
#[derive(Debug)]
pub enum Model {
    /// One thing's traffic.
    Sequence(FittedSequence),
    /// Families of metrics.
    Families(FittedFamilies),
}

/// A version as files: weights, card, and the pointer that makes it serve.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// safetensors.
    pub weights: Vec<u8>,
    /// JSON.
    pub card: Vec<u8>,
    /// JSON.
    pub pointer: Vec<u8>,
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
    /// Writes a model down. What the card says of its weights' file is filled in here.
    ///
    /// # Errors
    /// [`ModelError::Refused`] if the model cannot be written, which would be a defect.
    pub fn new(card: &mut Card, model: &Model) -> Result<Self, ModelError> {
        let of = |error: &dyn ToString| ModelError::refused(&card.model, error.to_string());
        let weights = match model {
            Model::Sequence(network) => network.weights(),
            Model::Families(families) => together(families.families()),
        };
        let weights = write(&weights.map_err(|error| of(&error))?).map_err(|error| of(&error))?;
        card.format = FORMAT;
        card.bytes = weights.len() as u64;
        card.sha256 = checksum(&weights);
        let text =
            serde_json::to_vec_pretty(card).map_err(|error| ModelError::refused(&card.model, error))?;
        let pointer = Pointer {
            version: card.version.clone(),
            card_sha256: checksum(&text),
        };
        let pointer =
            serde_json::to_vec_pretty(&pointer).map_err(|error| ModelError::refused(&card.model, error))?;
        Ok(Self {
            weights,
            card: text,
            pointer,
        })
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

/// Makes a model of its card and its weights, which must be the ones the card speaks of.
pub(super) fn read_model(card: &Card, bytes: &[u8]) -> Result<Model, ModelError> {
    let name = format!("{}/{}", card.model, card.version);
    if card.bytes != bytes.len() as u64 {
        let why = format!(
            "its weights have {} bytes and should have {}",
            bytes.len(),
            card.bytes
        );
        return Err(ModelError::refused(&name, why));
    }
    if card.sha256 != checksum(bytes) {
        return Err(ModelError::refused(
            &name,
            "its weights are not the ones that were published",
        ));
    }
    let weights = read(bytes).map_err(|why| ModelError::refused(&name, why))?;
    let model = match &card.kind {
        Kind::Sequence { columns, limits, .. } => {
            FittedSequence::from_weights(columns.clone(), &weights, limits.clone()).map(Model::Sequence)
        }
        Kind::Families { metrics, .. } => {
            let one = |(number, metrics): (usize, &Vec<String>)| {
                FittedFamily::from_weights(metrics, &of_family(&weights, number))
            };
            metrics
                .iter()
                .enumerate()
                .map(one)
                .collect::<Result<Vec<_>, _>>()
                .map(|families| Model::Families(families.into()))
        }
    };
    model.map_err(|error| ModelError::refused(&name, error))
}

/// The weights of all families, each name behind the family's number.
fn together(families: &[FittedFamily]) -> Result<Weights, LearnedError> {
    let mut all = Weights::default();
    for (number, family) in families.iter().enumerate() {
        let own = family.weights()?.0.into_iter();
        all.0
            .extend(own.map(|(name, tensor)| (format!("{number}.{name}"), tensor)));
    }
    Ok(all)
}

/// One family's weights out of all.
fn of_family(all: &Weights, number: usize) -> Weights {
    let prefix = format!("{number}.");
    let own = all.0.iter().filter_map(|(name, tensor)| {
        let name = name.strip_prefix(&prefix)?;
        Some((name.to_owned(), tensor.clone()))
    });
    Weights(own.collect())
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
