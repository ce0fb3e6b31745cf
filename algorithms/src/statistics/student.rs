//! Upper quantiles of Student's t, and the limit of Grubbs' test.

use std::f64::consts::PI;

use statrs::function::beta::{beta_reg, ln_beta};

/// Upper-tail probability of Grubbs' test before it is shared out over the n points.
const SIGNIFICANCE: f64 = 0.05;

/// P(T > t) for t ≥ 0 with `freedom` degrees of freedom.
#[must_use]
pub fn upper_tail(t: f64, freedom: f64) -> f64 {
    0.5 * beta_reg(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// The t with P(T > t) = `p`, for p below one half; NaN unless `freedom` > 0 and 0 < p < ½.
///
/// Starts from the normal quantile's leading term and takes Newton steps on ln P, which is concave in ln t, until
/// they no longer move. About 14 digits.
#[must_use]
pub fn upper_quantile(p: f64, freedom: f64) -> f64 {
    if !(freedom > 0.0 && p > 0.0 && p < 0.5) {
        return f64::NAN;
    }
    if freedom == 1.0 {
        return 1.0 / (PI * p).tan();
    }
    if freedom == 2.0 {
        let a = 2.0 * p;
        return (1.0 - a) * (2.0 / (a * (2.0 - a))).sqrt();
    }
    let log_norm = -0.5 * freedom.ln() - ln_beta(freedom / 2.0, 0.5);
    let mut t = (-2.0 * p.ln()).sqrt();
    for _ in 0..100 {
        let tail = upper_tail(t, freedom);
        let density = (log_norm - 0.5 * (freedom + 1.0) * (t * t / freedom).ln_1p()).exp();
        // d ln P / d ln t = −t·density/P
        let step = (tail / p).ln() * tail / (t * density);
        if !step.is_finite() {
            return f64::NAN;
        }
        t *= step.clamp(-2.0, 2.0).exp();
        if step.abs() < 1e-15 {
            break;
        }
    }
    t
}

/// Grubbs' limit G for n points: (n−1)/√n · √(t²/(n−2+t²)), t the upper 0.05/(2n) quantile of Student's t with n − 2
/// degrees of freedom. NaN for n ≤ 2.
#[must_use]
pub fn grubbs_limit(n: usize) -> f64 {
    if n <= 2 {
        return f64::NAN;
    }
    let n = n as f64;
    let t = upper_quantile(SIGNIFICANCE / (2.0 * n), n - 2.0);
    (n - 1.0) / n.sqrt() * (t * t / (n - 2.0 + t * t)).sqrt()
}

/// Grubbs' limits already computed, by n. Windows come in few lengths, so a small table catches nearly all.
#[derive(Debug, Clone, Default)]
pub struct GrubbsLimits {
    known: Vec<(usize, f64)>,
}

impl GrubbsLimits {
    const SLOTS: usize = 1024;

    /// [`grubbs_limit`], from the table if it is there.
    pub fn of(&mut self, n: usize) -> f64 {
        self.known.resize(Self::SLOTS, (0, f64::NAN));
        let slot = &mut self.known[n % Self::SLOTS];
        if slot.0 != n {
            *slot = (n, grubbs_limit(n));
        }
        slot.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_come_back_to_their_probability() {
        for freedom in [1.0, 2.0, 3.0, 4.0, 10.0, 286.0, 1438.0, 86398.0] {
            for p in [0.4, 0.05, 1e-4, 3e-7] {
                let t = upper_quantile(p, freedom);
                assert!(
                    (upper_tail(t, freedom) / p - 1.0).abs() < 1e-10,
                    "{freedom} {p} {t}"
                );
            }
        }
    }

    #[test]
    fn limits_by_n_are_those_scipy_gives() {
        let expected = [
            (30, 2.9084730597),
            (100, 3.3840829012),
            (500, 3.8631270331),
            (1440, 4.1284627892),
            (8640, 4.5314590150),
            (86400, 4.9978451046),
        ];
        let mut limits = GrubbsLimits::default();
        for (n, g) in expected {
            assert!((limits.of(n) - g).abs() < 5e-11, "{n}: {} {g}", limits.of(n));
            assert_eq!(limits.of(n), grubbs_limit(n));
        }
        assert!(limits.of(0).is_nan() && limits.of(2).is_nan() && !limits.of(3).is_nan());
    }
}
