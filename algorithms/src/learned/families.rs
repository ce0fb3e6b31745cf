//! Families of like metrics, found from the data and not from names.
//!
//! A metric is described by six numbers that do not depend on its unit; k-means (k-means++ start, Arthur and
//! Vassilvitskii 2007; seeded) puts like ones together, and the number of families is the one from which another would
//! explain less than a twentieth of all. One network then serves thousands of metrics, and a metric nobody has seen
//! finds its family at once. O(metrics · families) a round.

use serde::{Deserialize, Serialize};

use super::features::{as_judged, typical_step};
use super::threshold::quantile;
use crate::random::Random;
use crate::window::Window;

/// How many numbers describe a metric.
const TRAITS: usize = 6;
/// Rounds of k-means, at most: it ends before, once no metric changes its family.
const ROUNDS: usize = 50;
/// Fewest points a metric is described by: correlations of fewer are noise.
const FEWEST: usize = 64;
/// Share of the whole spread that one more family must explain: each costs a network to fit and to keep.
const WORTH_IT: f64 = 0.05;

/// What a metric is like, whatever its unit: each about between −3 and 3.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Traits(pub [f64; TRAITS]);

/// Families by their middles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricFamilies {
    centres: Vec<Traits>,
}

impl Traits {
    /// Describes a canonical window, a counter's by its growth; `None` with fewer than 64 points, or if all are equal.
    #[must_use]
    pub fn of(window: Window<'_>) -> Option<Self> {
        as_judged(window, |window, _| Self::of_judged(window))
    }

    fn of_judged(window: Window<'_>) -> Option<Self> {
        let (times, values) = (window.times(), window.values());
        if values.len() < FEWEST {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        if sorted[0] == sorted[sorted.len() - 1] {
            return None;
        }
        let step = typical_step(times)?;
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let power: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let alike = |lag: usize| {
            let pairs = values.iter().zip(&values[lag..]);
            pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / power
        };
        let neighbours = values.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64;
        let zeros = values.iter().filter(|value| **value == 0.0).count() as f64;
        let (low, middle, high) = (
            quantile(&sorted, 0.01),
            quantile(&sorted, 0.5),
            quantile(&sorted, 0.99),
        );
        let width = (quantile(&sorted, 0.75) - quantile(&sorted, 0.25)).max((high - low) * 1e-3);
        // How much further out the wilder side reaches than a normal law would (1.7 widths). What all but stands still has
        // no width, and whatever it does is far out.
        let reach = if width > 0.0 {
            ((high - middle).max(middle - low) / width / 1.7)
                .ln()
                .clamp(-3.0, 3.0)
        } else {
            3.0
        };
        Some(Self([
            ((step / 60.0).ln() / 2.0).clamp(-3.0, 3.0),
            2.0 * alike(1),
            2.0 * alike((3600.0 / step).clamp(1.0, count / 4.0) as usize),
            2.0 * neighbours / count,
            2.0 * zeros / count,
            reach,
        ]))
    }

    fn distance(&self, other: &Self) -> f64 {
        self.0.iter().zip(other.0).map(|(a, b)| (a - b).powi(2)).sum()
    }
}

impl MetricFamilies {
    /// Finds at most `most` families; one if there is nothing to tell apart. The same metrics and seed give the same
    /// families.
    #[must_use]
    pub fn find(metrics: &[Traits], most: usize, seed: u64) -> Self {
        let mut best = cluster(metrics, 1, seed);
        let whole = spread(metrics, &best);
        let mut left = whole;
        for count in 2..=most.min(metrics.len()) {
            let tried = cluster(metrics, count, seed);
            let spread = spread(metrics, &tried);
            if left - spread <= WORTH_IT * whole {
                break;
            }
            (best, left) = (tried, spread);
        }
        Self { centres: best }
    }

    /// How many there are; never 0.
    #[must_use]
    pub fn count(&self) -> usize {
        self.centres.len()
    }

