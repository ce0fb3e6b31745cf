//! An anomaly by score, and its description in everybody's words.

use skywatch_alerters::{Anomaly, DetectorVote, Evidence, Expected, Strength, Subject};
use skywatch_algorithms::streaming::{Adaptive, Part, Report};
use skywatch_algorithms::{Series, Window, counter};

use super::rule::Rule;

/// An anomaly by score.
pub(super) struct Found {
    /// Scores in it are at the metric's sensitivity.
    report: Report,
    /// Time of the point, Unix seconds.
    at: f64,
    opens: bool,
}

impl Found {
    /// The point a state was shown last, as an anomaly of that score, at the sensitivity of `rule`.
    pub(super) fn new(state: &Adaptive, rule: &Rule, at: f64, score: f32, opens: bool) -> Self {
        let mut report = state.report_at(rule.sensitivity);
        report.score = score;
        Self { report, at, opens }
    }

    pub(super) fn score(&self) -> f32 {
        self.report.score
    }

    /// Each detector's part in it.
    pub(super) fn parts(&self) -> &[Part] {
        &self.report.parts
    }

    /// The value as people are told it, a counter's as what is added from point to point; and the factor that makes such
    /// a value of one of the state's.
    pub(super) fn value(&self, window: Window<'_>) -> (f64, f64) {
        let step = match self.report.is_rate {
            true => step_before(window, self.at).unwrap_or(1.0),
            false => 1.0,
        };
        (self.report.observed * step, step)
    }

    /// The anomaly in everybody's words; `in_full` adds the window.
    pub(super) fn describe(self, metric: &str, window: Window<'_>, in_full: bool) -> Anomaly {
        let (observed, step) = self.value(window);
        let Self { report, at, opens } = self;
        let parts = report.parts.iter().map(|part| DetectorVote {
            detector: part.detector.to_owned(),
            answer: Some(part.score >= 1.0),
            measured: f64::from(part.score),
            limit: 1.0,
        });
        let mut evidence = Evidence {
            rate: report.is_rate,
            ..Evidence::default()
        };
        if in_full {
            let mut rates = Series::default();
            let judged = if report.is_rate {
                counter::rates(window, &mut rates);
                rates.window()
            } else {
                window
            };
            evidence.times = judged.times().to_vec();
            evidence.values = judged.values().to_vec();
        }
        Anomaly {
            subject: Subject::Metric(metric.to_owned()),
            at,
            observed,
            expected: Some(Expected {
                low: report.low * step,
                high: report.high * step,
                centre: report.expected * step,
            }),
            votes: parts.collect(),
            evidence,
            sentence: report.sentence,
            strength: Some(Strength {
                score: f64::from(report.score),
                opens,
            }),
        }
    }
}

/// Seconds from the point before that time to it: a counter's state speaks of the rate a second, messages and charts of
/// what is added from point to point.
fn step_before(window: Window<'_>, at: f64) -> Option<f64> {
    let times = window.times();
    let place = times.partition_point(|&time| time < at);
    let before = place.checked_sub(1).and_then(|before| times.get(before))?;
    Some(at - before)
}
