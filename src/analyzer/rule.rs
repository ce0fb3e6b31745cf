//! What the adaptive profile calls anomalous, and which metrics it judges at all: asked by passes and by replays, so that
//! both answer alike.
//!
//! The decision a reader would question: what is too small, or goes the wrong way, scores 0, not a little below the
//! limit. Nobody asked to hear of it, at whatever sensitivity.

use skywatch_algorithms::Exception;
use skywatch_algorithms::streaming::{Adaptive, LongMemory, Report};
use skywatch_settings::{Adaptive as AdaptiveSettings, AlertDirection, Override, Pattern};

use crate::live_value::LiveValue;

/// A metric whose newest point is older than so many of its own steps has fallen silent.
pub(super) const SILENT_STEPS: f64 = 3.0;

/// What the adaptive profile calls anomalous, for the metrics a pattern picks.
#[derive(Debug, Clone)]
pub struct AlarmRule {
    /// Which metrics; `None` for all.
    pub metrics: Option<Pattern>,
    /// What ratios to limits are multiplied by: an alarm where the product is 1.
    pub sensitivity: f32,
    /// Which way it must have gone.
    pub direction: AlertDirection,
    /// The least distance from what was expected, as a share of it.
    pub min_relative_change: f64,
    /// The same in the metric's own unit.
    pub min_absolute_change: f64,
    /// Seconds after an alert in which only a higher score opens another incident; 0 for no rest.
    pub rest: f64,
}

/// A point as it is shown to a state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ObservedPoint {
    /// Unix seconds.
    pub(crate) time: f64,
    pub(crate) value: f64,
    /// What a learned model expected, if one did.
    pub(crate) forecast: Option<f64>,
}

impl ObservedPoint {
    /// A point of which no model says anything.
    pub(crate) fn plain(time: f64, value: f64) -> Self {
        Self {
            time,
            value,
            forecast: None,
        }
    }
}

/// The rules in force, for all who judge by them, of which the first that picks a metric counts; the last picks all. Passes take others
/// when they begin.
pub type AlarmRules = LiveValue<[AlarmRule]>;

impl AlarmRule {
    /// A rule for all metrics that hears every score as it is.
    pub(crate) fn plain(rest: f64) -> Self {
        Self {
            metrics: None,
            sensitivity: 1.0,
            direction: AlertDirection::Both,
            min_relative_change: 0.0,
            min_absolute_change: 0.0,
            rest,
        }
    }

    /// What is said of some metrics, and then what holds for all: the last rule picks every metric.
    pub(crate) fn of_settings(all: &AdaptiveSettings) -> Vec<Self> {
        let some = all.overrides.iter().map(|one| Self::overriding(all, one));
        let others = Self {
            metrics: None,
            sensitivity: all.sensitivity as f32,
            direction: all.direction,
            min_relative_change: all.min_relative_change,
            min_absolute_change: all.min_absolute_change,
            rest: all.rest.as_secs_f64(),
        };
        some.chain([others]).collect()
    }

    /// What one override stands for: of what it leaves open, what holds for all metrics.
    pub(crate) fn overriding(all: &AdaptiveSettings, one: &Override) -> Self {
        Self {
            metrics: Some(one.metrics.clone()),
            sensitivity: one.sensitivity.unwrap_or(all.sensitivity) as f32,
            direction: one.direction.unwrap_or(all.direction),
            min_relative_change: one.min_relative_change.unwrap_or(all.min_relative_change),
            min_absolute_change: one.min_absolute_change.unwrap_or(all.min_absolute_change),
            rest: one.rest.unwrap_or(all.rest).as_secs_f64(),
        }
    }

    /// The place of the first rule that picks the metric; the last picks all.
    pub(crate) fn of(rules: &[Self], metric: &str) -> usize {
        let picks = |rule: &Self| {
            rule.metrics
                .as_ref()
                .is_none_or(|pattern| pattern.matches(metric))
        };
        let last = rules.len().saturating_sub(1);
        rules.iter().position(picks).unwrap_or(last)
    }

    /// Shows a state its next point and gives the score, finite, at this sensitivity: an alarm from 1 on. 0 as long as
    /// too little is known to judge the point, and for a deviation that does not matter.
    pub(crate) fn observe(
        &self,
        state: &mut Adaptive,
        point: ObservedPoint,
        memory: &mut impl LongMemory,
    ) -> f32 {
        let is_judged = exclusion(state, 0.0, 0.0).is_none();
        let reading = state.observe_with(point.time, point.value, point.forecast, memory);
        let score = reading.at(self.sensitivity);
        if !is_judged
            || score.is_nan()
            || (score >= 1.0 && !self.hears_all() && !self.matters(&state.report_at(self.sensitivity)))
        {
            return 0.0;
        }
        score.clamp(0.0, f32::MAX)
    }

