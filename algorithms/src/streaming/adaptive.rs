//! The adaptive profile's knowledge of one metric, and what it does with a point.
//!
//! A point goes one way: counters become rates, the level says what was expected and how far points usually fall from it,
//! and the ratio of both is the signal. A limit is one number for all metrics, raised only by repeated, specific evidence:
//! isolated spikes, the same time of day, levels that come and go, the same hour of the week. Where tails are light it is
//! lowered to what the metric's own peaks say. Whatever is out must also be new as a shape, and matter in the metric's
//! range. `docs/algorithms/adaptive.md` says why, and what each part is worth.

use super::burst::Burst;
use super::counter::{Counter, CounterReading};
use super::departure::Departure;
use super::hour::HourSoFar;
use super::hours::LongMemory;
use super::isolated::Isolated;
use super::learned::Learned;
use super::level::Level;
use super::limits::AlarmLimits;
use super::novelty::Novelty;
use super::pack::{Pack, packed};
use super::parts::{PARTS, Ratios};
use super::peaks::Peaks;
use super::range::Range;
use super::runs::Runs;
use super::score::Reading;
use super::season::Season;
use super::slots::TimeSlots;
use super::sums::ShiftSums;
use super::switches::Switches;
use crate::window::Window;

/// Usual peaks before any are known, in scales: those of real service metrics.
const PRIOR: f32 = 4.5;
/// Usual seconds between two points before two are known.
const STEP: f64 = 60.0;
/// A distance of two points that differs by more than this share from the usual one is another …
const SAME_STEP: f64 = 0.01;
/// … and moves the usual one by this factor, so that some forty points at twice the pace are enough to follow, and one gap
/// is not.
const STEP_MOVES: f64 = 1.02;

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
    pub(super) since_gap: u32,
    /// The block of three hours under way.
    pub(super) block: u32,
    pub(super) observed: f64,
    pub(super) expected: f64,
    /// What an error usually is, and the error that would be anomalous up and down, in the metric's unit.
    pub(super) scale: f64,
    pub(super) reach: [f64; 2],
    pub(super) ratios: Ratios,
    /// By how much the newest point is beyond what is usual, and where it ranks below the alarms (see [`Reading`]).
    pub(super) size: f32,
    pub(super) rank: f32,
    pub(super) limits: AlarmLimits,
    pub(super) departure: Departure,
    hour: HourSoFar,
    pub(super) counter: Counter,
    pub(super) level: Level,
    pub(super) isolated: Isolated,
    pub(super) slots: TimeSlots,
    pub(super) switches: Switches,
    /// How large errors and sums of errors usually get, in scales.
    pub(super) peaks: Peaks,
    pub(super) sum_peaks: Peaks,
    pub(super) sums: ShiftSums,
    pub(super) sum: f32,
    pub(super) novelty: Novelty,
    pub(super) range: Range,
    pub(super) runs: Runs,
    pub(super) season: Season,
    pub(super) burst: Burst,
    /// `None` as long as no model said anything.
    pub(super) learned: Option<Box<Learned>>,
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
    departure,
    hour,
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
            step: STEP,
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
            limits: AlarmLimits::default(),
            departure: Departure::default(),
            hour: HourSoFar::default(),
            counter: Counter::default(),
            level: Level::default(),
            isolated: Isolated::default(),
            slots: TimeSlots::default(),
            switches: Switches::default(),
            peaks: Peaks::new(PRIOR),
            sum_peaks: Peaks::new(PRIOR),
            sums: ShiftSums::default(),
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
    pub const VERSION: u32 = 6;

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
            CounterReading::Value(value) => {
                let since = self.keep_time(time);
                self.hour
                    .turn(time, self.step, &self.level, &mut self.season, memory);
                self.judge(value, forecast.filter(|expected| expected.is_finite()), since);
                self.hour.add(value);
                self.reading()
            }
            CounterReading::Waits => self.reading(),
            CounterReading::Nothing => {
                self.time = time;
                (self.ratios, self.size, self.rank) = ([0.0; PARTS.len()], 0.0, 0.0);
                Reading::default()
            }
            CounterReading::Changed => {
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

    /// Time of the first point that it has learnt from, Unix seconds; `None` before it.
    #[must_use]
    pub fn since(&self) -> Option<f64> {
        (self.points > 0).then_some(self.began)
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

    /// Appends the state to `bytes`, of a length that does not depend on what it holds.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        self.pack(bytes);
    }

    /// Reads what [`Adaptive::write`] wrote and takes it off the front of `bytes`; `None` if there is too little.
    #[must_use]
    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        Self::unpack(bytes)
    }

    /// The same in place of what is known here; `None`, and nothing to be used, if there is too little.
    #[must_use]
    pub fn read_in_place(&mut self, bytes: &mut &[u8]) -> Option<()> {
        self.unpack_in_place(bytes)
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
            _ if since > (1.0 + SAME_STEP) * self.step => self.step *= STEP_MOVES,
            _ if since < (1.0 - SAME_STEP) * self.step => {
                self.step /= STEP_MOVES;
                if self.is_rate() {
                    self.level.shorten(1.0 / STEP_MOVES);
                }
            }
            _ => {}
        }
        self.time = time;
        since
    }
}
