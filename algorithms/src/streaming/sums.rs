//! Shifts: sums of the last 3, 10 and 30 errors, each clipped.
//!
//! A sum of k clipped errors over the root of k grows with the root of the length of a shift while noise stays where it
//! is; clipping keeps one wild point from passing for a shift (a Huberised moving sum). Errors are kept in 1/256 of a
//! scale as integers, so that the running sums are exact however long they run.

use super::pack::{Pack, packed};

/// Points of each sum: a shift is found by the shortest that outlasts the noise, each about three times the one before.
const LENGTHS: [usize; 3] = [3, 10, 30];
/// Errors kept: the longest sum, rounded up to a power of two.
const RING: usize = 32;
/// Units of a scale: 4 · 256 · 30 is far within 32 bits, and a 256th is far below any noise.
const UNIT: f32 = 256.0;
/// Errors beyond so many scales count as that many.
const CLIP: f32 = 4.0;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ShiftSums {
    ring: [i16; RING],
    sums: [i32; 3],
    at: u8,
    filled: u8,
}

packed!(ShiftSums {
    ring,
    sums,
    at,
    filled
});

impl ShiftSums {
    /// Takes the next error, in scales, and gives the largest of the sums over the roots of their lengths, with its sign.
    pub(super) fn observe(&mut self, error: f32) -> f32 {
        let new = (error.clamp(-CLIP, CLIP) * UNIT) as i16;
        let at = usize::from(self.at);
        let mut largest = 0.0f32;
        self.filled = (self.filled + 1).min(RING as u8);
        for (sum, length) in self.sums.iter_mut().zip(LENGTHS) {
            *sum += i32::from(new) - i32::from(self.ring[(at + RING - length) % RING]);
            let size = *sum as f32 / (UNIT * (length as f32).sqrt());
            if usize::from(self.filled) >= length && size.abs() > largest.abs() {
                largest = size;
            }
        }
        self.ring[at] = new;
        self.at = ((at + 1) % RING) as u8;
        largest
    }

    /// Forgets the last errors.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
