//! One pass over one shard, and the orders that lead to it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::report::PassReport;
use super::snapshots::SnapshotRound;
use crate::store::StoreError;

/// From the supervisor to a worker. A closed channel means: end.
pub(super) enum WorkerOrder {
    /// The shard changed.
    Assign {
        /// Metrics that are new to the shard.
        add: Vec<Arc<str>>,
        /// Metrics that left it.
        remove: Vec<Arc<str>>,
    },
    /// Leave what is known of the metrics of some virtual shards for other nodes.
    Snapshot(SnapshotRound),
    /// Look at every metric of the shard once.
    Pass {
        /// Number of the pass.
        number: u64,
        /// The pass's "now", Unix seconds.
        now: f64,
        /// Leave over what is not done by then.
        deadline: Instant,
        /// Followed metrics: what becomes of them is reported even if they are normal.
        followed: Arc<HashSet<String>>,
    },
}

/// One pass as a worker sees it.
pub(super) struct ShardPass {
    pub(super) number: u64,
    pub(super) now: f64,
    pub(super) deadline: Instant,
    pub(super) followed: Arc<HashSet<String>>,
    pub(super) report: PassReport,
    /// Why some metrics were not read while the store answered for others.
    pub(super) unread: Option<StoreError>,
    /// Metrics whose counter class must be written; indices into the shard.
    pub(super) classes: Vec<usize>,
    /// Anomalies that are to be described in full and were judged by the end of their window: their places in the report, and
    /// their metrics' in the shard.
    pub(super) without_window: Vec<(usize, usize)>,
}

impl ShardPass {
    /// Whether what becomes of that metric is to be reported.
    pub(super) fn follows(&self, name: &str) -> bool {
        !self.followed.is_empty() && self.followed.contains(name)
    }
}
