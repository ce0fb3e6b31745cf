//! What a worker knows of the metrics of some virtual shards, handed over between passes.

use std::collections::BTreeMap;

use super::super::shard_snapshot::ShardSnapshot;
use super::super::snapshots::SnapshotRound;
use super::Worker;
use crate::cluster::VirtualShard;
use crate::store::Connect;

impl<K: Connect> Worker<K> {
    /// Hands over what is known of the metrics of each shard.
    pub(super) fn hand_snapshots(&mut self, round: &SnapshotRound) {
        let mut of_shard: BTreeMap<VirtualShard, Vec<usize>> =
            round.shards().iter().map(|shard| (shard, Vec::new())).collect();
        for (index, shard) in self.shards.iter().enumerate() {
            if let Some(metrics) = of_shard.get_mut(shard) {
                metrics.push(index);
            }
        }
        let seat = self.context.options.seat;
        for (shard, metrics) in of_shard {
            let snapshot = self.snapshot(&metrics, round.hours_from(shard));
            round.hand(shard, seat, snapshot);
        }
    }

    /// What is known of some metrics, by their places, with their hours from a day (UTC, since 1970) on.
    pub(crate) fn snapshot(&mut self, places: &[usize], from_day: u32) -> ShardSnapshot {
        let (names, metrics) = (&self.names, &self.metrics);
        let Some(adaptive) = self.context.evaluator.adaptive_mut() else {
            return ShardSnapshot::default();
        };
        let known = places
            .iter()
            .map(|&place| (&names[place], metrics[place].state()));
        let position = |index: usize, bytes: &mut Vec<u8>| metrics[places[index]].write_position(bytes);
        adaptive.snapshot(known, position, from_day)
    }
}
