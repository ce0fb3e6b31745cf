//! The adaptive profile's state under replay: the analyzer's [`PendingState`] with its long memory in RAM.
//!
//! Judging the newest point on a copy and learning it later costs each point twice. Where the row that follows is known to
//! be later, the point is judged and learnt at once: the same, since what a state says of a point does not depend on who
//! asks.

use skywatch_algorithms::streaming::{Adaptive, Hour, InMemoryHours, LongMemory};

use crate::analyzer::pending_state::PendingState;
use crate::analyzer::rule::{AlarmRule, ObservedPoint};

/// One metric's state, and its newest point.
#[derive(Default)]
pub(super) struct Successive {
    /// All points but the newest, and that one too if it is final.
    state: PendingState,
    hours: InMemoryHours,
    /// Where the newest point is judged.
    trial: Adaptive,
}

impl Successive {
    #[cfg(test)]
    pub(super) fn state(&self) -> &Adaptive {
        &self.state.adaptive
    }

    /// Whether it is judged by its rate.
    #[cfg(feature = "learned")]
    pub(super) fn is_rate(&self) -> bool {
        self.state.adaptive.is_rate()
    }

    /// Learns the newest point: a later one has come.
    pub(super) fn settle(&mut self, rule: &AlarmRule) {
        if let Some(newest) = self.state.newest.take() {
            self.state.learn(newest, rule, &mut self.hours);
        }
    }

    /// Shows a point later than all before.
    pub(super) fn show(&mut self, point: ObservedPoint, is_final: bool, rule: &AlarmRule) -> f32 {
        self.settle(rule);
        match is_final {
            true => self.state.learn(point, rule, &mut self.hours),
            false => self.judge(point, rule),
        }
    }

    /// Shows a point that is not later than the newest one.
    pub(super) fn amend(&mut self, point: ObservedPoint, rule: &AlarmRule) -> Option<f32> {
        let newest = self.state.newest?;
        if point.time <= self.state.learnt {
            return None;
        }
        let newest = if point.time < newest.time {
            self.state.learn(point, rule, &mut self.hours);
            newest
        } else {
            point
        };
        Some(self.judge(newest, rule))
    }

    fn judge(&mut self, newest: ObservedPoint, rule: &AlarmRule) -> f32 {
        let mut hours = OnTrial {
            kept: &self.hours,
            with_more: None,
        };
        self.state.judge(newest, rule, &mut hours, &mut self.trial)
    }
}

/// A long memory of which nothing is kept.
struct OnTrial<'h> {
    kept: &'h InMemoryHours,
    /// What is kept, and an hour more; made when an hour turns.
    with_more: Option<InMemoryHours>,
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
            let rule = AlarmRule::plain(0.0);
            let (mut some, mut none) = (Successive::default(), Successive::default());
            for (step, is_final) in (0_u32..).zip(&finals) {
                let noise = f64::from(step.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 22) / 1_024.0;
                let spike = if (step + seed % 97).is_multiple_of(97) { 50.0 } else { 0.0 };
                let point = ObservedPoint::plain(1.7e9 + 300.0 * f64::from(step), noise + spike);
                let scores = (some.show(point, *is_final, &rule), none.show(point, false, &rule));
                prop_assert_eq!(scores.0.to_bits(), scores.1.to_bits(), "step {}", step);
            }
            some.settle(&rule);
            none.settle(&rule);
            prop_assert!(some.state() == none.state());
        }
    }
}