    /// Whether no deviation is too small or goes the wrong way.
    fn hears_all(&self) -> bool {
        self.direction == AlertDirection::Both
            && self.min_relative_change <= 0.0
            && self.min_absolute_change <= 0.0
    }

    /// Whether the deviation is one to speak of.
    fn matters(&self, report: &Report) -> bool {
        let change = report.observed - report.expected;
        let is_wanted = match self.direction {
            AlertDirection::Both => true,
            AlertDirection::Up => change > 0.0,
            AlertDirection::Down => change < 0.0,
        };
        is_wanted
            && change.abs() >= self.min_absolute_change
            && change.abs() >= self.min_relative_change * report.expected.abs()
    }
}

/// Why a metric is not judged whose newest point is `age` seconds old, if so. `stale_period`: seconds.
pub(crate) fn exclusion(state: &Adaptive, age: f64, stale_period: f64) -> Option<Exception> {
    if !state.is_ready() {
        Some(Exception::TooShort)
    } else if age > stale_after(state, stale_period) {
        Some(Exception::Stale)
    } else {
        None
    }
}

/// Age of the newest point from which a metric is stale, seconds: it may take its time if it always does.
pub(crate) fn stale_after(state: &Adaptive, stale_period: f64) -> f64 {
    stale_period.max(SILENT_STEPS * state.step())
}

#[cfg(test)]
mod tests {
    use skywatch_algorithms::streaming::InMemoryHours;

    use super::*;

    fn report(observed: f64, expected: f64) -> Report {
        let mut report = Adaptive::default().report();
        (report.observed, report.expected) = (observed, expected);
        report
    }

    #[test]
    fn only_what_matters_is_spoken_of() {
        let up = AlarmRule {
            direction: AlertDirection::Up,
            ..AlarmRule::plain(0.0)
        };
        assert!(up.matters(&report(2.0, 1.0)) && !up.matters(&report(0.0, 1.0)));
        let down = AlarmRule {
            direction: AlertDirection::Down,
            ..AlarmRule::plain(0.0)
        };
        assert!(!down.matters(&report(2.0, 1.0)) && down.matters(&report(0.0, 1.0)));
        let large = AlarmRule {
            min_relative_change: 0.5,
            min_absolute_change: 10.0,
            ..AlarmRule::plain(0.0)
        };
        assert!(
            !large.matters(&report(14.0, 10.0)),
            "too small a share and too few"
        );
        assert!(!large.matters(&report(119.0, 100.0)) && !large.matters(&report(8.0, 1.0)));
        assert!(large.matters(&report(-160.0, -100.0)));
    }

    /// A week of minutes with a large spike at its end: the scores of the last points under a rule.
    fn spike(rule: &AlarmRule) -> f32 {
        let (mut state, mut hours) = (Adaptive::default(), InMemoryHours::default());
        let mut last = 0.0;
        for minute in 0..7 * 1_440_u32 {
            let noise = f64::from(minute.wrapping_mul(2_654_435_761) >> 22) / 1_024.0;
            let value = if minute == 7 * 1_440 - 1 {
                500.0
            } else {
                10.0 + noise
            };
            let point = ObservedPoint::plain(1.7e9 + 60.0 * f64::from(minute), value);
            last = rule.observe(&mut state, point, &mut hours);
        }
        last
    }

    #[test]
    fn sensitivity_scales_and_what_does_not_matter_scores_nothing() {
        let plain = spike(&AlarmRule::plain(0.0));
        assert!(plain >= 1.0, "{plain}");
        let half = AlarmRule {
            sensitivity: 0.5,
            ..AlarmRule::plain(0.0)
        };
        assert!((1.0..plain).contains(&spike(&half)), "{}", spike(&half));
        let down = AlarmRule {
            direction: AlertDirection::Down,
            ..AlarmRule::plain(0.0)
        };
        assert_eq!(spike(&down), 0.0);
        let large = AlarmRule {
            min_absolute_change: 1_000.0,
            ..AlarmRule::plain(0.0)
        };
        assert_eq!(spike(&large), 0.0);
    }

    #[test]
    fn a_slow_metric_is_stale_after_three_of_its_steps() {
        let (mut state, mut hours) = (Adaptive::default(), InMemoryHours::default());
        assert_eq!(exclusion(&state, 0.0, 500.0), Some(Exception::TooShort));
        for hour in 0..24 * 7_u32 {
            state.observe(3_600.0 * f64::from(hour), f64::from(hour % 5), &mut hours);
        }
        assert_eq!(state.step(), 3_600.0);
        assert_eq!(exclusion(&state, 3.0 * 3_600.0, 500.0), None);
        assert_eq!(
            exclusion(&state, 3.0 * 3_600.0 + 1.0, 500.0),
            Some(Exception::Stale)
        );
        assert_eq!(
            exclusion(&state, 5.0 * 3_600.0, 6.0 * 3_600.0),
            None,
            "the longer one"
        );
    }
}
