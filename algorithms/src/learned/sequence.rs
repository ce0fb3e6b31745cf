//! The sequence autoencoder of rb-aioutliers: a memory reads 32 rows into 24 numbers, another writes them out again.
//!
//! Layers, sizes and heads are the original's (batch norm; dense 24 twice; memory to its last state; 24 numbers; memory;
//! dense; heads for minute, weekday and granularity, and one for the metrics that sees those three), with its losses:
//! mean absolute error, 10⁻³ of the squares of what the memories say (a sequence) and of the heads' biases. Different on
//! purpose: weekdays are always Monday to Sunday, whatever days a request holds; the last rows are judged too; windows
//! never reach from one query's answer into the next; a row found is listed once and only for metrics, not for the
//! calendar. One window of n rows costs about 0.8 MFLOP; 1,000 rows a few milliseconds.

use super::adam::AdamW;
use super::fit::{self, FitReport, Learner, Progress, Schedule};
use super::network::{Network, batch};
use super::table::{CALENDAR, Prepared, Table, WINDOW};
use super::{LearnedError, Limits, Rule, Weights, descale};
use crate::random::Random;

/// Fewest windows of which some are held back for validation: a tenth of fewer is none.
const FEWEST_TO_SPLIT: usize = 10;

/// How it is fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct SequenceOptions {
    /// Rounds over all windows, at most.
    pub epochs: usize,
    /// Windows a step.
    pub batch: usize,
    /// Step size of AdamW. The original's first fit; its fine-tuning takes 1e-5.
    pub rate: f64,
    /// Weight decay of AdamW.
    pub decay: f64,
    /// Share of each table's last windows that is held back for validation, 0 to 0.5.
    pub validation: f64,
    /// Epochs without a better validation loss before it stops.
    pub patience: usize,
    /// How limits follow from errors.
    pub rule: Rule,
    /// What all randomness follows from.
    pub seed: u64,
}

impl Default for SequenceOptions {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch: 32,
            rate: 0.006_57,
            decay: 0.004,
            validation: 0.1,
            patience: 5,
            rule: Rule::default(),
            seed: 42,
        }
    }
}

/// A network that knows nothing yet.
#[derive(Debug, Clone)]
pub struct SequenceAutoencoder {
    columns: Vec<String>,
    options: SequenceOptions,
}

/// A network that can judge.
#[derive(Debug)]
pub struct FittedSequence {
    network: Network,
    limits: Limits,
}

/// What the network makes of a table. Rows are those of the table that are whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconstruction {
    /// The table's row each belongs to.
    pub rows: Vec<usize>,
    /// Row after row, a number a column of the model: what it would have been, in the table's own units.
    pub expected: Vec<f64>,
    /// Row after row, error over the limit of its column: 1 at the limit.
    pub scores: Vec<f64>,
    /// Row after row, the errors in the network's scale.
    pub errors: Vec<f64>,
}

impl SequenceAutoencoder {
    /// A network for tables of these columns.
    #[must_use]
    pub fn new(columns: Vec<String>, options: SequenceOptions) -> Self {
        Self { columns, options }
    }

    /// Learns from tables, one a question; the same ones and the same seed give the same weights to the bit.
    ///
    /// # Errors
    /// [`LearnedError::TooFew`] if no table has 32 whole rows; a table that does not fit; `progress` said stop; a loss
    /// that is no number.
    pub fn fit(
        self,
        tables: &[Table],
        progress: &mut Progress<'_>,
    ) -> Result<(FittedSequence, FitReport), LearnedError> {
        fit::alone(|| {
            let network = Network::start(self.columns.clone(), self.options.seed)?;
            self.fit_network(network, tables, progress)
        })
    }

    /// The same, going on where another fit has ended: the first epoch begins with its weights.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`LearnedError::Weights`] if `before` has other columns.
    pub fn fit_on(
        self,
        before: &FittedSequence,
        tables: &[Table],
        progress: &mut Progress<'_>,
    ) -> Result<(FittedSequence, FitReport), LearnedError> {
        fit::alone(|| {
            let network = Network::load(self.columns.clone(), &before.network.save()?)?;
            self.fit_network(network, tables, progress)
        })
    }

