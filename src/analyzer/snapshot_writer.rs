//! The thread that leaves snapshots where other nodes find them.
//!
//! Workers hand over parts of the virtual shards they have metrics of; when all of them have, parts that nobody needs any more are
//! removed, and the snapshot of the shard is whole. A part that is refused, or cannot be written, ends that: what was there before
//! stays, and what came since is made up for out of the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::hours_from::HoursFrom;
use super::snapshot_name::SnapshotName;
use crate::cluster::{FencingToken, ShardSet, SnapshotStore, VirtualShard};
use crate::store::StoreError;

/// Parts that may wait, of a megabyte each; a worker that has one more waits.
const WAITING: usize = 8;

/// From workers and the supervisor to the thread.
pub(super) enum SnapshotOrder {
    /// A part of a shard.
    Part {
        shard: VirtualShard,
        token: FencingToken,
        name: SnapshotName,
        bytes: Vec<u8>,
    },
    /// A worker has handed over all it has of a shard for the snapshot of that number ([`SnapshotSource::at`]): parts of these names,
    /// which may be none.
    Handed {
        shard: VirtualShard,
        token: FencingToken,
        snapshot: u64,
        names: Vec<SnapshotName>,
    },
    /// Say which shards are whole since the last such question, once all that came before is done.
    Whole(Sender<ShardSet>),
}

/// The way to the thread, which ends with the last copy of it. It is not waited for: when the node has left, nothing is taken of it.
#[derive(Clone)]
pub(super) struct SnapshotWriter(Sender<SnapshotOrder>);

impl SnapshotWriter {
    /// Starts the thread. `workers`: how many hand over each shard.
    pub(super) fn start(
        store: Box<dyn SnapshotStore>,
        workers: usize,
        hours_from: Arc<HoursFrom>,
    ) -> std::io::Result<Self> {
        let (send, orders) = bounded(WAITING);
        std::thread::Builder::new()
            .name("snapshots".to_owned())
            .spawn(move || SnapshotWriting::new(store, workers, hours_from).run(&orders))?;
        Ok(Self(send))
    }

    /// Hands something over; waits only if the store is far behind.
    pub(super) fn order(&self, order: SnapshotOrder) {
        // A thread that has died takes nothing: then nothing is whole.
        let _ = self.0.send(order);
    }

    /// Which shards are whole since the last such question, once all that was handed over is done; none if that is not by `due`.
    pub(super) fn whole(&self, due: Instant) -> ShardSet {
        let (reply, whole) = bounded(1);
        let asked = self.0.send_deadline(SnapshotOrder::Whole(reply), due).is_ok();
        let answer = asked.then(|| whole.recv_deadline(due).ok()).flatten();
        answer.unwrap_or_default()
    }
}

/// A snapshot of a shard to which not all workers have handed over what they have.
#[derive(Default)]
struct UnfinishedSnapshot {
    handed: usize,
    /// Whose parts they are; empty if there are none.
    node: String,
    days: BTreeSet<u32>,
    has_failed: bool,
}

/// The thread's state.
struct SnapshotWriting {
    store: Box<dyn SnapshotStore>,
    workers: usize,
    /// Which days need not be written again.
    hours_from: Arc<HoursFrom>,
    /// By shard and number: a fast worker may be at the next one.
    unfinished: BTreeMap<(VirtualShard, u64), UnfinishedSnapshot>,
    whole: ShardSet,
    is_failing: bool,
}

impl SnapshotWriting {
    fn new(store: Box<dyn SnapshotStore>, workers: usize, hours_from: Arc<HoursFrom>) -> Self {
        Self {
            store,
            workers,
            hours_from,
            unfinished: BTreeMap::new(),
            whole: ShardSet::default(),
            is_failing: false,
        }
    }

    fn run(mut self, orders: &Receiver<SnapshotOrder>) {
        for order in orders {
            match order {
                SnapshotOrder::Part {
                    shard,
                    token,
                    name,
                    bytes,
                } => {
                    let key = (shard, name.source().at);
                    if self
                        .unfinished
                        .get(&key)
                        .is_none_or(|snapshot| !snapshot.has_failed)
                    {
                        let written = self.store.write(shard, &token, &name.to_string(), &bytes);
                        let is_written = self.is_done(written);
                        self.unfinished.entry(key).or_default().has_failed = !is_written;
                    }
                }
                SnapshotOrder::Handed {
                    shard,
                    token,
                    snapshot,
                    names,
                } => self.handed(shard, &token, snapshot, &names),
                SnapshotOrder::Whole(reply) => {
                    // Whoever asked may have given up.
                    let _ = reply.send(std::mem::take(&mut self.whole));
                }
            }
        }
    }

    fn handed(&mut self, shard: VirtualShard, token: &FencingToken, number: u64, names: &[SnapshotName]) {
        let snapshot = self.unfinished.entry((shard, number)).or_default();
        snapshot.handed += 1;
        for name in names {
            snapshot.node.clone_from(&name.source().node);
            snapshot.days.extend(name.day());
        }
        if snapshot.handed < self.workers {
            return;
        }
        let Some(snapshot) = self.unfinished.remove(&(shard, number)) else {
            return;
        };
        if snapshot.has_failed {
            return;
        }
        let removed = self.remove_superseded(shard, token, number, &snapshot);
        if self.is_done(removed) {
            self.whole.insert(shard);
            if let Some(newest) = snapshot.days.last() {
                // Its last hour may have come when the day after had begun.
                self.hours_from.set(shard, newest.saturating_sub(1));
            }
        }
    }

    /// Removes parts in whose place others were written, and days that nobody reaches back to. Those of other nodes are of a time when
    /// they held the shard.
    fn remove_superseded(
        &mut self,
        shard: VirtualShard,
        token: &FencingToken,
        number: u64,
        snapshot: &UnfinishedSnapshot,
    ) -> Result<bool, StoreError> {
        let newest = snapshot.days.last().copied();
        let is_superseded = |name: &SnapshotName| {
            let source = name.source();
            let is_earlier = source.node != snapshot.node || source.at < number;
            match name.day() {
                None => is_earlier,
                Some(day) if snapshot.days.contains(&day) => is_earlier,
                Some(day) => newest.is_some_and(|newest| SnapshotName::is_out_of_reach(day, newest)),
            }
        };
        let there = self.store.names(shard)?;
        // Those of a later version are left to it.
        let superseded = there
            .into_iter()
            .filter(|name| SnapshotName::read(name).is_some_and(|name| is_superseded(&name)));
        let superseded: Vec<String> = superseded.collect();
        self.store.remove(shard, token, &superseded)
    }

    /// Whether it was done; what keeps it from being done is said once.
    fn is_done(&mut self, outcome: Result<bool, StoreError>) -> bool {
        let failing_before = std::mem::replace(&mut self.is_failing, outcome.is_err());
        match &outcome {
            Err(error) if !failing_before => {
                tracing::warn!("what was learnt is not left for other nodes :: {error}");
            }
            Ok(_) if failing_before => tracing::info!("what was learnt is left for other nodes again"),
            _ => {}
        }
        matches!(outcome, Ok(true))
    }
}
