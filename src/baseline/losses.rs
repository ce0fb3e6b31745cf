//! What went wrong on disk, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// What went wrong on disk since the start; nobody waits for it, so it is counted.
#[derive(Debug, Default)]
pub struct LossCounts {
    /// Records that do not hold against their checksum, or are cut off.
    pub dropped: AtomicU64,
    /// Reads and writes that the system refused.
    pub failed: AtomicU64,
    /// Hours too far from all others to be kept.
    pub out_of_reach: AtomicU64,
}

impl LossCounts {
    pub(super) fn count(of: &AtomicU64) {
        of.fetch_add(1, Ordering::Relaxed);
    }

    /// Dropped, failed, out of reach.
    #[must_use]
    pub fn counts(&self) -> [u64; 3] {
        [&self.dropped, &self.failed, &self.out_of_reach].map(|count| count.load(Ordering::Relaxed))
    }
}
