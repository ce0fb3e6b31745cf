//! The hour under way: what goes to the long memory when it is over.

use super::hours::{Hour, LongMemory};
use super::level::Level;
use super::pack::{Pack, packed};
use super::season::Season;

/// Seconds of points that make an hour: half of one says what it was like.
const LEAST: f64 = 1_800.0;
/// The least difference between two hours worth noticing, in scales of a point: the mean of an hour scatters less.
const NOISE: f64 = 0.3;

/// One hour of one metric, so far.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HourSoFar {
    /// Hours since the epoch.
    number: u32,
    points: u32,
    sum: f64,
    low: f32,
    high: f32,
}

packed!(HourSoFar {
    number,
    points,
    sum,
    low,
    high
});

impl Default for HourSoFar {
    fn default() -> Self {
        Self {
            number: 0,
            points: 0,
            sum: 0.0,
            low: f32::INFINITY,
            high: f32::NEG_INFINITY,
        }
    }
}

impl HourSoFar {
    /// Takes the time of a point, Unix seconds. If a later hour has begun, hands the finished one to the long memory, and
    /// looks at it against the hours before. `step`: seconds between two points.
    pub(super) fn turn(
        &mut self,
        time: f64,
        step: f64,
        level: &Level,
        season: &mut Season,
        memory: &mut impl LongMemory,
    ) {
        let number = (time / 3600.0) as u32;
        if number == self.number {
            return;
        }
        if self.points > 0 && f64::from(self.points) * step >= LEAST {
            let points = f64::from(self.points);
            memory.append(Hour {
                number: self.number,
                min: self.low,
                mean: (self.sum / points) as f32,
                max: self.high,
            });
            let mut hours = Vec::new();
            memory.recall(&mut hours);
            // Without its least and largest value, so that one wild point does not make an hour.
            let extremes = f64::from(self.low) + f64::from(self.high);
            let trimmed = if self.points > 2 {
                (self.sum - extremes) / (points - 2.0)
            } else {
                self.sum / points
            };
            season.turn(&hours, trimmed as f32, (NOISE * level.scale()) as f32);
            season.begin(&hours, number);
        }
        *self = Self {
            number,
            ..Self::default()
        };
    }

    /// Adds a value.
    pub(super) fn add(&mut self, value: f64) {
        self.points += 1;
        self.sum += value;
        self.low = self.low.min(value as f32);
        self.high = self.high.max(value as f32);
    }
}
