//! Values that stand still, and values that fall to zero.
//!
//! A run of one value is strange where values seldom repeat: n equal values come by chance with p^(n-1), p the share of
//! points that equal the one before. And whatever has stood still for long before may do so again: a run must be two
//! and a half times the longest one known. The same for a run of zeros where zero is unknown, from the third on.

use super::level::STILL;
use super::pack::{Pack, packed};

/// ln of the chance that one run of equal values may have.
const LN_RISK: f32 = -20.7;
/// The least run that is reported, points.
const LEAST: f32 = 40.0;
const ZEROS: f32 = 3.0;
/// A fall to zero begins from at least this share of the largest value.
const TYPICAL: f64 = 0.12;
/// How long either is told, seconds and points, whichever is longer: then everybody knows, and it is settled.
const TOLD: f64 = 3600.0;
const TOLD_POINTS: f64 = 10.0;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Runs {
    last: f64,
    /// Equal values so far, the first not counted.
    run: f32,
    /// The longest run known, slowly forgotten.
    longest: f32,
    /// Share of points equal to the one before.
    equal: f32,
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
    equal,
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

    /// Takes the next value and how far it fell, in scales: whether it is to be told that it stands still, and that it is
    /// zero. `day`: points a day; `largest`: the size large values have; `step`: seconds between two points.
    pub(super) fn observe(&mut self, value: f64, error: f32, day: f32, largest: f64, step: f64) -> [bool; 2] {
        self.points = self.points.saturating_add(1);
        if self.points == 1 {
            self.last = value;
            return [false; 2];
        }
        let slow = (1.0 / self.points as f32).max(1.0 / (7.0 * day));
        let forget = 1.0 - 0.07 / day;
        let same = value == self.last;
        if same {
            self.run += 1.0;
        } else {
            self.longest = self.longest.max(self.run);
            self.run = 0.0;
        }
        self.longest *= forget;
        let needed = if self.run >= LEAST {
            let chance = self.equal.clamp(0.01, 0.9999);
            (LN_RISK / chance.ln()).max(LEAST).max(2.5 * self.longest + 5.0)
        } else {
            LEAST
        };
        self.equal += slow * (f32::from(u8::from(same)) - self.equal);
        self.observe_zeros(value, error, largest, forget);
        self.zero += slow * (f32::from(u8::from(value == 0.0)) - self.zero);
        self.last = value;
        let dropped = if self.known > 2.2 {
            ZEROS.max(3.0 * self.longest_zeros)
        } else {
            ZEROS
        };
        let told = (TOLD / step).max(TOLD_POINTS) as f32;
        let is_down = self.fell > 0 && value == 0.0 && self.points as f32 > 0.5 * day;
        let over = [
            self.run - needed,
            if is_down { self.zeros - dropped } else { -1.0 },
        ];
        self.stands = u8::from(over.iter().any(|&over| over >= 0.0));
        over.map(|over| (0.0..told).contains(&over))
    }

    fn observe_zeros(&mut self, value: f64, error: f32, largest: f64, forget: f32) {
        if value == 0.0 {
            if self.zeros == 0.0 {
                let falls = error < -3.0 || self.equal > STILL as f32;
                self.from = self.last;
                self.fell = u8::from(falls && self.last.abs() > TYPICAL * largest);
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
