//! The adaptive profile's state under replay, which learns a point when a later one has come, as in
//! `analyzer/metric_state.rs`.
//!
//! Judging the newest point on a copy and learning it later costs each point twice. Where the row that follows is known to
//! be later, the point is judged and learnt at once: the same, since what a state says of a point does not depend on who
//! asks.

use skywatch_algorithms::streaming::{Adaptive, Hour, Hours, LongMemory};

use crate::analyzer::rule::{Point, Rule};

/// One metric's state, and its newest point.
pub(super) struct Successive {
    /// All points but the newest, and that one too if it is final.
    state: Adaptive,
    hours: Hours,
    /// Time of the last point learnt.
    learnt: f64,
    /// The newest point, unless it is learnt.
    newest: Option<Point>,
    /// Where the newest point is judged.
    trial: Adaptive,
}

impl Default for Successive {
    fn default() -> Self {
        Self {
            state: Adaptive::default(),
            hours: Hours::default(),
            learnt: f64::NEG_INFINITY,
            newest: None,
            trial: Adaptive::default(),
        }
    }
}

impl Successive {
    #[cfg(test)]
    pub(super) fn state(&self) -> &Adaptive {
        &self.state
    }

    /// Whether it is judged by its rate.
    #[cfg(feature = "learned")]
    pub(super) fn is_rate(&self) -> bool {
        self.state.is_rate()
    }

    /// Learns the newest point: a later one has come.
    pub(super) fn settle(&mut self, rule: &Rule) {
        if let Some(newest) = self.newest.take() {
            self.learn(newest, rule);
        }
    }

    /// Shows a point later than all before.
    pub(super) fn show(&mut self, point: Point, is_final: bool, rule: &Rule) -> f32 {
        self.settle(rule);
        if is_final {
            return self.learn(point, rule);
        }
        self.newest = Some(point);
        self.try_newest(point, rule)
    }

    /// Shows a point that is not later than the newest one.
    pub(super) fn amend(&mut self, point: Point, rule: &Rule) -> Option<f32> {
        let newest = self.newest?;
        if point.time <= self.learnt {
            return None;
        }
        let newest = if point.time < newest.time {
            self.learn(point, rule);
            newest
        } else {
            point
        };
        self.newest = Some(newest);
        Some(self.try_newest(newest, rule))
    }

    fn learn(&mut self, point: Point, rule: &Rule) -> f32 {
        self.learnt = point.time;
        rule.observe(&mut self.state, point, &mut self.hours)
    }

    fn try_newest(&mut self, newest: Point, rule: &Rule) -> f32 {
        self.trial.clone_from(&self.state);
        let mut hours = OnTrial {
            kept: &self.hours,
            with_more: None,
        };
        rule.observe(&mut self.trial, newest, &mut hours)
    }
}

/// A long memory of which nothing is kept.
struct OnTrial<'h> {
    kept: &'h Hours,
    /// What is kept, and an hour more; made when an hour turns.
    with_more: Option<Hours>,
}

impl LongMemory for OnTrial<'_> {
    fn append(&mut self, hour: Hour) {
        self.with_more
            .get_or_insert_with(|| self.kept.clone())
            .append(hour);
    }

    fn recall(&mut self, hours: &mut Vec<Hour>) {
        self.with_more
            .get_or_insert_with(|| self.kept.clone())
            .recall(hours);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Known to be final or not, a point has the same score, and leaves the same behind.
        #[test]
        fn known_beforehand_or_not_a_point_is_judged_alike(
            seed in any::<u32>(),
            finals in prop::collection::vec(any::<bool>(), 400..3_000),
        ) {
            let rule = Rule::plain(0.0);
            let (mut some, mut none) = (Successive::default(), Successive::default());
            for (step, is_final) in (0_u32..).zip(&finals) {
                let noise = f64::from(step.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 22) / 1_024.0;
                let spike = if (step + seed % 97).is_multiple_of(97) { 50.0 } else { 0.0 };
                let point = Point { time: 1.7e9 + 300.0 * f64::from(step), value: noise + spike, forecast: None };
                let scores = (some.show(point, *is_final, &rule), none.show(point, false, &rule));
                prop_assert_eq!(scores.0.to_bits(), scores.1.to_bits(), "step {}", step);
            }
            some.settle(&rule);
            none.settle(&rule);
            prop_assert!(some.state == none.state);
        }
    }
}