    fn fit_network(
        self,
        network: Network,
        tables: &[Table],
        progress: &mut Progress<'_>,
    ) -> Result<(FittedSequence, FitReport), LearnedError> {
        let options = self.options;
        let prepared = prepare(tables, &self.columns)?;
        let width = self.columns.len() + CALENDAR;
        let (learnt, held) = split(&prepared, options.validation);
        let mut learner = SequenceLearner {
            optimiser: AdamW::new(&network.variables.all(), options.rate, options.decay),
            network,
            random: Random::new(options.seed ^ 0x5eed),
            learnt,
            held,
            width,
            batch: options.batch.max(1),
            remembered: Weights::default(),
        };
        let schedule = Schedule {
            epochs: options.epochs.max(1),
            patience: options.patience.max(1),
        };
        let report = fit::run(&mut learner, schedule, progress)?;
        let network = learner.network;
        let limits = limits(&network, &prepared, options.rule)?;
        Ok((FittedSequence { network, limits }, report))
    }
}

fn prepare(tables: &[Table], columns: &[String]) -> Result<Vec<Prepared>, LearnedError> {
    let prepared: Vec<Prepared> = tables
        .iter()
        .map(|table| table.prepare(columns))
        .collect::<Result<_, _>>()?;
    if prepared.iter().all(|table| table.starts().is_empty()) {
        return Err(LearnedError::TooFew {
            what: "rows in every table",
            given: prepared.iter().map(|table| table.rows.len()).max().unwrap_or(0),
            needed: WINDOW,
        });
    }
    Ok(prepared)
}

/// The windows to learn from, and the last of each table that are held back. Windows overlap, so one between the two is
/// left out: what is held back must not have been seen.
fn split(prepared: &[Prepared], share: f64) -> (Vec<&[f32]>, Vec<&[f32]>) {
    let (mut learnt, mut held) = (Vec::new(), Vec::new());
    for table in prepared {
        let starts = table.starts();
        let back = (starts.len() as f64 * share.clamp(0.0, 0.5)).round() as usize;
        let back = if starts.len() < FEWEST_TO_SPLIT { 0 } else { back };
        let first_back = starts.len() - back;
        let border = starts.get(first_back).copied().unwrap_or(usize::MAX);
        let kept = starts[..first_back].iter();
        learnt.extend(
            kept.filter(|&&start| start + WINDOW <= border)
                .map(|&start| table.window(start)),
        );
        held.extend(starts[first_back..].iter().map(|&start| table.window(start)));
    }
    (learnt, held)
}

struct SequenceLearner<'t> {
    network: Network,
    optimiser: AdamW,
    random: Random,
    learnt: Vec<&'t [f32]>,
    held: Vec<&'t [f32]>,
    width: usize,
    batch: usize,
    remembered: Weights,
}

impl Learner for SequenceLearner<'_> {
    fn epoch(&mut self) -> Result<f64, LearnedError> {
        let mut order = self.learnt.clone();
        self.random.shuffle(&mut order);
        let mut sum = 0.0;
        for windows in order.chunks(self.batch) {
            let x = batch(windows, self.width)?;
            let loss = self.network.loss(&x, &mut self.random)?;
            sum += f64::from(loss.to_scalar::<f32>()?) * windows.len() as f64;
            let gradients = loss.backward()?;
            self.optimiser.step(&self.network.variables.all(), &gradients)?;
        }
        Ok(sum / order.len() as f64)
    }

    fn validate(&mut self) -> Result<Option<f64>, LearnedError> {
        if self.held.is_empty() {
            return Ok(None);
        }
        let said = self.network.reconstruct(&self.held, self.width)?;
        let numbers = self.held.iter().flat_map(|window| window.iter());
        let sum: f64 = numbers.zip(&said).map(|(x, y)| f64::from((x - y).abs())).sum();
        Ok(Some(sum / said.len() as f64))
    }

    fn remember(&mut self) -> Result<(), LearnedError> {
        self.remembered = self.network.save()?;
        Ok(())
    }

    fn restore(&mut self) -> Result<(), LearnedError> {
        self.network = Network::load(self.network.columns.clone(), &self.remembered)?;
        Ok(())
    }
}

