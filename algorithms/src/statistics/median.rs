//! Median, and the median of the absolute deviations from it (MAD, unscaled).

/// The median; for an even count the mean of the middle two; NaN for no values. Average O(n). `buffer` is
/// overwritten.
pub fn median(values: &[f64], buffer: &mut Vec<f64>) -> f64 {
    buffer.clear();
    buffer.extend_from_slice(values);
    median_in_place(buffer)
}

/// The median of |v − `centre`|. Average O(n). `buffer` is overwritten.
pub fn median_absolute_deviation(values: &[f64], centre: f64, buffer: &mut Vec<f64>) -> f64 {
    buffer.clear();
    buffer.extend(values.iter().map(|v| (v - centre).abs()));
    median_in_place(buffer)
}

fn median_in_place(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return f64::NAN;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return upper;
    }
    let lower = below
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, |a, b| if b > a { b } else { a });
    (lower + upper) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
