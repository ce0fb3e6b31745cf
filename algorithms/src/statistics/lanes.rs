//! Loops with several accumulators, so that the compiler can use vector registers for sums it may not reorder.

/// How many partial sums are kept.
const LANES: usize = 8;

/// (Σ d, Σ d²) with d = v − pivot.
pub(crate) fn powers(values: &[f64], pivot: f64) -> (f64, f64) {
    let mut sums = [0.0; LANES];
    let mut squares = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for ((sum, square), &v) in sums.iter_mut().zip(&mut squares).zip(chunk) {
            let d = v - pivot;
            *sum += d;
            *square += d * d;
        }
    }
    let (mut sum, mut square) = (fold(&sums), fold(&squares));
    for &v in rest {
        let d = v - pivot;
        sum += d;
        square += d * d;
    }
    (sum, square)
}

/// (Σ w·d, Σ w·d²) with d = v − pivot; `weights` and `values` side by side.
pub(crate) fn weighted_powers(weights: &[f64], values: &[f64], pivot: f64) -> (f64, f64) {
    let mut sums = [0.0; LANES];
    let mut squares = [0.0; LANES];
    let n = weights.len().min(values.len());
    let (w_chunks, w_rest) = weights[..n].as_chunks::<LANES>();
    let (v_chunks, v_rest) = values[..n].as_chunks::<LANES>();
    for (w, v) in w_chunks.iter().zip(v_chunks) {
        for i in 0..LANES {
            let d = v[i] - pivot;
            let wd = w[i] * d;
            sums[i] += wd;
            squares[i] += wd * d;
        }
    }
    let (mut sum, mut square) = (fold(&sums), fold(&squares));
    for (&w, &v) in w_rest.iter().zip(v_rest) {
        let d = v - pivot;
        sum += w * d;
        square += w * d * d;
    }
    (sum, square)
}

/// (Σ d, Σ d², Σ d·e) with d = x − `x_pivot` and e = y − `y_pivot`; x and y side by side.
pub(crate) fn cross_powers(x: &[f64], y: &[f64], x_pivot: f64, y_pivot: f64) -> (f64, f64, f64) {
    let mut sums = [0.0; LANES];
    let mut squares = [0.0; LANES];
    let mut products = [0.0; LANES];
    let n = x.len().min(y.len());
    let (x_chunks, x_rest) = x[..n].as_chunks::<LANES>();
    let (y_chunks, y_rest) = y[..n].as_chunks::<LANES>();
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for i in 0..LANES {
            let d = x[i] - x_pivot;
            sums[i] += d;
            squares[i] += d * d;
            products[i] += d * (y[i] - y_pivot);
        }
    }
    let (mut sum, mut square, mut product) = (fold(&sums), fold(&squares), fold(&products));
    for (&x, &y) in x_rest.iter().zip(y_rest) {
        let d = x - x_pivot;
        sum += d;
        square += d * d;
        product += d * (y - y_pivot);
    }
    (sum, square, product)
}

/// How many values satisfy `holds`.
pub(crate) fn count(values: &[f64], holds: impl Fn(f64) -> bool) -> usize {
    let mut counts = [0u64; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (count, &v) in counts.iter_mut().zip(chunk) {
            *count += u64::from(holds(v));
        }
    }
    counts.iter().sum::<u64>() as usize + rest.iter().filter(|&&v| holds(v)).count()
}

/// How many values are below each of four pivots.
pub(crate) fn count_below(values: &[f64], pivots: &[f64; 4]) -> [usize; 4] {
    const PAIR: usize = 2;
    let mut counts = [[0u64; PAIR]; 4];
    let (chunks, rest) = values.as_chunks::<PAIR>();
    for chunk in chunks {
        for (counts, &pivot) in counts.iter_mut().zip(pivots) {
            for (count, &v) in counts.iter_mut().zip(chunk) {
                *count += u64::from(v < pivot);
            }
        }
    }
    std::array::from_fn(|k| {
        counts[k].iter().sum::<u64>() as usize + rest.iter().filter(|&&v| v < pivots[k]).count()
    })
}

fn fold(lanes: &[f64; LANES]) -> f64 {
    ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
}

/// The smallest and the largest value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

/// Smallest and largest value; both NaN for no values. NaN values are passed over unless the first is one. O(n).
#[must_use]
pub fn extent(values: &[f64]) -> Extent {
    let first = values.first().copied().unwrap_or(f64::NAN);
    let mut low = [first; LANES];
    let mut high = [first; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for ((low, high), &v) in low.iter_mut().zip(&mut high).zip(chunk) {
            *low = if v < *low { v } else { *low };
            *high = if v > *high { v } else { *high };
        }
    }
    let mut extent = Extent {
        min: first,
        max: first,
    };
    for &v in low.iter().chain(&high).chain(rest) {
        extent.min = if v < extent.min { v } else { extent.min };
        extent.max = if v > extent.max { v } else { extent.max };
    }
    extent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_add_up_to_the_plain_sums() {
        let x: Vec<f64> = (0..37).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|v| v * v - 5.0).collect();
        let d: Vec<f64> = x.iter().map(|v| v - 3.0).collect();
        let plain = (d.iter().sum(), d.iter().map(|d| d * d).sum());
        assert_eq!(powers(&x, 3.0), plain);
        let products = d.iter().zip(&y).map(|(d, y)| d * (y - 1.0)).sum();
        assert_eq!(cross_powers(&x, &y, 3.0, 1.0), (plain.0, plain.1, products));
        assert_eq!(weighted_powers(&[1.0; 37], &x, 3.0), plain);
        assert_eq!(count(&x, |v| v < 10.0), 10);
        assert_eq!(
            extent(&y),
            Extent {
                min: -5.0,
                max: 1291.0
            }
        );
        assert!(extent(&[]).min.is_nan());
    }
}
