//! Where the next point is expected, and how far points usually fall from it.
//!
//! Three predictors run side by side: a slow one with a slope (Holt's linear trend), a quick one, and nearly the last
//! value. The one that was off least over the last day is believed; noise wants the first, a wandering level the last.
//! The scale is the winsorised mean |error| of about 24 hours, in proportion to the level to the power 0, 1/2 or 1:
//! whichever makes the errors most alike, since the noise of counts grows with their root and of loads with the load.

use super::pack::{Pack, packed};

/// Share of an error by which each predictor moves.
const GAINS: [f64; 3] = [0.06, 0.25, 0.8];
/// The same for the slope of the first (critically damped: a quarter of its gain's square).
const SLOPE_GAIN: f64 = 0.0009;
/// No scale is less than this share of the largest value.
const FLOOR: f64 = 2e-4;
/// Errors beyond so many scales count as that many.
pub(super) const CLIP: f64 = 4.0;

/// What was expected of a point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surprise {
    /// Observed less expected.
    pub(super) error: f64,
    /// What such an error usually is, over zero.
    pub(super) scale: f64,
}

/// Points whose errors are taken as they are.
const RAW: u32 = 30;
/// Share of equal neighbours from which on a metric hardly ever changes.
pub(super) const STILL: f64 = 0.85;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Tracker {
    levels: [f64; 3],
    /// Of the first, a point.
    slope: f64,
    last: f64,
    /// Mean |level|, slowly.
    size: f64,
    /// Largest |value|, slowly falling.
    largest: f64,
    /// Mean |change| of those points that differ from the one before.
    change: f64,
    /// The long run of the scale.
    long: f64,
    /// Share of points that equal the one before.
    equal: f64,
    /// Winsorised mean |error| of each predictor.
    errors: [f32; 3],
    /// Winsorised mean of |error| over the level to the power 0, 1/2, 1, and of its square.
    alike: [f32; 3],
    squares: [f32; 3],
    changes: u16,
    chosen: u8,
    power: u8,
    points: u32,
}

packed!(Tracker {
    levels,
    slope,
    last,
    size,
    largest,
    change,
    long,
    equal,
    errors,
    alike,
    squares,
    changes,
    chosen,
    power,
    points
});

impl Tracker {
    /// What the next point should be.
    pub(super) fn expected(&self) -> f64 {
        self.predict(usize::from(self.chosen))
    }

    fn predict(&self, predictor: usize) -> f64 {
        self.levels[predictor] + if predictor == 0 { self.slope } else { 0.0 }
    }

    /// Where the last few points are.
    pub(super) fn level(&self) -> f64 {
        self.levels[1]
    }

    /// Where the last half hour of points is.
    pub(super) fn slow_level(&self) -> f64 {
        self.levels[0]
    }

    /// The size values usually have.
    pub(super) fn typical(&self) -> f64 {
        self.size
    }

    /// Starts at a level anew and keeps the scales.
    pub(super) fn seed(&mut self, value: f64) {
        self.levels = [value; 3];
        self.slope = 0.0;
    }

    /// The level over its usual size, to the power of 0, 1/2 or 1.
    fn weight(&self, power: usize) -> f64 {
        let level = self.levels[usize::from(self.chosen.min(1))].abs();
        let relative = (level / self.size.max(f64::MIN_POSITIVE)).clamp(0.05, 20.0);
        match power {
            0 => 1.0,
            1 => relative.sqrt(),
            _ => relative,
        }
    }

    /// The scale of the next error: of a day, half of a week's at least, and no less than what matters.
    pub(super) fn scale(&self) -> f64 {
        let power = usize::from(self.power);
        let usual = f64::from(self.alike[power]).max(0.5 * self.long);
        (usual * self.weight(power))
            .max(self.least())
            .max(self.stillness())
    }

    fn least(&self) -> f64 {
        (FLOOR * self.largest).max(f64::MIN_POSITIVE)
    }

