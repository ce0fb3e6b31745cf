//! Fits a network to the rows of a machine, which were left beside the model.
//!
//! Nothing is held back to judge it by: the newest rows are those that a refit is made for. What was fitted always serves, and begins with the
//! weights of what served, if that is of the same metrics.

use serde::{Deserialize, Serialize};
use skywatch_algorithms::entities::EntityRows;
use skywatch_algorithms::learned::{EntityNetworkKind, LearnedError, UnfittedEntityNetwork};

use crate::jobs::error::TrainingError;
use crate::jobs::kind::JobKind;
use crate::jobs::trainer::GoOn;
use crate::jobs::training::{Fit, Training, log_epoch};
use crate::models::Holdout;
use crate::models::kinds::{EntityNetworkModel, EntityNetworkSubject};

/// Versions of a network that are kept beside the one that serves: those of many metrics are large.
const VERSIONS: usize = 1;

/// Fits a network of one machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntityNetworkJob {
    /// The model's name.
    pub model: String,
    /// Which network.
    pub network: EntityNetworkKind,
    /// Metrics whose errors decide; all if there are none.
    pub indicators: Vec<String>,
}

/// The rows a network is to be fitted to.
#[derive(Debug)]
pub struct EntityExamples {
    /// Whose they are.
    pub of: EntityNetworkSubject,
    /// Oldest first, a value a metric, NaN where there is none.
    pub rows: EntityRows,
}

impl EntityExamples {
    /// As bytes: the length of a JSON text in four, the text, and the numbers row by row in eight each, all little-endian.
    ///
    /// # Errors
    /// A text that cannot be written, which would be a defect.
    pub fn pack(&self) -> Result<Vec<u8>, serde_json::Error> {
        let text = serde_json::to_vec(&self.of)?;
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let numbers = self.rows.iter().flatten().flat_map(|value| value.to_le_bytes());
        let mut packed = length.to_le_bytes().to_vec();
        packed.extend(text);
        packed.extend(numbers);
        Ok(packed)
    }

    /// What was packed.
    ///
    /// # Errors
    /// [`TrainingError::Nothing`] for what was not.
    pub fn unpack(packed: &[u8]) -> Result<Self, TrainingError> {
        let nothing =
            || TrainingError::Nothing("what lies beside the model are no rows of an entity".to_owned());
        let (length, rest) = packed.split_first_chunk::<4>().ok_or_else(nothing)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (text, numbers) = rest.split_at_checked(length).ok_or_else(nothing)?;
        let of: EntityNetworkSubject = serde_json::from_slice(text).map_err(|_| nothing())?;
        let columns = of.metrics.len();
        let (numbers, odd) = numbers.as_chunks::<8>();
        let is_whole = columns > 0 && odd.is_empty() && numbers.len() == of.rows.saturating_mul(columns);
        if !is_whole {
            return Err(nothing());
        }
        let mut rows = EntityRows::new(columns);
        for row in numbers.chunks(columns) {
            let row: Vec<f64> = row.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
            rows.push(&row).map_err(|_| nothing())?;
        }
        Ok(Self { of, rows })
    }
}

impl JobKind for EntityNetworkJob {
    const NAME: &'static str = "entity-network";

    fn describe(&self) -> String {
        format!("entity network {}", self.model)
    }

    fn run(&self, training: &Training<'_>, go_on: &GoOn<'_>) -> Result<String, TrainingError> {
        let EntityExamples { of, rows } = EntityExamples::unpack(&training.registry.examples(&self.model)?)?;
        let kind = self.network.name();
        let what = format!("{kind} of `{}` for the job `{}`", of.entity, of.job);
        tracing::info!(
            "training :: {what} :: {} rows × {} metrics",
            rows.len(),
            of.metrics.len()
        );
        let serving: Option<EntityNetworkModel> = training.serving(&self.model)?;
        let before = serving.filter(|serving| serving.of.metrics == of.metrics);
        let place = |indicator: &String| of.metrics.iter().position(|metric| metric == indicator);
        let unfitted = UnfittedEntityNetwork {
            kind: self.network,
            indicators: self.indicators.iter().filter_map(place).collect(),
            seed: training.options.seed as u64,
        };
        let fitted = unfitted.fit(
            &rows,
            before.as_ref().map(|before| &before.network),
            &mut |epoch| log_epoch(&what, epoch, go_on),
        );
        let (network, report) = match fitted {
            Err(LearnedError::Stopped { .. }) => return Err(TrainingError::Stopped),
            fitted => fitted?,
        };
        let best = report.epochs.iter().find(|epoch| epoch.number == report.best);
        let last = of.last as f64 * of.step;
        let fit = Fit {
            holdout: Holdout {
                error: best.map_or(0.0, |best| best.validation.unwrap_or(best.loss)),
                previous: None,
                from: last,
            },
            reports: vec![report],
            trained: (last - of.rows.saturating_sub(1) as f64 * of.step, last),
            model: EntityNetworkModel { of, network },
        };
        let published = training.publish(&self.model, fit, go_on)?;
        training.registry.keep_newest(&self.model, VERSIONS)?;
        Ok(published)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were_and_what_is_none_is_refused() {
        let mut rows = EntityRows::new(2);
        for row in [[1.0, f64::NAN], [2.5, -3.0]] {
            rows.push(&row).expect("two values");
        }
        let examples = EntityExamples {
            of: EntityNetworkSubject {
                entity: "m-1".to_owned(),
                job: "app".to_owned(),
                metrics: vec!["a".to_owned(), "b".to_owned()],
                step: 5.0,
                rows: 2,
                last: 11,
            },
            rows,
        };
        let packed = examples.pack().expect("bytes");
        let unpacked = EntityExamples::unpack(&packed).expect("rows");
        assert_eq!(unpacked.of, examples.of);
        assert_eq!(unpacked.rows.row(1), [2.5, -3.0]);
        assert!(unpacked.rows.row(0)[1].is_nan());
        for length in 0..packed.len() {
            assert!(EntityExamples::unpack(&packed[..length]).is_err(), "{length}");
        }
        assert!(EntityExamples::unpack(&[packed, vec![0; 8]].concat()).is_err());
    }
}
