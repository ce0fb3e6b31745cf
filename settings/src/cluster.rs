//! How several nodes on one Redis share the metrics.

use std::time::Duration;

use crate::section::{SECOND, Section};

options! {
    /// How several nodes on one Redis share the metrics.
    pub Cluster {
        /// Whether metrics, incidents and notices are shared with other nodes on the same Redis. Over the embedded store there are none.
        enabled: bool = true,
        /// How long a node may be silent before others take over its metrics.
        lease: Duration = Duration::from_secs(10) => 2 * SECOND..=60 * SECOND,
        /// Time in which what was learnt of each metric is left for other nodes once, where there are any.
        snapshot_each: Duration = Duration::from_secs(1_800) => SECOND..=6 * 3_600 * SECOND,
    }
}

impl Section for Cluster {}
