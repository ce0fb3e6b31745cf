//! gala-anteater's networks, one a machine and job: scales and limits in the card, the weights beside it.

use serde::{Deserialize, Serialize};
use skywatch_alerters::units;
use skywatch_algorithms::learned::{EntityNetworkDetails, FittedEntityNetwork, LearnedError, Weights};

use super::Model;

/// A network, and what it is of.
#[derive(Debug)]
pub struct EntityNetworkModel {
    /// What it is of.
    pub of: EntityNetworkSubject,
    /// The network.
    pub network: FittedEntityNetwork,
}

/// What a network is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityNetworkSubject {
    /// The machine's name.
    pub entity: String,
    /// The job that asks for it.
    pub job: String,
    /// Its metrics, in order.
    pub metrics: Vec<String>,
    /// Seconds from row to row.
    pub step: f64,
    /// Rows it was fitted on.
    pub rows: usize,
    /// The step of the last of them.
    pub last: i64,
}

/// What the card says beside the weights.
#[derive(Debug, Serialize, Deserialize)]
pub struct EntityNetworkCard {
    of: EntityNetworkSubject,
    network: EntityNetworkDetails,
}

impl Model for EntityNetworkModel {
    const KIND: &'static str = "entity-network";

    type Details = EntityNetworkCard;

    fn save(&self) -> Result<(EntityNetworkCard, Weights), LearnedError> {
        let (network, weights) = self.network.save()?;
        let of = self.of.clone();
        Ok((EntityNetworkCard { of, network }, weights))
    }

    fn load(details: EntityNetworkCard, weights: &Weights) -> Result<Self, LearnedError> {
        let EntityNetworkCard { of, network } = details;
        let network = FittedEntityNetwork::load(network, weights)?;
        if of.metrics.len() != network.columns() {
            return Err(LearnedError::Weights {
                name: "metrics".to_owned(),
                why: format!("are {}, not {}", of.metrics.len(), network.columns()),
            });
        }
        Ok(Self { of, network })
    }

    fn describe(details: &EntityNetworkCard) -> String {
        let of = &details.of;
        format!(
            "`{}` for the job `{}`, {} metrics, {} rows {} s apart",
            of.entity,
            of.job,
            of.metrics.len(),
            of.rows,
            of.step
        )
    }

    fn threshold(details: &EntityNetworkCard) -> String {
        match details.network.least_error() {
            Some(least) => format!("an error of at least {}", units::number(least)),
            None => "a rise of the error beyond the tail of its usual rises".to_owned(),
        }
    }
}
