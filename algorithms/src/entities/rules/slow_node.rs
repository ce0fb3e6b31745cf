//! Slow nodes of a training cluster: a device that falls behind itself (time), or behind those that do the same work
//! (space).

use std::collections::VecDeque;

use super::clusters::noise;
use super::n_sigma::NSigmaSide;
use super::series::{min_max, moments};

/// What an expert holds to be possible; values outside are never normal, values inside are not required to be out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeBounds {
    /// No value below is normal.
    pub least: f64,
    /// No value above is normal.
    pub most: f64,
}

/// How a device is held against its own past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeOptions {
    /// Normal values that are kept to compare with.
    pub window: usize,
    /// Standard deviations.
    pub k: f64,
    /// A limit is widened by this share of itself, or by `widened`, whichever is more.
    pub bias: f64,
    /// In units of the metric.
    pub widened: f64,
    /// Which way is out.
    pub side: NSigmaSide,
    /// What an expert holds to be possible.
    pub bounds: NodeBounds,
    /// Shortest run that is an anomaly.
    pub shortest: usize,
}

impl Default for TimeOptions {
    fn default() -> Self {
        Self {
            window: 60,
            k: 3.0,
            bias: 0.0,
            widened: 0.0,
            side: NSigmaSide::Both,
            bounds: NodeBounds {
                least: f64::NEG_INFINITY,
                most: f64::INFINITY,
            },
            shortest: 5,
        }
    }
}

/// Radius and fewest neighbours of values that are no noise, of values between 0 and 1.
const RADIUS: f64 = 0.1;
const FEWEST: usize = 10;
/// Normal values before anything is judged, and the deviation of values that are all alike.
const FIRST: usize = 10;
const LEAST_DEVIATION: f64 = 1e-4;

/// Per value whether it is in a run, long enough, of values outside of mean ± k deviations of the normal ones before it,
/// of which the largest and the smallest are left out. Noise and what is out do not become normal. Not finite is not out.
#[must_use]
pub fn deviating_in_time(values: &[f64], options: TimeOptions) -> Vec<bool> {
    let is_noise = noise(&min_max(values), RADIUS, FEWEST);
    let mut normal: VecDeque<f64> = VecDeque::with_capacity(options.window);
    let mut out = vec![false; values.len()];
    for ((value, is_noise), out) in values.iter().zip(is_noise).zip(&mut out) {
        if normal.len() >= FIRST {
            *out = is_out(*value, &normal, options);
        }
        if !*out && !is_noise && value.is_finite() {
            if normal.len() == options.window.max(FIRST) {
                normal.pop_front();
            }
            normal.push_back(*value);
        }
    }
    long_runs(&out, options.shortest)
}

fn is_out(value: f64, normal: &VecDeque<f64>, options: TimeOptions) -> bool {
    let mut kept: Vec<f64> = normal.iter().copied().collect();
    kept.sort_unstable_by(f64::total_cmp);
    let (mean, deviation) = moments(&kept[1..kept.len() - 1]);
    let reach = options.k
        * if deviation > 0.0 {
            deviation
        } else {
            LEAST_DEVIATION
        };
    let widened = |limit: f64| (options.bias * limit.abs()).max(options.widened);
    let above = mean + reach;
    let below = mean - reach;
    let is_above = value > (above + widened(above)).min(options.bounds.most);
    let is_below = value < (below - widened(below)).max(options.bounds.least);
    match options.side {
        NSigmaSide::Above => is_above,
        NSigmaSide::Below => is_below,
        NSigmaSide::Both => is_above || is_below,
    }
}

/// The flags that stand in runs of at least `shortest`.
#[must_use]
pub fn long_runs(flags: &[bool], shortest: usize) -> Vec<bool> {
    let runs = flags.chunk_by(|a, b| a == b);
    runs.flat_map(|run| std::iter::repeat_n(run[0] && run.len() >= shortest, run.len()))
        .collect()
}

/// How devices are held against each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpaceOptions {
    /// The gap's least share of the whole range.
    pub gap: f64,
    /// Least ratio of the means on both sides of the gap.
    pub ratio: f64,
    /// Deviations of the others from their mean.
    pub deviations: f64,
}

impl Default for SpaceOptions {
    fn default() -> Self {
        Self {
            gap: 0.3,
            ratio: 1.5,
            deviations: 2.0,
        }
    }
}

/// Fewest devices that are a group.
const GROUP: usize = 4;

