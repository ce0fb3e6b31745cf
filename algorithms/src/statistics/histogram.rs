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
enum BinRule {
    Truncated,
    Numpy,
}

/// The edges, and the rule by which values fall between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bins {
    edges: [f64; BINS + 1],
    extent: Extent,
    rule: BinRule,
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
            rule: BinRule::Truncated,
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
            rule: BinRule::Numpy,
        })
    }

    /// The edges, lowest first.
    #[must_use]
    pub fn edges(&self) -> &[f64; BINS + 1] {
        &self.edges
    }

    /// How many of `values` are counted in bin `bin`. O(n).
    #[must_use]
    pub fn count(&self, bin: usize, values: &[f64]) -> usize {
        match self.rule {
            BinRule::Truncated => lanes::count(values, |v| self.is_in_truncated(bin, v)),
            BinRule::Numpy => lanes::count(values, |v| self.is_between(bin, v)),
        }
    }

    /// Whether at most `few` of `values` are counted in bin `bin`. O(n), and no more than it takes to find more.
    #[must_use]
    pub fn holds_at_most(&self, bin: usize, values: &[f64], few: usize) -> bool {
        match self.rule {
            BinRule::Numpy => !exceeds(values, few, |v| self.is_between(bin, v)),
            BinRule::Truncated => self.holds_at_most_truncated(bin, values, few),
        }
    }

    /// Comparing with the edges is several times cheaper than the division of the formula, and only for values next
    /// to an edge can it differ. So count with comparisons, and by the formula if there are such values.
    fn holds_at_most_truncated(&self, bin: usize, values: &[f64], few: usize) -> bool {
        let Extent { min, max } = self.extent;
        if !ORDINARY.contains(&(max - min)) {
            return self.count(bin, values) <= few;
        }
        let doubt = DOUBT * min.abs().max(max.abs());
        let (low, high) = (self.edges[bin], self.edges[bin + 1]);
        // The extreme values are in the first and the last bin without doubt.
        let from = if bin == 0 { min } else { low + doubt };
        let also = if bin == BINS - 1 { max } else { f64::NAN };
        let surely = |v: f64| ((v >= from) & (v < high - doubt)) | (v == also);
        let possibly = |v: f64| (v >= low - doubt) & (v <= high + doubt);
        if exceeds(values, few, surely) {
            return false;
        }
        !exceeds(values, few, possibly) || self.count(bin, values) <= few
    }

    fn is_between(&self, bin: usize, v: f64) -> bool {
        let (low, high) = (self.edges[bin], self.edges[bin + 1]);
        (v >= low) & ((v < high) | ((bin == BINS - 1) & (v == high)))
    }

    fn is_in_truncated(&self, bin: usize, v: f64) -> bool {
        let Extent { min, max } = self.extent;
        let place = (BINS as f64 * (v - min)) / (max - min);
        let is_placed = (place >= bin as f64) & (place < bin as f64 + 1.0) & (v != max);
        is_placed | ((bin == BINS - 1) & (v == max))
    }
}

/// How far from an edge a value must be, in parts of the largest there is, so that the formula and the edges agree on
/// its bin: each of them is off by a few times 2⁻⁵³.
const DOUBT: f64 = 1e-14;

/// Ranges for which this holds; beyond, the formula overflows or the edges lose their digits.
const ORDINARY: std::ops::RangeInclusive<f64> = 1e-290..=1e306;

/// Whether more than `few` values satisfy `holds`. Counts in blocks, so that the inner loop has no exit and the outer
/// one can leave early.
fn exceeds(values: &[f64], few: usize, holds: impl Fn(f64) -> bool + Copy) -> bool {
    let mut count = 0;
    values.chunks(128).any(|block| {
        count += lanes::count(block, holds);
        count > few
    })
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
            let total: usize = (0..BINS).map(|bin| bins.count(bin, &values)).sum();
            assert_eq!(total, values.len());
        }
    }

    #[test]
    fn constants() {
        let bins = Bins::truncated(extent(5.0, 5.0));
        assert!(bins.edges().iter().all(|&edge| edge == 5.0));
        assert_eq!(bins.count(0, &[5.0; 30]), 0);
        assert_eq!(bins.count(14, &[5.0; 30]), 30);
        let bins = Bins::numpy(extent(5.0, 5.0)).expect("5 has room for 15 bins");
        assert_eq!(bins.count(7, &[5.0; 30]), 30);
        assert_eq!(Bins::numpy(extent(1e16, 1e16)), None);
    }

    #[test]
    fn few_are_told_as_counted() {
        // Thirds of an integer lattice: many values on edges, many not.
        let values: Vec<f64> = (0..700).map(|i| f64::from(i * 7919 % 46) / 3.0).collect();
        let numpy = Bins::numpy(lanes::extent(&values)).expect("a wide extent has edges");
        for bins in [Bins::truncated(lanes::extent(&values)), numpy] {
            for bin in 0..BINS {
                let count = bins.count(bin, &values);
                assert!(bins.holds_at_most(bin, &values, count), "{bin}");
                assert!(!bins.holds_at_most(bin, &values, count - 1), "{bin}");
            }
        }
    }

    #[test]
    fn next_to_an_edge_the_formula_decides() {
        let mut disagreements = 0;
        for k in 1..200 {
            let (min, max) = (f64::from(k) * 0.37, f64::from(k) * 1.1 + 3.0);
            let bins = Bins::truncated(extent(min, max));
            for bin in 0..BINS {
                let edge = bins.edges()[bin];
                for v in [edge, edge.next_up(), edge.next_down()] {
                    let values = [min, max, v];
                    let count = bins.count(bin, &values);
                    assert!(bins.holds_at_most(bin, &values, count));
                    assert!(count == 0 || !bins.holds_at_most(bin, &values, count - 1));
                    disagreements += usize::from((v >= edge) != bins.is_in_truncated(bin, v));
                }
            }
        }
        assert!(disagreements > 100, "{disagreements}");
    }
}
