//! Mean and standard deviation.

use super::lanes;

/// Count, mean and centred sum of squares of some values.
///
/// Everything is kept relative to the first value, the *pivot*: a constant series has exactly its constant for a
/// mean and exactly 0 for a deviation, and a large offset costs no digits. The pivot being one of the values, its
/// distance from the mean is at most √n standard deviations, which bounds what the one-pass form can lose to a
/// factor of n.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// How many values.
    pub count: usize,
    /// The first value; NaN if there is none.
    pub pivot: f64,
    /// Mean minus pivot; NaN if there is no value.
    pub offset: f64,
    /// Σ (v − mean)².
    pub squares: f64,
}

impl Moments {
    /// One pass with several accumulators. O(n).
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let pivot = values.first().copied().unwrap_or(f64::NAN);
        let n = values.len() as f64;
        let (sum, squares) = lanes::powers(values, pivot);
        let centred = squares - sum * (sum / n);
        Self {
            count: values.len(),
            pivot,
            offset: sum / n,
            squares: if centred < 0.0 { 0.0 } else { centred },
        }
    }

    /// Two passes, term by term: the mean first, then the squares of what differs from it. O(n).
    #[must_use]
    pub fn plain(values: &[f64]) -> Self {
        let pivot = values.first().copied().unwrap_or(f64::NAN);
        let offset = values.iter().map(|v| v - pivot).sum::<f64>() / values.len() as f64;
        let squares = values.iter().map(|v| ((v - pivot) - offset).powi(2)).sum();
        Self {
            count: values.len(),
            pivot,
            offset,
            squares,
        }
    }

    /// The moments with one value more. Only ever adds, so no digits are lost however far off the value is.
    #[must_use]
    pub fn with(self, value: f64) -> Self {
        if self.count == 0 {
            return Self::plain(&[value]);
        }
        let before = self.count as f64;
        let after = before + 1.0;
        let distance = self.deviation(value);
        Self {
            count: self.count + 1,
            pivot: self.pivot,
            offset: self.offset + distance / after,
            squares: self.squares + distance * (distance * (before / after)),
        }
    }

    /// The mean; NaN if there is no value.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.pivot + self.offset
    }

    /// `value` − mean, without going through the rounded mean.
    #[must_use]
    pub fn deviation(&self, value: f64) -> f64 {
        (value - self.pivot) - self.offset
    }

    /// Tail − mean, the tail as in [`crate::Window::tail_mean`], but for three equal values, of which the tail is each:
    /// a third of 0.1 + 0.1 + 0.1 is not 0.1, and a tail like all the rest should not stand out from it.
    #[must_use]
    pub fn deviation_of_tail(&self, values: &[f64]) -> f64 {
        match values {
            [.., a, b, c] if a != b || b != c => self.deviation((c + b + a) / 3.0),
            [.., last] => self.deviation(*last),
            [] => f64::NAN,
        }
    }

    /// Sample standard deviation (divisor n − 1); NaN for fewer than two values.
    #[must_use]
    pub fn sd_sample(&self) -> f64 {
        if self.count < 2 {
            return f64::NAN;
        }
        (self.squares / (self.count - 1) as f64).sqrt()
    }

    /// Population standard deviation (divisor n); NaN if there is no value.
    #[must_use]
    pub fn sd_population(&self) -> f64 {
        (self.squares / self.count as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_has_no_deviation_at_all() {
        for v in [0.1, 1e15, -7.3e-300, 0.0] {
            let moments = Moments::of(&[v; 100]);
            assert_eq!((moments.mean(), moments.sd_sample()), (v, 0.0));
            assert_eq!(moments.deviation(v), 0.0);
            assert_eq!(moments.deviation_of_tail(&[v; 3]), 0.0);
        }
    }

    #[test]
    fn short_input_is_nan() {
        assert!(Moments::of(&[]).mean().is_nan());
        assert!(Moments::of(&[]).sd_population().is_nan());
        assert!(Moments::of(&[3.0]).sd_sample().is_nan());
        assert_eq!(Moments::of(&[3.0]).sd_population(), 0.0);
    }

    #[test]
    fn one_value_more_is_the_same_as_all_at_once() {
        let values: Vec<f64> = (0..500).map(|i| f64::from(i * 7919 % 101) + 1e6).collect();
        for last in [1e6, 1e12] {
            let mut all = values.clone();
            all.push(last);
            let grown = Moments::of(&values).with(last);
            let plain = Moments::plain(&all);
            assert_eq!(grown.count, plain.count);
            assert!(super::super::near(grown.mean(), plain.mean()));
            assert!(super::super::near(grown.squares, plain.squares));
        }
        assert_eq!(Moments::of(&[]).with(4.0), Moments::plain(&[4.0]));
    }
}
