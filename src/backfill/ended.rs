//! Points too old for a window that ends now, until it is known whether theirs ended earlier.
//!
//! A window ends with a metric's last point, not with the clock: of a metric that ended last month, the last day before its
//! end is what a window can hold. Which points those are is known when all of the source was read, so they wait here; those
//! of a metric of which young points come are let go at once. What waits is bounded, and what has no room is too old.

use std::collections::{BTreeMap, HashSet};

use skywatch_algorithms::Series;

/// Points that wait, over all metrics: 64 MB.
const MOST_POINTS: usize = 4_000_000;

/// What waits.
pub(super) struct EndedMetrics {
    /// Seconds of a window.
    length: f64,
    points: usize,
    metrics: BTreeMap<String, Series>,
}

impl EndedMetrics {
    pub(super) fn new(length: f64) -> Self {
        Self {
            length,
            points: 0,
            metrics: BTreeMap::new(),
        }
    }

    /// Takes the old points of a metric, in order of time; how many of all that wait, and of these, are too old for
    /// certain. `has_young`: it has points that are stored.
    pub(super) fn take(&mut self, name: &str, old: &Series, has_young: bool) -> u64 {
        if has_young {
            let waited = self.metrics.remove(name).map_or(0, |series| series.len());
            self.points -= waited;
            return (waited + old.len()) as u64;
        }
        if old.is_empty() {
            return 0;
        }
        if self.points + old.len() > MOST_POINTS {
            return old.len() as u64;
        }
        if !self.metrics.contains_key(name) {
            self.metrics.insert(name.to_owned(), Series::default());
        }
        let Some(waiting) = self.metrics.get_mut(name) else {
            return old.len() as u64;
        };
        let before = waiting.len() + old.len();
        for (&time, &value) in old.times.iter().zip(&old.values) {
            waiting.push(time, value);
        }
        waiting.canonicalise(self.length);
        let too_old = before - waiting.len();
        self.points = self.points + old.len() - too_old;
        too_old as u64
    }

    /// The windows of those of which nothing is stored, and how many points of others were too old after all.
    pub(super) fn finish(&mut self, stored: &HashSet<String>) -> (Vec<(String, Series)>, u64) {
        let mut too_old = 0;
        let mut windows = Vec::new();
        for (name, series) in std::mem::take(&mut self.metrics) {
            match stored.contains(&name) {
                true => too_old += series.len() as u64,
                false => windows.push((name, series)),
            }
        }
        self.points = 0;
        (windows, too_old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(times: std::ops::Range<u32>) -> Series {
        let mut series = Series::default();
        times.for_each(|time| series.push(f64::from(time), 1.0));
        series
    }

    #[test]
    fn the_last_window_of_what_has_ended_is_kept() {
        let mut ended = EndedMetrics::new(10.0);
        assert_eq!(ended.take("a", &series(0..8), false), 0);
        assert_eq!(ended.take("a", &series(8..16), false), 6);
        assert_eq!(ended.take("b", &series(0..5), false), 0);
        assert_eq!(ended.take("c", &series(0..5), false), 0);
        // Young points have come, or were there before.
        assert_eq!(ended.take("b", &series(5..7), true), 7);
        let (windows, too_old) = ended.finish(&HashSet::from(["c".to_owned()]));
        assert_eq!(too_old, 5);
        let windows: Vec<_> = windows
            .iter()
            .map(|(name, series)| (name.as_str(), series.len()))
            .collect();
        assert_eq!(windows, [("a", 10)]);
    }
}
