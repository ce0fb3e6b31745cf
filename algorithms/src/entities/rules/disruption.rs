//! Container disruption: a container waits for the processor far longer than it did.

use super::clusters::largest_cluster;
use super::series::{Judgeability, is_judgeable, min_max, moments};
use crate::entities::{Spot, SpotOptions};
use crate::random::Random;

/// How a container's run delay is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DisruptionOptions {
    /// How many of the newest values are judged.
    pub observed: usize,
    /// Delays (ns a step) that nobody notices: a series that never reaches it is not judged.
    pub least: f64,
    /// The limit over the usual values.
    pub spot: SpotOptions,
    /// What the tie-breaking noise follows from.
    pub seed: u64,
}

impl Default for DisruptionOptions {
    fn default() -> Self {
        Self {
            observed: 5,
            least: 1e6,
            spot: SpotOptions::default(),
            seed: 110,
        }
    }
}

/// Radius and fewest neighbours of the clusters, of values between 0 and 1.
const RADIUS: f64 = 0.03;
const FEWEST: usize = 5;
/// Standard deviation of the noise that tells equal values apart, and the least deviation that is divided by.
const NOISE: f64 = 1e-6;
const LEAST_DEVIATION: f64 = 1e-5;

/// The share of the newest values above a limit that follows from the usual ones: the largest density cluster of those
/// before, standardised, under SPOT. None for a series that says nothing, or never gets to `least`, or has no usual
/// values. The original clusters the newest values, too; a disruption that lasts then becomes what is usual.
#[must_use]
pub fn disruption_score(values: &[f64], expected: usize, options: DisruptionOptions) -> Option<f64> {
    let limits = Judgeability {
        least_changes: 0.0,
        ..Judgeability::default()
    };
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !is_judgeable(values, expected, limits) || largest < options.least || values.len() <= options.observed
    {
        return None;
    }
    let (before, newest) = values.split_at(values.len() - options.observed);
    let usual = largest_cluster(&min_max(before), RADIUS, FEWEST);
    let usual: Vec<f64> = usual.into_iter().map(|at| before[at]).collect();
    let (mean, deviation) = moments(&usual);
    if usual.is_empty() {
        return None;
    }
    let deviation = deviation.max(LEAST_DEVIATION);
    let mut random = Random::new(options.seed);
    let mut standard = |value: &f64| (value - mean) / deviation + NOISE * random.normal();
    let first: Vec<f64> = usual.iter().map(&mut standard).collect();
    let spot = Spot::fit(&first, options.spot)?;
    let out = newest
        .iter()
        .filter(|value| standard(value) > spot.limit())
        .count();
    Some(out as f64 / options.observed.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_waits_is_found_and_a_busy_minute_before_is_not_what_is_usual() {
        let mut random = Random::new(2);
        let mut values: Vec<f64> = (0..240).map(|_| 2e6 + 1e5 * random.normal()).collect();
        values[100..110].fill(5e7);
        let score = |values: &[f64]| disruption_score(values, 240, DisruptionOptions::default());
        assert_eq!(score(&values), Some(0.0));
        values[236..].fill(4e7);
        assert_eq!(score(&values), Some(0.8));
        let quiet: Vec<f64> = values.iter().map(|value| value / 1e6).collect();
        assert_eq!(score(&quiet), None, "nobody notices");
        assert_eq!(score(&values[..100]), None, "too short");
        assert_eq!(score(&[3e6; 240]), None, "constant");
    }
}
