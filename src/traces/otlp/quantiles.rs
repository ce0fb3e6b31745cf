//! Quantiles of histograms: of a list of upper bounds and the counts between them.

use std::collections::HashMap;

/// Which quantiles become metrics, and the ends of their names.
pub(super) const QUANTILES: [(f64, &str); 3] = [(0.5, "p50"), (0.95, "p95"), (0.99, "p99")];
/// Cumulative histograms that are remembered, so that the next of each tells what happened since: some kilobytes each.
const REMEMBERED: usize = 10_000;
/// Seconds without a new one after which a histogram is forgotten when there is no room.
const FORGOTTEN_AFTER: f64 = 3_600.0;

/// The value below which the share `q` (0 to 1) of what was counted lies, interpolated within its bucket as Prometheus'
/// `histogram_quantile` does; beyond the last bound that bound. `counts` has one more than `bounds`, which ascend. `None`
/// where nothing was counted or the lists do not fit.
pub(super) fn quantile(bounds: &[f64], counts: &[u64], q: f64) -> Option<f64> {
    let ascend = bounds.is_sorted_by(|a, b| a < b) && bounds.iter().all(|bound| bound.is_finite());
    let total: u64 = counts
        .iter()
        .try_fold(0u64, |sum, count| sum.checked_add(*count))?;
    if counts.len() != bounds.len() + 1 || !ascend || total == 0 || bounds.is_empty() {
        return None;
    }
    let rank = q * total as f64;
    let mut below = 0.0;
    for (place, (bound, count)) in bounds.iter().zip(counts).enumerate() {
        let count = *count as f64;
        if count > 0.0 && below + count >= rank {
            let low = match place {
                // What is measured seldom is negative; where the first bound is, nothing is known below it.
                0 => bound.min(0.0),
                _ => bounds[place - 1],
            };
            return Some(low + (bound - low) * ((rank - below) / count).clamp(0.0, 1.0));
        }
        below += count;
    }
    bounds.last().copied()
}

/// What cumulative histograms last said, by the name of their series.
#[derive(Debug, Default)]
pub(in crate::traces) struct CumulativeHistograms(HashMap<String, CumulativeCounts>);

#[derive(Debug)]
struct CumulativeCounts {
    /// When its counting began, Unix nanoseconds: another start is another histogram.
    start: u64,
    /// Unix seconds of what it last said.
    seen: f64,
    counts: Vec<u64>,
}

impl CumulativeHistograms {
    /// What was counted since the last time, if the last time is known and counting has not begun anew.
    pub(super) fn since(&mut self, series: &str, start: u64, time: f64, counts: &[u64]) -> Option<Vec<u64>> {
        let Some(known) = self.0.get_mut(series) else {
            self.remember(series, start, time, counts);
            return None;
        };
        if time <= known.seen {
            return None;
        }
        let is_same = known.start == start && known.counts.len() == counts.len();
        let pairs = counts.iter().zip(&known.counts);
        let difference: Option<Vec<u64>> = pairs.map(|(now, then)| now.checked_sub(*then)).collect();
        known.seen = time;
        known.start = start;
        known.counts = counts.to_vec();
        difference.filter(|_| is_same)
    }

    fn remember(&mut self, series: &str, start: u64, seen: f64, counts: &[u64]) {
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, known| seen - known.seen < FORGOTTEN_AFTER);
        }
        if self.0.len() < REMEMBERED {
            let counts = counts.to_vec();
            let known = CumulativeCounts { start, seen, counts };
            self.0.insert(series.to_owned(), known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated_within_their_bucket() {
        let bounds = [1.0, 2.0, 4.0];
        assert_eq!(quantile(&bounds, &[0, 10, 0, 0], 0.5), Some(1.5));
        assert_eq!(quantile(&bounds, &[10, 10, 0, 0], 0.25), Some(0.5));
        assert_eq!(quantile(&bounds, &[5, 0, 5, 0], 0.75), Some(3.0));
        assert_eq!(
            quantile(&bounds, &[0, 0, 0, 7], 0.5),
            Some(4.0),
            "beyond the last bound"
        );
        assert_eq!(quantile(&[-2.0, 0.0], &[4, 0, 0], 0.5), Some(-2.0));
        assert_eq!(quantile(&bounds, &[0, 0, 0, 0], 0.5), None);
        assert_eq!(quantile(&bounds, &[1, 2, 3], 0.5), None, "a count is missing");
        assert_eq!(
            quantile(&[2.0, 1.0], &[1, 1, 1], 0.5),
            None,
            "bounds do not ascend"
        );
        assert_eq!(quantile(&bounds, &[u64::MAX, 1, 0, 0], 0.5), None);
    }

    #[test]
    fn cumulative_counts_tell_what_happened_since() {
        let mut known = CumulativeHistograms::default();
        assert_eq!(known.since("a", 1, 10.0, &[1, 2]), None, "the first");
        assert_eq!(known.since("a", 1, 20.0, &[1, 5]), Some(vec![0, 3]));
        assert_eq!(known.since("a", 1, 20.0, &[1, 5]), None, "the same once more");
        assert_eq!(known.since("a", 2, 30.0, &[0, 1]), None, "it began anew");
        assert_eq!(known.since("a", 2, 40.0, &[2, 1]), Some(vec![2, 0]));
        assert_eq!(known.since("a", 2, 50.0, &[1, 1]), None, "it went back");
    }
}
