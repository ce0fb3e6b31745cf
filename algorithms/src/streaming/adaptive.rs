//! The adaptive profile's knowledge of one metric, and what it does with a point.
//!
//! A point goes one way: counters become rates, the tracker says what was expected and how far points usually fall from
//! it, the slots say by how much more at this time of day, and each detector holds its own statistic against its own
//! limit. What looks at single errors and their sums counts as far as the last points are new as a shape, too: two
//! independent references must agree, which costs little recall and nine tenths of the false alarms
//! (`docs/algorithms/adaptive.md` has the table). A detector below its limit says next to nothing; only block novelty is
//! believed by degrees.

use super::burst::Burst;
use super::counter::{Counter, Said};
use super::law::RISK;
use super::learned::Learned;
use super::memory::{Hour, LongMemory};
use super::novelty::Novelty;
use super::pack::{Pack, packed};
use super::record::Record;
use super::runs::Runs;
use super::season::Season;
use super::slots::Slots;
use super::spread::Spread;
use super::step::Step;
use super::surge::Surge;
use super::tracker::{CLIP, STILL, Surprise, Tracker};
use super::weary::Weary;
use super::{Reading, Report, Standing};
use crate::window::Window;

/// The detectors, in the order of their scores.
pub const PARTS: [&str; 10] = [
    "step", "surge", "spread", "flat", "zero", "season", "novelty", "record", "burst", "learned",
];
const STEP: usize = 0;
const SURGE: usize = 1;
const SPREAD: usize = 2;
const FLAT: usize = 3;
const ZERO: usize = 4;
const SEASON: usize = 5;
const NOVELTY: usize = 6;
const RECORD: usize = 7;
const BURST: usize = 8;
const LEARNED: usize = 9;

/// Points whose errors are not believed at first.
const FIRST_POINTS: u32 = 30;
/// So many usual distances between two points are a gap.
const GAP: f64 = 5.0;
/// Errors and their sums count in full when the last points are so many usual distances from all earlier ones.
const NEW: f32 = 3.5;
/// Scores from which on that is asked.
const ASKED: f32 = 0.4;
/// Limits of novelty and record, in shares of the range.
const NOVELTY_LIMIT: f32 = 0.65;
const RECORD_LIMIT: f32 = 1.8;
/// An error beyond so many scales is a jump: if the next point stays there, the level has moved.
const JUMP: f32 = 30.0;
/// For so long a return to the level before an alarm is no alarm, seconds.
const RETURN: f64 = 6.0 * 3600.0;
/// Share of zeros from which on a metric is mostly zero.
const MOSTLY_ZERO: f32 = 0.7;
/// What block novelty is worth where most is zero: each burst is new there.
const ZERO_NOVELTY: f32 = 0.7;
/// What a sum counts as a single error of the time of day.
const RAMP: f32 = 0.7;
/// No allowance counts for more in such sums, or they would feed on themselves.
const LARGE: f32 = 4.0;
/// What a detector just below its limit says.
const BELOW: f32 = 0.1;
/// Ends of days after which the limits are learnt anew, since the first ones knew nothing of the time of day.
const ANEW: [f64; 2] = [86_400.0, 2.0 * 86_400.0];

/// The adaptive profile's knowledge of one metric: at most 4 KiB, here and when written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Adaptive {
    /// Time of the newest point, and of the first, Unix seconds.
    pub(super) time: f64,
    pub(super) began: f64,
    /// Usual distance of two points, seconds.
    step: f64,
    pub(super) points: u32,
    /// Points since a gap.
    since_gap: u32,
    /// The value of the point before if it was a jump.
    jumped: f64,
    has_jumped: u8,
    /// Where the level was before the last alarm, and when.
    before: f64,
    before_time: f64,
    pub(super) observed: f64,
    pub(super) expected: f64,
    /// What errors usually are now, allowance included.
    pub(super) scale: f64,
    /// Signed where up and down differ.
    scores: [f32; PARTS.len()],
    hour: u32,
    hour_points: u32,
    hour_sum: f64,
    hour_low: f32,
    hour_high: f32,
    pub(super) counter: Counter,
    tracker: Tracker,
    slots: Slots,
    pub(super) steps: Step,
    surge: Surge,
    spread: Spread,
    pub(super) runs: Runs,
    pub(super) season: Season,
    novelty: Novelty,
    pub(super) record: Record,
    pub(super) burst: Burst,
    weary: [Weary; 2],
    /// `None` as long as no model said anything.
    learned: Option<Box<Learned>>,
}

