//! Where the next point is expected, and how far points usually fall from it.
//!
//! One exponential mean follows the level; the scale is the winsorised mean |error| of one day, at least half of the
//! week's and a thousandth of the largest value. On real minute metrics this simple ratio beat seasonal, trending and
//! self-choosing predictors, and a scale in proportion to the level cost most of all (`docs/algorithms/adaptive.md`).

use super::pack::{Pack, packed};

/// Share of an error by which the level moves.
const GAIN: f64 = 0.1;
/// The same for the fast one, which says where the metric is now.
const FAST: f64 = 0.3;
/// No scale is less than this share of the largest value: nobody wants to hear of less than 2 %.
const FLOOR: f64 = 1e-3;
/// Errors beyond so many scales teach the scale as that many …
const CLIP: f64 = 4.0;
/// … and the level as this many, so that one wild point does not carry it away.
const FAR: f64 = 20.0;
/// Points whose errors are taken as they are.
const RAW: u32 = 30;
/// Points before the level is trusted to bound its own steps.
const FIRST: u32 = 20;
/// Share of points equal to the one before from which on a metric stands still.
const STILL: f64 = 0.85;
/// A metric that stands still may go to `1 + 1.5` times or one in as many before it is more than a change of setting …
const STILL_CHANGE: f64 = 1.5;
/// … and by so many of its last digits.
const STILL_DIGITS: f64 = 6.9;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Level {
    level: f64,
    fast: f64,
    last: f64,
    /// Winsorised mean |error| of a day, and its mean of a week.
    daily: f64,
    weekly: f64,
    /// Largest |value|, slowly falling.
    largest: f64,
    least: f64,
    /// The last decimal place that any value showed while it stood still.
    digit: f64,
    /// Share of points that equal the one before.
    equal: f64,
    points: u32,
}

packed!(Level {
    level,
    fast,
    last,
    daily,
    weekly,
    largest,
    least,
    digit,
    equal,
    points
});

impl Level {
    /// What the next point should be.
    pub(super) fn expected(&self) -> f64 {
        self.level
    }

    /// Where the last few points are.
    pub(super) fn now(&self) -> f64 {
        self.fast
    }

    /// The size large values have.
    pub(super) fn largest(&self) -> f64 {
        self.largest
    }

    /// Whether no value was ever below zero.
    pub(super) fn is_never_negative(&self) -> bool {
        self.least >= 0.0
    }

    pub(super) fn is_still(&self) -> bool {
        self.equal > STILL
    }

    /// Share of points that equal the one before.
    pub(super) fn equal(&self) -> f64 {
        self.equal
    }

    /// Whether it stands still anywhere but near zero.
    pub(super) fn stands_off_zero(&self) -> bool {
        self.is_still() && self.level.abs() > 0.5 * self.largest
    }

    /// What an error usually is.
    pub(super) fn scale(&self) -> f64 {
        self.daily
            .max(0.5 * self.weekly)
            .max(FLOOR * self.largest)
            .max(1e-12)
    }

    /// The scale a value is held against. For a metric that stands still errors say nothing: what counts there is how
    /// many times as much it is, and that it is more than a change of the last digits. `limit`: scales that are anomalous.
    pub(super) fn scale_for(&self, value: f64, limit: f64) -> f64 {
        let scale = self.scale();
        if !self.is_still() || (value - self.level).abs() <= scale {
            return scale;
        }
        let ratio = STILL_CHANGE * value.abs().min(self.level.abs());
        let digits = STILL_DIGITS * self.digit.min(digit(value));
        scale.max(ratio / limit).max(digits / limit)
    }

    /// Starts at a level anew and keeps the scales.
    pub(super) fn seed(&mut self, value: f64) {
        self.level = value;
        self.fast = value;
    }

    /// The rate of a counter is read at shorter steps, by this factor less than one: its noise grows with the root.
    pub(super) fn shorten(&mut self, factor: f64) {
        let wider = factor.sqrt().recip();
        self.daily *= wider;
        self.weekly *= wider;
    }

    /// Learns a value. `day`: points that make a day's memory; `allowance`: over 1 where errors are usually larger at
    /// this time of day; `is_known`: whether its error says anything.
    pub(super) fn learn(&mut self, value: f64, day: f64, allowance: f64, is_known: bool) {
        self.points = self.points.saturating_add(1);
        if self.points == 1 {
            self.seed(value);
            (self.last, self.largest, self.least) = (value, value.abs(), value);
            self.digit = digit(value);
            return;
        }
        let fresh = 1.0 / f64::from(self.points);
        let (daily, weekly) = (fresh.max(1.0 / day), fresh.max(1.0 / (7.0 * day)));
        let error = value - self.level;
        let bound = FAR * self.scale() * allowance;
        let step = if self.points > FIRST {
            error.clamp(-bound, bound)
        } else {
            error
        };
        if is_known {
            let mut size = error.abs() / allowance;
            if self.points > RAW {
                size = size.min(CLIP * self.daily.max(0.5 * FLOOR * self.largest));
            }
            self.daily += daily * (size - self.daily);
            self.weekly += weekly * (self.daily - self.weekly);
        }
        self.level += fresh.max(GAIN) * step;
        self.fast += FAST * (value - self.fast);
        let most = 2.0 * self.largest.max(1e-12);
        self.largest = (self.largest * (1.0 - 0.2 * weekly)).max(value.abs().min(most));
        self.least = self.least.min(value);
        if value != self.last && self.is_still() {
            self.digit = self.digit.min(digit(value));
        }
        self.equal += weekly * (f64::from(u8::from(value == self.last)) - self.equal);
        self.last = value;
    }
}

/// The last decimal place a value shows, at most 1 and at least 10⁻⁹.
fn digit(value: f64) -> f64 {
    let size = value.abs();
    let mut unit = 1.0;
    for _ in 0..9 {
        let count = size / unit;
        if (count - count.round()).abs() <= 1e-9 * count.max(1.0) {
            return unit;
        }
        unit *= 0.1;
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_is_the_one_that_is_shown() {
        let digits = [10.0, 0.0, 2.5, 0.25, 1e12, -3.125].map(digit);
        let wanted = [1.0, 1.0, 0.1, 0.01, 1.0, 0.001];
        for (digit, wanted) in digits.into_iter().zip(wanted) {
            assert!((digit - wanted).abs() < 1e-12, "{digit} {wanted}");
        }
    }
}
