//! How much trimming does at a time: as much as keeps a Redis busy for little more than a millisecond, learnt from how long
//! the slices before have taken.

use std::time::Duration;

/// What a slice is made to take. The limit is two milliseconds; a dear metric among cheap ones has to fit.
const SLICE: Duration = Duration::from_micros(1_200);
/// Metrics in one slice, whatever they take.
const SLICE_METRICS: usize = 1_000;

/// How much work of each kind fits into a slice, as measured at this server.
#[derive(Debug)]
pub(super) struct SliceSizes {
    /// How many first looks fill a slice.
    pub(super) looks: usize,
    /// How many further looks.
    pub(super) deeper: usize,
    /// How many cuts.
    pub(super) cuts: usize,
    /// Whether the server is too old for the first line of the script.
    pub(super) plain_script: bool,
}

impl Default for SliceSizes {
    fn default() -> Self {
        Self {
            looks: 32,
            deeper: 4,
            cuts: 8,
            plain_script: false,
        }
    }
}

/// Learns from a slice how many metrics the next may have: at most twice as many.
pub(super) fn learn(fits: &mut usize, metrics: usize, took: Duration) {
    let share = SLICE.as_secs_f64() / took.as_secs_f64().max(1e-6);
    let fitting = (metrics as f64 * share) as usize;
    *fits = fitting.min(2 * *fits).clamp(1, SLICE_METRICS);
}
