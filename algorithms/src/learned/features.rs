//! The inputs of a family's network: what it sees of a metric at one moment, and in what units.
//!
//! 36 numbers of falling sharpness (the last 16 steps, 8 means of 4 steps, 8 of 32 steps, and 4 means of 2 steps from this
//! time yesterday), taken from the newest of them and in the metric's own unit, beside the time of day and of the week. The
//! point at the moment itself is not among them. Gaps: a step without a point counts as its newer neighbour. A counter is
//! shown by its growth a second. Values that are not finite must have been dropped before.

use super::calendar::{DAY, minute, weekday};
use super::threshold::quantile;
use crate::counter;
use crate::window::{Series, Window};

/// Numbers that stand for the near past.
pub const STEPS: usize = 32;
/// Numbers that stand for the same time a day ago.
const YESTERDAY: usize = 4;
pub(super) const PAST: usize = STEPS + YESTERDAY;
/// Beside what is shown: whether there was a yesterday, the level, two circles.
pub(super) const INPUTS: usize = PAST + 6;
/// How far from its level a number is shown, in the metric's unit; beyond it is shown as this, so that one wild value does not
/// drown the others.
pub(super) const FARTHEST: f32 = 8.0;
/// Steps back that there must be for a forecast: twenty of the numbers of the near past stand for them.
pub(super) const FEWEST_STEPS: f64 = 32.0;
/// Steps that are looked back at most, yesterday apart: 16 · 1 + 8 · 4 + 8 · 32.
const FARTHEST_STEP: usize = 304;

/// What is known of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricScale {
    /// Its long-run middle.
    pub centre: f64,
    /// Its own unit: how far values usually lie from the level they come from. Above 0.
    pub unit: f64,
    /// Seconds between its points.
    pub step: f64,
    /// Whether it was learnt as a counter, by its growth a second.
    pub is_rate: bool,
}

impl MetricScale {
    /// Middle, unit and step of a history as it is judged; `None` if it is too short or stands still.
    pub(super) fn of(window: Window<'_>, is_rate: bool) -> Option<Self> {
        let (times, values) = (window.times(), window.values());
        let step = typical_step(times)?;
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let centre = quantile(&sorted, 0.5);
        let (low, high) = (quantile(&sorted, 0.05), quantile(&sorted, 0.95));
        let mut moves: Vec<f64> = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
        moves.sort_unstable_by(f64::total_cmp);
        // Between how far it moves in a step and how far it reaches in all; a metric that mostly stands still has the latter.
        let usual = quantile(&moves, 0.5).max(quantile(&moves, 0.9) / 4.0);
        let unit = usual
            .max((high - low) / 20.0)
            .max((sorted[sorted.len() - 1] - sorted[0]) / 1e3);
        let scale = Self {
            centre: kept(centre),
            unit: kept(unit),
            step: kept(step),
            is_rate,
        };
        let is_usable = |number: f64| number > 0.0 && number.is_finite();
        (scale.centre.is_finite() && is_usable(scale.unit) && is_usable(scale.step)).then_some(scale)
    }
}

/// A number of any size as the two `f32` it is kept as; nothing of [`kept`] is lost.
pub(super) fn halves(number: f64) -> [f32; 2] {
    let high = number as f32;
    [high, (number - f64::from(high)) as f32]
}

/// The number that comes back, so that a model judges after it was kept as it did before.
fn kept(number: f64) -> f64 {
    halves(number).map(f64::from).iter().sum()
}

