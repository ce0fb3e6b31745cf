//! From times and values to pixels, and the ticks between.

use super::points::{self, LARGEST_VALUE};
use crate::anomaly::Expected;
use crate::units;

/// Room a time label needs, px.
const TIME_LABEL: f64 = 72.0;
/// Room a value label needs, px.
const VALUE_LABEL: f64 = 28.0;
const MINUTE: f64 = 60.0;
const HOUR: f64 = 3_600.0;
const DAY: f64 = 86_400.0;
const MONTH: f64 = 30.0 * DAY;
/// Steps between time ticks that people count in.
const TIME_STEPS: [f64; 19] = [
    1.0,
    5.0,
    15.0,
    30.0,
    MINUTE,
    5.0 * MINUTE,
    15.0 * MINUTE,
    30.0 * MINUTE,
    HOUR,
    3.0 * HOUR,
    6.0 * HOUR,
    12.0 * HOUR,
    DAY,
    2.0 * DAY,
    7.0 * DAY,
    14.0 * DAY,
    MONTH,
    3.0 * MONTH,
    12.0 * MONTH,
];

/// The horizontal axis.
pub(super) struct TimeScale {
    from: f64,
    to: f64,
    left: f64,
    right: f64,
}

impl TimeScale {
    /// Times `from..=to` on pixels `left..=right`. A window of no length gets a minute on each side.
    pub(super) fn new(from: f64, to: f64, left: f64, right: f64) -> Self {
        // A pad lost to rounding would leave the window without length.
        let pad = if to > from {
            0.0
        } else {
            MINUTE.max(from.abs() * 1e-9)
        };
        Self {
            from: from - pad,
            to: to + pad,
            left,
            right,
        }
    }

    pub(super) fn pixel(&self, time: f64) -> f64 {
        let share = (time - self.from) / (self.to - self.from);
        self.left + share.clamp(0.0, 1.0) * (self.right - self.left)
    }

    pub(super) fn pixels(&self) -> (f64, f64) {
        (self.left, self.right)
    }

    /// Whole numbers to label, where the axis counts something.
    pub(super) fn count_ticks(&self) -> Vec<(f64, String)> {
        let most = ((self.right - self.left) / TIME_LABEL).floor().max(2.0);
        let mut ticks = ticks(self.from, self.to, most);
        ticks.retain(|(number, _)| number.fract() == 0.0);
        ticks
    }

    /// The times at both ends.
    pub(super) fn times(&self) -> (f64, f64) {
        (self.from, self.to)
    }

    /// Times to label, with their labels. Midnight shows its date; when no midnight is among the
    /// ticks the first one does.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let span = self.to - self.from;
        let most = ((self.right - self.left) / TIME_LABEL).floor().max(2.0);
        let Some(step) = TIME_STEPS.into_iter().find(|step| span / step <= most) else {
            return self.ends();
        };
        let format = match step {
            _ if step < MINUTE => "%H:%M:%S",
            _ if step < DAY => "%H:%M",
            _ if step < MONTH => "%-d %b",
            _ => "%b %Y",
        };
        let first = (self.from / step).ceil();
        let mut dated = step >= DAY;
        let mut ticks = Vec::new();
        for i in 0..=(span / step) as u32 {
            let time = (first + f64::from(i)) * step;
            let midnight = time.rem_euclid(DAY) == 0.0;
            let format = if midnight && step < DAY { "%-d %b" } else { format };
            if time <= self.to
                && let Some(label) = units::time_as(time, format)
            {
                dated |= midnight;
                ticks.push((time, label));
            }
        }
        if !dated
            && let Some((time, label)) = ticks.first_mut()
            && let Some(date) = units::time_as(*time, "%-d %b")
        {
            *label = format!("{date} {label}");
        }
        ticks
    }

    /// Only the two ends, for windows of many years.
    fn ends(&self) -> Vec<(f64, String)> {
        [self.from, self.to]
            .into_iter()
            .filter_map(|time| Some((time, units::time_as(time, "%b %Y")?)))
            .collect()
    }
}

/// The vertical axis.
pub(super) struct ValueScale {
    low: f64,
    high: f64,
    top: f64,
    bottom: f64,
    ticks: Vec<(f64, String)>,
}

