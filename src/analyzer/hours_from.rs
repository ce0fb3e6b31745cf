//! Which hours of a virtual shard are still to be left for other nodes.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::cluster::{VIRTUAL_SHARDS, VirtualShard};

/// Of each virtual shard the day from which on hours are still to be written; all earlier ones are there.
pub(super) struct HoursFrom([AtomicU32; VIRTUAL_SHARDS]);

impl Default for HoursFrom {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU32::new(0)))
    }
}

impl HoursFrom {
    pub(super) fn of(&self, shard: VirtualShard) -> u32 {
        self.0[shard.index()].load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, shard: VirtualShard, day: u32) {
        self.0[shard.index()].store(day, Ordering::Relaxed);
    }
}
