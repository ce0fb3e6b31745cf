//! The adaptive profile's knowledge of one metric, and what it does with a point.
//!
//! A point goes one way: counters become rates, the level says what was expected and how far points usually fall from it,
//! and the ratio of both is the signal. A limit is one number for all metrics, raised only by repeated, specific evidence:
//! isolated spikes, the same time of day, levels that come and go, the same hour of the week. Where tails are light it is
//! lowered to what the metric's own peaks say. Whatever is out must also be new as a shape, and matter in the metric's
//! range. `docs/algorithms/adaptive.md` says why, and what each part is worth.

use super::burst::Burst;
use super::counter::{Counter, Said};
use super::isolated::Isolated;
use super::learned::Learned;
use super::level::Level;
use super::memory::{Hour, LongMemory};
use super::novelty::Novelty;
use super::pack::{Pack, packed};
use super::peaks::{BLOCK, BLOCK_STEPS, Peaks};
use super::range::Range;
use super::runs::Runs;
use super::season::Season;
use super::slots::Slots;
use super::sums::Sums;
use super::switches::{Jump, Switches};
use super::{Reading, Report, Standing};
use crate::window::Window;

/// The detectors, in the order of their ratios. The names are an API: settings, messages and routes use them.
pub const PARTS: [&str; 7] = ["spike", "shift", "season", "flat", "zero", "burst", "learned"];
pub(super) const SPIKE: usize = 0;
const SHIFT: usize = 1;
const SEASON: usize = 2;
const FLAT: usize = 3;
const ZERO: usize = 4;
const BURST: usize = 5;
const LEARNED: usize = 6;

/// Points before errors teach what peaks are usual.
const SETTLED: u32 = 40;
/// So many usual distances between two points are a gap: the level before it says nothing any more.
const GAP: f64 = 5.0;
/// Points that make a memory of a day at least: slow metrics remember longer.
const LEAST_DAY: f64 = 168.0;
const MOST_DAY: f64 = 8640.0;
/// The limit of one error, in mean errors. On 99 real service metrics the best limits of nine designs lay between 13.9
/// and 17.7.
pub(super) const LIMIT: f32 = 17.5;
/// The usual peak of a time of day from which on it raises the limit, and by which power: what recurs does not recur at
/// the same size.
const SLOT: f32 = 8.0;
const SLOT_POWER: f32 = 1.15;
/// The same for light tails, as a multiple of the metric's usual peak.
const LIGHT_SLOT: f32 = 1.25;
/// The least limits of an error and of a sum where tails are light, in mean errors: 7.3 and 6.2 sigma of normal noise.
const LEAST_ERROR: f32 = 9.25;
const LEAST_SUM: f32 = 7.75;
/// Before the first day is over nothing is known of peaks: light tails are not believed.
const LIGHT_AFTER: f64 = 86_400.0;
/// On a metric's first day everything happens for the first time: until it is nearly over limits are higher by so many …
const FIRST_DAY: f64 = 3.5;
const NEARLY_A_DAY: [f64; 2] = [0.85 * 86_400.0, 0.95 * 86_400.0];
/// … and after it by as many, falling by e in so many seconds: weekends and clean-ups are still to come.
const FIRST_WEEK: f64 = 1.0;
const FIRST_WEEK_FADES: f64 = 3.0 * 86_400.0;
const WEEK: f64 = 7.0 * 86_400.0;
/// Newness, in usual distances, from which an error counts in full; less is asked where tails are light.
const NEW: f32 = 7.0;
const NEW_LIGHT: f32 = 3.5;
/// Newness of the range below which an error counts as the root of it: a step within an everyday range is small.
const MATTERS: f32 = 0.06;
/// A limit is a number of false alarms a day. Fewer points a day can afford lower limits, by this power of the step.
const SLOW_POWER: f64 = 0.25;
/// Share of a limit from which on newness is asked.
const ASKED: f32 = 0.25;
/// Usual peaks before any are known, in scales: those of real service metrics.
const PRIOR: f32 = 4.5;
/// What an error is beyond: four fifths of the limit, and so many usual peaks.
const BEYOND: f32 = 0.8;
const BEYOND_PEAKS: f32 = 2.8;
/// A ramp counts in its time of day as this share of its sum, up to so large an allowance.
const RAMP: f32 = 0.7;
const LARGE: f32 = 4.0;
/// Errors from which on a ramp is none.
const JUMP: f32 = 10.0;
/// Where large errors recur, their sums recur too, and are larger still: up to so many times.
const EDGE: f32 = 2.0;
const EDGE_FULL: f32 = 0.6;
/// A jump after which a learned model must look anew, in scales.
const MODEL_JUMP: f32 = 30.0;
/// Share of zeros from which on a metric is mostly zero.
const MOSTLY_ZERO: f32 = 0.7;
/// A run that is told is told whatever the sensitivity, within its bounds.
const SURE: f32 = 5.0;
/// What nearly an alarm ranks as, by the minute, and by which power of the step less.
const NEARLY: f32 = 0.2;
const NEARLY_POWER: f64 = 0.75;
/// Newness of a block over range and noise that would rank as an alarm, and what a record counts.
const RANKED: f32 = 0.65;
const RECORD: f32 = 0.5;
/// What is remembered of where a metric was before an alarm holds for so long, seconds.
const DEPARTED: f64 = 2.0 * 86_400.0;
/// Ratio from which on that is remembered: an alarm of whoever asked for the highest sensitivity.
const DEPARTS: f32 = 0.2;

