//! What the trimming thread counts.

use std::ops::{Index, IndexMut};
use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum TrimCount {
    LookedAt,
    Trimmed,
    BytesFreed,
    DeadRemoved,
    EmptyRemoved,
    /// Values that were changed between the look and the cut.
    Raced,
    Quarantined,
    /// Passes that ended with an error.
    Failed,
}

/// Names of the counters, in the order of [`TrimCount`].
const NAMES: [&str; 8] = [
    "looked_at",
    "trimmed",
    "bytes_freed",
    "dead_removed",
    "empty_removed",
    "raced",
    "quarantined",
    "failed",
];

/// The counts of one pass.
#[derive(Debug, Default)]
pub(super) struct TrimCounts([u64; NAMES.len()]);

impl TrimCounts {
    /// Whether anything was counted.
    pub(super) fn any(&self) -> bool {
        self.0.iter().any(|n| *n > 0)
    }
}

impl Index<TrimCount> for TrimCounts {
    type Output = u64;

    fn index(&self, count: TrimCount) -> &u64 {
        &self.0[count as usize]
    }
}

impl IndexMut<TrimCount> for TrimCounts {
    fn index_mut(&mut self, count: TrimCount) -> &mut u64 {
        &mut self.0[count as usize]
    }
}

/// What was trimmed since the start.
#[derive(Debug, Default)]
pub(super) struct TrimTally([AtomicU64; NAMES.len()]);

impl TrimTally {
    pub(super) fn add(&self, pass: &TrimCounts) {
        for (counter, n) in self.0.iter().zip(pass.0) {
            counter.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// A pass has ended with an error.
    pub(super) fn failed(&self) {
        self.0[TrimCount::Failed as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Name and value of every counter, in a stable order.
    pub(super) fn snapshot(&self) -> impl Iterator<Item = (String, u64)> {
        NAMES
            .iter()
            .zip(&self.0)
            .map(|(name, counter)| (format!("trim.{name}"), counter.load(Ordering::Relaxed)))
    }
}
