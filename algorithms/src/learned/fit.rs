//! What both networks do alike when they are fitted: epochs, a validation split, stopping early, reporting.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::LearnedError;

/// One round over all that is learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// From 1.
    pub number: usize,
    /// Mean loss over the batches, as they were learnt.
    pub loss: f64,
    /// Loss on what is held back for validation; none if there is too little to hold back.
    pub validation: Option<f64>,
}

/// What a fit went through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitReport {
    /// Every epoch there was.
    pub epochs: Vec<Epoch>,
    /// The epoch whose weights were kept, from 1.
    pub best: usize,
    /// Whether it ended before its last epoch because validation got no better.
    pub stopped_early: bool,
}

/// Is told each epoch, on the thread that fits, and may end the fit there.
pub type Progress<'p> = dyn FnMut(&Epoch) -> ControlFlow<()> + Send + 'p;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) epochs: usize,
    /// Epochs without a better validation loss before it stops.
    pub(super) patience: usize,
}

/// A network under way.
pub(super) trait Learner {
    /// One epoch over what is learnt from; its mean loss.
    fn epoch(&mut self) -> Result<f64, LearnedError>;
    /// Loss on what is held back.
    fn validate(&mut self) -> Result<Option<f64>, LearnedError>;
    /// Remembers the weights as they are.
    fn remember(&mut self) -> Result<(), LearnedError>;
    /// Goes back to those remembered.
    fn restore(&mut self) -> Result<(), LearnedError>;
}

/// Runs epochs until the schedule ends them; the learner then has the weights of the best one.
pub(super) fn run(
    learner: &mut dyn Learner,
    schedule: Schedule,
    progress: &mut Progress<'_>,
) -> Result<FitReport, LearnedError> {
    let mut report = FitReport {
        epochs: Vec::new(),
        best: 0,
        stopped_early: false,
    };
    let mut best = f64::INFINITY;
    for number in 1..=schedule.epochs {
        let loss = learner.epoch()?;
        let validation = learner.validate()?;
        let judged = validation.unwrap_or(loss);
        if !judged.is_finite() || !loss.is_finite() {
            return Err(LearnedError::Diverged { epoch: number });
        }
        let epoch = Epoch {
            number,
            loss,
            validation,
        };
        report.epochs.push(epoch);
        // Without validation there is nothing to choose by: the last epoch is the best.
        if judged < best || validation.is_none() {
            best = judged;
            report.best = number;
            if validation.is_some() {
                learner.remember()?;
            }
        }
        if progress(&epoch).is_break() {
            return Err(LearnedError::Stopped { epoch: number });
        }
        if number >= report.best + schedule.patience {
            report.stopped_early = number < schedule.epochs;
            break;
        }
    }
    if report.best != report.epochs.len() {
        learner.restore()?;
    }
    Ok(report)
}

/// Does `work` on one thread, whatever the number of cores: candle asks rayon for help with large products, and here
/// there is nobody to help.
pub(super) fn alone<T: Send>(
    work: impl FnOnce() -> Result<T, LearnedError> + Send,
) -> Result<T, LearnedError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    pool.map_err(|error| LearnedError::Compute(error.to_string()))?
        .install(work)
}
