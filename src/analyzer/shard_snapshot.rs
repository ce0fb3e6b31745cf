//! What was learnt of the metrics of a virtual shard, as bytes: for the node that holds it next.
//!
//! States have the form in which they are saved, with the place where reading stopped, and hours the one in which a backfill
//! leaves them. A snapshot need not be of the last moment: what came since is in the store, and is shown to the state as after
//! a restart.

use std::collections::BTreeMap;

use skywatch_algorithms::streaming::Hour;

use crate::baseline::{DAY_HOURS, HoursPart, StatePart};

/// Bytes of a part, from which on another one is begun: what a Redis takes and gives in some milliseconds.
const PART_BYTES: usize = 1 << 20;

/// A worker's metrics of one virtual shard.
#[derive(Default)]
pub(crate) struct ShardSnapshot {
    /// States, in parts that can be read by themselves.
    pub(crate) states: Vec<Vec<u8>>,
    /// Hours, likewise, by day (UTC, since 1970).
    pub(crate) hours: BTreeMap<u32, Vec<Vec<u8>>>,
}

/// Makes one.
pub(super) struct ShardSnapshotWriter {
    done: ShardSnapshot,
    states: StatePart,
    has_states: bool,
    hours: BTreeMap<u32, HoursPart>,
}

impl ShardSnapshotWriter {
    pub(super) fn new() -> Self {
        Self {
            done: ShardSnapshot::default(),
            states: StatePart::new(""),
            has_states: false,
            hours: BTreeMap::new(),
        }
    }

    /// Where the next state is to be added.
    pub(super) fn states(&mut self) -> &mut StatePart {
        if self.states.length() >= PART_BYTES {
            let full = std::mem::replace(&mut self.states, StatePart::new(""));
            self.done.states.push(full.finish());
        }
        self.has_states = true;
        &mut self.states
    }

    /// Adds hours of a metric, by number.
    pub(super) fn add_hours(&mut self, metric: &str, hours: &[Hour]) {
        for of_day in hours.chunk_by(|a, b| a.number / DAY_HOURS == b.number / DAY_HOURS) {
            let day = of_day[0].number / DAY_HOURS;
            let part = self.hours.entry(day).or_default();
            part.add(metric, of_day);
            if part.length() >= PART_BYTES {
                let full = std::mem::take(part).finish();
                self.done.hours.entry(day).or_default().push(full);
            }
        }
    }

    pub(super) fn finish(mut self) -> ShardSnapshot {
        if self.has_states {
            self.done.states.push(self.states.finish());
        }
        for (day, part) in self.hours {
            self.done.hours.entry(day).or_default().push(part.finish());
        }
        self.done
    }
}
