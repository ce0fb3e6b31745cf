//! The rest after an alarm: a score passes only if it beats everything within the rest before it.
//!
//! Not part of any detector: a detector's score stays up while the deviation lasts, and the stage that opens incidents
//! decides how often one may speak. Whether it is shown all scores or only those of 1 and more makes no difference to
//! the latter: a lower score never holds a higher one back. O(1) amortised; keeps only the scores that a later one can
//! still be measured against.

use std::collections::VecDeque;

/// One metric's rest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rest {
    /// Scores within the rest, falling, with their times (Unix seconds).
    falling: VecDeque<(f64, f32)>,
}

impl Rest {
    /// Takes a score at `time` (Unix seconds, not before the last) and answers whether it passes: it is higher than 0 and
    /// than every score of the `length` seconds before it. A length of 0 is no rest: everything passes.
    pub fn passes(&mut self, time: f64, score: f32, length: f64) -> bool {
        if length <= 0.0 {
            self.falling.clear();
            return true;
        }
        while self.falling.front().is_some_and(|&(at, _)| at <= time - length) {
            self.falling.pop_front();
        }
        let highest = self.falling.front().map_or(0.0, |&(_, score)| score);
        while self.falling.back().is_some_and(|&(_, earlier)| earlier <= score) {
            self.falling.pop_back();
        }
        self.falling.push_back((time, score));
        score > highest
    }

    /// What it keeps: times and falling scores, to be saved and [collected](FromIterator) again.
    pub fn kept(&self) -> impl Iterator<Item = (f64, f32)> {
        self.falling.iter().copied()
    }
}

impl FromIterator<(f64, f32)> for Rest {
    fn from_iter<I: IntoIterator<Item = (f64, f32)>>(kept: I) -> Self {
        Self {
            falling: kept.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_beats_the_rest_before_it_passes() {
        let mut rest = Rest::default();
        let passed: Vec<bool> = [
            (0.0, 1.0),
            (1.0, 3.0),
            (2.0, 2.0),
            (3.0, 3.0),
            (4.0, 4.0),
            (13.0, 1.0),
            (14.0, 1.0),
            (15.0, 1.5),
        ]
        .into_iter()
        .map(|(time, score)| rest.passes(time, score, 10.0))
        .collect();
        assert_eq!(passed, [true, true, false, false, true, false, false, true]);
        assert_eq!(rest.kept().collect::<Rest>(), rest);
        assert!(rest.passes(16.0, 0.5, 0.0), "no rest holds nothing back");
    }

    proptest! {
        /// A watch shows it alerts only, a replay every score: both hear the same alerts.
        #[test]
        fn scores_below_the_limit_change_nothing_for_those_above(
            points in prop::collection::vec((1_u32..400, 0_u32..40), 0..200),
            length in 0_u32..3_000,
        ) {
            let length = f64::from(length);
            let (mut alerts, mut all) = (Rest::default(), Rest::default());
            let mut time = 0.0;
            for (step, score) in points {
                time += f64::from(step);
                let score = score as f32 / 10.0;
                let passes = all.passes(time, score, length);
                if score >= 1.0 {
                    prop_assert_eq!(alerts.passes(time, score, length), passes);
                }
            }
        }
    }
}
