//! What the adaptive profile does with a point: every detector looks at it, and then it is learnt.

use super::adaptive::Adaptive;
use super::limits::{AlarmLimits, LIMIT, SLOT, WEEK, caution};
use super::parts::{BURST, FLAT, LEARNED, PARTS, Ratios, SEASON, SHIFT, SPIKE, ZERO, strongest};
use super::peaks::{BLOCK, BLOCK_STEPS};
use super::switches::Jump;

/// Points before errors teach what peaks are usual: twice as many as are needed to judge one, so that the scale has
/// settled.
const SETTLED: u32 = 40;
/// So many usual distances between two points are a gap: the level before it says nothing any more.
const GAP: f64 = 5.0;
/// Points that make a memory of a day at least: slow metrics remember longer, an hourly one for a week …
const LEAST_DAY: f64 = 168.0;
/// … and at most: one each ten seconds. Faster ones forget sooner than in a day.
const MOST_DAY: f64 = 8640.0;
/// Seconds. Before the first day is over nothing is known of peaks: light tails are not believed.
const LIGHT_AFTER: f64 = 86_400.0;
/// Newness, in usual distances, from which an error counts in full; less is asked where tails are light.
const NEW: f32 = 7.0;
const NEW_LIGHT: f32 = 3.5;
/// Newness over range and noise (0 to 1) below which an error counts as the root of it: a step within an everyday range is small.
const MATTERS: f32 = 0.06;
/// Share of a limit from which on newness is asked.
const ASKED: f32 = 0.25;
/// What an error is beyond in its size: four fifths of the limit (14 of 17.5 scales), and so many usual peaks.
const BEYOND: f32 = 0.8;
const BEYOND_PEAKS: f32 = 2.8;
/// A ramp, whose points are small errors and whose sum is not, counts in its time of day as an error of this share of its
/// sum: a nightly ramp must be allowed for like a nightly jump, though a sum is a little larger than an error of its kind …
const RAMP: f32 = 0.7;
/// … times the allowance that the slot has already, up to so many times: what was divided by it in the sum, and no more,
/// lest a slot that once was large keeps itself large.
const LARGE: f32 = 4.0;
/// Errors, in scales, from which on a ramp is none: the error itself says enough.
const JUMP: f32 = 10.0;
/// A jump, in scales, after which the window a learned model looks at holds two levels: its errors teach nothing for a
/// while.
const MODEL_JUMP: f32 = 30.0;
/// Share of zeros from which on a metric is mostly zero: a mean says little of seven zeros in ten.
const MOSTLY_ZERO: f32 = 0.7;
/// The ratio of a run that is reported: whatever the sensitivity is within its bounds, it is an alarm.
const SURE: f32 = 5.0;
/// Newness of a block over range and noise that would rank as an alarm, and what a record counts.
const RANKED: f32 = 0.65;
const RECORD: f32 = 0.5;

