//! The least-squares line through a window, as LAPACK's `gelsd` gives it on raw timestamps.
//!
//! An ordinary centred fit, but for one thing. `gelsd` drops a singular value of the matrix [x, 1] that is below
//! 2⁻⁵³ times the other, and with today's timestamps that happens to windows that span less than about 18.5 minutes:
//! the "line" then is the multiple of the one direction left, practically the constant mean. Both are needed for
//! parity, and the ratio of the singular values decides which, as it does there.

use super::{lanes, moments::Moments};
use crate::window::Window;

/// Below this part of the larger one LAPACK takes a singular value for zero (`rcond = -1`).
const RANK_CUT: f64 = f64::EPSILON / 2.0;

/// If the line leaves less than this part of the spread, the residuals are summed themselves.
const NEARLY_PERFECT: f64 = 1e-6;

/// A fitted line and what it leaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeastSquaresLine {
    /// Value per second.
    pub slope: f64,
    /// 2, or 1 when the window is so short that LAPACK sees only one direction.
    pub rank: u8,
    /// How many points.
    pub count: usize,
    /// Mean residual of the last three points.
    pub tail: f64,
    /// Σ (e − ē)² over all residuals e.
    pub squares: f64,
}

/// What a residual is computed from: e = (y − y₀ − a) − slope · (x − x₀ − b).
#[derive(Clone, Copy)]
struct Centre {
    x_pivot: f64,
    x_offset: f64,
    y_pivot: f64,
    y_offset: f64,
    slope: f64,
    rank: u8,
}

impl LeastSquaresLine {
    /// One pass over times and values. O(n). All NaN for fewer than three points.
    #[must_use]
    pub fn of(window: Window<'_>, moments: &Moments) -> Self {
        let (times, values) = (window.times(), window.values());
        let n = values.len() as f64;
        let x_pivot = times.first().copied().unwrap_or(f64::NAN);
        let (dx, dxx, dxy) = lanes::cross_powers(times, values, x_pivot, moments.pivot);
        let sxx = dxx - dx * (dx / n);
        let sxy = dxy - dx * moments.offset;
        let centre = Centre::fitted(x_pivot, dx / n, moments, sxx, sxy);
        let left = moments.squares - centre.slope * sxy;
        if centre.rank == 2 && left > NEARLY_PERFECT * moments.squares {
            Self::finish(&centre, window, left)
        } else {
            Self::summed(&centre, window)
        }
    }

    /// Three passes, term by term: means, slope, residuals. O(n).
    #[must_use]
    pub fn plain(window: Window<'_>) -> Self {
        let (x, y) = (Moments::plain(window.times()), Moments::plain(window.values()));
        let products = window.times().iter().zip(window.values());
        let sxy = products.map(|(&t, &v)| x.deviation(t) * y.deviation(v)).sum();
        let centre = Centre::fitted(x.pivot, x.offset, &y, x.squares, sxy);
        Self::summed(&centre, window)
    }

    fn summed(centre: &Centre, window: Window<'_>) -> Self {
        let points = || window.times().iter().zip(window.values());
        let mean = points().map(|(&t, &v)| centre.residual(t, v)).sum::<f64>() / window.len() as f64;
        let squares = points()
            .map(|(&t, &v)| (centre.residual(t, v) - mean).powi(2))
            .sum();
        Self::finish(centre, window, squares)
    }

    fn finish(centre: &Centre, window: Window<'_>, squares: f64) -> Self {
        let tail = match (window.times(), window.values()) {
            ([.., t1, t2, t3], [.., v1, v2, v3]) => {
                (centre.residual(*t3, *v3) + centre.residual(*t2, *v2) + centre.residual(*t1, *v1)) / 3.0
            }
            _ => f64::NAN,
        };
        Self {
            slope: centre.slope,
            rank: centre.rank,
            count: window.len(),
            tail,
            squares,
        }
    }

    /// Sample standard deviation of the residuals (divisor n − 1).
    #[must_use]
    pub fn sd_sample(&self) -> f64 {
        if self.count < 2 {
            return f64::NAN;
        }
        (self.squares / (self.count - 1) as f64).sqrt()
    }

    /// Population standard deviation of the residuals (divisor n).
    #[must_use]
    pub fn sd_population(&self) -> f64 {
        (self.squares / self.count as f64).sqrt()
    }
}

