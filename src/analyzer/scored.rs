//! An anomaly by score, and its description in everybody's words.

use skywatch_alerters::{Anomaly, DetectorVote, Expected, JudgedWindow, Severity, Strength, Subject, Votes};
use skywatch_algorithms::streaming::{Adaptive, Report};
use skywatch_algorithms::{Series, Window, counter};

use super::rule::AlarmRule;

/// Score from which an anomaly is critical: twice the limit. A score is 1 at the limit and 1 + ln(times the limit) / 4
/// beyond, so that 1.17 is twice, 1.4 five times and 1.75 twenty times the limit.
const CRITICAL_SCORE: f64 = 1.17;

/// An anomaly by score.
pub(super) struct ScoredAnomaly {
    /// Scores in it are at the metric's sensitivity.
    report: Report,
    /// Time of the point, Unix seconds.
    at: f64,
    opens: bool,
}

impl ScoredAnomaly {
    /// The point a state was shown last, as an anomaly of that score, at the sensitivity of `rule`.
    pub(super) fn new(state: &Adaptive, rule: &AlarmRule, at: f64, score: f32, opens: bool) -> Self {
        let mut report = state.report_at(rule.sensitivity);
        report.score = score;
        Self { report, at, opens }
    }

    pub(super) fn score(&self) -> f32 {
        self.report.score
    }

    /// The detectors whose own score is at their limit.
    pub(super) fn voters(&self) -> impl Iterator<Item = &'static str> {
        let parts = self.report.parts.iter();
        parts.filter(|part| part.score >= 1.0).map(|part| part.detector)
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
        let mut evidence = JudgedWindow {
            rate: report.is_rate,
            ..JudgedWindow::default()
        };
        if in_full {
            evidence = judged_window(window, report.is_rate);
        }
        let expected = Expected {
            low: report.low * step,
            high: report.high * step,
            centre: report.expected * step,
        };
        let score = f64::from(report.score);
        Anomaly::new(Subject::Metric(metric.to_owned()), severity(score), at)
            .with_value(observed, Some(expected))
            .with_votes(parts.collect::<Votes>())
            .with_window(evidence)
            .with_sentence(report.sentence)
            .with_strength(Strength { score, opens })
    }
}

/// A canonical window as it was judged, by its rates or as it is.
pub(super) fn judged_window(window: Window<'_>, rate: bool) -> JudgedWindow {
    let mut rates = Series::default();
    let judged = if rate {
        counter::rates(window, &mut rates);
        rates.window()
    } else {
        window
    };
    JudgedWindow {
        times: judged.times().to_vec(),
        values: judged.values().to_vec(),
        rate,
    }
}

/// How much an anomaly of this score matters. A score holds both how far and how sure: limits lie where a metric's own
/// noise hardly ever comes, and twice that is critical.
fn severity(score: f64) -> Severity {
    if score >= CRITICAL_SCORE {
        Severity::Critical
    } else {
        Severity::Warning
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_limit_is_critical() {
        assert_eq!(severity(1.0), Severity::Warning);
        // Just above the limit, and at twice of it.
        assert_eq!(severity(1.1), Severity::Warning);
        assert_eq!(severity(1.0 + 2.02_f64.ln() / 4.0), Severity::Critical);
        // 35 usual errors where 15 are the limit: somebody should get up.
        assert_eq!(severity(1.0 + (35.0_f64 / 15.0).ln() / 4.0), Severity::Critical);
    }
}
