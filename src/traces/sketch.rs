//! Quantiles of many durations in little memory: counts by size, each size 4 % above the one before it, so that a quantile is at
//! most 2 % off (DDSketch: Masson, Rim, Lee, *A fast and fully-mergeable quantile sketch with relative-error guarantees*, VLDB
//! 2019).

use std::collections::BTreeMap;

/// One size is so many times the one before it.
const STEP: f64 = 1.04;

/// Durations, counted by size; at most some 700 sizes from a nanosecond to a day.
#[derive(Debug, Clone, Default)]
pub(super) struct DurationSketch {
    counts: BTreeMap<u16, u64>,
    total: u64,
}

impl DurationSketch {
    /// Counts a duration, nanoseconds.
    pub(super) fn add(&mut self, nanoseconds: u64) {
        // The size whose upper end is the first not below it. No overflow: 2⁶⁴ is of size 1,132.
        let size = (nanoseconds.max(1) as f64).ln() / STEP.ln();
        *self.counts.entry(size.ceil() as u16).or_default() += 1;
        self.total += 1;
    }

    /// The duration, in seconds, that the share `q` (0 to 1) of all does not exceed; `None` where there are none.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let rank = (q * self.total as f64).ceil().max(1.0);
        let mut below = 0.0;
        let mut sizes = self.counts.iter();
        let size = sizes.find_map(|(size, count)| {
            below += *count as f64;
            (below >= rank).then_some(*size)
        })?;
        // The value that is as far from both ends of the size, in relation to them.
        let upper = STEP.powi(i32::from(size));
        Some(upper * 2.0 / (1.0 + STEP) / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quantile_is_at_most_two_percent_off(mut all in prop::collection::vec(1u64..u64::MAX / 2, 1..200), q in 0.0f64..=1.0) {
            let mut sketch = DurationSketch::default();
            all.iter().for_each(|duration| sketch.add(*duration));
            all.sort_unstable();
            let rank = ((q * all.len() as f64).ceil() as usize).max(1);
            let exact = all[rank - 1] as f64 / 1e9;
            let found = sketch.quantile(q).unwrap();
            prop_assert!((found / exact - 1.0).abs() < 0.02, "{} for {}", found, exact);
        }
    }

    #[test]
    fn nothing_has_no_quantile_and_no_time_is_some() {
        let mut sketch = DurationSketch::default();
        assert_eq!(sketch.quantile(0.5), None);
        sketch.add(0);
        assert!(sketch.quantile(0.5).is_some_and(|seconds| seconds < 1e-8));
    }
}
