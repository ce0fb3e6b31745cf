//! Fits the detectors of traces to normal ones: of files, or those that came in and were left beside the model.
//!
//! The newest share of the traces is held back; what was fitted takes the place of what serves only if those traces are no
//! stranger to it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use skywatch_algorithms::learned::LearnedError;
use skywatch_algorithms::learned::masked_span::{FittedTraces, UnfittedTraces};

use crate::jobs::error::TrainingError;
use crate::jobs::kind::JobKind;
use crate::jobs::trainer::GoOn;
use crate::jobs::training::{Fit, Training, log_epoch};
use crate::models::Holdout;
use crate::trace_files::{TraceFile, TraceFileError, TraceRecord};

/// Largest score that counts in the mean by which models are compared: one trace that is new to both decides nothing.
const MOST_SCORE: f64 = 10.0;

/// Fits the detectors of traces.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TracesJob {
    /// The model's name.
    pub model: String,
    /// Files of normal traces, which the trainer must be able to read; none for those that were left beside the model.
    pub files: Vec<PathBuf>,
    /// When those were chosen from the traces that came, Unix seconds.
    #[serde(default)]
    pub chosen: Option<f64>,
}

impl TracesJob {
    fn traces(&self, training: &Training<'_>) -> Result<Vec<TraceRecord>, TrainingError> {
        let nothing = |error: TraceFileError| TrainingError::Nothing(error.to_string());
        if self.files.is_empty() {
            let packed = training.registry.examples(&self.model)?;
            return TraceFile::parse("traces left beside the model", packed).map_err(nothing);
        }
        let mut traces = Vec::new();
        for file in &self.files {
            traces.extend(TraceFile::read(file).map_err(nothing)?);
        }
        Ok(traces)
    }
}

impl JobKind for TracesJob {
    const NAME: &'static str = "traces";

    fn describe(&self) -> String {
        format!("traces {}", self.model)
    }

    fn run(&self, training: &Training<'_>, go_on: &GoOn<'_>) -> Result<String, TrainingError> {
        let model = self.model.as_str();
        let mut traces = self.traces(training)?;
        traces.retain(|trace| !trace.spans.is_empty());
        traces.sort_by_key(start);
        let back = (traces.len() as f64 * training.options.holdout) as usize;
        let held = traces.split_off(traces.len() - back);
        let seed = training.options.seed as u64;
        let mut unfitted = UnfittedTraces::default();
        unfitted.options.seed = seed;
        unfitted.network.seed = seed;
        let fit = unfitted.fit(&traces, &mut |epoch| log_epoch(model, epoch, go_on));
        let (fitted, report) = match fit {
            Err(LearnedError::Stopped { .. }) => return Err(TrainingError::Stopped),
            fit => fit?,
        };
        let serving: Option<FittedTraces> = training.serving(model)?;
        let seconds = |trace: Option<&TraceRecord>| trace.map_or(0.0, |trace| start(trace) as f64 / 1e6);
        let fit = Fit {
            holdout: Holdout {
                error: strangeness(&fitted, &held),
                previous: serving.map(|serving| strangeness(&serving, &held)),
                from: seconds(held.first()),
            },
            model: fitted.with_chosen(self.chosen),
            reports: report.into_iter().collect(),
            trained: (seconds(traces.first()), seconds(traces.last())),
        };
        training.publish(model, fit, go_on)
    }
}

/// The first start of a trace, microseconds of Unix time.
fn start(trace: &TraceRecord) -> i64 {
    trace.spans.iter().map(|span| span.start_us).min().unwrap_or(0)
}

/// Mean score of normal traces; 1 for a model to which they are as usual as those it was calibrated by.
fn strangeness(model: &FittedTraces, traces: &[TraceRecord]) -> f64 {
    let score = |trace: &TraceRecord| model.detector().judge(&trace.spans).score.min(MOST_SCORE);
    traces.iter().map(score).sum::<f64>() / traces.len().max(1) as f64
}
