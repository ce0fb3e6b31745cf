//! `skywatch entities train`: entities are learnt before they are watched, and what is learnt is left in the model store.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use skywatch_algorithms::entities::EntityRows;
use skywatch_settings::Entities;

use super::counters::EntityCounters;
use super::fitting::fit_anew;
use super::kept::KeptDetectors;
use super::population::EntityPopulation;
use super::rules::EntityRules;
use super::watched::TrainingRows;
use super::work::prometheus_work;
use crate::entities::EntityWatchError;
use crate::entities::evaluation::training_files;
use crate::entities::table::EntityTable;
use crate::models::ModelRegistry;
use crate::observer::Observer;
use crate::sources::Span;
use crate::stop::Stop;

/// What became of one entity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainedEntity {
    /// Its name.
    pub entity: String,
    /// Its metrics.
    pub metrics: usize,
    /// Rows that were learnt.
    pub rows: usize,
    /// Seconds that took.
    pub seconds: f64,
    /// Why nothing was learnt of it, if so.
    pub failure: Option<String>,
}

/// Learns entities, one after the other, on the caller's thread.
pub struct EntityTrainer<'t> {
    /// How they are watched.
    pub settings: &'t Entities,
    /// Where what is learnt goes.
    pub models: ModelRegistry,
    /// Whether a trainer learns the networks of jobs, which then are none of the ensemble's.
    pub has_trainer: bool,
    /// Said: what is learnt by then is kept.
    pub stop: &'t Stop,
}

impl EntityTrainer<'_> {
    /// Learns those of the Prometheus that settings name from what it has of `span`; `each` hears of one after the other.
    ///
    /// # Errors
    /// A source that cannot be used, or does not answer.
    pub fn from_source(
        &self,
        span: Span,
        each: &mut dyn FnMut(TrainedEntity),
    ) -> Result<(), EntityWatchError> {
        let mut settings = self.settings.clone();
        settings.history = std::time::Duration::from_secs_f64(span.until - span.after);
        let rules = EntityRules::of(&settings);
        let newest = rules.step_at(span.until);
        let mut population = EntityPopulation::new(&settings);
        let mut counters = EntityCounters::default();
        for mut source in prometheus_work(&settings, &Observer::off(), self.has_trainer)?.sources {
            source.fetch(
                newest,
                &mut |part| population.take(part, &mut counters),
                self.stop,
            );
        }
        if let Some(why) = counters.blind() {
            return Err(EntityWatchError::NoAnswer(why.to_owned()));
        }
        for (metric, why) in &counters.unanswered_now {
            tracing::warn!("entities :: no answer for `{metric}`: {why}");
        }
        // Nothing is judged here, so that no row is kept back for that.
        let found = population.entities.values();
        let found = found.map(|entity| {
            (
                Arc::clone(&entity.name),
                entity.training(newest + rules.window, &rules),
            )
        });
        self.learn(found, each);
        Ok(())
    }

    /// Learns those of the folders in `folder` from their `train.csv.gz`, whose rows are taken to be a step apart.
    ///
    /// # Errors
    /// The first file that cannot be read; what was learnt before is kept.
    pub fn from_files(
        &self,
        folder: &Path,
        each: &mut dyn FnMut(TrainedEntity),
    ) -> Result<(), EntityWatchError> {
        for (entity, path) in training_files(folder)? {
            let table = EntityTable::read(&path, None)?;
            self.learn(std::iter::once((entity.into(), Some(in_order(&table)))), each);
        }
        Ok(())
    }

    fn learn(
        &self,
        found: impl Iterator<Item = (Arc<str>, Option<TrainingRows>)>,
        each: &mut dyn FnMut(TrainedEntity),
    ) {
        let store = KeptDetectors {
            registry: self.models.clone(),
            step: self.settings.step.as_secs_f64(),
        };
        for (entity, training) in found.take_while(|_| !self.stop.is_said()) {
            let begun = Instant::now();
            let (metrics, rows) = training
                .as_ref()
                .map_or((0, 0), |of| (of.metrics.len(), of.rows.len()));
            let fitted = training.ok_or("too few rows with values".to_owned());
            let kept = fitted
                .and_then(|training| fit_anew(&training))
                .and_then(|fitted| {
                    store
                        .try_keep(&entity, &fitted)
                        .map_err(|error| error.to_string())
                });
            each(TrainedEntity {
                entity: entity.to_string(),
                metrics,
                rows,
                seconds: begun.elapsed().as_secs_f64(),
                failure: kept.err(),
            });
        }
    }
}

/// Rows of a file with their metrics in the order in which an entity that is watched has them. A file has no clock: its rows
/// are the first there are.
fn in_order(table: &EntityTable) -> TrainingRows {
    let mut order: Vec<usize> = (0..table.metrics.len()).collect();
    // A metric without any value teaches nothing.
    order.retain(|column| table.rows.column(*column).any(|value| !value.is_nan()));
    order.sort_by(|a, b| table.metrics[*a].cmp(&table.metrics[*b]));
    let mut rows = EntityRows::new(order.len());
    for row in table.rows.iter() {
        let row: Vec<f64> = order.iter().map(|column| row[*column]).collect();
        // As many values as there are columns.
        let _ = rows.push(&row);
    }
    TrainingRows {
        metrics: order
            .iter()
            .map(|column| table.metrics[*column].as_str().into())
            .collect(),
        steps: (0, rows.len() as i64 - 1),
        rows,
    }
}