/// What limits hold at the moment: worked out when the time of day, the step or the peaks change.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Limits {
    /// Of one error by its isolated spikes and its time of day.
    error: f32,
    /// Of one error and of a sum by the metric's own peaks.
    light: f32,
    sum: f32,
    /// What errors are divided by in a sum.
    edge: f32,
    /// What ratios are multiplied by for a slow metric; what is nearly an alarm ranks as.
    slow: f32,
    nearly: f32,
}

packed!(Limits {
    error,
    light,
    sum,
    edge,
    slow,
    nearly
});

/// The adaptive profile's knowledge of one metric: at most 4 KiB, here and when written.
#[derive(Debug, Clone, PartialEq)]
pub struct Adaptive {
    /// Time of the newest point, and of the first, Unix seconds.
    pub(super) time: f64,
    pub(super) began: f64,
    /// Usual distance of two points, seconds.
    pub(super) step: f64,
    pub(super) points: u32,
    /// Points since a gap.
    since_gap: u32,
    /// The block of three hours under way.
    block: u32,
    pub(super) observed: f64,
    pub(super) expected: f64,
    /// What an error usually is, and the error that would be anomalous up and down, in the metric's unit.
    pub(super) scale: f64,
    pub(super) reach: [f64; 2],
    ratios: [f32; PARTS.len()],
    size: f32,
    rank: f32,
    limits: Limits,
    /// Where the level was before the last alarm, how far from it is back, and when that was; 0 for never.
    before: f64,
    near: f64,
    departed: f64,
    hour: u32,
    hour_points: u32,
    hour_sum: f64,
    hour_low: f32,
    hour_high: f32,
    pub(super) counter: Counter,
    pub(super) level: Level,
    isolated: Isolated,
    slots: Slots,
    switches: Switches,
    peaks: Peaks,
    sum_peaks: Peaks,
    sums: Sums,
    pub(super) sum: f32,
    pub(super) novelty: Novelty,
    range: Range,
    pub(super) runs: Runs,
    pub(super) season: Season,
    pub(super) burst: Burst,
    /// `None` as long as no model said anything.
    learned: Option<Box<Learned>>,
}

packed!(Adaptive {
    time,
    began,
    step,
    points,
    since_gap,
    block,
    observed,
    expected,
    scale,
    reach,
    ratios,
    size,
    rank,
    limits,
    before,
    near,
    departed,
    hour,
    hour_points,
    hour_sum,
    hour_low,
    hour_high,
    counter,
    level,
    isolated,
    slots,
    switches,
    peaks,
    sum_peaks,
    sums,
    sum,
    novelty,
    range,
    runs,
    season,
    burst,
    learned,
});

