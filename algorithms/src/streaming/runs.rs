//! Values that stand still, and values that fall to zero.
//!
//! A run of one value is strange where values seldom repeat: n equal values come by chance with p^(n-1), p the share of
//! points that equal the one before. And whatever has stood still for long before may do so again: a run must be two
//! and a half times the longest one known. The same for a run of zeros where zero is unknown, from the third on.

use super::pack::{Pack, packed};
use super::tracker::STILL;

/// ln of the chance that one run of equal values may have.
const LN_RISK: f32 = -20.7;
/// The least run that is reported, points.
const LEAST: f32 = 40.0;
const ZEROS: f32 = 3.0;

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
    /// Whether the run of zeros began with a fall.
    fell: u8,
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
    points
});

impl Runs {
    /// Share of points that equal the one before.
    pub(super) fn equal(&self) -> f32 {
        self.equal
    }

    /// Points that stand at the newest value.
    pub(super) fn standing(&self) -> u64 {
        self.run as u64 + 1
    }

    /// Share of points that are zero.
    pub(super) fn zero(&self) -> f32 {
        self.zero
    }

    /// Takes the next value and how far it fell in scales: scores of standing still and of being zero.
    pub(super) fn observe(&mut self, value: f64, error: f32, day: f32, typical: f64) -> (f32, f32) {
        self.points = self.points.saturating_add(1);
        if self.points == 1 {
            self.last = value;
            return (0.0, 0.0);
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
        let before = self.equal;
        self.equal += slow * (f32::from(u8::from(same)) - self.equal);
        let flat = {
            let chance = before.clamp(0.01, 0.9999);
            let needed = (LN_RISK / chance.ln()).max(LEAST).max(2.5 * self.longest + 5.0);
            self.run / needed
        };
        let is_zero = value == 0.0;
        if is_zero {
            if self.zeros == 0.0 {
                self.fell =
                    u8::from((error < -3.0 || self.equal > STILL as f32) && self.last.abs() > 0.4 * typical);
            }
            self.zeros += 1.0;
        } else {
            self.longest_zeros = self.longest_zeros.max(self.zeros);
            self.known += f32::from(u8::from(self.zeros > 0.0));
            self.zeros = 0.0;
        }
        self.longest_zeros *= forget;
        self.known *= 1.0 - 0.1 / day;
        self.zero += slow * (f32::from(u8::from(is_zero)) - self.zero);
        self.last = value;
        let dropped = if self.fell > 0 && is_zero && (self.points as f32) > 0.5 * day {
            self.zeros
                / if self.known > 2.2 {
                    ZEROS.max(3.0 * self.longest_zeros)
                } else {
                    ZEROS
                }
        } else {
            0.0
        };
        // A run says nothing until it is long enough, and then it does not say more with each point.
        (
            if flat >= 1.0 { 1.0 } else { 0.0 },
            if dropped >= 1.0 { 1.0 } else { 0.0 },
        )
    }
}
