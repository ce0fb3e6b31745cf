//! Whether the past of one series helps to foretell another (Granger 1969), by the F-test of the sums of squares.
//!
//! For each lag `p`: `y(t)` on a constant and `y(t−1 … t−p)`, and the same with `x(t−1 … t−p)`;
//! `F = (S₀ − S₁)/S₁ · (N − k)/p` with `N = n − p` and `k` independent columns of the larger model, the chance of a larger one by the F law
//! with `p` and `N − k` degrees of freedom. As `grangercausalitytests` of statsmodels (`ssr_ftest`). O(n p²).

use statrs::function::beta::beta_reg;

use super::least_squares::Residuals;

/// Share of the movement below which what is left is rounding.
const ROUNDING: f64 = 1e-14;

/// Why a pair cannot be tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrangerFault {
    /// Fewer values than `3 p + 2`, or of different number.
    #[error("too few values for this lag")]
    TooShort,
    /// A value is not finite.
    #[error("a value is not finite")]
    NotFinite,
    /// One of the two stands still, so nothing can be foretold of it or by it.
    #[error("a series stands still")]
    Constant,
    /// The larger model is exact: no noise is left to compare with.
    #[error("the past says all of it")]
    Exact,
}

/// The chance, for each lag from 1 to `lags`, that the past of `source` helps so much with `target` though it has nothing to do
/// with it.
///
/// # Errors
/// [`GrangerFault`], if any lag cannot be tested.
pub fn granger(source: &[f64], target: &[f64], lags: usize) -> Result<Vec<f64>, GrangerFault> {
    if source.len() != target.len() || target.len() <= 3 * lags + 1 || lags == 0 {
        return Err(GrangerFault::TooShort);
    }
    if source.iter().chain(target).any(|value| !value.is_finite()) {
        return Err(GrangerFault::NotFinite);
    }
    if is_constant(source) || is_constant(target) {
        return Err(GrangerFault::Constant);
    }
    (1..=lags).map(|lag| chance(source, target, lag)).collect()
}

fn chance(source: &[f64], target: &[f64], lag: usize) -> Result<f64, GrangerFault> {
    let now = &target[lag..];
    if is_constant(now) {
        return Err(GrangerFault::Constant);
    }
    let past = |series: &'_ [f64]| -> Vec<Vec<f64>> {
        (1..=lag)
            .map(|back| series[lag - back..series.len() - back].to_vec())
            .collect()
    };
    let own = past(target);
    let both: Vec<Vec<f64>> = own.iter().cloned().chain(past(source)).collect();
    let none: [&[f64]; 0] = [];
    let movement = Residuals::of(now, &none).squares();
    let (small, large) = (Residuals::of(now, &own).squares(), Residuals::of(now, &both));
    let left = large.squares();
    if left <= ROUNDING * movement {
        return Err(GrangerFault::Exact);
    }
    let freedom = now.len().checked_sub(large.rank).filter(|left| *left > 0);
    let freedom = freedom.ok_or(GrangerFault::TooShort)? as f64;
    let lag = lag as f64;
    let f = (small - left).max(0.0) / left * freedom / lag;
    // P(F > f), written so that a small chance keeps its digits.
    Ok(beta_reg(freedom / 2.0, lag / 2.0, freedom / (freedom + lag * f)))
}

pub(super) fn is_constant(series: &[f64]) -> bool {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in series {
        low = low.min(*value);
        high = high.max(*value);
    }
    // Also of none at all.
    let moved = high - low;
    moved.is_nan() || moved <= ROUNDING * high.abs().max(low.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_tested_is_said() {
        let moving: Vec<f64> = (0..40).map(|i| f64::from((i * 7) % 11)).collect();
        let still = [5.0; 40];
        assert_eq!(
            granger(&moving[..7], &moving[..7], 2),
            Err(GrangerFault::TooShort)
        );
        assert_eq!(granger(&moving[..30], &moving, 2), Err(GrangerFault::TooShort));
        assert_eq!(granger(&still, &moving, 2), Err(GrangerFault::Constant));
        assert_eq!(granger(&moving, &still, 2), Err(GrangerFault::Constant));
        assert_eq!(granger(&[f64::NAN; 40], &moving, 2), Err(GrangerFault::NotFinite));
        let late: Vec<f64> = std::iter::once(0.0)
            .chain(moving.iter().copied())
            .take(40)
            .collect();
        assert_eq!(granger(&moving, &late, 2), Err(GrangerFault::Exact));
    }
}
