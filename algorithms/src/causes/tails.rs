//! The last points of a series on a grid of times, made comparable with those of any other.
//!
//! Metrics have steps, units and clocks of their own. Here each becomes [`TAIL_POINTS`] values at the moments of one grid, in two forms:
//! *levels*, its values less a resistant line (Tukey: through the medians of the outer thirds, so that a fault at the end does not bend it),
//! and *steps*, their differences. Both are in robust spreads (interquartile range / 1.349) and cut at [`CUT`] of them, so that one wild
//! value is one value. What shows in the steps alone is not hidden by a slow wave, and what shows in the levels alone not by noise.
//! A series that only grows is taken by its rate, as a counter. O(n).

/// Values of a tail.
pub const TAIL_POINTS: usize = 120;
/// Moments that must have a value: with half of them missing there is no telling what moved with what.
pub const LEAST_PRESENT: usize = TAIL_POINTS / 2;
/// Cells a value stands for until the next one: a metric each five minutes beside one each minute.
const HELD: usize = 5;
/// Robust spreads at which a value is cut. A fault of three minutes still weighs as much as the noise of an hour, a single value does not.
const CUT: f32 = 4.0;
/// Interquartile range of the standard normal law.
const NORMAL_RANGE: f32 = 1.349;
/// Mean absolute deviation of the standard normal law, √(2/π).
const NORMAL_MEAN_DEVIATION: f32 = 0.797_884_6;
/// Spread below which a series stands still, as a share of its largest value: the last digits of a double are no movement.
const DUST: f64 = 1e-9;

/// The moments at which tails are compared: [`TAIL_POINTS`] cells of `step` seconds, the last of which ends at `end`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TailGrid {
    /// End of the last cell, Unix seconds; a point at this very time lies in it.
    pub end: f64,
    /// Length of a cell, seconds.
    pub step: f64,
}

/// A value a cell, NaN for none.
pub type GridValues = [f64; TAIL_POINTS];

impl TailGrid {
    /// The grid of a series: at its own step (the median of its last steps, at least a second), up to its last point. `None` with
    /// fewer than [`LEAST_PRESENT`] points. Times ascend.
    #[must_use]
    pub fn of(times: &[f64]) -> Option<Self> {
        if times.len() < LEAST_PRESENT {
            return None;
        }
        let last = &times[times.len().saturating_sub(TAIL_POINTS + 1)..];
        let mut steps: Vec<f64> = last.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let middle = steps.len() / 2;
        let (_, step, _) = steps.select_nth_unstable_by(middle, f64::total_cmp);
        let step = step.max(1.0);
        let end = *times.last()?;
        (step.is_finite() && end.is_finite()).then_some(Self { end, step })
    }

    /// When the first cell begins, Unix seconds.
    #[must_use]
    pub fn start(&self) -> f64 {
        self.end - self.step * TAIL_POINTS as f64
    }

    /// The series on this grid: of each cell the mean of its values, or for up to five cells what was there before. Times ascend.
    #[must_use]
    pub fn values(&self, times: &[f64], values: &[f64]) -> GridValues {
        let (mut sums, mut counts) = ([0.0; TAIL_POINTS], [0_u32; TAIL_POINTS]);
        for (time, value) in times.iter().zip(values).rev() {
            // (end − step, end] is the last cell.
            let back = ((self.end - time) / self.step).floor();
            if back >= TAIL_POINTS as f64 {
                break;
            }
            if back >= 0.0 && value.is_finite() {
                let cell = TAIL_POINTS - 1 - back as usize;
                sums[cell] += value;
                counts[cell] += 1;
            }
        }
        let mut held = (f64::NAN, HELD);
        std::array::from_fn(|cell| {
            if counts[cell] > 0 {
                held = (sums[cell] / f64::from(counts[cell]), 0);
            } else if held.1 >= HELD {
                return f64::NAN;
            } else {
                held.1 += 1;
            }
            held.0
        })
    }
}

/// A tail in both forms, ready to be compared.
#[derive(Debug, Clone)]
pub struct PreparedTail {
    pub(super) levels: Option<StandardTail>,
    pub(super) steps: Option<StandardTail>,
}

