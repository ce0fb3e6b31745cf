//! The hour that is over, against the same hour of days that this day may look like.
//!
//! A day may look like the day before, like its own weekday, or like the weekdays next to it a week and more ago: days
//! 1, 6, 7, 8, 13, 14, 15, … back. A Friday that looks like Saturday is a holiday; a Wednesday that looks like Sunday is
//! not. Nothing needs to know a weekend or a time zone; in the weeks in which some country changes its clocks, a day may
//! be like another one an hour earlier or later, too. What counts is how far the mean of the hour lies outside those
//! means, the trend taken off, over how much the same hour usually differs from day to day. An hour in which the level
//! is switched may be switched earlier or later: a part of the range within such an hour is allowed for.
//!
//! The same hours say how far a job moves the metric that runs once a week: known after its third time.

use super::hours::Hour;
use super::pack::{Pack, packed};
use super::slots::clocks_may_have_changed;

/// Days back that a day may be like: the day before, its weekday and its neighbours, as far as the long memory reaches.
const BACK: [u32; 14] = [1, 6, 7, 8, 13, 14, 15, 20, 21, 22, 27, 28, 29, 35];
/// The least limit, in usual differences from day to day: 24 hours a day are looked at, so it is passed by noise once in
/// months.
const LEAST: f32 = 5.5;
/// Hours before it is believed: three days, the least that shows how days differ.
const WARM: u16 = 72;
/// By how much the largest distance known must be passed.
const OVER: f32 = 1.6;
/// Share of the range within an hour that a switch may move its mean, beyond the range usual hours have.
const SWITCHED: f32 = 0.4;
/// Differences beyond so many usual ones count as that many.
const CLIP: f32 = 4.0;
/// What is said by hours alone needs more than what is far out by the minute, and more so where tails are heavy: so many
/// limits, times the square of the usual peak over that of light tails.
const DOUBT: f32 = 1.9;
const LIGHT_PEAK: f32 = 3.8;
/// Weeks that must be known for a weekly job, and by how much it may exceed the second largest of them.
const WEEKS: usize = 3;
const WEEKLY_OVER: f32 = 1.75;
/// It is weekly only if other days move less by this factor in that hour.
const WEEKLY_MORE: f32 = 3.0;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Season {
    /// Mean |difference| from the day before or the week before, the trend taken off, winsorised.
    usual: f32,
    /// Mean difference from the day before, and from the week before.
    drift: [f32; 2],
    /// Mean range within an hour, winsorised.
    range: f32,
    /// Hours seen, and those of them that had a week before.
    hours: u16,
    weeks: u16,
    /// Largest distance known, slowly forgotten.
    largest: f32,
    score: f32,
    /// Where the level must stay out for the score to last.
    low: f32,
    high: f32,
    /// How far the metric moves within the hour under way in other weeks, if that is known for long enough; else 0.
    weekly: f32,
    /// The mean of the hour, and the least and largest of those it was held against.
    mean: f32,
    least: f32,
    most: f32,
}

packed!(Season {
    usual,
    drift,
    range,
    hours,
    weeks,
    largest,
    score,
    low,
    high,
    weekly,
    mean,
    least,
    most
});

/// What the same hour was like on the days a day may look like.
struct Past {
    least: f32,
    most: f32,
    days: u32,
    /// The largest range within such an hour or its neighbours.
    inner: f32,
}

impl Season {
    /// The score of the last hour, as long as the level is still out on the same side. `peak`: median of the largest
    /// errors of three hours, in scales.
    pub(super) fn score(&self, level: f64, peak: f32) -> f32 {
        let level = level as f32;
        if self.score > 0.0 && (level > self.high || level < self.low) {
            let heavy = (peak / LIGHT_PEAK).max(1.0);
            self.score / (DOUBT * heavy * heavy)
        } else {
            0.0
        }
    }

    /// How far the metric may move in the hour under way because it does so each week, in its own unit; 0 if it does not.
    pub(super) fn weekly(&self) -> f64 {
        f64::from(WEEKLY_OVER * self.weekly)
    }

    /// Looks at what the hour `number`, now beginning, was like in the weeks before.
    pub(super) fn begin(&mut self, hours: &[Hour], number: u32) {
        // How far it moved in that hour and its neighbours so many days ago.
        let moved = |days: u32| {
            let same = number.checked_sub(24 * days)?;
            let near = (same.saturating_sub(1)..=same + 1).filter_map(|near| find(hours, near));
            let range = near.map(|hour| (hour.min, hour.max));
            let range = range.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
            Some(range.1 - range.0)
        };
        let falling = |days: &mut dyn Iterator<Item = u32>| {
            let mut known: Vec<f32> = days.filter_map(moved).collect();
            known.sort_unstable_by(|a, b| b.total_cmp(a));
            known
        };
        self.weekly = 0.0;
        let weeks = falling(&mut (1..=5).map(|week| 7 * week));
        if weeks.len() >= WEEKS {
            let others = falling(&mut (1..14).filter(|day| day % 7 != 0));
            let usual = others.get(others.len() / 2).copied().unwrap_or(0.0);
            if weeks[1] > WEEKLY_MORE * usual {
                self.weekly = weeks[1];
            }
        }
    }