    /// The family a metric belongs to, from 0.
    #[must_use]
    pub fn of(&self, metric: &Traits) -> usize {
        nearest(metric, &self.centres)
    }
}

fn nearest(metric: &Traits, centres: &[Traits]) -> usize {
    let distances = centres.iter().map(|centre| metric.distance(centre));
    let nearest = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
    nearest.map_or(0, |(index, _)| index)
}

fn spread(metrics: &[Traits], centres: &[Traits]) -> f64 {
    let to_nearest = |metric: &Traits| metric.distance(&centres[nearest(metric, centres)]);
    metrics.iter().map(to_nearest).sum()
}

fn cluster(metrics: &[Traits], count: usize, seed: u64) -> Vec<Traits> {
    let mut random = Random::new(seed);
    let Some(first) = metrics.first() else {
        return vec![Traits([0.0; TRAITS])];
    };
    let mut centres = vec![*first];
    while centres.len() < count {
        let far: Vec<f64> = metrics
            .iter()
            .map(|metric| metric.distance(&centres[nearest(metric, &centres)]))
            .collect();
        let mut aim = random.unit() * far.iter().sum::<f64>();
        let chosen = far.iter().position(|distance| {
            aim -= distance;
            aim < 0.0
        });
        centres.push(metrics[chosen.unwrap_or(0)]);
    }
    let mut members: Vec<usize> = Vec::new();
    for _ in 0..ROUNDS {
        let now: Vec<usize> = metrics.iter().map(|metric| nearest(metric, &centres)).collect();
        if now == members {
            break;
        }
        members = now;
        for (index, centre) in centres.iter_mut().enumerate() {
            let mut sum = [0.0; TRAITS];
            let mut number = 0.0;
            for (metric, _) in metrics
                .iter()
                .zip(&members)
                .filter(|(_, member)| **member == index)
            {
                sum.iter_mut().zip(metric.0).for_each(|(sum, x)| *sum += x);
                number += 1.0;
            }
            if number > 0.0 {
                *centre = Traits(sum.map(|sum| sum / number));
            }
        }
    }
    centres
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(kind: usize, seed: u64) -> Traits {
        let mut random = Random::new(seed);
        let times: Vec<f64> = (0..1440).map(|n| 1.7e9 + 60.0 * f64::from(n)).collect();
        let unit = 10f64.powi((random.unit() * 12.0) as i32 - 6);
        let mut level = 0.0;
        let mut next = |time: f64| match kind {
            0 => 100.0 + random.normal(),
            1 => {
                level += random.normal();
                level
            }
            _ => f64::from(u8::from(random.unit() < 0.05)) * (1.0 + time % 7.0),
        };
        let values: Vec<f64> = times.iter().map(|&time| unit * next(time)).collect();
        Traits::of(Window::new(&times, &values)).unwrap()
    }

    #[test]
    fn like_metrics_come_together_whatever_their_unit() {
        let metrics: Vec<Traits> = (0..90).map(|n| series(n % 3, n as u64)).collect();
        let families = MetricFamilies::find(&metrics, 8, 1);
        assert_eq!(families.count(), 3);
        for (n, metric) in metrics.iter().enumerate() {
            assert_eq!(families.of(metric), families.of(&metrics[n % 3]));
        }
        assert_eq!(families, MetricFamilies::find(&metrics, 8, 1));
    }

    #[test]
    fn nothing_to_tell_apart_is_one_family() {
        assert_eq!(MetricFamilies::find(&[], 8, 1).count(), 1);
        assert_eq!(MetricFamilies::find(&[series(0, 1); 20], 8, 1).count(), 1);
        let times: Vec<f64> = (0..100).map(f64::from).collect();
        assert!(Traits::of(Window::new(&times, &[5.0; 100])).is_none());
        assert!(Traits::of(Window::new(&times[..10], &[5.0; 10])).is_none());
    }

    #[test]
    fn what_all_but_stands_still_does_not_spoil_the_others() {
        let times: Vec<f64> = (0..1440).map(|n| 1.7e9 + 60.0 * f64::from(n)).collect();
        let mut values = [5.0; 1440];
        values[700] = 6.0;
        let still = Traits::of(Window::new(&times, &values)).unwrap();
        assert!(still.0.iter().all(|number| number.is_finite()), "{still:?}");
        let mut metrics: Vec<Traits> = (0..90).map(|n| series(n % 3, n as u64)).collect();
        metrics.push(still);
        let families = MetricFamilies::find(&metrics, 8, 1);
        assert_ne!(families.of(&metrics[0]), families.of(&metrics[1]));
        assert_ne!(families.of(&metrics[1]), families.of(&metrics[2]));
    }
}
