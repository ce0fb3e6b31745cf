//! From the ratios of the detectors to one score.
//!
//! A detector is over its limit from ratio 1 on. The score then says by how much, as 1 + ¼ ln, so that sizes keep their
//! order and no detector outshouts the others. Below the limits a score only ranks: what is new in the metric's own range,
//! and what comes near a limit. Sensitivity multiplies ratios before all that; learning does not depend on it.

/// How much of a size a score shows.
const SHOWN: f32 = 0.25;
/// No rank passes for an alarm.
const MOST_BELOW: f32 = 0.98;

/// What one point was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reading {
    /// 0 for nothing, 1 at the limit of an alarm; finite.
    pub score: f32,
    /// The largest ratio of a detector to its limit.
    pub(super) ratio: f32,
    /// By how much it is beyond what is usual, geometric mean of several references: at least as large as 1 is an alarm.
    pub(super) size: f32,
    /// Where it ranks below the alarms, 0 to 0.98.
    pub(super) rank: f32,
}

impl Reading {
    pub(super) fn new(ratio: f32, size: f32, rank: f32) -> Self {
        let mut reading = Self {
            score: 0.0,
            ratio,
            size,
            rank: rank.clamp(0.0, MOST_BELOW),
        };
        reading.score = reading.at(1.0);
        reading
    }

    /// The score for a metric that is watched with this sensitivity: 1 is as usual, larger hears more. An alarm from 1 on.
    #[must_use]
    pub fn at(self, sensitivity: f32) -> f32 {
        if self.ratio * sensitivity >= 1.0 {
            1.0 + SHOWN * (self.size * sensitivity).max(1.0).ln()
        } else {
            self.rank
        }
    }

    /// Whether the point alone is reason for an alarm.
    #[must_use]
    pub fn is_alarm(self) -> bool {
        self.score >= 1.0
    }
}