/// Reconstruction and error of each row: the mean over the windows it is in. Row after row, `width` numbers each.
fn average(network: &Network, table: &Prepared) -> Result<(Vec<f32>, Vec<f32>), LearnedError> {
    let starts = table.starts();
    let windows: Vec<&[f32]> = starts.iter().map(|&start| table.window(start)).collect();
    let width = table.width;
    let said = network.reconstruct(&windows, width)?;
    let mut sums = vec![0.0f32; table.features.len()];
    let mut errors = vec![0.0f32; table.features.len()];
    let mut counts = vec![0.0f32; table.rows.len()];
    for (&start, said) in starts.iter().zip(said.chunks(WINDOW * width)) {
        counts[start..start + WINDOW]
            .iter_mut()
            .for_each(|count| *count += 1.0);
        let here = start * width..(start + WINDOW) * width;
        let cells = sums[here.clone()].iter_mut().zip(&mut errors[here.clone()]);
        for (((sum, error), said), was) in cells.zip(said).zip(&table.features[here]) {
            *sum += said;
            *error += (said - was).abs();
        }
    }
    for (row, count) in counts.into_iter().enumerate() {
        let here = row * width..(row + 1) * width;
        sums[here.clone()].iter_mut().for_each(|sum| *sum /= count);
        errors[here].iter_mut().for_each(|error| *error /= count);
    }
    Ok((sums, errors))
}

fn limits(network: &Network, prepared: &[Prepared], rule: Rule) -> Result<Limits, LearnedError> {
    let metrics = network.columns.len();
    let mut all = Vec::new();
    let mut columns = vec![Vec::new(); metrics];
    for table in prepared.iter().filter(|table| !table.starts().is_empty()) {
        let (_, errors) = average(network, table)?;
        all.extend(errors.iter().map(|&error| f64::from(error)));
        for row in errors.chunks(table.width) {
            let cells = columns.iter_mut().zip(row);
            cells.for_each(|(column, &error)| column.push(f64::from(error)));
        }
    }
    let columns = columns.iter_mut().map(|errors| rule.limit(errors));
    Ok(Limits {
        rule,
        columns: columns.collect::<Result<_, _>>()?,
        all: rule.limit(&mut all)?,
    })
}

impl FittedSequence {
    /// A network out of what was kept of one.
    ///
    /// # Errors
    /// [`LearnedError::Weights`] for any that is missing, of another shape or not finite; limits that are not as many
    /// as columns count as such.
    pub fn from_weights(
        columns: Vec<String>,
        weights: &Weights,
        limits: Limits,
    ) -> Result<Self, LearnedError> {
        let right = |limit: &f64| limit.is_finite() && *limit > 0.0;
        if limits.columns.len() != columns.len() || !limits.columns.iter().all(right) || !right(&limits.all) {
            return Err(LearnedError::Weights {
                name: "limits".to_owned(),
                why: "are not one positive number a column".to_owned(),
            });
        }
        let network = Network::load(columns, weights)?;
        Ok(Self { network, limits })
    }

    /// All that must be kept beside [`limits`](Self::limits) and [`columns`](Self::columns).
    ///
    /// # Errors
    /// [`LearnedError::Compute`].
    pub fn weights(&self) -> Result<Weights, LearnedError> {
        self.network.save()
    }

    /// The limits found on what was learnt from.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The columns it knows.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.network.columns
    }

    /// Reconstructs a table of at least 32 whole rows. Blocks for milliseconds a thousand rows.
    ///
    /// # Errors
    /// [`LearnedError::TooFew`] for fewer rows; a table that does not fit.
    pub fn reconstruct(&self, table: &Table) -> Result<Reconstruction, LearnedError> {
        let prepared = prepare(std::slice::from_ref(table), &self.network.columns)?;
        let metrics = self.network.columns.len();
        let mut whole = Reconstruction {
            rows: Vec::new(),
            expected: Vec::new(),
            scores: Vec::new(),
            errors: Vec::new(),
        };
        for table in prepared {
            let (said, errors) = average(&self.network, &table)?;
            for (said, errors) in said.chunks(table.width).zip(errors.chunks(table.width)) {
                whole
                    .expected
                    .extend(said[..metrics].iter().map(|&y| descale(f64::from(y))));
                let errors = errors[..metrics].iter().map(|&error| f64::from(error));
                whole.errors.extend(errors.clone());
                whole.scores.extend(
                    errors
                        .zip(&self.limits.columns)
                        .map(|(error, limit)| error / limit),
                );
            }
            whole.rows = table.rows;
        }
        Ok(whole)
    }

    /// Mean error over all metrics and rows of tables: what a new fit is held against on rows neither has seen.
    ///
    /// # Errors
    /// As [`reconstruct`](Self::reconstruct).
    pub fn mean_error(&self, tables: &[Table]) -> Result<f64, LearnedError> {
        let (mut sum, mut count) = (0.0, 0);
        for table in tables {
            let errors = self.reconstruct(table)?.errors;
            sum += errors.iter().sum::<f64>();
            count += errors.len();
        }
        Ok(sum / count.max(1) as f64)
    }
}

#[cfg(test)]
#[path = "sequence_tests.rs"]
mod tests;