impl Adaptive {
    /// Looks at the newest value with every detector, and learns it. `since`: seconds since the one before.
    pub(super) fn judge(&mut self, value: f64, forecast: Option<f64>, since: f64) {
        let day = (86_400.0 / self.step).clamp(LEAST_DAY, MOST_DAY);
        let (usual, is_new_time) = self.slots.turn(self.time);
        if is_new_time {
            let isolated = self.isolated.factor();
            self.limits = AlarmLimits::of(isolated, &self.peaks, &self.sum_peaks, usual, self.step);
        }
        let allowance = (usual / SLOT).max(1.0);
        let is_still = self.level.is_still();
        if self.points > 2 && since > GAP * self.step {
            self.since_gap = 0;
            self.sums.clear();
            self.switches.clear();
            if !is_still {
                self.level.seed(value);
            }
        }
        self.since_gap = self.since_gap.saturating_add(1);
        let level = self.level.expected();
        let error = value - level;
        let side = usize::from(error < 0.0);
        let scale = self.level.scale_for(value, f64::from(LIMIT));
        (self.observed, self.expected, self.scale) = (value, level, scale);
        let is_known = self.points > Self::ENOUGH && (self.since_gap > 1 || is_still);
        let size = if is_known {
            ((error.abs() / scale) as f32).min(1e6)
        } else {
            0.0
        };
        // What stands still is soon known; of what stands at zero nobody knows yet how it is when it does not.
        let caution = match self.level.stands_off_zero() {
            true => 1.0,
            false => caution(self.time - self.began),
        };
        let signed = size.copysign(error as f32);
        let weekly = (self.season.weekly() / scale) as f32;
        let is_weekly = size <= weekly && weekly > 0.0;
        self.sum = self
            .sums
            .observe(if is_weekly { 0.0 } else { signed / self.limits.edge });
        let is_light = self.time - self.began > LIGHT_AFTER && !is_still;
        // Up and down: by repeated evidence, and by the metric's own peaks.
        let limits = [0, 1].map(|side| {
            let known = self.switches.limit(side).max(weekly);
            let own = if is_light {
                (self.limits.light * caution).max(known)
            } else {
                f32::INFINITY
            };
            ((self.limits.error * caution).max(known), own)
        });
        let (limit, light) = limits[side];
        let sum = if is_light {
            self.limits.sum * caution
        } else {
            f32::INFINITY
        };
        let slow = self.limits.slow;
        self.reach = limits.map(|(limit, light)| f64::from(limit.min(light) / slow) * scale);
        let forecast = forecast.filter(|_| is_known).map(|expected| {
            let learned = self.learned.get_or_insert_default();
            learned.expected = expected;
            learned.observe(((value - expected) / scale) as f32, limit.min(light))
        });
        let closest = (size / limit.min(light))
            .max(self.sum.abs() / sum)
            .max(forecast.unwrap_or(0.0));
        let new = self
            .novelty
            .observe(value, slow * closest > ASKED, 0.5 * self.level.scale());
        let matters = (new.of_range / MATTERS).min(1.0).sqrt();
        let is_new = |limit: f32| (new.of_usual / limit).min(1.0);
        let by_error = size / limit * is_new(NEW) * matters;
        let by_light = size / light * is_new(NEW_LIGHT);
        let mut ratios: Ratios = [0.0; PARTS.len()];
        ratios[SPIKE] = slow * by_error.max(by_light);
        ratios[SHIFT] = slow * self.sum.abs() / sum * is_new(NEW_LIGHT) * matters;
        ratios[LEARNED] = slow * forecast.unwrap_or(0.0) * is_new(NEW_LIGHT) * matters;
        if !is_still {
            ratios[SEASON] = self.season.score(self.level.now(), self.peaks.median());
        }
        let own_day = (86_400.0 / self.step) as f32;
        let runs = self.runs.observe(
            value,
            signed / self.limits.edge,
            &self.level,
            own_day.max(LEAST_DAY as f32),
            self.step,
        );
        for (part, is_told) in [FLAT, ZERO].into_iter().zip(runs) {
            ratios[part] = if is_told { SURE } else { 0.0 };
        }
        let burst = self.burst.observe(value as f32, own_day);
        if self.runs.zero() > MOSTLY_ZERO
            && let Some(burst) = burst
        {
            // A mean and a scale of what is mostly zero mean nothing: only what passes its own bursts counts.
            let most = [SPIKE, SHIFT, SEASON, LEARNED].map(|part| std::mem::take(&mut ratios[part]));
            ratios[BURST] = burst.min(most.into_iter().fold(0.0, f32::max));
        }
        self.ratios = ratios.map(|ratio| if ratio.is_finite() { ratio } else { 0.0 });
        let beyond = if slow * closest > ASKED && size > 0.0 {
            let product = size / (BEYOND * self.limits.error * caution)
                * (size / (BEYOND * limit))
                * (new.of_usual / NEW)
                * (size / (BEYOND_PEAKS * self.peaks.median()));
            product.max(0.0).powf(0.25)
        } else {
            0.0
        };
        let strongest = strongest(&self.ratios);
        self.size = if strongest == SPIKE && by_error >= by_light {
            beyond
        } else if matches!(strongest, FLAT | ZERO) {
            1.0
        } else {
            self.ratios[strongest]
        }
        .clamp(0.0, 1e6);
        let block = if new.is_block {
            new.of_range / RANKED / allowance
        } else {
            0.0
        };
        let record = RECORD * self.range.observe(self.time, value, scale);
        let nearly = beyond.max(self.ratios[LEARNED]);
        self.rank = block.max(record).max(self.limits.nearly * nearly);
        self.note_departure(level);
        self.learn(value, level, signed, allowance, day, is_known);
    }

    fn learn(&mut self, value: f64, level: f64, signed: f32, allowance: f32, day: f64, is_known: bool) {
        let size = signed.abs();
        if is_known {
            self.peaks.see(size / allowance);
            self.sum_peaks.see(self.sum.abs());
        }
        self.level
            .learn(value, day, f64::from(allowance), self.since_gap > 1);
        if self.points > SETTLED {
            self.isolated.observe(signed);
        }
        let block = (self.time / BLOCK.max(BLOCK_STEPS * self.step)) as u32;
        let is_first_week = self.time - self.began < WEEK;
        if block != self.block {
            if self.block != 0 && self.points > SETTLED {
                self.isolated.turn();
                self.peaks.turn();
                self.sum_peaks.turn();
                self.switches.turn(self.time, is_first_week);
                if let Some(learned) = &mut self.learned {
                    learned.turn();
                }
            }
            self.block = block;
        }
        let ramp = if size < JUMP {
            RAMP * self.sum.abs() * allowance.min(LARGE)
        } else {
            0.0
        };
        self.slots.learn(size.max(ramp));
        let is_left = self.switches.observe(&Jump {
            time: self.time,
            value,
            now: self.level.now(),
            level,
            size,
            step: self.step,
            is_first_week,
        });
        if is_left {
            self.level.seed(self.level.now());
            self.sums.clear();
        }
        if let Some(learned) = self.learned.as_mut().filter(|_| size > MODEL_JUMP) {
            learned.rest();
        }
    }
}
