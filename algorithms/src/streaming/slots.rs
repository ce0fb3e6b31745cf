//! What is usual at this time of day: the largest error of each quarter of an hour, for four days.
//!
//! A job that runs every night, a switch that is thrown each morning: such errors are large and ordinary. An error is
//! measured against the second largest of the days before in the same quarter and its neighbours, so that one strange
//! day does not make the next one ordinary. A byte a quarter: 384 bytes.

use super::pack::{Pack, packed};

const QUARTERS: usize = 96;
const DAYS: usize = 5;
/// What recurs does not recur at the same size: a large allowance is given with a margin.
const MARGIN: f32 = 1.2;
/// The largest of the 45 errors around a quarter in usual noise, in scales.
const TYPICAL: f32 = 4.0;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slots {
    /// The largest error of each quarter, in scales, coded; today's is being written.
    peaks: [[u8; QUARTERS]; DAYS],
    /// The largest error of each minute of the hour, this hour and two before.
    minutes: [[u8; 60]; 3],
    /// Quarters and minutes since the epoch.
    quarter: u32,
    minute: u32,
    /// The largest error of this quarter.
    peak: f32,
    /// By how much errors are larger than usual in this quarter, and in this minute, at least 1.
    daily: f32,
    hourly: f32,
    /// What an ordinary quarter is allowed, winsorised.
    ordinary: f32,
    /// What is allowed now.
    allowance: f32,
}

packed!(Slots {
    peaks,
    minutes,
    quarter,
    minute,
    peak,
    daily,
    hourly,
    ordinary,
    allowance
});

impl Default for Slots {
    fn default() -> Self {
        Self {
            peaks: [[0; QUARTERS]; DAYS],
            minutes: [[0; 60]; 3],
            quarter: 0,
            minute: 0,
            peak: 0.0,
            daily: 1.0,
            hourly: 1.0,
            ordinary: 1.0,
            allowance: 1.0,
        }
    }
}

impl Slots {
    /// By how much errors at `time`, Unix seconds, are larger than in an ordinary quarter: at least 1.
    pub(super) fn turn(&mut self, time: f64) -> f32 {
        let minute = (time / 60.0) as u32;
        if minute != self.minute {
            if minute / 15 != self.quarter {
                self.turn_quarter(minute / 15);
            }
            self.turn_minute(minute);
            let edge = self.daily.max(self.hourly) / self.ordinary;
            self.allowance = edge.max(1.0).powf(MARGIN);
        }
        self.allowance
    }

    /// Learns an error, in scales.
    pub(super) fn learn(&mut self, size: f32) {
        let (hour, minute) = minute_place(self.minute);
        let kept = &mut self.minutes[hour][minute];
        *kept = code(size).max(*kept);
        self.peak = self.peak.max(size / self.hourly);
    }

    fn turn_minute(&mut self, minute: u32) {
        for missed in (self.minute + 1..=minute).rev().take(180) {
            let (hour, minute) = minute_place(missed);
            self.minutes[hour][minute] = 0;
        }
        self.minute = minute;
        let around = |same: u32| {
            let near = (same.saturating_sub(1)..=same + 1).map(|near| {
                let (hour, minute) = minute_place(near);
                self.minutes[hour][minute]
            });
            near.max().unwrap_or(0)
        };
        let both = around(minute.saturating_sub(60)).min(around(minute.saturating_sub(120)));
        self.hourly = (size(both) / TYPICAL).max(1.0);
    }

    fn turn_quarter(&mut self, quarter: u32) {
        if self.quarter != 0 {
            let (day, slot) = place(self.quarter);
            self.peaks[day][slot] = code(self.peak);
            // Quarters without a point know nothing.
            for missed in (self.quarter + 1..quarter).take(QUARTERS * DAYS) {
                let (day, slot) = place(missed);
                self.peaks[day][slot] = 0;
            }
        }
        self.quarter = quarter;
        self.peak = 0.0;
        let (mut first, mut second) = (0u8, 0u8);
        for back in 1..DAYS as u32 {
            let same = quarter.saturating_sub(back * QUARTERS as u32);
            let near = (same.saturating_sub(1)..=same + 1).map(|near| {
                let (day, slot) = place(near);
                self.peaks[day][slot]
            });
            let most = near.max().unwrap_or(0);
            (first, second) = if most > first {
                (most, first)
            } else {
                (first, second.max(most))
            };
        }
        // On the second day, the only one known.
        let usual = if second == 0 { first } else { second };
        self.daily = (size(usual) / TYPICAL).max(1.0);
        self.ordinary += 0.01 * (self.daily.min(1.5 * self.ordinary) - self.ordinary);
    }
}

/// Day and slot of a quarter since the epoch.
fn place(quarter: u32) -> (usize, usize) {
    ((quarter as usize / QUARTERS) % DAYS, quarter as usize % QUARTERS)
}

/// Hour and minute of a minute since the epoch.
fn minute_place(minute: u32) -> (usize, usize) {
    ((minute / 60) as usize % 3, minute as usize % 60)
}

/// A sixteenth of an octave a step; 0 for nothing known.
fn code(size: f32) -> u8 {
    let steps = (size.max(0.5) / 0.5).log2() * 16.0;
    1 + (steps as u32).min(254) as u8
}

fn size(code: u8) -> f32 {
    if code == 0 {
        0.0
    } else {
        0.5 * (f32::from(code - 1) / 16.0).exp2()
    }
}
