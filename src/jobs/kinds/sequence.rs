//! Fits one network to metrics that belong together, each a column.
//!
//! Rows are the times at which all of them have a point; the newest share of them is held back, and what was fitted takes the
//! place of what serves only if it is no worse there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skywatch_algorithms::learned::{
    FittedSequence, LearnedError, Rule, SequenceAutoencoder, SequenceOptions, Table, WINDOW,
};
use skywatch_algorithms::{Series, counter};
use skywatch_settings::LimitRule;

use crate::jobs::error::TrainingError;
use crate::jobs::kind::JobKind;
use crate::jobs::trainer::GoOn;
use crate::jobs::training::{Fit, Training, log_epoch};
use crate::models::Holdout;

/// The share of errors from which on the tail is fitted with the rule `peaks`: the last twentieth, as a fit has some hundred
/// errors and a tail needs ten of them.
const TAIL_LEVEL: f64 = 0.95;

/// Fits one network to metrics that belong together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SequenceJob {
    /// The model's name.
    pub model: String,
    /// The metrics, each a column.
    pub metrics: Vec<String>,
}

impl JobKind for SequenceJob {
    const NAME: &'static str = "sequence";

    fn describe(&self) -> String {
        format!("sequence {}", self.model)
    }

    fn run(&self, training: &Training<'_>, go_on: &GoOn<'_>) -> Result<String, TrainingError> {
        let model = self.model.as_str();
        let table = table(training, &self.metrics)?;
        let rows = table.times.len();
        let back = ((rows as f64 * training.options.holdout) as usize).max(WINDOW);
        if rows < back + WINDOW {
            return Err(TrainingError::Nothing(format!(
                "`{model}` has {rows} times at which all of its metrics have a point, at least {} are needed",
                2 * WINDOW
            )));
        }
        let width = table.columns.len();
        let part = |from: usize, to: usize| Table {
            columns: table.columns.clone(),
            times: table.times[from..to].to_vec(),
            values: table.values[from * width..to * width].to_vec(),
        };
        let (learnt, held) = (part(0, rows - back), part(rows - back, rows));
        let network = SequenceAutoencoder::new(table.columns.clone(), sequence_options(training.options));
        let fit = network.fit(&[learnt], &mut |epoch| log_epoch(model, epoch, go_on));
        let (network, fit) = match fit {
            Err(LearnedError::Stopped { .. }) => return Err(TrainingError::Stopped),
            fit => fit?,
        };
        let held = [held];
        let error = network.mean_error(&held)?;
        let serving: Option<FittedSequence> = training.serving(model)?;
        let serving = serving.filter(|serving| serving.columns() == network.columns());
        let previous = serving.map(|serving| serving.mean_error(&held)).transpose()?;
        let fit = Fit {
            model: network,
            reports: vec![fit],
            holdout: Holdout {
                error,
                previous,
                from: held[0].times[0],
            },
            trained: (table.times[0], table.times[rows - back - 1]),
        };
        training.publish(model, fit, go_on)
    }
}

/// How a sequence autoencoder learns.
pub(super) fn sequence_options(settings: &skywatch_settings::Training) -> SequenceOptions {
    SequenceOptions {
        epochs: settings.epochs,
        batch: settings.batch,
        rule: rule(settings),
        seed: settings.seed as u64,
        ..SequenceOptions::default()
    }
}

/// How limits follow from errors.
pub(super) fn rule(settings: &skywatch_settings::Training) -> Rule {
    match settings.rule {
        LimitRule::KSigma => Rule::KSigma {
            k: settings.k_sigma,
            robust: settings.robust,
        },
        LimitRule::Peaks => Rule::PeaksOverThreshold {
            risk: settings.risk,
            level: TAIL_LEVEL,
        },
    }
}

/// The times at which all metrics have a point, and these points.
fn table(training: &Training<'_>, metrics: &[String]) -> Result<Table, TrainingError> {
    let names: Vec<&str> = metrics.iter().map(String::as_str).collect();
    let mut found: Vec<Option<BTreeMap<u64, f64>>> = vec![None; names.len()];
    let mut rates = Series::default();
    training.histories.read(&names, &mut |index, window| {
        let by_rate = training.counters_as_rates && counter::never_decreasing(window);
        let window = if by_rate {
            counter::rates(window, &mut rates);
            rates.window()
        } else {
            window
        };
        let points = window.times().iter().zip(window.values());
        let usable = points.filter(|(time, value)| **time >= 0.0 && value.is_finite());
        found[index] = Some(usable.map(|(time, value)| (time.to_bits(), *value)).collect());
    })?;
    let missing = |at: usize| TrainingError::Nothing(format!("there is no metric `{}`", names[at]));
    let columns = found.into_iter().enumerate();
    let columns = columns.map(|(at, column)| column.ok_or_else(|| missing(at)));
    let columns: Vec<_> = columns.collect::<Result<_, _>>()?;
    let mut table = Table {
        columns: metrics.to_vec(),
        ..Table::default()
    };
    // Bits of numbers that are not below zero are in the order of the numbers.
    for time in columns.first().into_iter().flat_map(|first| first.keys()) {
        let row: Option<Vec<f64>> = columns.iter().map(|column| column.get(time).copied()).collect();
        if let Some(row) = row {
            table.times.push(f64::from_bits(*time));
            table.values.extend(row);
        }
    }
    Ok(table)
}