impl PreparedTail {
    /// Prepares values of a grid. `None` where too few are there, or they stand still.
    #[must_use]
    pub fn new(values: &GridValues) -> Option<Self> {
        let mut scaled = scaled(values)?;
        if is_counter(&scaled) {
            scaled = differences(&scaled);
        }
        let levels = StandardTail::new(&without_line(&scaled));
        let steps = StandardTail::new(&differences(&scaled));
        (levels.is_some() || steps.is_some()).then_some(Self { levels, steps })
    }
}

/// One form of a tail: mean 0, in robust spreads; what is missing is 0 and so weighs nothing.
#[derive(Debug, Clone)]
pub(super) struct StandardTail {
    pub(super) values: [f32; TAIL_POINTS],
    /// Σ v² of the values before each place, and of all.
    pub(super) energy: [f32; TAIL_POINTS + 1],
    /// How many values there are.
    pub(super) present: usize,
    /// Σ v⁴ N / (Σ v²)²: 3 for normal noise, large where few values make up the movement.
    pub(super) kurtosis: f64,
}

impl StandardTail {
    fn new(values: &[f32; TAIL_POINTS]) -> Option<Self> {
        let mut buffer = [0.0; TAIL_POINTS];
        let sorted = present(values, &mut buffer);
        let count = sorted.len();
        if count < LEAST_PRESENT {
            return None;
        }
        let (centre, range) = centre_and_range(sorted);
        let spread = if range > 0.0 {
            range / NORMAL_RANGE
        } else {
            let deviations: f32 = sorted.iter().map(|value| (value - centre).abs()).sum();
            deviations / count as f32 / NORMAL_MEAN_DEVIATION
        };
        if spread.is_nan() || spread <= f32::EPSILON {
            return None;
        }
        let cut = |value: f32| ((value - centre) / spread).clamp(-CUT, CUT);
        let mean = sorted.iter().map(|value| cut(*value)).sum::<f32>() / count as f32;
        let values = values.map(|value| if value.is_nan() { 0.0 } else { cut(value) - mean });
        let mut energy = [0.0; TAIL_POINTS + 1];
        let (mut sum, mut fourth) = (0.0_f32, 0.0_f32);
        for (place, value) in values.iter().enumerate() {
            let square = value * value;
            sum += square;
            fourth += square * square;
            energy[place + 1] = sum;
        }
        (sum > 0.0).then(|| Self {
            values,
            energy,
            present: count,
            kurtosis: f64::from(fourth) * count as f64 / f64::from(sum).powi(2),
        })
    }
}

/// The values less their first, in units of the largest, as single-precision numbers: a gauge of 10⁹ that moves by ones keeps its movement.
/// `None` where it stands still or too few are there.
fn scaled(values: &GridValues) -> Option<[f32; TAIL_POINTS]> {
    let first = *values.iter().find(|value| value.is_finite())?;
    let largest = |of: fn(f64, f64) -> f64| {
        let finite = values.iter().filter(|value| value.is_finite());
        finite.fold(0.0_f64, |largest, value| largest.max(of(*value, first).abs()))
    };
    let moved = largest(|value, first| value - first);
    let level = largest(|value, _| value);
    // Differences of huge values may overflow.
    if !moved.is_finite() || moved <= DUST * level {
        return None;
    }
    Some(values.map(|value| ((value - first) / moved) as f32))
}

/// Whether a series never falls and grows most of the time: a gauge that has stepped up grows once.
fn is_counter(values: &[f32; TAIL_POINTS]) -> bool {
    let mut grown = 0;
    for pair in values.windows(2) {
        if pair[1] < pair[0] {
            return false;
        }
        grown += usize::from(pair[1] > pair[0]);
    }
    grown > TAIL_POINTS / 2
}

/// From each value to the next, at the place of the later one; none at the first.
fn differences(values: &[f32; TAIL_POINTS]) -> [f32; TAIL_POINTS] {
    std::array::from_fn(|place| match place {
        0 => f32::NAN,
        _ => values[place] - values[place - 1],
    })
}

