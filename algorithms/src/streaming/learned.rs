//! The vote of a learned model: how far a value lies from what the model expected of it, against the law of such errors.
//!
//! The model is somebody else's (`crate::learned`); what is kept here is how wrong it usually is about this metric. Its
//! own limits, made when it was fitted, are not used: they come from some hundred errors, and held against a year of
//! points they cry wolf (`docs/learned.md` has the table).

use super::law::Law;
use super::pack::{Pack, packed};

/// The least limit, in mean |error| of the tracker, as for a single error.
const LEAST: f32 = 7.4;
/// Points between two errors far out that count as two episodes.
const APART: u8 = 8;
/// Points for which a model is not heard after a jump: as far as it looks back, and for so long what it sees is half of the
/// one level and half of the other.
const REST: u16 = 304;

/// What is known of a model's errors about one metric.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Learned {
    law: Law<32>,
    /// What was expected of the last point that the model said anything of.
    pub(super) expected: f64,
    /// Points until it is heard again.
    rests: u16,
}

packed!(Learned { law, expected, rests });

impl Learned {
    /// Takes an error in scales, what was allowed for taken off, and gives the score. `least`: the limit of the tracker's
    /// own errors on that side, which the model's must pass, too: what jumps every day passes for an ordinary error there,
    /// and the model cannot foresee it either.
    pub(super) fn observe(&mut self, error: f32, least: f32, risk: f32) -> f32 {
        if self.rests > 0 {
            self.rests -= 1;
            return 0.0;
        }
        let size = error.abs();
        let score = size / self.law.limit().max(least);
        self.law.learn(size, LEAST, risk, APART);
        score
    }

    /// Tells that the metric has jumped.
    pub(super) fn rest(&mut self) {
        self.rests = REST;
    }
}

/// A metric without a model has none, and takes as much room where it is written: the length of a state is one.
impl Pack for Option<Box<Learned>> {
    fn pack(&self, bytes: &mut Vec<u8>) {
        u8::from(self.is_some()).pack(bytes);
        self.as_deref().copied().unwrap_or_default().pack(bytes);
    }

    fn unpack(bytes: &mut &[u8]) -> Option<Self> {
        let is_some = u8::unpack(bytes)? > 0;
        let learned = Learned::unpack(bytes)?;
        Some(is_some.then(|| Box::new(learned)))
    }
}