packed!(Adaptive {
    time,
    began,
    step,
    points,
    since_gap,
    jumped,
    has_jumped,
    before,
    before_time,
    observed,
    expected,
    scale,
    scores,
    hour,
    hour_points,
    hour_sum,
    hour_low,
    hour_high,
    counter,
    tracker,
    slots,
    steps,
    surge,
    spread,
    runs,
    season,
    novelty,
    record,
    burst,
    weary,
    learned,
});

impl Adaptive {
    /// The version of what [`Adaptive::write`] writes. A state of another version is not read but learnt anew.
    pub const VERSION: u32 = 4;

    /// Shows the next point and asks for its score. A point that is not later than the last one, or not finite, changes
    /// nothing and scores 0. Time in Unix seconds. O(472) where the point looks odd or ends a block, else O(1).
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
        match self.counter.observe(time, value) {
            Said::Value(value) => {
                let gap = self.keep_time(time);
                self.turn_hour(time, memory);
                self.judge(value, forecast.filter(|expected| expected.is_finite()), gap);
                self.keep_hour(value);
                Reading { score: self.score() }
            }
            Said::Nothing => {
                self.time = time;
                self.scores = [0.0; PARTS.len()];
                Reading::default()
            }
            Said::Changed => {
                *self = Self {
                    counter: self.counter.clone(),
                    step: self.step,
                    time,
                    ..Self::default()
                };
                Reading::default()
            }
        }
    }

    /// Observes all points of a window that are later than the last one seen; the last reading.
    pub fn fit(&mut self, window: Window<'_>, memory: &mut impl LongMemory) -> Reading {
        let mut reading = Reading { score: self.score() };
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

    /// Share of the warm-up of one day that is done, 0 to 1; from 1 on its scores count, before that the classic votes
    /// serve. What asks for a week (season) is silent until it has one.
    #[must_use]
    pub fn warmth(&self) -> f64 {
        if self.points == 0 {
            return 0.0;
        }
        ((self.time - self.began) / ANEW[0]).clamp(0.0, 1.0)
    }

    /// Whether enough points are known to judge the next one.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.points >= 20
    }

    /// Usual seconds between two points; 60 before two are known.
    #[must_use]
    pub fn step(&self) -> f64 {
        if self.points < 2 { 60.0 } else { self.step }
    }

    /// Where it stands with its newest point, watched with this sensitivity (see [`Reading::at`]).
    #[must_use]
    pub fn standing(&self, sensitivity: f32) -> Standing {
        if (Reading { score: self.score() }).at(sensitivity) >= 1.0 {
            Standing::Out
        } else {
            Standing::Usual
        }
    }

    /// Unix seconds from which its scores will count if points go on as they came; `None` when they do already, or
    /// before the first point.
    #[must_use]
    pub fn ready_at(&self) -> Option<f64> {
        (self.points > 0 && self.warmth() < 1.0).then_some(self.began + ANEW[0])
    }

    /// The score of each detector for the newest point, in the order of [`PARTS`]; 1 at its limit, finite.
    #[must_use]
    pub fn parts(&self) -> [f32; PARTS.len()] {
        self.scores
            .map(|score| if score.is_finite() { score.abs() } else { 0.0 })
    }

    /// Whether it is judged by its rate, growth a second.
    #[must_use]
    pub fn is_rate(&self) -> bool {
        self.counter.is_counter()
    }

    /// What a learned model last expected of a point, if it ever did; of the newest one if its part has a score.
    pub(super) fn forecast(&self) -> Option<f64> {
        self.learned.as_ref().map(|learned| learned.expected)
    }

    /// Explains the newest point.
    #[must_use]
    pub fn report(&self) -> Report {
        super::report::report(self)
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

    /// One score from all: the largest over its limit, in logarithm so that sizes of one detector keep their order and
    /// no detector outshouts the others; below the limits, block novelty as it is and the rest next to nothing.
    pub(super) fn score(&self) -> f32 {
        let scores = self.parts().into_iter().enumerate().map(|(part, own)| {
            if own >= 1.0 {
                1.0 + 0.25 * own.ln()
            } else if part == NOVELTY {
                own
            } else {
                BELOW * own * own * own
            }
        });
        scores.fold(0.0, f32::max)
    }

    /// Which way the newest point is out: 1 up, -1 down, 0 neither.
    pub(super) fn direction(&self) -> f32 {
        let signed = if self.scores[STEP].abs() >= self.scores[SURGE].abs() {
            STEP
        } else {
            SURGE
        };
        if self.scores[signed] == 0.0 {
            0.0
        } else {
            self.scores[signed].signum()
        }
    }

    /// Takes the time of a new point; whether it comes after a gap.
    fn keep_time(&mut self, time: f64) -> bool {
        let since = time - self.time;
        self.points = self.points.saturating_add(1);
        match self.points {
            1 => {
                self.began = time;
                self.step = 60.0;
            }
            2 => self.step = since,
            _ if since > 1.01 * self.step => self.step *= 1.02,
            _ if since < 0.99 * self.step => self.step /= 1.02,
            _ => {}
        }
        self.time = time;
        let passed = |moment: f64| {
            self.points > 1 && time - self.began >= moment && time - since - self.began < moment
        };
        if ANEW.into_iter().any(passed) {
            self.steps.fade();
            self.surge.fade();
            self.spread.fade();
        }
        self.points > 2 && since > GAP * self.step
    }

    /// Looks at the newest value with every detector, and learns it.
    fn judge(&mut self, value: f64, forecast: Option<f64>, gap: bool) {
        let day = (86_400.0 / self.step).clamp(96.0, 8640.0);
        if gap {
            self.since_gap = 0;
            self.has_jumped = 0;
            self.surge.clear();
            self.tracker.seed(value);
        }
        self.since_gap = self.since_gap.saturating_add(1);
        let learns = self.points > FIRST_POINTS && self.since_gap > 1;
        let allowance = self.slots.turn(self.time);
        let surprise = self.tracker.surprise(value);
        let level = self.tracker.slow_level();
        (self.observed, self.expected) = (value, self.tracker.expected());
        self.scale = surprise.scale * f64::from(allowance);
        let size = if learns {
            (surprise.error / surprise.scale) as f32
        } else {
            0.0
        };
        let error = size / allowance;
        let forecast_error = forecast.filter(|_| learns).map(|expected| {
            self.learned.get_or_insert_default().expected = expected;
            ((value - expected) / self.scale) as f32
        });
        self.scores = self.hold_against_limits(
            value,
            error,
            forecast_error,
            &surprise,
            allowance,
            learns,
            day as f32,
        );
        if let Some(learned) = self.learned.as_mut().filter(|_| size.abs() > JUMP) {
            learned.rest();
        }
        self.leave_out_returns(value, level);
        let jump = error.abs() > JUMP;
        let stays = (value - self.jumped).abs() < 0.3 * surprise.error.abs();
        if jump && self.has_jumped > 0 && stays {
            self.tracker.seed(value);
            self.surge.clear();
        } else {
            self.tracker.learn(value, day, f64::from(allowance));
        }
        self.jumped = value;
        self.has_jumped = u8::from(jump);
    }

    /// The score of every detector, each over its own limit. Errors in scales, allowance taken off; `day` in points.
    #[expect(clippy::too_many_arguments, reason = "all that is known of one point, once")]
    fn hold_against_limits(
        &mut self,
        value: f64,
        error: f32,
        forecast_error: Option<f32>,
        surprise: &Surprise,
        allowance: f32,
        learns: bool,
        day: f32,
    ) -> [f32; PARTS.len()] {
        let risk = RISK / day;
        let mut scores = [0.0f32; PARTS.len()];
        scores[STEP] = self.steps.observe(self.time, error, allowance, learns, risk);
        if let (Some(error), Some(learned)) = (forecast_error, &mut self.learned) {
            let limit = self.steps.limit(usize::from(error < 0.0), allowance);
            scores[LEARNED] = learned.observe(error, limit, risk);
        }
        // Where large errors recur, their sums recur too, and are larger still.
        let edge = 1.0 + 2.0 * ((allowance - 1.0) / 0.6).min(1.0);
        let clipped = error.clamp(-CLIP as f32, CLIP as f32) / edge;
        scores[SURGE] = self.surge.observe(clipped, learns, risk);
        // A ramp that comes each day is known by its sums, too.
        let sums = if error.abs() > JUMP {
            0.0
        } else {
            RAMP * self.surge.size() * edge * allowance.min(LARGE)
        };
        self.slots.learn((error.abs() * allowance).max(sums));
        scores[SPREAD] = self.spread.observe(clipped, learns, risk);
        (scores[FLAT], scores[ZERO]) = self.runs.observe(value, error, day, self.tracker.typical());
        scores[SEASON] = self.season.score(self.tracker.level());
        let asked = scores.iter().any(|score| score.abs() > ASKED);
        let new = self
            .novelty
            .observe(value, asked, self.tracker.stillness(), surprise.scale);
        if new.is_block {
            scores[NOVELTY] = new.of_range / (NOVELTY_LIMIT * allowance);
        }
        scores[RECORD] = self.record.observe(self.time, value, surprise.scale) / RECORD_LIMIT;
        let burst = self.burst.observe(value as f32, day);
        if self.runs.zero() > MOSTLY_ZERO {
            scores = std::array::from_fn(|part| match part {
                NOVELTY => ZERO_NOVELTY * scores[NOVELTY],
                BURST => burst,
                _ => 0.0,
            });
        } else if self.runs.equal() > STILL as f32 {
            scores[SPREAD] = 0.0;
        }
        let newness = (new.of_usual / NEW).min(1.0);
        for part in [STEP, SURGE, SPREAD, LEARNED] {
            scores[part] *= newness;
        }
        for (parts, weary) in [&[STEP, LEARNED][..], &[SURGE]].into_iter().zip(&mut self.weary) {
            let mut is_over = false;
            for &part in parts {
                scores[part] /= weary.factor();
                is_over |= scores[part].abs() >= 1.0;
            }
            weary.learn(is_over, day);
        }
        scores
    }

    /// A return to where the level was before an alarm is no news.
    fn leave_out_returns(&mut self, value: f64, level: f64) {
        let waits = self.time - self.before_time < RETURN;
        if waits && (value - self.before).abs() < CLIP * self.scale {
            for part in [STEP, SURGE, LEARNED] {
                self.scores[part] = 0.0;
            }
        } else if !waits
            && [STEP, SURGE, LEARNED]
                .into_iter()
                .any(|part| self.scores[part].abs() >= 1.0)
        {
            self.before = level;
            self.before_time = self.time;
        }
    }

    /// Hands the finished hour to the long memory, and looks at it against the hours before.
    fn turn_hour(&mut self, time: f64, memory: &mut impl LongMemory) {
        let hour = (time / 3600.0) as u32;
        if hour == self.hour {
            return;
        }
        // Half an hour of points, four at least, make an hour.
        if self.hour_points >= 4 && f64::from(self.hour_points) * self.step >= 1800.0 {
            let points = f64::from(self.hour_points);
            memory.append(Hour {
                number: self.hour,
                min: self.hour_low,
                mean: (self.hour_sum / points) as f32,
                max: self.hour_high,
            });
            let mut hours = Vec::new();
            memory.recall(&mut hours);
            let extremes = f64::from(self.hour_low) + f64::from(self.hour_high);
            let trimmed = (self.hour_sum - extremes) / (points - 2.0);
            let noise = (self.tracker.scale() * 0.3).max(self.tracker.stillness());
            self.season.turn(&hours, trimmed as f32, noise as f32);
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
