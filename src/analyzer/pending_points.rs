//! What is kept of a metric's window once the adaptive profile has a state of it: its newest points.
//!
//! A state holds all it needs of the points it has learnt. What it has not learnt yet is the newest point, which a later one
//! may correct, and points ahead of the clock. The last point learnt stays with them: a counter's growth is told from it.
//! A window of these gives the verdict that the whole one would; `laws/tails.rs` holds it to that.

use skywatch_algorithms::{Series, Window};

/// The points of a metric from the last one learnt on, canonical: mostly two.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct PendingPoints(Vec<(f64, f64)>);

impl PendingPoints {
    /// Keeps what a canonical window holds from `learnt` on, Unix seconds.
    pub(super) fn keep(&mut self, window: Window<'_>, learnt: f64) {
        let from = window.times().partition_point(|&time| time < learnt);
        let points = window.times()[from..].iter().zip(&window.values()[from..]);
        self.0.clear();
        self.0.reserve_exact(points.len());
        self.0.extend(points.map(|(&time, &value)| (time, value)));
        // Thousands may have waited for a clock that was wrong.
        if self.0.capacity() > 2 * self.0.len() + 4 {
            self.0.shrink_to_fit();
        }
    }

    /// Appends them to a series.
    pub(super) fn add_to(&self, series: &mut Series) {
        for &(time, value) in &self.0 {
            series.push(time, value);
        }
    }

    /// Time of the newest, Unix seconds.
    pub(super) fn last_time(&self) -> Option<f64> {
        self.0.last().map(|&(time, _)| time)
    }

    /// Time and value of each.
    pub(super) fn points(&self) -> &[(f64, f64)] {
        &self.0
    }
}

impl FromIterator<(f64, f64)> for PendingPoints {
    fn from_iter<I: IntoIterator<Item = (f64, f64)>>(points: I) -> Self {
        Self(points.into_iter().collect())
    }
}
