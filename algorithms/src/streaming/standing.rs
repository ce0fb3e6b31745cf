//! Where a metric stands: as usual, out, or settled on a new level.
//!
//! Where the level was before an alarm is remembered until the metric is back there, or for two days. Who was alerted
//! then learns whether it came back or was taken for usual where it is.

use super::adaptive::Adaptive;
use super::parts::{SEASON, ZERO, strongest};

/// For how long it is remembered where a metric was before an alarm, seconds: a day and its repetition.
const DEPARTED: f64 = 2.0 * 86_400.0;
/// Ratio from which on that is remembered: an alarm at the highest sensitivity there is, 5.
const DEPARTS: f32 = 0.2;

/// Where a metric stands with its newest point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricStanding {
    /// Within what was expected before anything happened, or nothing ever did.
    Usual,
    /// The newest point is anomalous.
    Out,
    /// No alarm any more, but not back either: a new level was taken for usual.
    Settled {
        /// Where the level was before.
        before: f64,
    },
}

impl Adaptive {
    /// Where it stands with its newest point, watched with this sensitivity (see [`Reading::at`](super::Reading::at)).
    #[must_use]
    pub fn standing(&self, sensitivity: f32) -> MetricStanding {
        if self.reading().at(sensitivity) >= 1.0 {
            MetricStanding::Out
        } else if self.departure.since > 0.0 && !self.departure.is_back(self.observed) {
            MetricStanding::Settled {
                before: self.departure.before,
            }
        } else if self.runs.stands() {
            let is_zero = self.observed == 0.0;
            MetricStanding::Settled {
                before: if is_zero {
                    self.runs.fell_from()
                } else {
                    self.expected
                },
            }
        } else {
            MetricStanding::Usual
        }
    }

    /// Remembers where the metric was (`level`) when it is out, until it is back or two days have passed.
    pub(super) fn note_departure(&mut self, level: f64) {
        let value = self.observed;
        let strongest = strongest(&self.ratios);
        let departure = &mut self.departure;
        if departure.since > 0.0 {
            let is_over = self.ratios[strongest] < DEPARTS;
            if is_over && (departure.is_back(value) || self.time - departure.since > DEPARTED) {
                departure.since = 0.0;
            }
            return;
        }
        if self.ratios[strongest] >= DEPARTS {
            let reach = self.reach[usize::from(value < level)];
            // Whoever was alerted takes "back" for more than half way back.
            let half = 0.5 * (value - level).abs();
            let is_alarm = self.ratios[strongest] >= 1.0;
            (departure.before, departure.near) = (level, if is_alarm { reach.min(half) } else { reach });
            if strongest == ZERO {
                let from = self.runs.fell_from();
                (departure.before, departure.near) = (from, 0.5 * from.abs());
            }
            if strongest == SEASON {
                let [_, least, most] = self.season.compared();
                (departure.before, departure.near) =
                    (0.5 * (least + most), (0.5 * (most - least)).max(reach));
            }
            departure.since = self.time;
        }
    }
}