impl ValueScale {
    /// A scale that holds every point and the mark, and of the expected band as much as leaves the
    /// points at least a third of the height: a band a thousand times wider than the series must
    /// not flatten it.
    pub(super) fn new(
        points: &[(f64, f64)],
        expected: Option<Expected>,
        marked: Option<f64>,
        top: f64,
        bottom: f64,
    ) -> Self {
        let marked = marked.filter(|value| value.is_finite());
        let marked = marked.map(|value| value.clamp(-LARGEST_VALUE, LARGEST_VALUE));
        let (mut low, mut high) = match (points::extremes(points), marked) {
            (Some((low, high)), Some(mark)) => (low.min(mark), high.max(mark)),
            (Some(extremes), None) => extremes,
            (None, Some(mark)) => (mark, mark),
            (None, None) => (0.0, 1.0),
        };
        if let Some(Expected {
            low: band_low,
            high: band_high,
            ..
        }) = expected
        {
            let reach = if high > low { high - low } else { f64::INFINITY };
            if band_low.is_finite() {
                low = low.min(band_low.max(low - reach).max(-LARGEST_VALUE));
            }
            if band_high.is_finite() {
                high = high.max(band_high.min(high + reach).min(LARGEST_VALUE));
            }
        }
        let largest = low.abs().max(high.abs());
        if high - low <= largest * 1e-9 || high - low < f64::MIN_POSITIVE * 1e10 {
            let pad = if largest > 1e-290 { largest * 0.1 } else { 1.0 };
            (low, high) = (low - pad, high + pad);
        } else {
            let pad = (high - low) * 0.06;
            // Zero is worth showing when it is near: a half-empty axis misleads less than a cut one.
            let near_zero = low >= 0.0 && low <= (high - low) * 0.5;
            (low, high) = (if near_zero { 0.0 } else { low - pad }, high + pad);
        }
        let ticks = ticks(low, high, ((bottom - top) / VALUE_LABEL).floor().max(2.0));
        Self {
            low,
            high,
            top,
            bottom,
            ticks,
        }
    }

    pub(super) fn pixel(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.bottom - share.clamp(-1.0, 2.0) * (self.bottom - self.top)
    }

    /// The values at bottom and top.
    pub(super) fn values(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Top and bottom of the plot.
    pub(super) fn pixels(&self) -> (f64, f64) {
        (self.top, self.bottom)
    }

    pub(super) fn ticks(&self) -> &[(f64, String)] {
        &self.ticks
    }
}

/// Round values between `low` and `high`, at most `most` steps apart: 1, 2 or 5 times a power of ten.
fn ticks(low: f64, high: f64, most: f64) -> Vec<(f64, String)> {
    let rough = (high - low) / most;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let first = (low / step).ceil();
    let values: Vec<f64> = (0..=most as u32)
        .map(|i| (first + f64::from(i)) * step)
        // A tick that should be zero is a rounding error away from it.
        .map(|value| if value.abs() < step * 1e-6 { 0.0 } else { value })
        .filter(|value| *value <= high)
        .collect();
    let labels = units::distinct(&values);
    values.into_iter().zip(labels).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[(f64, String)]) -> Vec<&str> {
        ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn time_ticks_fall_on_whole_hours_and_show_midnight_as_a_date() {
        let at = 1_795_268_520.0;
        let scale = TimeScale::new(at - DAY, at, 40.0, 310.0);
        assert_eq!(labels(&scale.ticks()), ["21 Nov", "12:00"]);
        let scale = TimeScale::new(at - DAY, at, 40.0, 890.0);
        assert_eq!(
            labels(&scale.ticks()),
            [
                "15:00", "18:00", "21:00", "21 Nov", "03:00", "06:00", "09:00", "12:00"
            ]
        );
    }

    #[test]
    fn a_window_without_midnight_dates_its_first_tick() {
        let at = 1_795_268_520.0;
        let scale = TimeScale::new(at - 2.0 * HOUR, at, 40.0, 310.0);
        assert_eq!(labels(&scale.ticks()), ["21 Nov 12:00", "13:00"]);
    }

    #[test]
    fn what_is_counted_has_whole_ticks() {
        let scale = TimeScale::new(1.0, 30.0, 0.0, 400.0);
        assert_eq!(labels(&scale.count_ticks()), ["10", "20", "30"]);
        let scale = TimeScale::new(1.0, 3.0, 0.0, 400.0);
        assert_eq!(labels(&scale.count_ticks()), ["1", "2", "3"]);
    }

    #[test]
    fn value_ticks_are_round_and_told_apart() {
        assert_eq!(
            labels(&ticks(0.0, 100.0, 5.0)),
            ["0", "20", "40", "60", "80", "100"]
        );
        assert_eq!(labels(&ticks(-0.3, 0.3, 3.0)), ["-0.2", "0", "0.2"]);
        assert_eq!(labels(&ticks(1_000_000.0, 1_000_004.0, 4.0)).len(), 5);
    }

    #[test]
    fn a_wide_band_does_not_flatten_the_series() {
        let points = [(0.0, 10.0), (60.0, 20.0)];
        let band = Expected {
            low: -1e6,
            high: 1e6,
            centre: 0.0,
        };
        let scale = ValueScale::new(&points, Some(band), None, 0.0, 90.0);
        assert!(scale.pixel(10.0) - scale.pixel(20.0) > 25.0);
    }

    #[test]
    fn flat_and_extreme_series_have_a_scale() {
        for value in [0.0, 5.0, -3.0, 1e300, 1e-310, f64::MIN_POSITIVE] {
            let scale = ValueScale::new(&[(0.0, value), (1.0, value)], None, None, 0.0, 100.0);
            let y = scale.pixel(value);
            assert!((1.0..=99.0).contains(&y), "{value} is drawn at {y}");
        }
        let scale = ValueScale::new(&[(0.0, -1e300), (1.0, 1e300)], None, None, 0.0, 100.0);
        assert!(scale.pixel(-1e300) > 90.0 && scale.pixel(1e300) < 10.0);
    }
}
