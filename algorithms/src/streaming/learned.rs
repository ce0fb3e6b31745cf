//! The vote of a learned model: how far a value lies from what the model expected of it, against how wrong it usually is.
//!
//! The model is somebody else's (`crate::learned`); what is kept here is how wrong it usually is about this metric. Its
//! own limits, made when it was fitted, are not used: they come from some hundred errors, and held against a year of
//! points they cry wolf (`docs/learned.md` has the table).

use super::pack::{Pack, packed};
use super::peaks::Peaks;

/// Usual peak of a model's errors before any are known, in scales of the level's own errors.
const PRIOR: f32 = 4.5;
/// Points for which a model is not heard after a jump: as far as it looks back, and for so long what it sees is half of the
/// one level and half of the other.
const REST: u16 = 304;

/// What is known of a model's errors about one metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Learned {
    peaks: Peaks,
    /// What was expected of the last point that the model said anything of.
    pub(super) expected: f64,
    /// Points until it is heard again.
    rests: u16,
}

packed!(Learned {
    peaks,
    expected,
    rests
});

impl Default for Learned {
    fn default() -> Self {
        Self {
            peaks: Peaks::new(PRIOR),
            expected: 0.0,
            rests: 0,
        }
    }
}

impl Learned {
    /// Takes an error in scales and gives its ratio to the limit. `least`: the limit of the level's own errors on that
    /// side, which the model's must pass, too: what jumps every day passes for ordinary there, and the model cannot foresee
    /// it either.
    pub(super) fn observe(&mut self, error: f32, least: f32) -> f32 {
        if self.rests > 0 {
            self.rests -= 1;
            return 0.0;
        }
        let size = error.abs();
        let ratio = size / self.peaks.limit(least);
        self.peaks.see(size);
        ratio
    }

    /// Ends a block of three hours.
    pub(super) fn turn(&mut self) {
        self.peaks.turn();
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
        match self {
            Some(learned) => learned.pack(bytes),
            None => Learned::default().pack(bytes),
        }
    }

    fn unpack(bytes: &mut &[u8]) -> Option<Self> {
        let is_some = u8::unpack(bytes)? > 0;
        let learned = Learned::unpack(bytes)?;
        Some(is_some.then(|| Box::new(learned)))
    }
}