/// The middle of the times between points, seconds; `None` with fewer than two points.
pub(super) fn typical_step(times: &[f64]) -> Option<f64> {
    let mut steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.retain(|step| *step > 0.0);
    if steps.is_empty() {
        return None;
    }
    let middle = steps.len() / 2;
    Some(*steps.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// Hands on a canonical history as it is judged, and whether that is by growth a second.
pub(super) fn as_judged<T>(history: Window<'_>, look: impl FnOnce(Window<'_>, bool) -> T) -> T {
    if !counter::never_decreasing(history) {
        return look(history, false);
    }
    let mut rates = Series::default();
    for at in 1..history.len() {
        rates.push(history.times()[at], growth(history, at));
    }
    look(rates.window(), true)
}

/// Growth a second up to a point that has one before it; below zero where a counter began again.
fn growth(window: Window<'_>, at: usize) -> f64 {
    let (times, values) = (window.times(), window.values());
    (values[at] - values[at - 1]) / (times[at] - times[at - 1])
}

/// The newest value of a canonical window as it is judged; `None` if it has none, as where a counter began again.
pub(super) fn newest(window: Window<'_>, scale: &MetricScale) -> Option<f64> {
    let at = window.len().checked_sub(1)?;
    if scale.is_rate {
        (at > 0).then(|| growth(window, at)).filter(|rate| *rate >= 0.0)
    } else {
        Some(window.values()[at])
    }
}

/// What is shown at the newest point of a canonical window of a metric: numbers into `inputs`, and the level they are
/// taken from. `None` if it does not reach far enough back. The newest value is not looked at. O(304).
pub(super) fn fill(window: Window<'_>, scale: &MetricScale, inputs: &mut [f32; INPUTS]) -> Option<f64> {
    if scale.is_rate {
        let rate = |at: usize| (at > 0).then(|| growth(window, at)).filter(|rate| *rate >= 0.0);
        fill_values(window.times(), rate, scale, inputs)
    } else {
        fill_judged(window, scale, inputs)
    }
}

/// The same of a history that [`as_judged`] gave.
pub(super) fn fill_judged(
    history: Window<'_>,
    scale: &MetricScale,
    inputs: &mut [f32; INPUTS],
) -> Option<f64> {
    fill_values(history.times(), |at| Some(history.values()[at]), scale, inputs)
}

/// Which of the shown numbers a point belongs to that is so many whole steps old. One of no step is of the newest.
const SLOTS: [u8; FARTHEST_STEP + 1] = {
    let mut slots = [0; FARTHEST_STEP + 1];
    let mut age = 1;
    while age <= FARTHEST_STEP {
        slots[age] = match age {
            1..=16 => age - 1,
            17..=48 => 16 + (age - 17) / 4,
            _ => 24 + (age - 49) / 32,
        } as u8;
        age += 1;
    }
    slots
};

fn fill_values(
    times: &[f64],
    value: impl Fn(usize) -> Option<f64>,
    scale: &MetricScale,
    inputs: &mut [f32; INPUTS],
) -> Option<f64> {
    let (now, past) = (*times.last()?, times.len() - 1);
    if past == 0 || now - times[0] < FEWEST_STEPS * scale.step {
        return None;
    }
    let (mut sums, mut counts) = ([0.0f64; PAST], [0.0f64; PAST]);
    let steps_a_second = 1.0 / scale.step;
    for (at, time) in times[..past].iter().enumerate().rev() {
        // A point that comes a little late is still of its step. Rounded by hand, as `round` is a call.
        let Some(&slot) = SLOTS.get(((now - time) * steps_a_second + 0.5) as u32 as usize) else {
            break;
        };
        if let Some(value) = value(at) {
            sums[usize::from(slot)] += value;
            counts[usize::from(slot)] += 1.0;
        }
    }
    let yesterday = now - DAY;
    let from = times.partition_point(|time| *time < yesterday - 0.5 * scale.step);
    for (at, time) in (from..past).zip(&times[from..past]) {
        let steps = ((time - yesterday) / scale.step).round().max(0.0) as usize;
        if steps >= 2 * YESTERDAY {
            break;
        }
        if let Some(value) = value(at) {
            sums[STEPS + steps / 2] += value;
            counts[STEPS + steps / 2] += 1.0;
        }
    }
    let near: f64 = counts[..STEPS].iter().filter(|count| **count > 0.0).count() as f64;
    if near < FEWEST_STEPS / 4.0 {
        return None;
    }
    // Taken from where the metric was last: what lies before a jump is far away, and says no more than that.
    let newest = sums
        .iter()
        .zip(counts)
        .take(STEPS)
        .find(|(_, count)| *count > 0.0);
    let level = newest.map(|(sum, count)| sum / count)?;
    let scaled = |value: f64| (((value - level) / scale.unit) as f32).clamp(-FARTHEST, FARTHEST);
    let mut newer = 0.0;
    for ((input, sum), count) in inputs.iter_mut().zip(sums).zip(counts).take(STEPS) {
        if count > 0.0 {
            newer = scaled(sum / count);
        }
        *input = newer;
    }
    let had_yesterday = counts[STEPS..].iter().any(|count| *count > 0.0);
    for slot in STEPS..PAST {
        inputs[slot] = if counts[slot] > 0.0 {
            scaled(sums[slot] / counts[slot])
        } else {
            0.0
        };
    }
    let day = std::f64::consts::TAU * minute(now) / 1440.0;
    let week = std::f64::consts::TAU * (weekday(now) as f64 + minute(now) / 1440.0) / 7.0;
    inputs[PAST] = f32::from(had_yesterday);
    inputs[PAST + 1] = (((level - scale.centre) / scale.unit) as f32).clamp(-FARTHEST, FARTHEST);
    for (input, circle) in inputs[PAST + 2..]
        .iter_mut()
        .zip([day.sin(), day.cos(), week.sin(), week.cos()])
    {
        *input = circle as f32;
    }
    Some(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        for number in [0.1, 1e-300, 1.7e9 + 1.0 / 3.0, 12_345.678_901_234_5, -1e38 / 3.0] {
            let once = kept(number);
            assert_eq!(kept(once), once);
            assert!((once - number).abs() <= 1e-13 * number.abs() + 1e-45);
        }
    }

    #[test]
    fn a_step_goes_to_its_slot() {
        assert_eq!((SLOTS[0], SLOTS[1], SLOTS[16], SLOTS[17]), (0, 0, 15, 16));
        assert_eq!((SLOTS[48], SLOTS[49], SLOTS[304]), (23, 24, 31));
    }
}
