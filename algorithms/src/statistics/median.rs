//! Median, and the median of the absolute deviations from it (MAD, unscaled).
//!
//! The middle is found by counting. A small sorted sample gives four values around it; one pass counts how many
//! values lie below each, which brackets the middle between two of them; only the values in between, about a tenth,
//! are gathered and searched. Counting runs in vector registers where partitioning cannot.

use super::lanes;

/// How many values the sample has.
const SAMPLE: usize = 32;

/// Places in the sorted sample that bracket the middle. A sample's median strays by 2.8 places (one standard
/// deviation), and by less when the series is smooth.
const PLACES: [usize; 4] = [9, 13, 18, 22];

/// Below this, a copy is partitioned as it is.
const FEW: usize = 4 * SAMPLE;

/// The median; for an even count the mean of the middle two; NaN for no values. O(n). `buffer` is overwritten.
pub fn median(values: &[f64], buffer: &mut Vec<f64>) -> f64 {
    mean_of_middle(values, buffer)
}

/// The first and the third quartile, by linear interpolation between the values around places (n − 1)/4 and 3(n − 1)/4 in
/// sorted order; NaN for no values. O(n). `buffer` is overwritten.
pub fn quartiles(values: &[f64], buffer: &mut Vec<f64>) -> [f64; 2] {
    let Some(last) = values.len().checked_sub(1) else {
        return [f64::NAN; 2];
    };
    buffer.clear();
    buffer.extend_from_slice(values);
    [last, 3 * last].map(|quarters| {
        let (_, &mut below, above) = buffer.select_nth_unstable_by(quarters / 4, f64::total_cmp);
        let next = above.iter().copied().reduce(f64::min).unwrap_or(below);
        // Exact where there is nothing to interpolate, also between infinities.
        match quarters % 4 {
            0 => below,
            part => below + part as f64 / 4.0 * (next - below),
        }
    })
}

/// The median of |v − `centre`|. O(n). `buffer` is overwritten.
pub fn median_absolute_deviation(values: &[f64], centre: f64, buffer: &mut Vec<f64>) -> f64 {
    buffer.clear();
    buffer.extend(values.iter().map(|v| (v - centre).abs()));
    partition(buffer, 0, values.len())
}

/// Whether MAD < `limit` or MAD > `limit` by more than one part in 10⁹, told by counting deviations from `centre`
/// (the median). `None` when the two are too close for that. O(n), one or two passes and no selection.
#[must_use]
pub fn compare_deviation(values: &[f64], centre: f64, limit: f64) -> Option<std::cmp::Ordering> {
    let (lower, upper) = middle(values.len());
    let (below, above) = (limit * (1.0 - super::CLOSE), limit * (1.0 + super::CLOSE));
    if lanes::count(values, |v| (v - centre).abs() <= above) <= lower {
        Some(std::cmp::Ordering::Greater)
    } else if lanes::count(values, |v| (v - centre).abs() < below) > upper {
        Some(std::cmp::Ordering::Less)
    } else {
        None
    }
}

/// Whether more than half of the values are `centre` (to within the smallest normal number), so that MAD is 0. O(n).
#[must_use]
pub fn is_mostly(values: &[f64], centre: f64) -> bool {
    let (_, upper) = middle(values.len());
    lanes::count(values, |v| (v - centre).abs() <= f64::MIN_POSITIVE) > upper
}

/// Places of the middle two in sorted order, which are one for an odd count.
fn middle(n: usize) -> (usize, usize) {
    (n.saturating_sub(1) / 2, n / 2)
}

fn mean_of_middle(values: &[f64], buffer: &mut Vec<f64>) -> f64 {
    let n = values.len();
    let (lower, upper) = middle(n);
    if n >= FEW {
        let Bracket { from, to, below } = bracket(values, lower, upper);
        if from == to {
            return from;
        }
        let gathered = gather(values, from, to, buffer);
        // Without NaN the middle two are always among them.
        if lower >= below && upper - below < gathered {
            return partition(&mut buffer[..gathered], below, n);
        }
    }
    buffer.clear();
    buffer.extend_from_slice(values);
    partition(buffer, 0, n)
}

/// The middle lies in [from, to), or is `from` if the two are the same; `below` values are smaller than `from`.
struct Bracket {
    from: f64,
    to: f64,
    below: usize,
}

