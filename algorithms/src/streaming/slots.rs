//! What is usual at this time of day: the largest error of each quarter of an hour, for seven days, and of each minute of
//! the hour, for two hours.
//!
//! A job that runs every night, a switch that is thrown each morning: such errors are large and ordinary. What counts is
//! the third largest of the seven days in the same quarter and its neighbours, so that two strange days do not make the
//! next one ordinary. In the weeks in which some country changes its clocks, an hour earlier and later count, too.
//! A byte a quarter.

use super::pack::{Pack, packed};
use super::peaks::{code, size};

/// Quarters of an hour in a day.
const QUARTERS: u32 = 96;
/// Seven days and today.
const DAYS: u32 = 8;
/// Days known up to which the largest, and the second largest, is taken instead of the third: there are no more to choose
/// from.
const FIRST_DAYS: u32 = 2;
const EARLY_DAYS: u32 = 3;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimeSlots {
    /// The largest error of each quarter, in scales, coded; today's is being written.
    peaks: [[u8; QUARTERS as usize]; DAYS as usize],
    /// The largest error of each minute of the hour, this hour and two before.
    minutes: [[u8; 60]; 3],
    /// Quarters and minutes since the epoch; the first quarter ever.
    quarter: u32,
    minute: u32,
    first: u32,
    /// The largest error of this quarter.
    peak: f32,
    /// What is usual in this quarter, and in this minute.
    daily: f32,
    hourly: f32,
}

packed!(TimeSlots {
    peaks,
    minutes,
    quarter,
    minute,
    first,
    peak,
    daily,
    hourly
});

impl Default for TimeSlots {
    fn default() -> Self {
        Self {
            peaks: [[0; QUARTERS as usize]; DAYS as usize],
            minutes: [[0; 60]; 3],
            quarter: 0,
            minute: 0,
            first: 0,
            peak: 0.0,
            daily: 0.0,
            hourly: 0.0,
        }
    }
}

impl TimeSlots {
    /// The error that is usual at `time`, Unix seconds, in scales; 0 where none is known. And whether it is a new one.
    pub(super) fn turn(&mut self, time: f64) -> (f32, bool) {
        let minute = (time / 60.0) as u32;
        let is_new = minute != self.minute;
        if is_new {
            if minute / 15 != self.quarter {
                self.turn_quarter(minute / 15);
            }
            self.turn_minute(minute);
        }
        (self.daily.max(self.hourly), is_new)
    }

    /// Learns an error, in scales.
    pub(super) fn learn(&mut self, size: f32) {
        let (hour, minute) = minute_place(self.minute);
        let kept = &mut self.minutes[hour][minute];
        if size > 0.25 || *kept == 0 {
            *kept = code(size).max(*kept);
        }
        self.peak = self.peak.max(size);
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
        self.hourly = size(both);
    }

    fn turn_quarter(&mut self, quarter: u32) {
        if self.quarter == 0 {
            self.first = quarter;
        } else {
            self.put(self.quarter, code(self.peak));
            // Quarters without a point know nothing.
            for missed in (self.quarter + 1..quarter).take((QUARTERS * DAYS) as usize) {
                self.put(missed, 0);
            }
        }
        self.quarter = quarter;
        self.peak = 0.0;
        self.daily = self.usual(quarter);
        if clocks_may_have_changed(quarter) {
            self.daily = self
                .daily
                .max(self.usual(quarter.saturating_sub(4)))
                .max(self.usual(quarter + 4));
        }
    }

    /// What is usual at that time of day.
    fn usual(&self, quarter: u32) -> f32 {
        let known = (quarter.saturating_sub(self.first) / QUARTERS).min(DAYS - 1);
        let mut largest = [0u8; 3];
        for back in 1..DAYS {
            let Some(same) = quarter.checked_sub(back * QUARTERS) else {
                break;
            };
            let near = (same.saturating_sub(1)..=same + 1).filter(|&near| {
                // What is older has been written over.
                near >= self.first && near < self.quarter && near + DAYS * QUARTERS > self.quarter
            });
            let mut most = near.map(|near| self.at(near)).max().unwrap_or(0);
            for kept in &mut largest {
                if most > *kept {
                    std::mem::swap(&mut most, kept);
                }
            }
        }
        size(match known {
            0 => 0,
            1..=FIRST_DAYS => largest[0],
            EARLY_DAYS => largest[1],
            _ => largest[2],
        })
    }

    fn at(&self, quarter: u32) -> u8 {
        self.peaks[(quarter / QUARTERS % DAYS) as usize][(quarter % QUARTERS) as usize]
    }

    fn put(&mut self, quarter: u32, code: u8) {
        self.peaks[(quarter / QUARTERS % DAYS) as usize][(quarter % QUARTERS) as usize] = code;
    }
}

/// Whether some country has changed its clocks within about a week before that quarter of an hour since the epoch: from
/// the second Sunday of March (America) to a week after the first of April (Australia), and from the last of September
/// (New Zealand) to a week after the first of November (America).
pub(super) fn clocks_may_have_changed(quarter: u32) -> bool {
    const YEAR: f64 = 365.2425;
    let day = f64::from(quarter / QUARTERS) % YEAR;
    (66.0..107.0).contains(&day) || (265.0..321.0).contains(&day)
}

/// Hour and minute of a minute since the epoch.
fn minute_place(minute: u32) -> (usize, usize) {
    ((minute / 60) as usize % 3, minute as usize % 60)
}
