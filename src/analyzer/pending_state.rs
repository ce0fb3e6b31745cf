//! A state that learns a point only when a later one has come, and judges the newest on a copy of itself. Passes,
//! `explain` and replays all judge through it.
//!
//! So a corrected newest value is judged again, and what a state says of a point depends on the points before it alone,
//! whoever asks and however often.

use skywatch_algorithms::streaming::{Adaptive, LongMemory};

use super::rule::{AlarmRule, ObservedPoint};

/// What is known of one metric point by point.
pub(crate) struct PendingState {
    /// All points but the newest.
    pub(crate) adaptive: Adaptive,
    /// Time of the last point learnt, Unix seconds. Kept apart from the state, which may begin anew with a point.
    pub(crate) learnt: f64,
    /// The point judged last, which is not learnt as long as it is later than `learnt`.
    pub(crate) newest: Option<ObservedPoint>,
}

impl Default for PendingState {
    fn default() -> Self {
        Self {
            adaptive: Adaptive::default(),
            learnt: f64::NEG_INFINITY,
            newest: None,
        }
    }
}

impl PendingState {
    /// Learns a point that a later one has followed, or will; its score.
    pub(crate) fn learn(
        &mut self,
        point: ObservedPoint,
        rule: &AlarmRule,
        hours: &mut impl LongMemory,
    ) -> f32 {
        self.learnt = point.time;
        rule.observe(&mut self.adaptive, point, hours)
    }

    /// Judges the newest point in `trial`, and learns nothing; its score. `hours` must keep nothing either.
    pub(crate) fn judge(
        &mut self,
        newest: ObservedPoint,
        rule: &AlarmRule,
        hours: &mut impl LongMemory,
        trial: &mut Adaptive,
    ) -> f32 {
        self.newest = Some(newest);
        trial.clone_from(&self.adaptive);
        rule.observe(trial, newest, hours)
    }
}
