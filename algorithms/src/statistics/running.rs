//! Moments that move with a window: one value in, one value out, no pass over the rest.
//!
//! Sums are kept about a fixed pivot, and beside each sum a bound on what rounding may have done to it so far. As long
//! as the bound is far below what [`super::exceeds`] can tell apart the moments are given out; otherwise, after an
//! excursion that has left the window, say, the caller is told to build them anew. A verdict from running moments is
//! therefore the one a pass over all values gives: near a limit both ask the plain form.

use super::lanes;
use super::moments::Moments;

/// Share of the spread that rounding may take before the sums are built anew: a tenth of [`super::CLOSE`].
const TOLERANCE: f64 = super::CLOSE / 10.0;
/// Largest relative rounding error of one operation.
const ROUNDING: f64 = f64::EPSILON / 2.0;

/// Running sums of a window's values.
#[derive(Debug, Clone, Copy)]
pub struct RunningMoments {
    count: usize,
    pivot: f64,
    /// Σ (v − pivot), Σ (v − pivot)².
    sum: f64,
    squares: f64,
    /// Bounds on the errors of the two.
    sum_error: f64,
    squares_error: f64,
}

impl RunningMoments {
    /// One pass over `values`. O(n).
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let pivot = values.first().copied().unwrap_or(0.0);
        let (sum, squares) = lanes::powers(values, pivot);
        let n = values.len() as f64;
        Self {
            count: values.len(),
            pivot,
            sum,
            squares,
            // Σ |d| ≤ √(n · Σ d²) (Cauchy and Schwarz), and each of n additions may lose that share of it.
            sum_error: n * ROUNDING * (n * squares).sqrt(),
            squares_error: n * ROUNDING * squares,
        }
    }

    /// How many values are in.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// A value comes in. O(1).
    pub fn push(&mut self, value: f64) {
        self.count += 1;
        self.step(value, 1.0);
    }

    /// A value that is in goes out. O(1).
    pub fn remove(&mut self, value: f64) {
        self.count = self.count.saturating_sub(1);
        self.step(value, -1.0);
    }

    fn step(&mut self, value: f64, sign: f64) {
        let d = value - self.pivot;
        let square = d * d;
        self.sum += sign * d;
        self.squares += sign * square;
        self.sum_error += ROUNDING * (self.sum.abs() + d.abs());
        self.squares_error += ROUNDING * (self.squares.abs() + 3.0 * square);
    }

    /// The moments, or nothing if too many digits may be lost: then it is time for [`RunningMoments::of`].
    #[must_use]
    pub fn moments(&self) -> Option<Moments> {
        let n = self.count as f64;
        let offset = self.sum / n;
        let centred = self.squares - self.sum * offset;
        let lost = self.squares_error + 2.0 * offset.abs() * self.sum_error;
        let is_exact = lost <= TOLERANCE * centred && self.sum_error / n <= TOLERANCE * (centred / n).sqrt();
        is_exact.then_some(Moments {
            count: self.count,
            pivot: self.pivot,
            offset,
            squares: centred,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_excursion_that_has_left_is_forgotten_or_told() {
        let calm = |i: u32| 100.0 + f64::from(i * 7919 % 101) / 10.0;
        let mut values: Vec<f64> = (0..1_000).map(calm).collect();
        let mut running = RunningMoments::of(&values);
        for extreme in [1e3, 1e15, -1e200] {
            running.push(extreme);
            values.push(extreme);
            for i in 0..2_000 {
                running.push(calm(i));
                values.push(calm(i));
                running.remove(values.remove(0));
                if let Some(moments) = running.moments() {
                    let plain = Moments::plain(&values);
                    let sd = plain.sd_sample();
                    assert!((moments.mean() - plain.mean()).abs() <= 2e-10 * sd + plain.mean().abs() * 1e-15);
                    assert!(
                        (moments.sd_sample() - sd).abs() <= 2e-10 * sd,
                        "{} {sd}",
                        moments.sd_sample()
                    );
                } else {
                    running = RunningMoments::of(&values);
                }
            }
        }
    }

    #[test]
    fn a_constant_is_exact_or_built_anew() {
        let mut running = RunningMoments::of(&[0.1; 50]);
        assert_eq!(running.moments().map(|m| m.squares), Some(0.0));
        running.push(0.3);
        running.remove(0.3);
        assert!(running.moments().is_none_or(|m| m.squares == 0.0));
        assert!(RunningMoments::of(&[]).moments().is_none());
    }

    proptest! {
        #[test]
        fn what_is_given_out_is_right(
            start in prop::collection::vec(-1e6f64..1e6, 2..200),
            steps in prop::collection::vec((-1e6f64..1e6, any::<bool>(), 0u8..20), 0..400),
        ) {
            let mut values = start;
            let mut running = RunningMoments::of(&values);
            for (value, goes, scale) in steps {
                let value = if scale == 0 { value * 1e9 } else { value };
                running.push(value);
                values.push(value);
                if goes && values.len() > 3 {
                    running.remove(values.remove(0));
                }
                if let Some(moments) = running.moments() {
                    let plain = Moments::plain(&values);
                    let sd = plain.sd_sample();
                    prop_assert_eq!(moments.count, values.len());
                    prop_assert!((moments.mean() - plain.mean()).abs() <= 2e-10 * sd + plain.mean().abs() * 1e-15);
                    prop_assert!((moments.sd_sample() - sd).abs() <= 2e-10 * sd);
                }
            }
        }
    }
}
