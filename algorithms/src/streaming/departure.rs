//! Where the level was before an alarm, as it is kept.

use super::pack::{Pack, packed};

/// Where the level was before the last alarm.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Departure {
    /// The level, and how far from it is back, in the metric's unit.
    pub(super) before: f64,
    pub(super) near: f64,
    /// When that was, Unix seconds; 0 for never, or once it is over.
    pub(super) since: f64,
}

packed!(Departure { before, near, since });

impl Departure {
    /// Whether that value is where the metric was.
    pub(super) fn is_back(&self, value: f64) -> bool {
        (value - self.before).abs() <= self.near
    }
}
