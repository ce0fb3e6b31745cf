//! What every training does alike: holds the new against what serves, publishes.

use std::ops::ControlFlow;

use skywatch_algorithms::learned::{Epoch, FitReport};
use skywatch_settings::Sensors;

use super::error::TrainingError;
use super::histories::Histories;
use super::trainer::GoOn;
use crate::clock::unix_now;
use crate::models::{Holdout, Model, ModelError, ModelRegistry, Provenance, cpu_features, new_version};
use crate::sources::druid::Druid;

/// What jobs have at hand.
pub struct Training<'t> {
    /// The histories of metrics.
    pub histories: &'t dyn Histories,
    /// Where models go.
    pub registry: &'t ModelRegistry,
    /// How networks are fitted.
    pub options: &'t skywatch_settings::Training,
    /// Where the rows of sensors come from; none without a Druid.
    pub sensors: Option<SensorSource<'t>>,
    /// Whether networks of several columns are shown the growth of counters.
    pub counters_as_rates: bool,
}

/// Where the rows of sensors come from.
#[derive(Clone, Copy)]
pub struct SensorSource<'t> {
    /// The broker.
    pub druid: &'t Druid,
    /// What is asked of it.
    pub settings: &'t Sensors,
    /// The dimension by which sensors are told apart.
    pub dimension: &'t str,
}

/// A model that was fitted, and how it did.
pub(super) struct Fit<M> {
    pub(super) model: M,
    /// Every epoch with its losses, a network each.
    pub(super) reports: Vec<FitReport>,
    pub(super) holdout: Holdout,
    /// Unix seconds of the first and last point that was learnt from.
    pub(super) trained: (f64, f64),
}

impl Training<'_> {
    /// What serves under a name; one that cannot be used is as good as none, as long as a new one can take its place.
    pub(super) fn serving<M: Model>(&self, model: &str) -> Result<Option<M>, TrainingError> {
        let Some(pointer) = self.registry.pointer(model)? else {
            return Ok(None);
        };
        match self.registry.load(model, &pointer) {
            Ok((_, serving)) => Ok(Some(serving)),
            Err(error @ ModelError::Place { .. }) => Err(error.into()),
            Err(error) => {
                tracing::warn!("training :: {error}");
                Ok(None)
            }
        }
    }

    /// The kind of what serves under a name; none where nothing does, or nothing that can be read.
    pub(super) fn kind_of(&self, model: &str) -> Result<Option<String>, TrainingError> {
        let Some(pointer) = self.registry.pointer(model)? else {
            return Ok(None);
        };
        match self.registry.card(model, &pointer.version, None) {
            Ok(card) => Ok(Some(card.kind)),
            Err(error @ ModelError::Place { .. }) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// Publishes a fit, unless what serves did better on what was held back. What came of it, for people.
    pub(super) fn publish<M: Model>(
        &self,
        name: &str,
        fit: Fit<M>,
        go_on: &GoOn<'_>,
    ) -> Result<String, TrainingError> {
        let (error, previous) = (fit.holdout.error, fit.holdout.previous);
        if let Some(serving) = previous.filter(|serving| error > *serving) {
            return Ok(format!(
                "not published: error {error:.4} on what was held back, {serving:.4} for what serves"
            ));
        }
        if !go_on() {
            return Err(TrainingError::Stopped);
        }
        let made_at = unix_now();
        let provenance = Provenance {
            trained: fit.trained,
            made_at,
            fits: fit.reports,
            holdout: fit.holdout,
            seed: self.options.seed as u64,
            cpu: cpu_features(),
            made_by: concat!("skywatch ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let version = new_version(made_at);
        self.registry.publish(name, &version, provenance, &fit.model)?;
        let before = previous.map_or_else(String::new, |previous| format!(", {previous:.4} before"));
        Ok(format!(
            "version {version} serves, error {error:.4} on what was held back{before}"
        ))
    }
}

/// An epoch in the log, which is on the terminal too where there is one; whether to go on.
pub(super) fn log_epoch(what: &str, epoch: &Epoch, go_on: &GoOn<'_>) -> ControlFlow<()> {
    let validation = epoch
        .validation
        .map_or_else(String::new, |loss| format!(", validation {loss:.5}"));
    tracing::info!(
        "training :: {what} :: epoch {} :: loss {:.5}{validation}",
        epoch.number,
        epoch.loss
    );
    if go_on() {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}
