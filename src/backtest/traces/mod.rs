//! Trace detectors held against labelled traces: fitted on normal ones, asked about others, nothing learnt in between.
//!
//! Labels are looked at after all scores are there, and only for the figures.

mod figures;

use std::collections::BTreeMap;
#[cfg(feature = "learned")]
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use serde::Serialize;
#[cfg(feature = "learned")]
use skywatch_algorithms::learned::masked_span::{MaskedSpanOptions, UnfittedTraces};
use skywatch_algorithms::traces::{TraceDetector, TraceOptions};

use crate::trace_files::{TraceFile, TraceFileError, TraceRecord};
pub use figures::TraceFigures;
use figures::figures;

/// Why detectors could not be held against traces.
#[derive(Debug, thiserror::Error)]
pub enum TraceEvaluationError {
    /// A file that cannot be read.
    #[error(transparent)]
    File(#[from] TraceFileError),
    /// A file that is not there.
    #[error("there is no `{name}.jsonl.gz` or `{name}.jsonl` in `{}`", folder.display())]
    Missing {
        /// Where it should be.
        folder: PathBuf,
        /// Its name.
        name: &'static str,
    },
    /// Detectors that cannot be fitted.
    #[error("cannot learn from `{}`: {reason}", path.display())]
    Fit {
        /// The file of normal traces.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What the detectors make of one trace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoredTrace {
    /// Its id.
    pub trace_id: String,
    /// What its label says; none if it has none.
    pub label: Option<u8>,
    /// −ln of the share of normal traces that are at least as bad.
    pub score: f64,
    /// Whether there would be an alarm.
    pub alarm: bool,
    /// The surprise of each detector.
    pub detectors: BTreeMap<&'static str, f64>,
    /// Its fault, for the figures only.
    #[serde(skip)]
    fault: Option<String>,
}

/// How the detectors did.
#[derive(Debug, Clone, Serialize)]
pub struct TraceEvaluation {
    /// Normal traces that were learnt from, those held back for calibration among them.
    pub trained: usize,
    /// Traces judged, labelled normal and abnormal.
    pub normal: usize,
    /// See `normal`.
    pub abnormal: usize,
    /// Spans judged.
    pub spans: usize,
    /// The score from which on there is an alarm.
    pub threshold: f64,
    /// Seconds that fitting took.
    pub fit_seconds: f64,
    /// Seconds that judging took, on all cores.
    pub judge_seconds: f64,
    /// The combined verdict first, then each detector.
    pub overall: Vec<NamedFigures>,
    /// The same for the traces of each fault against all normal ones.
    pub faults: BTreeMap<String, FaultFigures>,
}

/// Figures of one score.
#[derive(Debug, Clone, Serialize)]
pub struct NamedFigures {
    /// `combined`, or the detector.
    pub name: &'static str,
    /// None where one of both labels is missing.
    #[serde(flatten)]
    pub figures: Option<TraceFigures>,
}

/// Figures of one fault.
#[derive(Debug, Clone, Serialize)]
pub struct FaultFigures {
    /// Its traces.
    pub traces: usize,
    /// The combined verdict first, then each detector.
    pub scores: Vec<NamedFigures>,
}

/// Fits detectors on `normal-train` of a folder and judges its `normal-test` and `abnormal-test`.
///
/// # Errors
/// Files that are missing or hold anything but traces; too few normal traces.
pub fn evaluate(
    folder: &Path,
    options: TraceOptions,
) -> Result<(TraceEvaluation, Vec<ScoredTrace>), TraceEvaluationError> {
    evaluate_by(folder, |training| fit(training, options))
}

/// The same with detectors that `fit` fits.
///
/// # Errors
/// As [`evaluate`], and what `fit` says.
pub fn evaluate_by(
    folder: &Path,
    fit: impl FnOnce(&[TraceRecord]) -> Result<TraceDetector, String>,
) -> Result<(TraceEvaluation, Vec<ScoredTrace>), TraceEvaluationError> {
    let path = find(folder, "normal-train")?;
    let training = TraceFile::read(&path)?;
    let mut asked = TraceFile::read(&find(folder, "normal-test")?)?;
    asked.extend(TraceFile::read(&find(folder, "abnormal-test")?)?);
    let begun = Instant::now();
    let detector = fit(&training).map_err(|reason| TraceEvaluationError::Fit { path, reason })?;
    let fit_seconds = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let scored: Vec<_> = asked.par_iter().map(|trace| score(&detector, trace)).collect();
    let judge_seconds = begun.elapsed().as_secs_f64();
    let labelled = |label: u8| scored.iter().filter(|trace| trace.label == Some(label)).count();
    let evaluation = TraceEvaluation {
        trained: training.len(),
        normal: labelled(0),
        abnormal: labelled(1),
        spans: asked.iter().map(|trace| trace.spans.len()).sum(),
        threshold: detector.threshold(),
        fit_seconds,
        judge_seconds,
        overall: all_figures(&scored, &detector, |_| true),
        faults: by_fault(&scored, &detector),
    };
    Ok((evaluation, scored))
}

/// All detectors, the network among them; what is random follows from one seed.
#[cfg(feature = "learned")]
fn fit(training: &[TraceRecord], options: TraceOptions) -> Result<TraceDetector, String> {
    let seed = options.seed;
    let network = MaskedSpanOptions {
        seed,
        ..MaskedSpanOptions::default()
    };
    let unfitted = UnfittedTraces { options, network };
    let fit = unfitted.fit(training, &mut |epoch| {
        tracing::info!("epoch {} :: loss {:.4}", epoch.number, epoch.loss);
        ControlFlow::Continue(())
    });
    let (fitted, _) = fit.map_err(|error| error.to_string())?;
    Ok(fitted.into_detector())
}

/// The detectors that count; this Skywatch was built without learned ones.
#[cfg(not(feature = "learned"))]
fn fit(training: &[TraceRecord], options: TraceOptions) -> Result<TraceDetector, String> {
    TraceDetector::fit(training, options, None).map_err(|error| error.to_string())
}

fn find(folder: &Path, name: &'static str) -> Result<PathBuf, TraceEvaluationError> {
    let files = ["jsonl.gz", "jsonl"].map(|form| folder.join(format!("{name}.{form}")));
    let found = files.into_iter().find(|file| file.exists());
    found.ok_or_else(|| TraceEvaluationError::Missing {
        folder: folder.to_owned(),
        name,
    })
}

fn score(detector: &TraceDetector, trace: &TraceRecord) -> ScoredTrace {
    let verdict = detector.judge(&trace.spans);
    let parts = verdict
        .detectors
        .iter()
        .map(|part| (part.detector, part.surprise));
    ScoredTrace {
        trace_id: trace.trace_id.clone(),
        label: trace.label,
        score: verdict.score,
        alarm: verdict.alarm,
        detectors: parts.collect(),
        fault: trace.fault.clone(),
    }
}

/// Figures of every score over the traces that `takes` picks.
fn all_figures(
    scored: &[ScoredTrace],
    detector: &TraceDetector,
    takes: impl Fn(&ScoredTrace) -> bool,
) -> Vec<NamedFigures> {
    let picked: Vec<_> = scored.iter().filter(|trace| takes(trace)).collect();
    let of = |score: &dyn Fn(&ScoredTrace) -> (f64, bool)| {
        let labelled = picked.iter().filter_map(|trace| {
            let (score, alarm) = score(trace);
            Some((score, trace.label? != 0, alarm))
        });
        figures(&labelled.collect::<Vec<_>>())
    };
    let combined = NamedFigures {
        name: "combined",
        figures: of(&|trace| (trace.score, trace.alarm)),
    };
    let parts = detector.names().into_iter().map(|name| NamedFigures {
        name,
        figures: of(&|trace| {
            let surprise = trace.detectors.get(name).copied().unwrap_or(0.0);
            (surprise, surprise > detector.detector_threshold())
        }),
    });
    std::iter::once(combined).chain(parts).collect()
}

fn by_fault(scored: &[ScoredTrace], detector: &TraceDetector) -> BTreeMap<String, FaultFigures> {
    let mut faults: BTreeMap<String, usize> = BTreeMap::new();
    for trace in scored.iter().filter(|trace| trace.label == Some(1)) {
        if let Some(fault) = &trace.fault {
            *faults.entry(fault.clone()).or_default() += 1;
        }
    }
    let of = |(fault, traces): (String, usize)| {
        let takes = |trace: &ScoredTrace| match trace.label {
            Some(0) => true,
            _ => trace.fault.as_ref() == Some(&fault),
        };
        let scores = all_figures(scored, detector, takes);
        (fault, FaultFigures { traces, scores })
    };
    faults.into_iter().map(of).collect()
}