impl Centre {
    /// `sxx` = Σ(x−x̄)², `sxy` = Σ(x−x̄)(y−ȳ).
    fn fitted(x_pivot: f64, x_offset: f64, y: &Moments, sxx: f64, sxy: f64) -> Self {
        let n = y.count as f64;
        let x_mean = x_pivot + x_offset;
        let y_mean = y.mean();
        // AᵀA = [[Σx², Σx], [Σx, n]]; its eigenvalues are the squared singular values of A = [x, 1].
        let sum_xx = sxx + n * x_mean * x_mean;
        let trace = sum_xx + n;
        let larger = 0.5 * (trace + (trace * trace - 4.0 * n * sxx).max(0.0).sqrt());
        let ratio = (n * sxx).sqrt() / larger;
        let centre = Self {
            x_pivot,
            x_offset,
            y_pivot: y.pivot,
            y_offset: y.offset,
            slope: sxy / sxx,
            rank: 2,
        };
        // NaN stays with rank 2 and yields NaN.
        if ratio > RANK_CUT || ratio.is_nan() {
            return centre;
        }
        // The direction (p, q) of the larger singular value, and the least squares along it: y ≈ β·(p·x + q).
        let (p, q) = if sum_xx >= n {
            (larger - n, n * x_mean)
        } else {
            (n * x_mean, larger - sum_xx)
        };
        let scale = p.hypot(q);
        let (p, q) = (p / scale, q / scale);
        let z_mean = p * x_mean + q;
        let denominator = n * z_mean * z_mean + p * p * sxx;
        let beta = (n * z_mean * y_mean + p * sxy) / denominator;
        // What the prediction at the mean time misses the mean value by.
        let miss = p * (z_mean * sxy - p * sxx * y_mean) / denominator;
        Self {
            slope: beta * p,
            y_offset: centre.y_offset + miss,
            rank: 1,
            ..centre
        }
    }

    fn residual(&self, time: f64, value: f64) -> f64 {
        ((value - self.y_pivot) - self.y_offset) - self.slope * ((time - self.x_pivot) - self.x_offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(times: &[f64], values: &[f64]) -> (LeastSquaresLine, LeastSquaresLine) {
        let window = Window::new(times, values);
        (
            LeastSquaresLine::of(window, &Moments::of(values)),
            LeastSquaresLine::plain(window),
        )
    }

    #[test]
    fn fast_and_plain_agree() {
        let times: Vec<f64> = (0..500).map(|i| 1.7e9 + 60.0 * f64::from(i)).collect();
        let values: Vec<f64> = (0..500)
            .map(|i| f64::from(i) * 0.25 + f64::from(i * 7919 % 101))
            .collect();
        let (fast, plain) = both(&times, &values);
        assert_eq!(fast.rank, 2);
        for (a, b) in [
            (fast.slope, plain.slope),
            (fast.tail, plain.tail),
            (fast.squares, plain.squares),
        ] {
            assert!((a / b - 1.0).abs() < 1e-11, "{a} {b}");
        }
    }

    #[test]
    fn a_perfect_line_leaves_nothing() {
        let times: Vec<f64> = (0..100).map(|i| 1.7e9 + 60.0 * f64::from(i)).collect();
        let values: Vec<f64> = (0..100).map(|i| 3.0 * f64::from(i)).collect();
        let (fast, _) = both(&times, &values);
        assert!(fast.sd_sample() < 1e-12 && fast.tail.abs() < 1e-12);
    }

    #[test]
    fn a_short_window_far_from_the_epoch_has_no_slope() {
        let times: Vec<f64> = (0..18).map(|i| 1.7e9 + 60.0 * f64::from(i)).collect();
        let values: Vec<f64> = (0..18).map(|i| 50.0 * f64::from(i)).collect();
        let (fast, plain) = both(&times, &values);
        assert_eq!((fast.rank, plain.rank), (1, 1));
        let mean = Moments::plain(&values);
        assert!((fast.tail - mean.deviation(800.0)).abs() < 1e-3, "{fast:?}");
        assert!((fast.sd_sample() / mean.sd_sample() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn equal_times_leave_the_mean() {
        let (fast, plain) = both(&[5.0; 4], &[1.0, 2.0, 3.0, 6.0]);
        assert_eq!((fast.rank, plain.rank), (1, 1));
        assert!((plain.tail - (11.0 / 3.0 - 3.0)).abs() < 1e-12, "{plain:?}");
    }

    #[test]
    fn fewer_than_three_points_have_no_tail() {
        let (fast, plain) = both(&[1.0, 2.0], &[3.0, 4.0]);
        assert!(fast.tail.is_nan() && plain.tail.is_nan());
        let (fast, _) = both(&[], &[]);
        assert!(fast.tail.is_nan() && fast.sd_sample().is_nan());
    }
}
