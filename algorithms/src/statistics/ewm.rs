//! Exponentially weighted mean and deviation at the newest point.
//!
//! pandas `ewm(com=50, adjust=True, ignore_na=False)`: the point of age k (in points, not in seconds) has the weight
//! (50/51)ᵏ. The recurrence pandas uses is a chain of dependent steps; the same sums as dot products with a table
//! of weights are several times faster.

use super::lanes;

/// Weight of a point against the one after it: com/(1 + com) with a centre of mass of 50 points.
pub const DECAY: f64 = 50.0 / 51.0;

/// The table of weights, newest last, grown when a longer window comes along. One per thread is enough.
#[derive(Debug, Clone, Default)]
pub struct EwmWeights {
    table: Vec<f64>,
}

impl EwmWeights {
    /// The weights of a window of `n` points, oldest first, so that they lie side by side with its values.
    pub fn of(&mut self, n: usize) -> &[f64] {
        if self.table.len() < n {
            let length = n.next_power_of_two();
            self.table.clear();
            self.table
                .extend((0..length).map(|age| DECAY.powi(age.try_into().unwrap_or(i32::MAX))));
            self.table.reverse();
        }
        &self.table[self.table.len() - n..]
    }
}

/// Where the newest value stands in its own weighted past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ewm {
    /// The newest value minus the weighted mean (which it is part of).
    pub deviation: f64,
    /// The weighted standard deviation, corrected for bias; NaN for a single value.
    pub sd: f64,
}

impl Ewm {
    /// One pass over values (oldest first) and their weights, of the same length. O(n). All NaN for no values.
    ///
    /// Relative to the newest value v: with a = Σw(y−v)/Σw the deviation is −a and the variance Σw(y−v)²/Σw − a².
    /// The newest value being in the sums, the variance is at least a²/Σw ≥ a²/51, so the subtraction costs at most
    /// two digits.
    #[must_use]
    pub fn of(weights: &[f64], values: &[f64]) -> Self {
        let last = values.last().copied().unwrap_or(f64::NAN);
        let (sum, squares) = lanes::weighted_powers(weights, values, last);
        let total = total(values.len());
        let offset = sum / total;
        let variance = squares / total - offset * offset;
        Self::corrected(offset, if variance < 0.0 { 0.0 } else { variance }, values.len())
    }

    /// Two passes, term by term. O(n).
    #[must_use]
    pub fn plain(weights: &[f64], values: &[f64]) -> Self {
        let last = values.last().copied().unwrap_or(f64::NAN);
        let total = total(values.len());
        let pairs = || weights.iter().zip(values);
        let offset = pairs().map(|(w, v)| w * (v - last)).sum::<f64>() / total;
        let variance = pairs()
            .map(|(w, v)| w * ((v - last) - offset).powi(2))
            .sum::<f64>()
            / total;
        Self::corrected(offset, variance, values.len())
    }

    fn corrected(offset: f64, variance: f64, n: usize) -> Self {
        let sum = total(n);
        let squares = sum_of_powers(DECAY * DECAY, n);
        Self {
            deviation: -offset,
            sd: if n < 2 {
                f64::NAN
            } else {
                (variance * (sum * sum / (sum * sum - squares))).sqrt()
            },
        }
    }
}

/// Σ of the weights of n points.
fn total(n: usize) -> f64 {
    sum_of_powers(DECAY, n)
}

/// 1 + r + … + rⁿ⁻¹, which is (1 − rⁿ)/(1 − r), without losing digits for small n.
fn sum_of_powers(r: f64, n: usize) -> f64 {
    -(n as f64 * r.ln()).exp_m1() / (1.0 - r)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_and_plain_agree_with_the_recurrence() {
        let values: Vec<f64> = (0..300).map(|i| f64::from(i * 7919 % 101) + 1e4).collect();
        let mut weights = EwmWeights::default();
        let fast = Ewm::of(weights.of(300), &values);
        let plain = Ewm::plain(weights.of(300), &values);
        let (mut mean, mut weight) = (values[0], 1.0);
        for &v in &values[1..] {
            let old = weight * DECAY;
            weight = old + 1.0;
            mean = (old * mean + v) / weight;
        }
        assert!((fast.deviation - (values[299] - mean)).abs() < 1e-9);
        assert!((fast.deviation - plain.deviation).abs() < 1e-10);
        assert!((fast.sd / plain.sd - 1.0).abs() < 1e-12);
    }

    #[test]
    fn constants_and_short_input() {
        let mut weights = EwmWeights::default();
        assert_eq!(
            Ewm::of(weights.of(9), &[0.1; 9]),
            Ewm {
                deviation: 0.0,
                sd: 0.0
            }
        );
        assert!(Ewm::of(weights.of(1), &[4.0]).sd.is_nan());
        assert!(Ewm::of(weights.of(0), &[]).deviation.is_nan());
        // Two points: any weights give the plain sample deviation, |a − b|/√2.
        let two = Ewm::of(weights.of(2), &[1.0, 3.0]);
        assert!((two.sd - 2f64.sqrt()).abs() < 1e-13, "{}", two.sd);
    }
}
