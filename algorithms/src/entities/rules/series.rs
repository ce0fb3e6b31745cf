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

/// How a series is smoothed before it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Smoothing {
    /// It is taken as it is.
    None,
    /// Means of so many neighbours ([`smoothed`]).
    MovingMean(usize),
    /// Polynomials through neighbours ([`savitzky_golay`]).
    SavitzkyGolay {
        /// How many neighbours.
        window: usize,
        /// Of what degree, below their number.
        order: usize,
    },
}

impl Smoothing {
    /// The series smoothed; shorter where neighbours are missing.
    #[must_use]
    pub fn of(self, values: &[f64]) -> Vec<f64> {
        match self {
            Self::None => values.to_vec(),
            Self::MovingMean(width) => smoothed(values, width),
            Self::SavitzkyGolay { window, order } => savitzky_golay(values, window, order),
        }
    }
}

/// Each value of the polynomial of degree `order` that lies closest to the `window` values around it (Savitzky and Golay, 1964);
/// of an even window the place is that right of the middle. At the ends it is the first and the last polynomial. As many values as
/// there were; unchanged where there are fewer than `window`, or where `window` is not more than `order`. O(n · window).
#[must_use]
pub fn savitzky_golay(values: &[f64], window: usize, order: usize) -> Vec<f64> {
    if values.len() < window || window <= order {
        return values.to_vec();
    }
    let basis = polynomials(window, order);
    // The value at a place of the window: a projection on the basis, so that no equations are solved.
    let fitted = |part: &[f64], at: usize| -> f64 {
        let terms = basis.iter().map(|one| {
            let share: f64 = one.iter().zip(part).map(|(a, b)| a * b).sum();
            share * one[at]
        });
        terms.sum()
    };
    let (half, last) = (window / 2, values.len() - window);
    (0..values.len())
        .map(|place| {
            let start = place.saturating_sub(half).min(last);
            fitted(&values[start..start + window], place - start)
        })
        .collect()
}

/// Orthonormal polynomials up to a degree over `count` equal steps, by Gram and Schmidt.
fn polynomials(count: usize, degree: usize) -> Vec<Vec<f64>> {
    let middle = (count - 1) as f64 / 2.0;
    let steps: Vec<f64> = (0..count)
        .map(|at| (at as f64 - middle) / middle.max(1.0))
        .collect();
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(degree + 1);
    for _ in 0..=degree {
        let mut next: Vec<f64> = match basis.last() {
            Some(before) => before
                .iter()
                .zip(&steps)
                .map(|(value, step)| value * step)
                .collect(),
            None => vec![1.0; count],
        };
        // Twice, as once leaves what rounding made of the first time.
        for one in basis.iter().chain(&basis) {
            let share: f64 = next.iter().zip(one).map(|(a, b)| a * b).sum();
            next.iter_mut().zip(one).for_each(|(a, b)| *a -= share * b);
        }
        let length = next.iter().map(|value| value * value).sum::<f64>().sqrt();
        next.iter_mut().for_each(|value| *value /= length);
        basis.push(next);
    }
    basis
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

    /// What `savgol_filter` of SciPy 1.17 answers.
    #[test]
    fn polynomials_smooth_as_scipys_do() {
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0];
        let expected: [(usize, usize, [f64; 11]); 3] = [
            (
                5,
                2,
                [
                    2.857142857143,
                    1.971428571429,
                    1.942857142857,
                    2.714285714286,
                    5.342857142857,
                    6.171428571429,
                    5.257142857143,
                    4.285714285714,
                    4.914285714286,
                    4.857142857143,
                    4.085714285714,
                ],
            ),
            (
                7,
                3,
                [
                    3.380952380952,
                    0.904761904762,
                    1.619047619048,
                    3.857142857143,
                    4.714285714286,
                    5.142857142857,
                    6.0,
                    4.761904761905,
                    4.0,
                    3.857142857143,
                    4.833333333333,
                ],
            ),
            (
                11,
                2,
                [
                    1.678321678322,
                    2.562237762238,
                    3.306293706294,
                    3.91048951049,
                    4.374825174825,
                    4.699300699301,
                    4.883916083916,
                    4.928671328671,
                    4.833566433566,
                    4.598601398601,
                    4.223776223776,
                ],
            ),
        ];
        for (window, order, expected) in expected {
            let found = Smoothing::SavitzkyGolay { window, order }.of(&values);
            let is_close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-11);
            assert!(is_close && found.len() == 11, "{window}, {order}: {found:?}");
        }
        assert_eq!(savitzky_golay(&values[..4], 5, 2), values[..4]);
        assert_eq!(savitzky_golay(&values, 1, 0), values);
    }
}