impl Default for Adaptive {
    fn default() -> Self {
        Self {
            time: 0.0,
            began: 0.0,
            step: 60.0,
            points: 0,
            since_gap: 0,
            block: 0,
            observed: 0.0,
            expected: 0.0,
            scale: 0.0,
            reach: [0.0; 2],
            ratios: [0.0; PARTS.len()],
            size: 0.0,
            rank: 0.0,
            limits: Limits::default(),
            before: 0.0,
            near: 0.0,
            departed: 0.0,
            hour: 0,
            hour_points: 0,
            hour_sum: 0.0,
            hour_low: f32::INFINITY,
            hour_high: f32::NEG_INFINITY,
            counter: Counter::default(),
            level: Level::default(),
            isolated: Isolated::default(),
            slots: Slots::default(),
            switches: Switches::default(),
            peaks: Peaks::new(PRIOR),
            sum_peaks: Peaks::new(PRIOR),
            sums: Sums::default(),
            sum: 0.0,
            novelty: Novelty::default(),
            range: Range::default(),
            runs: Runs::default(),
            season: Season::default(),
            burst: Burst::default(),
            learned: None,
        }
    }
}

impl Adaptive {
    /// The version of what [`Adaptive::write`] writes. A state of another version is not read but learnt anew.
    pub const VERSION: u32 = 5;

    /// Points before one is judged: fewer do not tell what an error usually is.
    pub const ENOUGH: u32 = 20;

    /// Shows the next point and asks for its score. A point that is not later than the last one, or not finite, changes
    /// nothing and scores 0. Time in Unix seconds. O(400) where the point looks odd or ends a block, else O(1).
    pub fn observe(&mut self, time: f64, value: f64, memory: &mut impl LongMemory) -> Reading {
        self.observe_with(time, value, None, memory)
    }

    /// The same beside a learned model: `forecast` is what it expected of this point before it saw it, the rate a second
    /// if [`is_rate`](Self::is_rate). Without one, or one that is not finite, the model has no vote on this point.
    pub fn observe_with(
        &mut self,
        time: f64,
        value: f64,
        forecast: Option<f64>,
        memory: &mut impl LongMemory,
    ) -> Reading {
        if !time.is_finite() || !value.is_finite() || (self.points > 0 && time <= self.time) {
            return Reading::default();
        }
        match self.counter.observe(time, value, self.step) {
            Said::Value(value) => {
                let since = self.keep_time(time);
                self.turn_hour(time, memory);
                self.judge(value, forecast.filter(|expected| expected.is_finite()), since);
                self.keep_hour(value);
                self.reading()
            }
            Said::Waits => self.reading(),
            Said::Nothing => {
                self.time = time;
                (self.ratios, self.size, self.rank) = ([0.0; PARTS.len()], 0.0, 0.0);
                Reading::default()
            }
            Said::Changed => {
                *self = Self {
                    counter: self.counter.clone(),
                    step: self.step,
                    ..Self::default()
                };
                Reading::default()
            }
        }
    }

    /// Observes all points of a window that are later than the last one seen; the last reading.
    pub fn fit(&mut self, window: Window<'_>, memory: &mut impl LongMemory) -> Reading {
        let mut reading = self.reading();
        let from = window
            .times()
            .partition_point(|&time| self.points > 0 && time <= self.time);
        for (&time, &value) in window.times()[from..].iter().zip(&window.values()[from..]) {
            reading = self.observe(time, value, memory);
        }
        reading
    }

    /// Time of the newest point seen, Unix seconds; `None` before the first.
    #[must_use]
    pub fn last_time(&self) -> Option<f64> {
        (self.points > 0).then_some(self.time)
    }

    /// Share of the points that are known of those that are needed to judge one, 0 to 1. What asks for a day or a week is
    /// silent, or careful, until it has them.
    #[must_use]
    pub fn warmth(&self) -> f64 {
        (f64::from(self.points) / f64::from(Self::ENOUGH)).min(1.0)
    }

