//! What series are worth judging, and how they are made smooth.

/// Which series say something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgeability {
    /// Shares of the expected number of points between which the number must be.
    pub least_length: f64,
    /// See `least_length`.
    pub most_length: f64,
    /// Share of the expected number of points that must be changes from the point before; 0 asks nothing.
    pub least_changes: f64,
}

impl Default for Judgeability {
    fn default() -> Self {
        Self {
            least_length: 0.6,
            most_length: 1.5,
            least_changes: 0.6,
        }
    }
}

/// Whether `values` say something: as many as `expected`, about, not all alike, changing often enough, with a sum other
/// than 0, all finite.
#[must_use]
pub fn is_judgeable(values: &[f64], expected: usize, limits: Judgeability) -> bool {
    let (count, expected) = (values.len() as f64, expected as f64);
    let changes = values.windows(2).filter(|two| two[0] != two[1]).count();
    let is_long_enough = count >= limits.least_length * expected && count <= limits.most_length * expected;
    is_long_enough
        && changes > 0
        && (changes + 1) as f64 >= limits.least_changes * expected
        && values.iter().all(|value| value.is_finite())
        && values.iter().sum::<f64>() != 0.0
}

/// Means of `width` neighbours, only where all of them are there: `values.len() − width + 1` of them. O(n · width).
#[must_use]
pub fn smoothed(values: &[f64], width: usize) -> Vec<f64> {
    let width = width.max(1);
    values
        .windows(width)
        .map(|window| window.iter().sum::<f64>() / width as f64)
        .collect()
}

/// To 0 … 1; all 0 where they are all alike.
pub(super) fn min_max(values: &[f64]) -> Vec<f64> {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let width = values.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least;
    values
        .iter()
        .map(|value| if width > 0.0 { (value - least) / width } else { 0.0 })
        .collect()
}

/// Mean and population standard deviation; NaN of nothing.
pub(super) fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_that_says_nothing_is_not_judged() {
        let limits = Judgeability::default();
        let changing: Vec<f64> = (0..20).map(|at| f64::from(at % 3)).collect();
        assert!(is_judgeable(&changing, 20, limits));
        assert!(!is_judgeable(&changing, 34, limits), "too short");
        assert!(!is_judgeable(&changing, 13, limits), "too long");
        assert!(!is_judgeable(&[2.0; 20], 20, limits), "constant");
        let mut rare = vec![1.0; 20];
        rare[7] = 2.0;
        assert!(!is_judgeable(&rare, 20, limits), "hardly ever changing");
        assert!(is_judgeable(
            &rare,
            20,
            Judgeability {
                least_changes: 0.0,
                ..limits
            }
        ));
        assert!(!is_judgeable(&[1.0, f64::NAN], 2, limits));
        assert!(!is_judgeable(&[1.0, -1.0], 2, limits), "sum 0");
    }

    #[test]
    fn means_only_where_all_neighbours_are_there() {
        assert_eq!(smoothed(&[1.0, 2.0, 3.0, 7.0], 3), [2.0, 4.0]);
        assert!(smoothed(&[1.0], 3).is_empty());
    }
}
