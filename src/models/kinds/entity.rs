//! The detector of one entity: what it has learnt in the card, the rows it compares with beside it.

use serde::{Deserialize, Serialize};
use skywatch_alerters::units;
use skywatch_algorithms::entities::EntityDetector;
use skywatch_algorithms::learned::{LearnedError, Tensor32, Weights};

use super::Model;

/// A detector, and what it is of.
#[derive(Debug, Clone)]
pub struct EntityModel {
    /// The entity's name.
    pub entity: String,
    /// Its metrics, in order.
    pub metrics: Vec<String>,
    /// Seconds from row to row.
    pub step: f64,
    /// Rows it was fitted on.
    pub rows: usize,
    /// The detector.
    pub detector: EntityDetector,
}

/// What the card says beside the rows.
#[derive(Debug, Serialize, Deserialize)]
pub struct EntityModelDetails {
    entity: String,
    metrics: Vec<String>,
    step: f64,
    rows: usize,
    /// Without the rows it compares with.
    detector: EntityDetector,
}

/// Names of the weights that hold the rows of each length of recent past.
fn name(length: usize) -> String {
    format!("references.{length}")
}

impl Model for EntityModel {
    const KIND: &'static str = "entity";

    type Details = EntityModelDetails;

    fn save(&self) -> Result<(EntityModelDetails, Weights), LearnedError> {
        let columns = self.metrics.len().max(1);
        let mut weights = Weights::default();
        for (length, references) in self.detector.references().into_iter().enumerate() {
            let tensor = Tensor32 {
                shape: vec![references.len() / columns, columns],
                data: references.to_vec(),
            };
            weights.0.insert(name(length), tensor);
        }
        let details = EntityModelDetails {
            entity: self.entity.clone(),
            metrics: self.metrics.clone(),
            step: self.step,
            rows: self.rows,
            detector: self.detector.clone(),
        };
        Ok((details, weights))
    }

    fn load(details: EntityModelDetails, weights: &Weights) -> Result<Self, LearnedError> {
        let references = (0..weights.0.len()).map_while(|length| weights.0.get(&name(length)));
        let references: Vec<Vec<f32>> = references.map(|tensor| tensor.data.clone()).collect();
        let detector = details.detector.completed(details.metrics.len(), references);
        Ok(Self {
            entity: details.entity,
            metrics: details.metrics,
            step: details.step,
            rows: details.rows,
            detector: detector.map_err(|error| LearnedError::Weights {
                name: name(0),
                why: error.to_string(),
            })?,
        })
    }

    fn describe(details: &EntityModelDetails) -> String {
        format!(
            "`{}`, {} metrics, {} rows {} s apart",
            details.entity,
            details.metrics.len(),
            details.rows,
            details.step
        )
    }

    fn threshold(details: &EntityModelDetails) -> String {
        let limit = units::number(details.detector.limit());
        format!("a score more than {limit} above its settled level")
    }
}