    /// Whether enough points are known to judge the next one.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.points >= Self::ENOUGH
    }

    /// Unix seconds from which its scores will count if points go on as they came; `None` when they do already, or
    /// before the first point.
    #[must_use]
    pub fn ready_at(&self) -> Option<f64> {
        let left = f64::from(Self::ENOUGH.saturating_sub(self.points));
        (self.points > 0 && !self.is_ready()).then_some(self.time + left * self.step)
    }

    /// Usual seconds between two points; 60 before two are known.
    #[must_use]
    pub fn step(&self) -> f64 {
        self.step
    }

    /// Where it stands with its newest point, watched with this sensitivity (see [`Reading::at`]).
    #[must_use]
    pub fn standing(&self, sensitivity: f32) -> Standing {
        if self.reading().at(sensitivity) >= 1.0 {
            Standing::Out
        } else if self.departed > 0.0 && !self.is_back() {
            Standing::Settled { before: self.before }
        } else if self.runs.stands() {
            let is_zero = self.observed == 0.0;
            Standing::Settled {
                before: if is_zero {
                    self.runs.fell_from()
                } else {
                    self.expected
                },
            }
        } else {
            Standing::Usual
        }
    }

    /// The ratio of each detector to its limit for the newest point, in the order of [`PARTS`]; 1 at its limit, finite.
    #[must_use]
    pub fn parts(&self) -> [f32; PARTS.len()] {
        self.ratios
    }

    /// Whether it is judged by its rate, growth a second.
    #[must_use]
    pub fn is_rate(&self) -> bool {
        self.counter.is_counter()
    }

    /// What a learned model last expected of a point, if it ever did; of the newest one if its part has a ratio.
    pub(super) fn forecast(&self) -> Option<f64> {
        self.learned.as_ref().map(|learned| learned.expected)
    }

    /// Explains the newest point as it is heard at the usual sensitivity.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report_at(1.0)
    }

    /// Explains the newest point as it is heard at a sensitivity: score and band are those that hold there.
    #[must_use]
    pub fn report_at(&self, sensitivity: f32) -> Report {
        super::report::report(self, sensitivity)
    }

    /// Appends the state to `bytes`, of a length that does not depend on what it holds.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        self.pack(bytes);
    }

    /// Reads what [`Adaptive::write`] wrote and takes it off the front of `bytes`; `None` if there is too little.
    #[must_use]
    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        Self::unpack(bytes)
    }

    /// What the newest point was found to be.
    pub(super) fn reading(&self) -> Reading {
        let largest = self.ratios.iter().copied().fold(0.0, f32::max);
        Reading::new(largest, self.size, self.rank)
    }

    /// Takes the time of a new point; the seconds since the one before.
    fn keep_time(&mut self, time: f64) -> f64 {
        let since = time - self.time;
        self.points = self.points.saturating_add(1);
        match self.points {
            1 => self.began = time,
            2 => self.step = since,
            _ if since > 1.01 * self.step => self.step *= 1.02,
            _ if since < 0.99 * self.step => {
                self.step /= 1.02;
                if self.is_rate() {
                    self.level.shorten(1.0 / 1.02);
                }
            }
            _ => {}
        }
        self.time = time;
        since
    }

    /// Works out the limits for this time of day. `usual`: the error that is usual now, in scales.
    fn turn_limits(&mut self, usual: f32) {
        let slow = self.step.max(60.0) / 60.0;
        let by_slot = |unit: f32| (usual / unit).max(1.0).powf(SLOT_POWER);
        let light = by_slot(LIGHT_SLOT * self.peaks.median());
        let edge = 1.0 + EDGE * ((light - 1.0) / EDGE_FULL).min(1.0);
        self.limits = Limits {
            error: LIMIT * self.isolated.factor().max((usual / SLOT).powf(SLOT_POWER)),
            light: self.peaks.limit(LEAST_ERROR) * light,
            sum: self.sum_peaks.limit(LEAST_SUM),
            edge: edge.max(light),
            slow: slow.powf(SLOW_POWER) as f32,
            nearly: NEARLY * slow.powf(-NEARLY_POWER) as f32,
        };
    }

    /// By how many times limits are higher because so little is known.
    fn caution(&self) -> f32 {
        let known = self.time - self.began;
        // What stands still is soon known; of what stands at zero nobody knows yet how it is when it does not.
        if known > WEEK || self.level.stands_off_zero() {
            1.0
        } else {
            let [begins, ends] = NEARLY_A_DAY;
            let day = FIRST_DAY * ((ends - known) / (ends - begins)).clamp(0.0, 1.0);
            (1.0 + day + FIRST_WEEK * (-known / FIRST_WEEK_FADES).exp()) as f32
        }
    }

    /// Looks at the newest value with every detector, and learns it. `since`: seconds since the one before.
    fn judge(&mut self, value: f64, forecast: Option<f64>, since: f64) {
        let day = (86_400.0 / self.step).clamp(LEAST_DAY, MOST_DAY);
        let (usual, is_new_time) = self.slots.turn(self.time);
        if is_new_time {
            self.turn_limits(usual);
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
        let caution = self.caution();
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
        let mut ratios = [0.0f32; PARTS.len()];
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
            own_day.max(LEAST_DAY as f32),
            self.level.largest(),
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
        let strongest = self.strongest();
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
        self.note_departure(level, strongest);
        self.learn(value, level, signed, allowance, day, is_known);
    }

    /// The place of the largest ratio.
    pub(super) fn strongest(&self) -> usize {
        (0..PARTS.len()).fold(SPIKE, |best, part| {
            if self.ratios[part] > self.ratios[best] {
                part
            } else {
                best
            }
        })
    }

    /// Whether the newest point is where the metric was before it was last out.
    fn is_back(&self) -> bool {
        (self.observed - self.before).abs() <= self.near
    }

    /// Remembers where the metric was when it is out, until it is back or two days have passed.
    fn note_departure(&mut self, level: f64, strongest: usize) {
        let value = self.observed;
        if self.departed > 0.0 {
            let is_back = self.is_back();
            let is_over = self.ratios[strongest] < DEPARTS;
            if is_over && (is_back || self.time - self.departed > DEPARTED) {
                self.departed = 0.0;
            }
            return;
        }
        if self.ratios[strongest] >= DEPARTS {
            let reach = self.reach[usize::from(value < level)];
            // Whoever was told hears "back" only of what is more than half way back.
            let half = 0.5 * (value - level).abs();
            let is_told = self.ratios[strongest] >= 1.0;
            (self.before, self.near) = (level, if is_told { reach.min(half) } else { reach });
            if strongest == ZERO {
                let from = self.runs.fell_from();
                (self.before, self.near) = (from, 0.5 * from.abs());
            }
            if strongest == SEASON {
                let [_, least, most] = self.season.compared();
                (self.before, self.near) = (0.5 * (least + most), (0.5 * (most - least)).max(reach));
            }
            self.departed = self.time;
        }
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

    /// Hands the finished hour to the long memory, and looks at it against the hours before.
    fn turn_hour(&mut self, time: f64, memory: &mut impl LongMemory) {
        let hour = (time / 3600.0) as u32;
        if hour == self.hour {
            return;
        }
        // Points for half an hour make an hour.
        if self.hour_points > 0 && f64::from(self.hour_points) * self.step >= 1800.0 {
            let points = f64::from(self.hour_points);
            memory.append(Hour {
                number: self.hour,
                min: self.hour_low,
                mean: (self.hour_sum / points) as f32,
                max: self.hour_high,
            });
            let mut hours = Vec::new();
            memory.recall(&mut hours);
            // Without its least and largest value, so that one wild point does not make an hour.
            let extremes = f64::from(self.hour_low) + f64::from(self.hour_high);
            let trimmed = if self.hour_points > 2 {
                (self.hour_sum - extremes) / (points - 2.0)
            } else {
                self.hour_sum / points
            };
            let noise = 0.3 * self.level.scale();
            self.season.turn(&hours, trimmed as f32, noise as f32);
            self.season.begin(&hours, hour);
        }
        self.hour = hour;
        self.hour_points = 0;
        self.hour_sum = 0.0;
        (self.hour_low, self.hour_high) = (f32::INFINITY, f32::NEG_INFINITY);
    }

    fn keep_hour(&mut self, value: f64) {
        self.hour_points += 1;
        self.hour_sum += value;
        self.hour_low = self.hour_low.min(value as f32);
        self.hour_high = self.hour_high.max(value as f32);
    }
}
