//! The dynamic threshold of NASA's telemanom: how high a limit parts the newest scores best.
//!
//! Hundman et al. (KDD 2018), as gala-anteater has it. Of the limits mean + z·deviation the one is taken whose removal of
//! what lies above changes mean and deviation the most, less a price for each score above it. The original searches z by
//! Nelder and Mead from eight starts; the steps of a twentieth here are finer than what it ends at.

/// Smallest and largest z, and how many steps there are between.
const SMALLEST: f64 = 1.5;
const LARGEST: f64 = 10.0;
const STEPS: usize = 170;
/// The price of a score above the limit.
const PRICE: f64 = 0.02;

/// The limit of `scores`; infinite where they are all alike, fewer than two, or not finite. O(170 · scores).
#[must_use]
pub fn dynamic_threshold(scores: &[f64]) -> f64 {
    let (mean, deviation) = moments(scores.iter().copied());
    if scores.len() < 2 || !deviation.is_finite() || deviation <= 0.0 || mean == 0.0 {
        return f64::INFINITY;
    }
    let gain = |limit: f64| {
        let below = scores.iter().copied().filter(|score| *score <= limit);
        let count = below.clone().count();
        if count == 0 || count == scores.len() {
            return 0.0;
        }
        let (mean_below, deviation_below) = moments(below);
        let gained = (mean - mean_below) / mean + (deviation - deviation_below) / deviation;
        gained - PRICE * (scores.len() - count) as f64
    };
    let steps = (0..=STEPS).map(|step| SMALLEST + (LARGEST - SMALLEST) * step as f64 / STEPS as f64);
    let limits = steps.map(|z| mean + z * deviation);
    // Of equal gains the highest limit: what parts nothing flags nothing.
    let best = limits
        .map(|limit| (gain(limit), limit))
        .max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    best.map_or(f64::INFINITY, |(_, limit)| limit)
}

fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_parted_from_the_rest_and_nothing_from_even_scores() {
        let mut scores: Vec<f64> = (0..100).map(|at| 1.0 + 0.1 * f64::from(at % 7)).collect();
        assert!(dynamic_threshold(&scores) > 1.7);
        scores[90..95].fill(9.0);
        let limit = dynamic_threshold(&scores);
        assert!(limit > 1.6 && limit < 9.0, "{limit}");
        assert_eq!(dynamic_threshold(&[2.0; 9]), f64::INFINITY);
        assert_eq!(dynamic_threshold(&[]), f64::INFINITY);
        assert_eq!(dynamic_threshold(&[1.0, f64::NAN]), f64::INFINITY);
    }
}
