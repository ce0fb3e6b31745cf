//! Detectors in the model store, a model an entity.

use std::sync::Arc;

use super::fitting::DetectorStore;
use super::watched::{FittedEntity, FittedOn};
use crate::hash::hash;
use crate::models::kinds::EntityModel;
use crate::models::{Holdout, ModelError, ModelRegistry, Provenance, cpu_features, new_version};

/// Versions of an entity that are kept: the one that serves, and one to go back to.
const VERSIONS: usize = 2;
/// Letters of an entity's name that its model is called by, before a number that tells it from others.
const LETTERS: usize = 40;

/// The models of entities whose rows are so many seconds apart.
pub(super) struct KeptDetectors {
    pub(super) registry: ModelRegistry,
    pub(super) step: f64,
}

/// What the model of an entity is called: models have names of letters, digits, `-` and `_`.
fn model_name(entity: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '-'
        }
    };
    let plain: String = entity.chars().take(LETTERS).map(plain).collect();
    format!("entity-{plain}-{:016x}", hash(entity))
}

impl KeptDetectors {
    fn try_load(&self, entity: &str) -> Result<Option<FittedEntity>, ModelError> {
        let name = model_name(entity);
        let Some(pointer) = self.registry.pointer(&name)? else {
            return Ok(None);
        };
        let (card, model) = self.registry.load::<EntityModel>(&name, &pointer)?;
        let is_of_it = model.entity == entity && model.step == self.step;
        let at_step = |time: f64| (time / self.step).round() as i64;
        let (first, last) = card.provenance.trained;
        Ok(is_of_it.then(|| FittedEntity {
            on: FittedOn {
                metrics: model
                    .metrics
                    .iter()
                    .map(|metric| Arc::from(metric.as_str()))
                    .collect(),
                rows: model.rows,
                steps: (at_step(first), at_step(last)),
                at: card.provenance.made_at,
            },
            detector: model.detector,
            is_restored: true,
        }))
    }

    pub(super) fn try_keep(&self, entity: &str, fitted: &FittedEntity) -> Result<(), ModelError> {
        let name = model_name(entity);
        let on = &fitted.on;
        let model = EntityModel {
            entity: entity.to_owned(),
            metrics: on.metrics.iter().map(ToString::to_string).collect(),
            step: self.step,
            rows: on.rows,
            detector: fitted.detector.clone(),
        };
        let trained = (on.steps.0 as f64 * self.step, on.steps.1 as f64 * self.step);
        let provenance = Provenance {
            trained,
            made_at: on.at,
            fits: Vec::new(),
            // Nothing is held back: the limit is where a law puts a share of the rows that were learnt.
            holdout: Holdout {
                error: 0.0,
                previous: None,
                from: trained.1,
            },
            seed: 0,
            cpu: cpu_features(),
            made_by: concat!("skywatch ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        self.registry
            .publish(&name, &new_version(on.at), provenance, &model)?;
        self.registry.keep_newest(&name, VERSIONS)
    }
}

impl DetectorStore for KeptDetectors {
    fn load(&self, entity: &str) -> Option<FittedEntity> {
        self.try_load(entity).unwrap_or_else(|error| {
            tracing::warn!("entity `{entity}` is learnt anew :: {error}");
            None
        })
    }

    fn keep(&self, entity: &str, fitted: &FittedEntity) {
        if let Err(error) = self.try_keep(entity, fitted) {
            tracing::error!("what is learnt of entity `{entity}` is not kept :: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::watch::fitting::EntityFitter;
    use crate::entities::watch::watched::TrainingRows;
    use crate::models::Folder;
    use skywatch_algorithms::entities::EntityRows;

    fn training() -> TrainingRows {
        let mut rows = EntityRows::new(2);
        for at in 0..300 {
            let day = (f64::from(at) / 40.0).sin();
            let _ = rows.push(&[day, 5.0 - 2.0 * day + f64::from(at % 7) / 50.0]);
        }
        TrainingRows {
            metrics: vec!["a".into(), "b".into()],
            rows,
            steps: (1_000, 1_299),
        }
    }

    #[test]
    fn what_was_learnt_serves_after_a_restart_if_it_is_of_the_same_metrics() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = || {
            let registry = ModelRegistry::new(Folder::new(folder.path().to_owned()));
            Some(Box::new(KeptDetectors { registry, step: 60.0 }) as Box<dyn DetectorStore>)
        };
        let fitted = |training: TrainingRows| {
            let mut fitter = EntityFitter::start(store()).expect("a thread");
            fitter.order("10.0.0.1:9100".into(), Some(training), true);
            fitter
                .done()
                .recv()
                .expect("an outcome")
                .outcome
                .expect("a detector")
        };
        assert!(!fitted(training()).is_restored);
        let restored = fitted(training());
        assert!(restored.is_restored);
        assert_eq!((restored.on.rows, restored.on.steps), (300, (1_000, 1_299)));
        let mut other = training();
        other.metrics[1] = "c".into();
        assert!(!fitted(other.clone()).is_restored);
        assert!(fitted(other).is_restored);
        fitted(training());
        // Three were made, and two are there.
        let registry = ModelRegistry::new(Folder::new(folder.path().to_owned()));
        assert_eq!(
            registry
                .versions(&model_name("10.0.0.1:9100"))
                .expect("a list")
                .len(),
            2
        );
    }
}