    /// For a metric that hardly ever changes, how large its changes are; half its level as long as none is known.
    pub(super) fn stillness(&self) -> f64 {
        if self.equal < STILL { 0.0 } else { self.change }
    }

    /// The surprise of a value, before it is learnt.
    pub(super) fn surprise(&self, value: f64) -> Surprise {
        Surprise {
            error: value - self.expected(),
            scale: self.scale(),
        }
    }

    /// Learns a value. `day`: points a day; `allowance`: over 1 where errors are usually larger at this time of day.
    pub(super) fn learn(&mut self, value: f64, day: f64, allowance: f64) {
        self.points = self.points.saturating_add(1);
        if self.points == 1 {
            self.seed(value);
            (self.size, self.largest, self.last) = (value.abs(), value.abs(), value);
            (self.change, self.changes) = (0.5 * value.abs(), 2);
            return;
        }
        let fresh = 1.0 / f64::from(self.points);
        let (daily, weekly) = (fresh.max(1.0 / day), fresh.max(1.0 / (7.0 * day)));
        self.learn_change(value, weekly);
        let error = self.move_levels(value, daily, allowance);
        self.size += weekly * (self.levels[0].abs() - self.size);
        let most = 2.0 * self.largest.max(f64::MIN_POSITIVE);
        self.largest = (self.largest * (1.0 - 0.2 * weekly)).max(value.abs().min(most));
        self.learn_scale(error, daily, weekly);
    }

    fn learn_change(&mut self, value: f64, gain: f64) {
        let changed = value != self.last;
        self.equal += gain * (f64::from(u8::from(!changed)) - self.equal);
        if changed {
            self.changes = (self.changes + 1).min(200);
            self.change += ((value - self.last).abs() - self.change) / f64::from(self.changes);
        }
        self.last = value;
    }

    /// Moves all three predictors and believes the best; the clipped |error| of the one believed before.
    fn move_levels(&mut self, value: f64, gain: f64, allowance: f64) -> f64 {
        let scale = self.scale() * allowance;
        let fresh = 1.0 / f64::from(self.points);
        let believed = usize::from(self.chosen);
        let mut moved = [0.0; 3];
        for (j, share) in GAINS.into_iter().enumerate() {
            let expected = self.predict(j);
            let error = value - expected;
            let usual = f64::from(self.errors[j]);
            let (mut size, mut step) = (error.abs(), error);
            if self.points >= RAW {
                size = size.min(CLIP * usual.max(self.least()) * allowance);
            }
            let usual = usual + gain * (size / allowance - usual);
            self.errors[j] = usual as f32;
            if self.points >= RAW {
                let bound = CLIP * scale.max(usual * allowance);
                step = step.clamp(-bound, bound);
            }
            self.levels[j] = expected + share.max(fresh) * step;
            moved[j] = step;
        }
        self.slope += SLOPE_GAIN * moved[0];
        for j in 0..3 {
            if self.errors[usize::from(j)] < 0.95 * self.errors[usize::from(self.chosen)] {
                self.chosen = j;
            }
        }
        moved[believed].abs() / allowance
    }

    fn learn_scale(&mut self, error: f64, daily: f64, weekly: f64) {
        for power in 0..3 {
            let alike = f64::from(self.alike[power]);
            let mut relative = error / self.weight(power);
            if self.points >= RAW {
                relative = relative.min(CLIP * alike.max(self.least()));
            }
            self.alike[power] = (alike + daily * (relative - alike)) as f32;
            let square = f64::from(self.squares[power]);
            self.squares[power] = (square + daily * (relative * relative - square)) as f32;
        }
        let unlike = |power: usize| {
            self.squares[power] / (self.alike[power] * self.alike[power]).max(f32::MIN_POSITIVE)
        };
        let mut best = usize::from(self.power);
        for power in 0..3 {
            if unlike(power) < 0.97 * unlike(best) {
                best = power;
            }
        }
        self.power = best as u8;
        self.long += weekly * (f64::from(self.alike[best]) - self.long);
    }
}
