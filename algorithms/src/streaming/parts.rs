//! The detectors of the adaptive profile by name, and the places of their ratios.

/// The detectors, in the order of their ratios. The names are an API: settings, messages and routes use them.
pub const PARTS: [&str; 7] = ["spike", "shift", "season", "flat", "zero", "burst", "learned"];

/// One ratio a detector, in the order of [`PARTS`]: 1 at its limit.
pub(super) type Ratios = [f32; PARTS.len()];

pub(super) const SPIKE: usize = 0;
pub(super) const SHIFT: usize = 1;
pub(super) const SEASON: usize = 2;
pub(super) const FLAT: usize = 3;
pub(super) const ZERO: usize = 4;
pub(super) const BURST: usize = 5;
pub(super) const LEARNED: usize = 6;

/// The place of the largest ratio; of equal ones the first.
pub(super) fn strongest(ratios: &Ratios) -> usize {
    (0..PARTS.len()).fold(
        SPIKE,
        |best, part| {
            if ratios[part] > ratios[best] { part } else { best }
        },
    )
}
