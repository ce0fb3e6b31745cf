//! The detectors of traces: what counting knows, in the card, and the network's weights beside it.

use serde::{Deserialize, Serialize};
use skywatch_alerters::units;
use skywatch_algorithms::learned::masked_span::{EncoderShape, FittedTraces};
use skywatch_algorithms::learned::{LearnedError, Weights};
use skywatch_algorithms::traces::TraceDetector;

use super::Model;

/// What the card says beside the weights.
#[derive(Debug, Serialize, Deserialize)]
pub struct TracesDetails {
    /// Templates, counts, tails and calibration.
    detector: TraceDetector,
    /// The network's sizes; none where there were too few traces for one.
    network: Option<NetworkDetails>,
    /// When its traces were chosen from those that came, Unix seconds; none for files.
    #[serde(default)]
    chosen: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct NetworkDetails {
    shape: EncoderShape,
    /// Templates it knows, the first so many.
    templates: usize,
}

impl Model for FittedTraces {
    const KIND: &'static str = "traces";

    type Details = TracesDetails;

    fn save(&self) -> Result<(TracesDetails, Weights), LearnedError> {
        let (network, weights) = match self.network()? {
            Some((shape, templates, weights)) => (Some(NetworkDetails { shape, templates }), weights),
            None => (None, Weights::default()),
        };
        let detector = self.detector().clone();
        let chosen = self.chosen();
        let details = TracesDetails {
            detector,
            network,
            chosen,
        };
        Ok((details, weights))
    }

    fn load(details: TracesDetails, weights: &Weights) -> Result<Self, LearnedError> {
        let network = details.network.map(|network| (network.shape, network.templates));
        Ok(Self::from_parts(details.detector, network, weights)?.with_chosen(details.chosen))
    }

    fn describe(details: &TracesDetails) -> String {
        let baseline = details.detector.baseline();
        let network = if details.network.is_some() {
            ""
        } else {
            ", no network"
        };
        format!(
            "{} templates of {} traces{network}",
            baseline.templates().len(),
            baseline.traces()
        )
    }

    fn threshold(details: &TracesDetails) -> String {
        format!("a score above {}", units::number(details.detector.threshold()))
    }
}