fn bracket(values: &[f64], lower: usize, upper: usize) -> Bracket {
    let stride = values.len() / SAMPLE;
    let mut sample: [f64; SAMPLE] = std::array::from_fn(|i| values[i * stride + stride / 2]);
    sample.sort_unstable_by(f64::total_cmp);
    let pivots = PLACES.map(|place| sample[place]);
    let below = lanes::count_below(values, &pivots);
    let mut found = Bracket {
        from: f64::NEG_INFINITY,
        to: f64::INFINITY,
        below: 0,
    };
    for (&pivot, &below) in pivots.iter().zip(&below) {
        if below <= lower {
            (found.from, found.below) = (pivot, below);
        } else if below > upper {
            found.to = pivot;
            break;
        }
    }
    // Ties: the lower end itself may be the middle.
    let is_tied = pivots.iter().filter(|&&pivot| pivot == found.from).count() > 1;
    if is_tied && lanes::count(values, |v| v <= found.from) > upper {
        found.to = found.from;
    }
    found
}

/// Copies the values in [from, to) to the front of `buffer`, without a branch; how many there are.
fn gather(values: &[f64], from: f64, to: f64, buffer: &mut Vec<f64>) -> usize {
    if buffer.len() < values.len() {
        buffer.resize(values.len(), 0.0);
    }
    let buffer = &mut buffer[..values.len()];
    let mut gathered = 0;
    for &v in values {
        buffer[gathered] = v;
        gathered += usize::from(from <= v) & usize::from(v < to);
    }
    gathered
}

/// The mean of the middle two of `n` values, of which `below` smaller ones are left out.
fn partition(values: &mut [f64], below: usize, n: usize) -> f64 {
    if n == 0 {
        return f64::NAN;
    }
    let (lower, upper) = middle(n);
    let (smaller, &mut second, _) = values.select_nth_unstable_by(upper - below, f64::total_cmp);
    if lower == upper {
        return second;
    }
    let first = smaller
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, |a, b| if b > a { b } else { a });
    (first + second) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted_median(values: &[f64]) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (lower, upper) = middle(values.len());
        if lower == upper {
            sorted[lower]
        } else {
            (sorted[lower] + sorted[upper]) / 2.0
        }
    }

    #[test]
    fn medians_of_odd_even_and_none() {
        let mut buffer = Vec::new();
        assert_eq!(median(&[5.0, 1.0, 3.0], &mut buffer), 3.0);
        assert_eq!(median(&[5.0, 1.0, 3.0, 4.0], &mut buffer), 3.5);
        assert!(median(&[], &mut buffer).is_nan());
        assert_eq!(
            median_absolute_deviation(&[5.0, 1.0, 3.0, 4.0], 3.0, &mut buffer),
            1.5
        );
    }

    #[test]
    fn long_series_of_every_shape() {
        let shapes: [fn(u64, u64) -> f64; 8] = [
            |i, _| (i * 7919 % 1009) as f64,
            |i, _| i as f64,
            |_, _| 4.25,
            |i, _| (i % 2) as f64,
            |i, n| if i * 2 < n { 0.0 } else { i as f64 },
            |i, _| (i * 7919 % 5) as f64,
            |i, _| if i % 45 == 22 { 1e9 } else { (i * 31 % 97) as f64 },
            |i, n| -((n - i) as f64).powi(3),
        ];
        let mut buffer = Vec::new();
        for n in [128, 129, 500, 501, 1440, 8641] {
            for (k, shape) in shapes.iter().enumerate() {
                let values: Vec<f64> = (0..n).map(|i| shape(i, n)).collect();
                assert_eq!(median(&values, &mut buffer), sorted_median(&values), "{k} {n}");
            }
        }
    }

    #[test]
    fn nan_is_no_panic() {
        let mut values = vec![1.0; 300];
        values[20..280].fill(f64::NAN);
        median(&values, &mut Vec::new());
        median(&[f64::NAN; 300], &mut Vec::new());
    }

    #[test]
    fn counting_compares_as_selecting_does() {
        use std::cmp::Ordering;
        let mut buffer = Vec::new();
        for n in [3u64, 4, 200, 301] {
            let values: Vec<f64> = (0..n).map(|i| (i * 7919 % 101) as f64).collect();
            let centre = median(&values, &mut buffer);
            let mad = median_absolute_deviation(&values, centre, &mut buffer);
            assert_eq!(
                compare_deviation(&values, centre, mad * 3.0),
                Some(Ordering::Less)
            );
            assert_eq!(
                compare_deviation(&values, centre, mad / 3.0),
                Some(Ordering::Greater)
            );
            assert_eq!(compare_deviation(&values, centre, mad), None);
        }
    }
}
