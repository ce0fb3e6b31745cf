//! The verdict on a trace: all detectors, calibrated together.

use serde::{Deserialize, Serialize};

use super::baseline::{BASELINE_DETECTORS, TraceBaseline};
use super::calibration::Calibration;
use super::call_tree::{CallTree, SiblingOrder};
use super::explanation::{Explainer, TraceReason};
use super::structure::Worst;
use super::{MalformedSpans, TraceSpan};
use crate::random::Random;

/// Traces that are needed at least to tell what is normal.
const FEWEST_TRACES: usize = 40;
/// A detector whose surprise is below this (1 in 20 normal traces) is not named as a reason of an alarm.
const NAMED_FROM: f64 = 3.0;

/// How the detectors are fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceOptions {
    /// Share of the normal traces that is held back for calibration and threshold.
    pub held_back: f64,
    /// Share of normal traces that may be called anomalous.
    pub false_alarms: f64,
    /// How siblings are ordered.
    pub order: SiblingOrder,
    /// What the split follows from.
    pub seed: u64,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self {
            held_back: 0.25,
            false_alarms: 0.01,
            order: SiblingOrder::Canonical,
            seed: 42,
        }
    }
}

/// Why detectors could not be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// Too few traces.
    #[error("{given} traces, at least {FEWEST_TRACES} are needed to tell what is normal")]
    TooFew {
        /// How many there were.
        given: usize,
    },
}

/// What one detector makes of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TraceScore {
    /// Its name.
    pub detector: &'static str,
    /// −ln of the share of normal traces that are at least as bad to it.
    pub surprise: f64,
}

/// What all detectors make of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceVerdict {
    /// −ln of the share of normal traces that are at least as bad.
    pub score: f64,
    /// Whether that share is below what may be called anomalous.
    pub alarm: bool,
    /// Each detector's part.
    pub detectors: Vec<TraceScore>,
    /// What is wrong, worst first; empty unless there is an alarm.
    pub reasons: Vec<TraceReason>,
    /// What was wrong with its form.
    pub malformed: MalformedSpans,
}

/// Fitted detectors with what makes their scores comparable.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TraceDetector {
    baseline: TraceBaseline,
    calibration: Calibration,
    options: TraceOptions,
}

impl TraceDetector {
    /// Fits all detectors to normal traces; the seed decides which are held back.
    ///
    /// # Errors
    /// [`TraceError::TooFew`].
    pub fn fit<T: AsRef<[TraceSpan]>>(traces: &[T], options: TraceOptions) -> Result<Self, TraceError> {
        if traces.len() < FEWEST_TRACES {
            return Err(TraceError::TooFew { given: traces.len() });
        }
        let mut order: Vec<usize> = (0..traces.len()).collect();
        Random::new(options.seed).shuffle(&mut order);
        let back = (traces.len() as f64 * options.held_back.clamp(0.05, 0.5)) as usize;
        let (held, learnt) = order.split_at(back);
        let mut baseline = TraceBaseline::new(options.order);
        baseline.fit(learnt.iter().map(|trace| traces[*trace].as_ref()));
        let scores = |trace: &usize| -> Vec<f64> {
            let tree = baseline.tree(traces[*trace].as_ref());
            baseline.judge(&tree).iter().map(|worst| worst.score).collect()
        };
        let rows: Vec<_> = held.iter().map(scores).collect();
        let calibration = Calibration::fit(&rows);
        // What was held back is known from now on, too.
        for trace in held {
            baseline.learn(traces[*trace].as_ref());
        }
        baseline.refit();
        Ok(Self {
            baseline,
            calibration,
            options,
        })
    }

    /// The names of the detectors, in the order of a verdict's.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let count = self.calibration.detectors();
        BASELINE_DETECTORS.iter().copied().take(count).collect()
    }

    /// What counting knows.
    #[must_use]
    pub fn baseline(&self) -> &TraceBaseline {
        &self.baseline
    }

    /// The score from which on there is an alarm.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        -self.options.false_alarms.ln()
    }

    /// Learns a trace that was judged, whatever was made of it: what is new becomes usual in bounded time.
    pub fn learn(&mut self, spans: &[TraceSpan]) {
        self.baseline.learn(spans);
    }

    /// Judges a trace. Changes nothing; any number of threads may ask.
    #[must_use]
    pub fn judge(&self, spans: &[TraceSpan]) -> TraceVerdict {
        let tree = self.baseline.tree(spans);
        let worst = self.baseline.judge(&tree);
        let scores: Vec<f64> = worst.iter().map(|worst| worst.score).collect();
        let surprises = self.calibration.surprises(&scores);
        let score = self.calibration.joint(&surprises);
        let alarm = score > self.threshold();
        let parts = self.names().into_iter().zip(&surprises);
        TraceVerdict {
            score,
            alarm,
            detectors: parts
                .map(|(detector, &surprise)| TraceScore { detector, surprise })
                .collect(),
            reasons: if alarm {
                self.reasons(spans, &tree, &worst, &surprises)
            } else {
                Vec::new()
            },
            malformed: tree.malformed,
        }
    }

    fn reasons(
        &self,
        spans: &[TraceSpan],
        tree: &CallTree,
        worst: &[Worst],
        surprises: &[f64],
    ) -> Vec<TraceReason> {
        let explainer = Explainer {
            baseline: &self.baseline,
            tree,
            spans,
        };
        let most = surprises.iter().copied().fold(0.0, f64::max);
        let parts = BASELINE_DETECTORS.into_iter().zip(worst).zip(surprises);
        let mut reasons: Vec<TraceReason> = parts
            .filter(|(_, surprise)| **surprise >= NAMED_FROM.min(most))
            .map(|((detector, worst), &surprise)| TraceReason {
                detector,
                surprise,
                span: explainer.span(worst.place),
                text: match detector {
                    "repeats" => explainer.repeats(worst.place),
                    "span_latency" => explainer.latency(worst.place, false),
                    "service_latency" => explainer.latency(worst.place, true),
                    "trace_latency" => explainer.whole(),
                    _ => explainer.structure(worst.place, None),
                },
            })
            .collect();
        reasons.sort_by(|one, other| other.surprise.total_cmp(&one.surprise));
        reasons
    }
}
