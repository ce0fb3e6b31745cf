//! Shifts: sums of the last 3, 10 and 30 errors, each clipped, up and down on their own.
//!
//! A sum of k clipped errors over the root of k grows with the root of the length of a shift while noise stays where it
//! is; clipping keeps one wild point from passing for a shift (a Huberised moving sum). Errors are kept in 1/256 of a
//! scale as integers, so that the running sums are exact however long they run.

use super::law::Law;
use super::pack::{Pack, packed};

const LENGTHS: [usize; 3] = [3, 10, 30];
/// Bins of a law, up to 32: no sum gets larger.
const BINS: usize = 24;
const RING: usize = 32;
const UNIT: f32 = 256.0;
/// Shares of the largest possible sums that are alarms whatever the law says.
const REACH: [f32; 3] = [0.97, 0.92, 0.92];
/// The least limit, in scales of one error.
const LEAST: f32 = 6.2;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Surge {
    pub(super) ring: [i16; RING],
    pub(super) sums: [i32; 3],
    pub(super) at: u8,
    pub(super) filled: u8,
    pub(super) up: [Law<BINS>; 3],
    pub(super) down: [Law<BINS>; 3],
}

packed!(Surge {
    ring,
    sums,
    at,
    filled,
    up,
    down
});

impl Surge {
    /// Takes the next clipped error, in scales, and gives the score, positive for up and negative for down.
    pub(super) fn observe(&mut self, clipped: f32, learns: bool, risk: f32) -> f32 {
        let new = (clipped * UNIT) as i16;
        let at = usize::from(self.at);
        for (sum, length) in self.sums.iter_mut().zip(LENGTHS) {
            *sum += i32::from(new) - i32::from(self.ring[(at + RING - length) % RING]);
        }
        self.ring[at] = new;
        self.at = ((at + 1) % RING) as u8;
        self.filled = (self.filled + 1).min(RING as u8);
        let mut score = 0.0f32;
        for (k, length) in LENGTHS.iter().enumerate() {
            let size = self.sums[k] as f32 / (UNIT * (*length as f32).sqrt());
            let law = if size > 0.0 {
                &mut self.up[k]
            } else {
                &mut self.down[k]
            };
            // A sum of clipped errors cannot be larger than this, whatever the tail promises.
            let most = REACH[k] * super::tracker::CLIP as f32 * (*length as f32).sqrt();
            let ratio = size.abs() / law.limit().min(most.max(LEAST));
            if ratio > score.abs() {
                score = ratio.copysign(size);
            }
            if learns && usize::from(self.filled) >= *length {
                law.learn(size.abs(), LEAST, risk, 0);
            }
        }
        score
    }

    pub(super) fn fade(&mut self) {
        self.up
            .iter_mut()
            .chain(&mut self.down)
            .for_each(|law| law.fade());
    }

    /// The largest of the sums over their roots, in scales of one error.
    pub(super) fn size(&self) -> f32 {
        let sizes = LENGTHS
            .iter()
            .zip(self.sums)
            .map(|(length, sum)| sum.abs() as f32 / (UNIT * (*length as f32).sqrt()));
        sizes.fold(0.0, f32::max)
    }

    /// Forgets the last errors, not the laws.
    pub(super) fn clear(&mut self) {
        self.ring = [0; RING];
        self.sums = [0; 3];
        self.filled = 0;
    }
}
