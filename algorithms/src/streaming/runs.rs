//! Values that stand still, and values that fall to zero.
//!
//! A run of one value is strange where values seldom repeat: n equal values come by chance with p^(n-1), p the share of
//! points that equal the one before. And whatever has stood still for long before may do so again: a run must be two
//! and a half times the longest one known. The same for a run of zeros where zero is unknown, from the third on.

use super::level::Level;
use super::pack::{Pack, packed};

/// ln of the chance that one run of equal values may have: one in 10⁹, a false one in two thousand years by the minute.
const LN_RISK: f32 = -20.7;
/// Bounds of the share of equal neighbours that the chance is worked out from: of fewer the first equal pair would be news,
/// and of more no run ever.
const CHANCES: [f32; 2] = [0.01, 0.9999];
/// The least run that is reported, points: shorter ones of equal values are rounding.
const LEAST: f32 = 40.0;
/// By how much the longest run known must be passed: a factor, and points beyond.
const LONGER: f32 = 2.5;
const LONGER_POINTS: f32 = 5.0;
/// Zeros from which on a fall to zero is reported: two are a hiccup …
const ZEROS: f32 = 3.0;
/// … and where so many runs of zeros have ended before, the longest known must be passed so many times.
const KNOWN: f32 = 2.2;
const LONGER_ZEROS: f32 = 3.0;
/// A fall, in scales, that is one.
const FALLS: f32 = -3.0;
/// Share of what is known of runs that a day forgets.
const FORGETS: f32 = 0.07;
/// A fall to zero begins from at least this share of the largest value: from less, zero is near.
const TYPICAL: f64 = 0.12;
/// How long either is reported, seconds and points, whichever is longer: then it is known, and the new state is settled.
/// Reporting it for as long as it lasts cost more than it found (`docs/algorithms/adaptive.md`, what did not work).
const REPORTED: f64 = 3600.0;
const REPORTED_POINTS: f64 = 10.0;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Runs {
    last: f64,
    /// Equal values so far, the first not counted.
    run: f32,
    /// The longest run known, slowly forgotten.
    longest: f32,
    zeros: f32,
    longest_zeros: f32,
    zero: f32,
    /// Runs of zeros that ended, slowly forgotten.
    known: f32,
    /// Whether the run of zeros began with a fall, and from where.
    fell: u8,
    from: f64,
    /// Whether the newest point stands, or is zero, for longer than is usual.
    stands: u8,
    points: u32,
}

packed!(Runs {
    last,
    run,
    longest,
    zeros,
    longest_zeros,
    zero,
    known,
    fell,
    from,
    stands,
    points
});

impl Runs {
    /// Whether it has stood, or been zero, for longer than is usual, told or not.
    pub(super) fn stands(&self) -> bool {
        self.stands > 0
    }

    /// The value before the last run of zeros.
    pub(super) fn fell_from(&self) -> f64 {
        self.from
    }

    /// Points that stand at the newest value.
    pub(super) fn standing(&self) -> u64 {
        self.run as u64 + 1
    }

    /// Share of points that are zero.
    pub(super) fn zero(&self) -> f32 {
        self.zero
    }

    /// Takes the next value and how far it fell, in scales: whether it is to be reported that it stands still, and that it
    /// is zero. `level`: that of the points before; `day`: points a day; `step`: seconds between two points.
    pub(super) fn observe(
        &mut self,
        value: f64,
        error: f32,
        level: &Level,
        day: f32,
        step: f64,
    ) -> [bool; 2] {
        self.points = self.points.saturating_add(1);
        if self.points == 1 {
            self.last = value;
            return [false; 2];
        }
        let slow = (1.0 / self.points as f32).max(1.0 / (7.0 * day));
        let forget = 1.0 - FORGETS / day;
        let same = value == self.last;
        if same {
            self.run += 1.0;
        } else {
            self.longest = self.longest.max(self.run);
            self.run = 0.0;
        }
        self.longest *= forget;
        let needed = if self.run >= LEAST {
            let chance = (level.equal() as f32).clamp(CHANCES[0], CHANCES[1]);
            (LN_RISK / chance.ln())
                .max(LEAST)
                .max(LONGER * self.longest + LONGER_POINTS)
        } else {
            LEAST
        };
        self.observe_zeros(value, error, level, forget);
        self.zero += slow * (f32::from(u8::from(value == 0.0)) - self.zero);
        self.last = value;
        let dropped = if self.known > KNOWN {
            ZEROS.max(LONGER_ZEROS * self.longest_zeros)
        } else {
            ZEROS
        };
        let reported = (REPORTED / step).max(REPORTED_POINTS) as f32;
        let is_down = self.fell > 0 && value == 0.0 && self.points as f32 > 0.5 * day;
        let over = [
            self.run - needed,
            if is_down { self.zeros - dropped } else { -1.0 },
        ];
        self.stands = u8::from(over.iter().any(|&over| over >= 0.0));
        over.map(|over| (0.0..reported).contains(&over))
    }

    fn observe_zeros(&mut self, value: f64, error: f32, level: &Level, forget: f32) {
        if value == 0.0 {
            if self.zeros == 0.0 {
                let falls = error < FALLS || level.is_still();
                self.from = self.last;
                self.fell = u8::from(falls && self.last.abs() > TYPICAL * level.largest());
            }
            self.zeros += 1.0;
        } else {
            self.longest_zeros = self.longest_zeros.max(self.zeros);
            self.known += f32::from(u8::from(self.zeros > 0.0));
            self.zeros = 0.0;
        }
        self.longest_zeros *= forget;
        self.known *= forget;
    }
}
