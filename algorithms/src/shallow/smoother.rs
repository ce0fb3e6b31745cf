//! The triangular smoother of rb-aioutliers.

/// Each value as a weighted mean of its neighbourhood, 5 % of the series wide, with the ends held out flat. As long as
/// `values`; O(n²/20).
///
/// w = max(⌊0.05 n⌋, min(n, ⌊5 + ln n⌋)), made odd; kernel 1…h, h²/4, h…1 with h = ⌊w/2⌋.
#[must_use]
pub fn smooth(values: &[f64]) -> Vec<f64> {
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else {
        return Vec::new();
    };
    let count = values.len();
    let least = (5.0 + (count as f64).ln()) as usize;
    let width = ((0.05 * count as f64) as usize).max(count.min(least)) | 1;
    let half = width / 2;
    let rising = (1..=half).map(|weight| weight as f64);
    let middle = if half == 0 {
        1.0
    } else {
        (half * half) as f64 / 4.0
    };
    let kernel: Vec<f64> = rising.clone().chain([middle]).chain(rising.rev()).collect();
    let sum: f64 = kernel.iter().sum();
    let mut padded = vec![first; half];
    padded.extend_from_slice(values);
    padded.extend(std::iter::repeat_n(last, half));
    let blend = |window: &[f64]| {
        window
            .iter()
            .zip(&kernel)
            .map(|(value, weight)| value * (weight / sum))
            .sum()
    };
    padded.windows(kernel.len()).map(blend).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_is_reproduced_and_a_kernel_is_what_it_should_be() {
        for count in 1..50 {
            let smooth = smooth(&vec![3.0; count]);
            assert_eq!(smooth.len(), count);
            assert!(smooth.iter().all(|value| (value - 3.0).abs() < 1e-12));
        }
        // n = 40: w = max(2, min(40, 8)) = 8, made 9; h = 4; kernel 1 2 3 4 4 4 3 2 1, sum 24.
        let mut values = vec![0.0; 40];
        values[20] = 24.0;
        let smooth = smooth(&values);
        let around: Vec<f64> = smooth[15..26].iter().map(|value| value.round()).collect();
        assert_eq!(around, [0.0, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
    }
}