    /// The mean of the last hour, and the least and the largest it was held against.
    pub(super) fn compared(&self) -> [f64; 3] {
        [self.mean, self.least, self.most].map(f64::from)
    }

    /// Whole weeks that are known, rounded up.
    pub(super) fn weeks(&self) -> u16 {
        self.hours.min(super::hours::REACH as u16).div_ceil(168)
    }

    /// Looks at the last of `hours`. `trimmed`: its mean without its least and largest value, so that one wild point does
    /// not make an hour. `noise`: the least difference worth noticing.
    pub(super) fn turn(&mut self, hours: &[Hour], trimmed: f32, noise: f32) {
        self.score = 0.0;
        let Some((now, past)) = hours.split_last() else {
            return;
        };
        self.hours = self.hours.saturating_add(1);
        let gain = (1.0 / f32::from(self.hours)).max(1.0 / 168.0);
        self.learn_range(now.max - now.min, noise, gain);
        let Past {
            least,
            most,
            days,
            inner,
        } = self.look_back(now.number, past);
        let scale = self.usual.max(noise);
        let Some(difference) = self.learn_drift(now, past, scale) else {
            return;
        };
        let allowed = SWITCHED * (inner - 2.0 * self.range).max(0.0);
        let outside = (trimmed - most).max(least - trimmed).max(0.0);
        let size = (outside - allowed).max(0.0) / scale;
        (self.mean, self.least, self.most) = (trimmed, least, most);
        if self.hours > WARM && days >= 2 {
            let limit = LEAST.max(OVER * self.largest);
            self.score = size / limit;
            let half = allowed + 0.5 * limit * scale;
            (self.low, self.high) = (least - half, most + half);
        }
        let kept = if self.hours < 48 {
            difference
        } else {
            difference.min(CLIP * scale)
        };
        self.usual += gain * (kept - self.usual);
        self.largest *= 1.0 - 1.0 / (24.0 * 20.0);
        if self.score < 1.0 && days >= 2 {
            self.largest = self.largest.max(size);
        }
    }

    fn learn_range(&mut self, range: f32, noise: f32, gain: f32) {
        let kept = if self.hours < 12 {
            range
        } else {
            range.min(3.0 * self.range.max(noise))
        };
        self.range += gain * (kept - self.range);
    }

    fn look_back(&self, number: u32, past: &[Hour]) -> Past {
        // A day's trend: of the week as soon as there are some hours that have one.
        let slope = if self.weeks > 12 {
            self.drift[1] / 7.0
        } else {
            self.drift[0]
        };
        let mut found = Past {
            least: f32::INFINITY,
            most: f32::NEG_INFINITY,
            days: 0,
            inner: 0.0,
        };
        let is_shifted = clocks_may_have_changed(4 * number);
        for back in BACK {
            let Some(same) = number.checked_sub(24 * back) else {
                break;
            };
            let Some(hour) = find(past, same) else { continue };
            let mean = hour.mean + back as f32 * slope;
            found.least = found.least.min(mean);
            found.most = found.most.max(mean);
            found.days += 1;
            for near in same.saturating_sub(1)..=same + 1 {
                if let Some(hour) = find(past, near) {
                    found.inner = found.inner.max(hour.max - hour.min);
                    if is_shifted {
                        let mean = hour.mean + back as f32 * slope;
                        found.least = found.least.min(mean);
                        found.most = found.most.max(mean);
                    }
                }
            }
        }
        found
    }

    /// The lesser of the differences from the day and the week before, the trend taken off; `None` if neither is known.
    fn learn_drift(&mut self, now: &Hour, past: &[Hour], scale: f32) -> Option<f32> {
        let mut least = None;
        for (i, days) in [1, 7].into_iter().enumerate() {
            let Some(hour) = now
                .number
                .checked_sub(24 * days)
                .and_then(|same| find(past, same))
            else {
                continue;
            };
            let clear = now.mean - hour.mean - self.drift[i];
            least = Some(clear.abs().min(least.unwrap_or(f32::INFINITY)));
            let known = if i == 0 { self.hours } else { self.weeks }.min(48);
            let step = if known < 12 {
                clear
            } else {
                clear.clamp(-CLIP * scale, CLIP * scale)
            };
            self.drift[i] += step / f32::from(known + 1);
            self.weeks = self.weeks.saturating_add(u16::from(i == 1));
        }
        least
    }
}

fn find(hours: &[Hour], number: u32) -> Option<Hour> {
    hours
        .binary_search_by_key(&number, |hour| hour.number)
        .ok()
        .map(|index| hours[index])
}
