//! The generalised Pareto law of what exceeds a high level, fitted by maximum likelihood.

/// Fewest excesses a law of two parameters is fitted to; with fewer the level is taken lower.
const FEWEST_EXCESSES: usize = 10;
/// Steps of the search for roots on each side of 0, and halvings of a bracket that holds one.
const STEPS: usize = 40;
const HALVINGS: usize = 50;

/// Shape γ and scale σ of the law P(Y > y) = (1 + γ y / σ)^(−1/γ); for γ = 0, exp(−y / σ).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParetoTail {
    /// γ: above 0 the tail is heavy, below 0 it ends.
    pub shape: f64,
    /// σ, in units of the excesses. Above 0.
    pub scale: f64,
}

impl ParetoTail {
    /// The likeliest law of `excesses`, which are above 0; none if there is no such excess.
    ///
    /// Grimshaw (1993) brings the two equations to one: with x = γ/σ, u(x) = mean 1/(1 + xY) and v(x) = 1 + mean ln(1 +
    /// xY), every maximum is a root of u(x)·v(x) = 1, at γ = v(x) − 1. Roots are bracketed on both sides of 0, halved, and
    /// compared with each other and with the exponential law. O(excesses · 200).
    #[must_use]
    pub fn fit(excesses: &[f64]) -> Option<Self> {
        let count = excesses.len() as f64;
        let mean = excesses.iter().sum::<f64>() / count;
        let largest = excesses.iter().copied().fold(0.0, f64::max);
        if !(mean > 0.0 && largest.is_finite()) {
            return None;
        }
        let mut best = Self {
            shape: 0.0,
            scale: mean,
        };
        let mut likelihood = best.log_likelihood(excesses);
        let balance = |x: f64| {
            let (mut u, mut v) = (0.0, 0.0);
            for excess in excesses {
                u += 1.0 / (1.0 + x * excess);
                v += (1.0 + x * excess).ln();
            }
            (u / count) * (1.0 + v / count) - 1.0
        };
        for root in roots(balance, mean, largest) {
            let shape = excesses
                .iter()
                .map(|excess| (1.0 + root * excess).ln())
                .sum::<f64>()
                / count;
            let tail = Self {
                shape,
                scale: shape / root,
            };
            let other = tail.log_likelihood(excesses);
            if tail.scale > 0.0 && other > likelihood {
                (best, likelihood) = (tail, other);
            }
        }
        Some(best)
    }

    fn log_likelihood(&self, excesses: &[f64]) -> f64 {
        let count = excesses.len() as f64;
        if self.shape.abs() < 1e-9 {
            return -count * self.scale.ln() - excesses.iter().sum::<f64>() / self.scale;
        }
        let logs = excesses
            .iter()
            .map(|excess| (1.0 + self.shape * excess / self.scale).ln());
        -count * self.scale.ln() - (1.0 + 1.0 / self.shape) * logs.sum::<f64>()
    }

    /// How far above the level a share `beyond` of the excesses lies (1 = the level itself).
    #[must_use]
    pub fn reach(&self, beyond: f64) -> f64 {
        if self.shape.abs() < 1e-9 {
            -self.scale * beyond.ln()
        } else {
            self.scale / self.shape * (beyond.powf(-self.shape) - 1.0)
        }
    }
}

/// Roots of `balance`, other than the trivial one at 0, by changes of its sign: below 0 down to −1 / largest, above it as
/// far as 10⁶ / mean.
fn roots(balance: impl Fn(f64) -> f64, mean: f64, largest: f64) -> Vec<f64> {
    let step = |at: usize, from: f64, to: f64| from * (to / from).powf(at as f64 / STEPS as f64);
    // Towards the pole in shares of the way that is left, away from 0 in powers.
    let below = (0..=STEPS).map(|at| -(1.0 - step(at, 1e-9, 1.0 - 1e-6)) / largest);
    let above = (0..=STEPS).map(|at| step(at, 1e-6, 1e6) / mean);
    let mut roots = Vec::new();
    for side in [below.collect::<Vec<f64>>(), above.collect()] {
        let values: Vec<f64> = side.iter().map(|x| balance(*x)).collect();
        for at in 1..side.len() {
            if values[at - 1] * values[at] < 0.0 {
                roots.push(bisect(&balance, side[at - 1], side[at], values[at - 1]));
            }
        }
    }
    roots
}