/// Which devices of a group are apart from the others, by their means over the same rows: the fewer side of the largest
/// gap between sorted means, if the gap is a large part of the range, the sides differ by a factor, and each device is
/// outside of the others' spread. None for fewer than four devices with values: of a pair nobody knows which one is slow.
#[must_use]
pub fn deviating_in_space(group: &[Vec<f64>], options: SpaceOptions) -> Option<Vec<bool>> {
    let finite = |values: &Vec<f64>| {
        values
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .collect::<Vec<f64>>()
    };
    let means: Vec<f64> = group.iter().map(|values| moments(&finite(values)).0).collect();
    let mut sorted: Vec<usize> = (0..means.len()).filter(|at| !means[*at].is_nan()).collect();
    if sorted.len() < GROUP {
        return None;
    }
    sorted.sort_by(|a, b| means[*a].total_cmp(&means[*b]));
    let mut apart = vec![false; group.len()];
    let between = |at: usize| means[sorted[at + 1]] - means[sorted[at]];
    let range = means[sorted[sorted.len() - 1]] - means[sorted[0]];
    let widest = (0..sorted.len() - 1).max_by(|a, b| between(*a).total_cmp(&between(*b)))?;
    if range <= 0.0 || between(widest) <= options.gap * range {
        return Some(apart);
    }
    let (low, high) = sorted.split_at(widest + 1);
    if low.len() == high.len() {
        return Some(apart);
    }
    let (few, many) = if low.len() < high.len() {
        (low, high)
    } else {
        (high, low)
    };
    let of = |side: &[usize]| moments(&side.iter().map(|at| means[*at]).collect::<Vec<f64>>());
    let ((few_mean, _), (many_mean, deviation)) = (of(few), of(many));
    let (smaller, larger) = (
        few_mean.abs().min(many_mean.abs()),
        few_mean.abs().max(many_mean.abs()),
    );
    if larger > options.ratio * smaller {
        for at in few {
            apart[*at] = (means[*at] - many_mean).abs() > options.deviations * deviation;
        }
    }
    Some(apart)
}

/// What is said of each device: where devices were held against each other that counts, also where it clears one.
#[must_use]
pub fn deviating_nodes(in_time: &[bool], in_space: Option<&[bool]>) -> Vec<bool> {
    in_space.unwrap_or(in_time).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(count: usize) -> Vec<f64> {
        (0..count).map(|at| 100.0 + (at * 7 % 11) as f64).collect()
    }

    #[test]
    fn a_device_that_falls_behind_itself_is_found_and_a_single_value_is_not() {
        let mut values = steady(200);
        values[100] = 400.0;
        values[150..160].fill(300.0);
        let out = deviating_in_time(&values, TimeOptions::default());
        let found: Vec<usize> = (0..200).filter(|at| out[*at]).collect();
        assert_eq!(found, (150..160).collect::<Vec<_>>());
        let below = TimeOptions {
            side: NSigmaSide::Below,
            ..TimeOptions::default()
        };
        assert!(!deviating_in_time(&values, below).contains(&true));
        let wide = TimeOptions {
            widened: 250.0,
            ..TimeOptions::default()
        };
        assert!(!deviating_in_time(&values, wide).contains(&true));
        let expert = NodeBounds {
            least: 0.0,
            most: 200.0,
        };
        assert!(
            deviating_in_time(
                &values,
                TimeOptions {
                    bounds: expert,
                    ..wide
                }
            )
            .contains(&true)
        );
        assert!(!deviating_in_time(&[f64::NAN; 50], TimeOptions::default()).contains(&true));
    }

    #[test]
    fn a_device_that_falls_behind_the_others_is_found() {
        let group = |levels: &[f64]| levels.iter().map(|level| vec![*level; 20]).collect::<Vec<_>>();
        let apart = |levels: &[f64]| deviating_in_space(&group(levels), SpaceOptions::default());
        assert_eq!(
            apart(&[100.0, 102.0, 220.0, 99.0]),
            Some(vec![false, false, true, false])
        );
        assert_eq!(
            apart(&[100.0, 102.0, 120.0, 99.0]),
            Some(vec![false; 4]),
            "less than half as much again"
        );
        assert_eq!(
            apart(&[100.0, 101.0, 300.0, 301.0]),
            Some(vec![false; 4]),
            "nobody knows which two are slow"
        );
        assert_eq!(apart(&[100.0; 4]), Some(vec![false; 4]));
        assert_eq!(apart(&[100.0, 300.0, 100.0]), None);
        assert_eq!(
            deviating_nodes(&[true, true], Some(&[false, true])),
            [false, true]
        );
        assert_eq!(deviating_nodes(&[true, false], None), [true, false]);
    }
}
