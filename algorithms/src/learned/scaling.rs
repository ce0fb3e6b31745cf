//! Counts of any size brought between 0 and 1, as rb-aioutliers scales them, and back.

/// tanh(ln(1 + x) / 32), which tells bytes from terabytes. A number below 0 counts as 0.
#[must_use]
pub fn rescale(x: f64) -> f64 {
    (x.max(0.0).ln_1p() / 32.0).tanh()
}

/// The number that [`rescale`] makes `y` of; of what lies outside, the nearest that can be.
#[must_use]
pub fn descale(y: f64) -> f64 {
    // A network's 1 is no infinity: the largest answer is that of the last f32 below 1.
    (32.0 * y.clamp(0.0, 1.0 - f64::from(f32::EPSILON) / 2.0).atanh()).exp_m1()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for x in [0.0, 1e-3, 1.0, 1234.5, 1e9, 1e15] {
            let back = descale(rescale(x));
            assert!((back - x).abs() <= 1e-9 * (1.0 + x), "{x} {back}");
        }
        assert_eq!(rescale(-5.0), 0.0);
        assert!(descale(2.0).is_finite());
    }
}