fn bisect(balance: impl Fn(f64) -> f64, mut from: f64, mut to: f64, value: f64) -> f64 {
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(from, to);
        if balance(middle) * value > 0.0 {
            from = middle;
        } else {
            to = middle;
        }
    }
    f64::midpoint(from, to)
}

/// Peaks over threshold (Pickands 1975; Siffer et al. 2017): the number that a share `risk` of what `sorted` is a sample of
/// exceeds, by the law of what lies above its quantile `level`. Ascending, finite; none for an empty sample.
#[must_use]
pub fn tail_quantile(sorted: &[f64], level: f64, risk: f64) -> Option<f64> {
    let count = sorted.len() as f64;
    let largest = *sorted.last()?;
    let level = level.min(1.0 - FEWEST_EXCESSES as f64 / count).max(0.0);
    let start = sorted[((level * count) as usize).min(sorted.len() - 1)];
    let excesses: Vec<f64> = sorted[sorted.partition_point(|value| *value <= start)..]
        .iter()
        .map(|value| value - start)
        .collect();
    let Some(tail) = ParetoTail::fit(&excesses) else {
        return Some(largest);
    };
    let reach = tail.reach(risk * count / excesses.len() as f64);
    Some(
        start
            + if reach.is_finite() {
                reach.max(0.0)
            } else {
                largest - start
            },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn pareto(shape: f64, scale: f64, count: usize) -> Vec<f64> {
        let mut random = Random::new(11);
        let draw = |_| scale / shape * ((1.0 - random.unit()).powf(-shape) - 1.0);
        (0..count).map(draw).collect()
    }

    #[test]
    fn the_law_is_found_again() {
        for (shape, scale) in [(0.4, 2.0), (0.1, 0.001), (-0.3, 50.0)] {
            let tail = ParetoTail::fit(&pareto(shape, scale, 20_000)).unwrap();
            assert!((tail.shape - shape).abs() < 0.03, "{tail:?} for {shape}");
            assert!((tail.scale / scale - 1.0).abs() < 0.05, "{tail:?} for {scale}");
        }
        let mut random = Random::new(4);
        let exponential: Vec<f64> = (0..20_000).map(|_| -3.0 * (1.0 - random.unit()).ln()).collect();
        let tail = ParetoTail::fit(&exponential).unwrap();
        assert!(
            tail.shape.abs() < 0.03 && (tail.scale - 3.0).abs() < 0.1,
            "{tail:?}"
        );
    }

    #[test]
    fn no_other_law_nearby_is_likelier() {
        let excesses = pareto(0.25, 1.0, 60);
        let tail = ParetoTail::fit(&excesses).unwrap();
        for (shape, scale) in [(0.02, 0.0), (-0.02, 0.0), (0.0, 0.02), (0.0, -0.02)] {
            let other = ParetoTail {
                shape: tail.shape + shape,
                scale: tail.scale + scale,
            };
            assert!(
                other.log_likelihood(&excesses) < tail.log_likelihood(&excesses),
                "{other:?}"
            );
        }
    }

    #[test]
    fn a_quantile_beyond_the_sample_is_where_the_law_puts_it() {
        let mut random = Random::new(2);
        let mut sample: Vec<f64> = (0..50_000).map(|_| -(1.0 - random.unit()).ln()).collect();
        sample.sort_unstable_by(f64::total_cmp);
        let limit = tail_quantile(&sample, 0.98, 1e-4).unwrap();
        assert!((limit - 1e4f64.ln()).abs() < 0.5, "{limit}");
        assert_eq!(tail_quantile(&[], 0.98, 1e-4), None);
        assert_eq!(tail_quantile(&[2.0; 50], 0.98, 1e-4), Some(2.0));
        assert!(tail_quantile(&[1.0, 2.0, 9.0], 0.98, 1e-4).unwrap().is_finite());
    }
}
