//! Fifteen equal bins over the extent of the values, edge by edge as the two originals compute them.
//!
//! earthgecko's own histogram puts a value into bin trunc((15·(v−min))/(max−min)) and takes min + i·width for the
//! edges, so a value near an edge can be counted on the other side of it. numpy's, which etsy uses, corrects its
//! bins until they agree with the edges. Nobody ever needs all fifteen counts: only the bin the tail falls in.

use super::lanes::{self, Extent};

/// How many bins there are.
pub const BINS: usize = 15;

/// Whose arithmetic is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Truncated,
    Numpy,
}

/// The edges, and the rule by which values fall between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bins {
    edges: [f64; BINS + 1],
    extent: Extent,
    rule: Rule,
}

impl Bins {
    /// earthgecko's bins. A constant gets fifteen empty ones and is counted in none but the last.
    #[must_use]
    pub fn truncated(extent: Extent) -> Self {
        let width = (extent.max - extent.min) / BINS as f64;
        let mut edges: [f64; BINS + 1] = std::array::from_fn(|i| extent.min + i as f64 * width);
        edges[BINS] = extent.max;
        Self {
            edges,
            extent,
            rule: Rule::Truncated,
        }
    }

    /// numpy's bins. A constant gets the range ±0.5. `None` where numpy raises: an extent that is not finite, or
    /// too narrow for fifteen different edges.
    #[must_use]
    pub fn numpy(extent: Extent) -> Option<Self> {
        if !(extent.min.is_finite() && extent.max.is_finite()) {
            return None;
        }
        let (low, high) = if extent.min == extent.max {
            (extent.min - 0.5, extent.max + 0.5)
        } else {
            (extent.min, extent.max)
        };
        let range = high - low;
        let step = range / BINS as f64;
        let mut edges: [f64; BINS + 1] = std::array::from_fn(|i| {
            if step == 0.0 {
                i as f64 / BINS as f64 * range + low
            } else {
                i as f64 * step + low
            }
        });
        edges[BINS] = high;
        if edges.windows(2).any(|pair| pair[0] >= pair[1]) {
            return None;
        }
        Some(Self {
            edges,
            extent: Extent { min: low, max: high },
            rule: Rule::Numpy,
        })
    }

    /// The edges, lowest first.
    #[must_use]
    pub fn edges(&self) -> &[f64; BINS + 1] {
        &self.edges
    }

    /// How many of `values` are counted in bin `bin`, but no more than `enough` are looked for: the answer is exact
    /// up to `enough` and above it only means "more". O(n).
    #[must_use]
    pub fn count(&self, bin: usize, values: &[f64], enough: usize) -> usize {
        match self.rule {
            Rule::Numpy => self.count_between(bin, values, enough),
            Rule::Truncated => self.count_truncated(bin, values, enough),
        }
    }

    fn count_between(&self, bin: usize, values: &[f64], enough: usize) -> usize {
        let (low, high) = (self.edges[bin], self.edges[bin + 1]);
        if bin == BINS - 1 {
            count_up_to(values, enough, |v| v >= low && v <= high)
        } else {
            count_up_to(values, enough, |v| v >= low && v < high)
        }
    }

    fn count_truncated(&self, bin: usize, values: &[f64], enough: usize) -> usize {
        let Extent { min, max } = self.extent;
        let range = max - min;
        let place = |v: f64| (BINS as f64 * (v - min)) / range;
        let (from, to) = (bin as f64, bin as f64 + 1.0);
        if bin == BINS - 1 {
            count_up_to(values, enough, |v| {
                v == max || (place(v) >= from && place(v) < to)
            })
        } else {
            count_up_to(values, enough, |v| v != max && place(v) >= from && place(v) < to)
        }
    }
}

/// Counts in blocks, so that the inner loop has no exit and the outer one can leave early.
fn count_up_to(values: &[f64], enough: usize, holds: impl Fn(f64) -> bool + Copy) -> usize {
    let mut count = 0;
    for block in values.chunks(128) {
        count += lanes::count(block, holds);
        if count > enough {
            break;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(min: f64, max: f64) -> Extent {
        Extent { min, max }
    }

    #[test]
    fn every_value_is_in_one_bin() {
        let values: Vec<f64> = (0..1000).map(|i| f64::from(i * 7919 % 1009)).collect();
        let extent = lanes::extent(&values);
        let numpy = Bins::numpy(extent).expect("a wide extent has edges");
        for bins in [Bins::truncated(extent), numpy] {
            let total: usize = (0..BINS).map(|bin| bins.count(bin, &values, usize::MAX)).sum();
            assert_eq!(total, values.len());
        }
    }

    #[test]
    fn constants() {
        let bins = Bins::truncated(extent(5.0, 5.0));
        assert!(bins.edges().iter().all(|&edge| edge == 5.0));
        assert_eq!(bins.count(0, &[5.0; 30], usize::MAX), 0);
        assert_eq!(bins.count(14, &[5.0; 30], usize::MAX), 30);
        let bins = Bins::numpy(extent(5.0, 5.0)).expect("5 has room for 15 bins");
        assert_eq!(bins.count(7, &[5.0; 30], usize::MAX), 30);
        assert_eq!(Bins::numpy(extent(1e16, 1e16)), None);
    }

    #[test]
    fn enough_is_enough() {
        let bins = Bins::truncated(extent(0.0, 15.0));
        assert_eq!(bins.count(3, &[3.5; 20], 20), 20);
        assert!(bins.count(3, &[3.5; 2000], 20) > 20);
    }
}