/// The values less the line through the medians of the outer thirds.
fn without_line(values: &[f32; TAIL_POINTS]) -> [f32; TAIL_POINTS] {
    const THIRD: usize = TAIL_POINTS / 3;
    let median = |part: &[f32]| {
        let mut buffer = [0.0; TAIL_POINTS];
        let sorted = present(part, &mut buffer);
        let middle = sorted.len() / 2;
        (!sorted.is_empty()).then(|| *sorted.select_nth_unstable_by(middle, f32::total_cmp).1)
    };
    let (left, right) = (median(&values[..THIRD]), median(&values[TAIL_POINTS - THIRD..]));
    let (Some(left), Some(right)) = (left, right) else {
        return *values;
    };
    let slope = (right - left) / (TAIL_POINTS - THIRD) as f32;
    std::array::from_fn(|place| values[place] - slope * place as f32)
}

/// The values that are there, put into `buffer`.
fn present<'b>(values: &[f32], buffer: &'b mut [f32; TAIL_POINTS]) -> &'b mut [f32] {
    let mut count = 0;
    for value in values.iter().filter(|value| value.is_finite()) {
        buffer[count] = *value;
        count += 1;
    }
    &mut buffer[..count]
}

/// The median and the interquartile range; the values are reordered.
fn centre_and_range(values: &mut [f32]) -> (f32, f32) {
    let quarter = values.len() / 4;
    let (below, centre, above) = values.select_nth_unstable_by(values.len() / 2, f32::total_cmp);
    let centre = *centre;
    let low = *below.select_nth_unstable_by(quarter, f32::total_cmp).1;
    let place = above.len() - 1 - quarter.min(above.len() - 1);
    let high = *above.select_nth_unstable_by(place, f32::total_cmp).1;
    (centre, high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_step_and_a_late_clock_come_onto_the_grid() {
        let times: Vec<f64> = (0..200).map(|i| 60.0 * f64::from(i)).collect();
        let grid = TailGrid::of(&times).expect("long enough");
        assert_eq!((grid.end, grid.step), (60.0 * 199.0, 60.0));
        let own = grid.values(&times, &times);
        assert_eq!((own[0], own[119]), (60.0 * 80.0, 60.0 * 199.0));
        // Ten seconds apart: means of six.
        let fast: Vec<f64> = (0..1_200).map(|i| 10.0 * f64::from(i)).collect();
        let means = grid.values(&fast, &fast);
        assert_eq!(means[118], 60.0 * 198.0 - 25.0);
        // Five minutes apart: held; and not for ever.
        let slow: Vec<f64> = (0..20).map(|i| 300.0 * f64::from(i)).collect();
        let held = grid.values(&slow, &slow);
        assert_eq!(held[7..12], [5_100.0, 5_100.0, 5_100.0, 5_400.0, 5_400.0]);
        assert!(held[40..].iter().all(|value| value.is_nan()), "{held:?}");
        assert_eq!(TailGrid::of(&times[..59]), None);
    }

    #[test]
    fn what_stands_still_or_is_hardly_there_is_not_compared() {
        let prepared = |value: fn(usize) -> f64| PreparedTail::new(&std::array::from_fn(value)).is_some();
        assert!(!prepared(|_| 5.0));
        assert!(!prepared(|_| f64::NAN));
        assert!(!prepared(|i| 1e9 + 1e-3 * (i % 2) as f64));
        assert!(!prepared(|i| if i < 61 { f64::NAN } else { (i % 7) as f64 }));
        assert!(!prepared(|i| [f64::MAX, f64::MIN][i % 2]));
        assert!(prepared(|i| 1e9 + (i % 7) as f64));
        // All but three are the same: the range is 0, the movement is not.
        assert!(prepared(|i| f64::from(u8::from(i % 50 == 3))));
    }

    #[test]
    fn a_line_and_a_count_are_no_movement_of_their_own() {
        let wobble = |i: usize| ((i * 7) % 13) as f64;
        let flat: GridValues = std::array::from_fn(wobble);
        let rising: GridValues = std::array::from_fn(|i| wobble(i) + 50.0 * i as f64);
        let (flat, rising) = (PreparedTail::new(&flat), PreparedTail::new(&rising));
        let (flat, rising) = (flat.expect("moves"), rising.expect("moves"));
        // 50 a step and never falling: by its rate, so its levels are the steps of the flat one.
        let (steps, rates) = (flat.steps.expect("steps"), rising.levels.expect("rates"));
        let apart = |place: usize| (steps.values[place] - rates.values[place]).abs();
        assert!((1..TAIL_POINTS).all(|place| apart(place) < 0.2), "{rates:?}");
    }
}
