//! What stays is accepted: how far the level of a score has risen for good.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Rows that are looked back upon, and the share of them that may be low: a level is accepted once three quarters of the
/// last 2,880 rows (two days of minutes) are at it. Shorter, and an incident of a day would teach that it is normal.
const LENGTH: usize = 2_880;
const SHARE_BELOW: f64 = 0.25;
/// Rows from one look to the next: a level that takes days is not asked for each minute.
const EACH: usize = 30;

/// The lower quartile of the newest 2,880 scores, renewed each 30 rows, against the level of the training. Until there are so
/// many the level is that of the training: a quarter of an hour is no new level.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Settling {
    /// Not part of what is kept: scores are remembered elsewhere, and heard again.
    #[serde(skip)]
    newest: VecDeque<f64>,
    usual: f64,
    level: f64,
    #[serde(skip)]
    rows: usize,
}

impl Settling {
    /// `usual`: the median score of the training.
    pub(super) fn new(usual: f64) -> Self {
        Self {
            newest: VecDeque::with_capacity(LENGTH),
            usual,
            level: usual,
            rows: 0,
        }
    }

    /// How far the level before this row had risen above that of the training; the score then is one of those before.
    pub(super) fn rise(&mut self, score: f64) -> f64 {
        if self.rows.is_multiple_of(EACH) && self.newest.len() == LENGTH {
            let mut scores: Vec<f64> = self.newest.iter().copied().collect();
            let lower = (scores.len() - 1) as f64 * SHARE_BELOW;
            let (_, level, _) = scores.select_nth_unstable_by(lower as usize, f64::total_cmp);
            self.level = *level;
        }
        self.rows += 1;
        if self.newest.len() == LENGTH {
            self.newest.pop_front();
        }
        self.newest.push_back(score);
        self.risen()
    }

    /// How far the level has risen above that of the training.
    pub(super) fn risen(&self) -> f64 {
        (self.level - self.usual).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_accepted_after_two_days_and_not_before() {
        let mut settling = Settling::new(1.0);
        let rises: Vec<f64> = (0..2 * LENGTH).map(|_| settling.rise(3.0)).collect();
        let first = rises.iter().position(|rise| *rise > 0.0);
        assert_eq!(first, Some(LENGTH), "{rises:?}");
        assert_eq!(settling.risen(), 2.0);
    }
}
