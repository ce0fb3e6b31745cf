//! The autoencoders of all families together, so that a metric never belongs to two of them.
//!
//! They have no limits: how wrong they may be about a metric is learnt by the detector that asks them, with the metric's
//! state.

use serde::{Deserialize, Serialize};
use skywatch_algorithms::Window;
use skywatch_algorithms::learned::{FittedFamilies, FittedFamily, LearnedError, STEPS, Weights};
use skywatch_algorithms::streaming::Forecasts;

use super::Model;
use crate::models::LiveVersion;

/// What the card says beside the weights.
#[derive(Debug, Serialize, Deserialize)]
pub struct FamiliesDetails {
    /// The metrics each family knows, in the order of the rows of its weights `metrics`.
    metrics: Vec<Vec<String>>,
    /// Steps back it looks.
    window: usize,
}

impl Model for FittedFamilies {
    const KIND: &'static str = "families";

    type Details = FamiliesDetails;

    fn save(&self) -> Result<(FamiliesDetails, Weights), LearnedError> {
        let names = |family: &FittedFamily| family.names().map(str::to_owned).collect();
        let details = FamiliesDetails {
            metrics: self.families().iter().map(names).collect(),
            window: STEPS,
        };
        let mut all = Weights::default();
        for (number, family) in self.families().iter().enumerate() {
            let own = family.weights()?.0.into_iter();
            all.0
                .extend(own.map(|(name, tensor)| (format!("{number}.{name}"), tensor)));
        }
        Ok((details, all))
    }

    fn load(details: FamiliesDetails, weights: &Weights) -> Result<Self, LearnedError> {
        let families = details.metrics.iter().enumerate();
        let families = families
            .map(|(number, metrics)| FittedFamily::from_weights(metrics, &of_family(weights, number)));
        families.collect::<Result<Vec<_>, _>>().map(Self::from)
    }

    fn describe(details: &FamiliesDetails) -> String {
        let count: usize = details.metrics.iter().map(Vec::len).sum();
        format!("{count} metrics in {} families", details.metrics.len())
    }
}

/// One family's weights out of all: each name stands behind the family's number.
fn of_family(all: &Weights, number: usize) -> Weights {
    let prefix = format!("{number}.");
    let own = all.0.iter().filter_map(|(name, tensor)| {
        let name = name.strip_prefix(&prefix)?;
        Some((name.to_owned(), tensor.clone()))
    });
    Weights(own.collect())
}

/// A vote on the metrics that the families know.
impl Forecasts for LiveVersion<FittedFamilies> {
    fn forecast(&self, metric: &str, window: Window<'_>, is_rate: bool) -> Option<f64> {
        self.model.forecast(metric, window, is_rate)
    }
}
