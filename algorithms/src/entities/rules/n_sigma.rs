//! The n-sigma family: how many of the newest values are far outside of what was before them.

use super::series::{Judgeability, Smoothing, is_judgeable, moments};

/// Which way is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NSigmaSide {
    /// Either.
    Both,
    /// Above only.
    Above,
    /// Below only.
    Below,
}

/// How values are held against those before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NSigmaOptions {
    /// How many of the newest are judged.
    pub observed: usize,
    /// Standard deviations.
    pub n: f64,
    /// Which way is out.
    pub side: NSigmaSide,
    /// What is done first.
    pub smoothing: Smoothing,
}

impl Default for NSigmaOptions {
    fn default() -> Self {
        Self {
            observed: 25,
            n: 3.0,
            side: NSigmaSide::Above,
            smoothing: Smoothing::None,
        }
    }
}

/// The outliers among the newest `observed` values: outside of mean ± n standard deviations (of the population) of all
/// before. Empty if none are before.
#[must_use]
pub fn n_sigma(values: &[f64], observed: usize, n: f64, side: NSigmaSide) -> Vec<f64> {
    let (before, newest) = values.split_at(values.len().saturating_sub(observed));
    let (mean, deviation) = moments(before);
    let reach = n * deviation;
    let is_out = |value: &&f64| match side {
        NSigmaSide::Both => (**value - mean).abs() > reach,
        NSigmaSide::Above => **value > mean + reach,
        NSigmaSide::Below => **value < mean - reach,
    };
    newest.iter().filter(is_out).copied().collect()
}

/// The share of outliers among the newest values; none for a series that says nothing (`expected`: how many points it
/// should have).
#[must_use]
pub fn n_sigma_score(values: &[f64], expected: usize, options: NSigmaOptions) -> Option<f64> {
    outliers(values, expected, options).map(|out| out.len() as f64 / options.observed.max(1) as f64)
}

/// The same for latencies: 0 while the outliers' mean is not above `least`, which nobody would notice.
#[must_use]
pub fn latency_score(values: &[f64], expected: usize, least: f64, options: NSigmaOptions) -> Option<f64> {
    let out = outliers(values, expected, options)?;
    if out.is_empty() || moments(&out).0 <= least {
        return Some(0.0);
    }
    Some(out.len() as f64 / options.observed.max(1) as f64)
}

fn outliers(values: &[f64], expected: usize, options: NSigmaOptions) -> Option<Vec<f64>> {
    let is_enough =
        values.len() > options.observed && is_judgeable(values, expected, Judgeability::default());
    is_enough.then(|| {
        n_sigma(
            &options.smoothing.of(values),
            options.observed,
            options.n,
            options.side,
        )
    })
}

/// For round trips of connections, which have few points each: the share of a connection's newest values above mean + 5
/// standard deviations of the distinct values of all connections before. 0 while the outliers' mean is below `least`; none
/// without values on either side.
#[must_use]
pub fn establish_score(all_before: &[f64], newest: &[f64], least: f64) -> Option<f64> {
    const DEVIATIONS: f64 = 5.0;
    let mut distinct = all_before.to_vec();
    distinct.sort_unstable_by(f64::total_cmp);
    distinct.dedup();
    if distinct.is_empty() || newest.is_empty() {
        return None;
    }
    let (mean, deviation) = moments(&distinct);
    let out: Vec<f64> = newest
        .iter()
        .copied()
        .filter(|value| *value > mean + DEVIATIONS * deviation)
        .collect();
    if out.is_empty() || moments(&out).0 < least {
        return Some(0.0);
    }
    Some(out.len() as f64 / newest.len() as f64)
}

/// Whether counted events, such as dropped packets, reach a number. None without values.
#[must_use]
pub fn sum_threshold(values: &[f64], threshold: f64) -> Option<bool> {
    (!values.is_empty()).then(|| values.iter().filter(|value| value.is_finite()).sum::<f64>() >= threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 values around 10, then `newest`.
    fn series(newest: &[f64]) -> Vec<f64> {
        let before = (0..40).map(|at| 10.0 + f64::from(at % 5) - 2.0);
        before.chain(newest.iter().copied()).collect()
    }

    #[test]
    fn outliers_are_counted_on_the_side_that_is_asked_for() {
        // Mean 10, standard deviation √2: three of them reach 14.24 and 5.76.
        let values = series(&[14.2, 14.3, 5.7, 5.8]);
        assert_eq!(n_sigma(&values, 4, 3.0, NSigmaSide::Above), [14.3]);
        assert_eq!(n_sigma(&values, 4, 3.0, NSigmaSide::Below), [5.7]);
        assert_eq!(n_sigma(&values, 4, 3.0, NSigmaSide::Both), [14.3, 5.7]);
        let options = NSigmaOptions {
            observed: 4,
            side: NSigmaSide::Both,
            ..NSigmaOptions::default()
        };
        assert_eq!(n_sigma_score(&values, 44, options), Some(0.5));
        assert_eq!(n_sigma_score(&values, 100, options), None);
        assert_eq!(
            n_sigma_score(&values[..4], 4, options),
            None,
            "nothing before them"
        );
    }

    #[test]
    fn what_nobody_would_notice_is_no_anomaly() {
        let values = series(&[30.0, 40.0, 10.0, 11.0]);
        let options = NSigmaOptions {
            observed: 4,
            ..NSigmaOptions::default()
        };
        assert_eq!(latency_score(&values, 44, 34.0, options), Some(0.5));
        assert_eq!(latency_score(&values, 44, 35.0, options), Some(0.0));
        assert_eq!(establish_score(&series(&[]), &[100.0, 10.0], 50.0), Some(0.5));
        assert_eq!(establish_score(&series(&[]), &[100.0, 10.0], 101.0), Some(0.0));
        assert_eq!(establish_score(&[], &[100.0], 0.0), None);
        assert_eq!(sum_threshold(&[0.0, 1.0], 1.0), Some(true));
        assert_eq!(sum_threshold(&[0.0, f64::NAN], 1.0), Some(false));
        assert_eq!(sum_threshold(&[], 1.0), None);
    }
}
