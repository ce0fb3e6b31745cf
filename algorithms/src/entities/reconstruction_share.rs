//! Which metrics drive an anomaly, by how badly each is reconstructed: the ranking of gala-anteater's USAD.
//!
//! Over the first ten rows of an anomaly, what a metric's error differs from its mean in training is summed with weights
//! ln(1 / (i/10 + e⁻³)) / 3, which fall from 1 to 0.02: what broke first counts most. The sums as shares of their total are
//! multiplied by how closely the metric moves with the indicator of service that is worst, |Pearson|, so that what is merely
//! noisy is no cause. Values that are missing are left out; the original has zeros there.

/// Rows from the beginning of an anomaly that count.
const ROWS: usize = 10;

/// Each metric's share of the error, 0 to 1, all together 1; zeros where there is no error at all. `errors` are rows from the
/// beginning of the anomaly, a value a metric; `usual` is each metric's mean error in training.
#[must_use]
pub fn reconstruction_shares(errors: &[&[f64]], usual: &[f64]) -> Vec<f64> {
    let mut shares = vec![0.0; usual.len()];
    for (row, errors) in errors.iter().take(ROWS).enumerate() {
        let weight = (1.0 / (row as f64 / ROWS as f64 + (-3.0_f64).exp())).ln() / 3.0;
        for ((share, error), usual) in shares.iter_mut().zip(*errors).zip(usual) {
            let excess = weight * (error - usual).abs();
            if excess.is_finite() {
                *share += excess;
            }
        }
    }
    let total: f64 = shares.iter().sum();
    if total > 0.0 {
        shares.iter_mut().for_each(|share| *share /= total);
    }
    shares
}

/// The shares, each multiplied by how closely its metric moves with `indicator`; 0 for one that does not move. `metrics` are
/// series of the same rows as `indicator`.
#[must_use]
pub fn shares_moving_with(shares: &[f64], metrics: &[&[f64]], indicator: &[f64]) -> Vec<f64> {
    let together = shares.iter().zip(metrics);
    together
        .map(|(share, metric)| share * masked_correlation(metric, indicator).abs())
        .collect()
}

/// Pearson's r of the rows where both have a value; 0 where either is constant there.
fn masked_correlation(one: &[f64], other: &[f64]) -> f64 {
    let pairs = || {
        let pairs = one.iter().zip(other).map(|(a, b)| (*a, *b));
        pairs.filter(|(a, b)| a.is_finite() && b.is_finite())
    };
    let count = pairs().count() as f64;
    let (sum_a, sum_b) = pairs().fold((0.0, 0.0), |(x, y), (a, b)| (x + a, y + b));
    let (mean_a, mean_b) = (sum_a / count, sum_b / count);
    let (mut cross, mut own_a, mut own_b) = (0.0, 0.0, 0.0);
    for (a, b) in pairs() {
        let (a, b) = (a - mean_a, b - mean_b);
        cross += a * b;
        own_a += a * a;
        own_b += b * b;
    }
    let scale = (own_a * own_b).sqrt();
    // Below that all there is are rounding errors.
    if scale.is_finite() && own_a > 1e-18 * mean_a * mean_a * count && own_b > 1e-18 * mean_b * mean_b * count
    {
        (cross / scale).clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metric_that_broke_first_and_most_has_the_largest_share() {
        let usual = [1.0, 1.0, 1.0];
        let early = [5.0, 1.0, 1.0];
        let late = [1.0, 5.0, 1.0];
        let rows: Vec<&[f64]> = (0..12)
            .map(|row| if row < 5 { &early[..] } else { &late[..] })
            .collect();
        let shares = reconstruction_shares(&rows, &usual);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(shares[0] > 2.0 * shares[1], "{shares:?}");
        assert_eq!(shares[2], 0.0);
        // The first row alone: ln(e³)/3 = 1, so its share is the excess itself.
        assert_eq!(reconstruction_shares(&[&[2.0, 4.0]], &[1.0, 1.0]), [0.25, 0.75]);
    }

    #[test]
    fn nothing_is_shared_where_there_is_no_error_and_gaps_are_left_out() {
        assert_eq!(reconstruction_shares(&[&[1.0, 1.0]], &[1.0, 1.0]), [0.0, 0.0]);
        assert_eq!(reconstruction_shares(&[], &[1.0]), [0.0]);
        assert_eq!(
            reconstruction_shares(&[&[f64::NAN, 3.0]], &[1.0, 1.0]),
            [0.0, 1.0]
        );
    }

    #[test]
    fn what_does_not_move_with_the_indicator_is_no_cause() {
        let indicator = [1.0, 2.0, 3.0, f64::NAN, 5.0];
        let (with, against) = ([2.0, 4.0, 6.0, 1e9, 10.0], [-1.0, -2.0, -3.0, 0.0, -5.0]);
        let constant = [0.1 + 0.2; 5];
        let weighed = shares_moving_with(&[0.5, 0.3, 0.2], &[&with, &against, &constant], &indicator);
        assert!(
            (weighed[0] - 0.5).abs() < 1e-12 && (weighed[1] - 0.3).abs() < 1e-12,
            "{weighed:?}"
        );
        assert_eq!(weighed[2], 0.0);
        assert_eq!(masked_correlation(&[], &[]), 0.0);
    }
}
