//! Who made a sum what it was: addresses behind a traffic outlier, or any parts of a whole.
//!
//! Of each part, the median of its up to 30 points before the moment is what it usually brings (of those after it, too, where
//! there are fewer than 3 before), and the median distance from it its noise. A part's share is how far it was from its usual
//! in the direction in which the whole was, over what all parts were together. Causes are the largest shares, as many as it
//! takes for nine tenths, as long as each is beyond its own noise and a twentieth of the whole. A part without a point at the
//! moment brought nothing. O(parts · 30 log 30).
//!
//! rb-aioutliers asks an isolation forest over the calendar and the bytes of all addresses in one table, whose windows reach
//! from one address into the next, and says which it finds odd, not how much they brought.

use crate::statistics::median;
use crate::window::Window;

/// Points that say what is usual, and fewest of them before the moment.
const NEIGHBOURS: usize = 30;
const FEWEST: usize = 3;
/// A deviation is beyond noise from so many (normal) standard deviations on.
const BEYOND_NOISE: f64 = 3.0;
/// From a median absolute deviation to a normal standard deviation.
const NORMAL: f64 = 1.4826;
/// Noise of a part that stands still, as a share of its usual value.
const LEAST_NOISE: f64 = 0.01;
/// The smallest share of a cause, and how much causes are to explain together.
const LEAST_SHARE: f64 = 0.05;
const EXPLAINED: f64 = 0.9;

/// What one part brought at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// The part's place among those given.
    pub part: usize,
    /// What it brought.
    pub observed: f64,
    /// What it usually brings.
    pub usual: f64,
    /// Its share of what the whole was off, 0 to 1.
    pub share: f64,
    /// Whether it counts as a cause.
    pub is_cause: bool,
}

/// What each part brought at `moment` (Unix seconds), the largest shares first; only parts with a share. Empty if nothing was
/// off.
#[must_use]
pub fn contributions(parts: &[Window<'_>], moment: f64) -> Vec<Contribution> {
    let mut scratch = Vec::new();
    let looked: Vec<Deviation> = parts
        .iter()
        .map(|part| Deviation::of(*part, moment, &mut scratch))
        .collect();
    let total: f64 = looked.iter().map(|one| one.observed - one.usual).sum();
    let along = |one: &Deviation| ((one.observed - one.usual) * total.signum()).max(0.0);
    let all: f64 = looked.iter().map(along).sum();
    if total == 0.0 || !all.is_finite() || all <= 0.0 {
        return Vec::new();
    }
    let mut found: Vec<Contribution> = looked
        .iter()
        .enumerate()
        .map(|(part, one)| Contribution {
            part,
            observed: one.observed,
            usual: one.usual,
            share: along(one) / all,
            is_cause: along(one) > BEYOND_NOISE * one.noise,
        })
        .filter(|one| one.share > 0.0)
        .collect();
    found.sort_by(|a, b| b.share.total_cmp(&a.share));
    let mut explained = 0.0;
    for one in &mut found {
        one.is_cause &= explained < EXPLAINED && one.share >= LEAST_SHARE;
        explained += one.share;
    }
    found
}

struct Deviation {
    observed: f64,
    usual: f64,
    noise: f64,
}

impl Deviation {
    fn of(part: Window<'_>, moment: f64, scratch: &mut Vec<f64>) -> Self {
        let (times, values) = (part.times(), part.values());
        let first = times.partition_point(|time| *time < moment);
        let behind = times.partition_point(|time| *time <= moment);
        let finite = |value: &&f64| value.is_finite();
        let observed = values[first..behind].iter().rfind(finite).copied();
        let before = values[..first].iter().rev().filter(finite).take(NEIGHBOURS);
        let mut known: Vec<f64> = before.copied().collect();
        if known.len() < FEWEST {
            let after = values[behind..].iter().filter(finite);
            known.extend(after.take(NEIGHBOURS - known.len()));
        }
        if known.is_empty() {
            // Nobody has seen it before: all that it brings is new.
            return Self {
                observed: observed.unwrap_or(0.0),
                usual: 0.0,
                noise: 0.0,
            };
        }
        let usual = median(&known, scratch);
        known.iter_mut().for_each(|value| *value = (*value - usual).abs());
        Self {
            observed: observed.unwrap_or(0.0),
            usual,
            noise: (NORMAL * median(&known, scratch)).max(LEAST_NOISE * usual.abs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: f64 = 40.0;

    /// A part with these values at 0, 1, 2, …
    fn found(parts: &[Vec<f64>]) -> Vec<Contribution> {
        let times: Vec<f64> = (0..100).map(f64::from).collect();
        let windows: Vec<Window<'_>> = parts
            .iter()
            .map(|values| Window::sorted(&times[..values.len()], values))
            .collect();
        contributions(&windows, MOMENT)
    }

    fn causes(found: &[Contribution]) -> Vec<usize> {
        found
            .iter()
            .filter(|one| one.is_cause)
            .map(|one| one.part)
            .collect()
    }

    fn noisy(level: f64) -> Vec<f64> {
        (0..60).map(|n| level + f64::from(n % 7) * level / 50.0).collect()
    }

    #[test]
    fn the_one_that_brought_more_is_the_cause() {
        let mut parts = vec![noisy(1000.0), noisy(50.0), noisy(20.0)];
        parts[1][40] = 900.0;
        parts[0][40] += 10.0;
        let all = found(&parts);
        assert_eq!(causes(&all), [1]);
        assert!(all[0].share > 0.9 && (all[0].usual - 53.0).abs() < 5.0, "{all:?}");
    }

    #[test]
    fn the_one_that_fell_silent_is_the_cause_of_a_drop() {
        let mut parts = vec![noisy(1000.0), noisy(400.0)];
        parts[0].truncate(40);
        let all = found(&parts);
        assert_eq!((causes(&all), all[0].observed), (vec![0], 0.0));
    }

    #[test]
    fn who_is_new_is_a_cause_and_noise_is_none() {
        let mut new = vec![f64::NAN; 41];
        new[40] = 500.0;
        assert_eq!(causes(&found(&[noisy(100.0), new])), [1]);
        assert!(causes(&found(&[noisy(100.0), noisy(70.0)])).is_empty());
        assert!(found(&[]).is_empty());
        assert!(found(&[vec![3.0; 60]]).is_empty());
    }
}
