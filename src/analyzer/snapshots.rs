//! When what was learnt is left for other nodes, and when what they have left is taken up.
//!
//! As long as other nodes live, the virtual shards of this one are written in turn, all of them once in
//! [`SnapshotOptions::each`]; one that is handed over is written before. Whoever takes a shard takes up its snapshot, however old,
//! and learns from the store what has come since: a hand-over, a death and a restart are one and the same. A node that is alone
//! writes nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::adaptive::AdaptiveOptions;
use super::hours_from::HoursFrom;
use super::shard_snapshot::ShardSnapshot;
use super::snapshot_name::{SnapshotName, SnapshotSource};
use super::snapshot_writer::{SnapshotOrder, SnapshotWriter};
use crate::cluster::{OpenSnapshots, Ownership, ShardSet, SnapshotStore, VirtualShard};
use crate::stop::Stop;
use crate::store::StoreError;

/// How long a hand-over waits for snapshots to be whole; what is not by then is handed over after a later pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// How snapshots are made.
pub struct SnapshotOptions {
    /// Makes handles of where they lie.
    pub open: OpenSnapshots,
    /// Time in which each virtual shard is written once.
    pub each: Duration,
}

/// What the supervisor does about snapshots.
pub(super) struct Snapshots {
    writer: SnapshotWriter,
    store: Box<dyn SnapshotStore>,
    adaptive: Arc<AdaptiveOptions>,
    /// Passes in which each shard is written once.
    passes: u64,
    hours_from: Arc<HoursFrom>,
    /// Held shards of which it was looked what others have left.
    adopted: ShardSet,
}

/// An order to workers: what they know of the metrics of these shards is to be left for other nodes. Whoever waits for all of them waits
/// until the last copy of it is gone.
#[derive(Clone)]
pub(super) struct SnapshotRound {
    owned: Ownership,
    shards: ShardSet,
    at: u64,
    hours_from: Arc<HoursFrom>,
    writer: SnapshotWriter,
    _done: Sender<()>,
}

impl Snapshots {
    /// Starts the thread that writes. `workers`: how many have metrics; `pace`: time from one pass to the next.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(super) fn start(
        options: &SnapshotOptions,
        adaptive: Arc<AdaptiveOptions>,
        workers: usize,
        pace: Duration,
    ) -> std::io::Result<Self> {
        let hours_from = Arc::new(HoursFrom::default());
        Ok(Self {
            writer: SnapshotWriter::start((options.open)(), workers, Arc::clone(&hours_from))?,
            store: (options.open)(),
            adaptive,
            passes: (options.each.as_secs_f64() / pace.as_secs_f64().max(1e-3)).max(1.0) as u64,
            hours_from,
            adopted: ShardSet::default(),
        })
    }

    /// Takes up what other nodes have left of shards that this one holds since now. Who may not read it learns anew.
    ///
    /// # Errors
    /// The store does not answer; what was not taken up is with the next call.
    pub(super) fn adopt(&mut self, owned: &Ownership) -> Result<(), StoreError> {
        let outcome = self.take_up(owned);
        match outcome {
            Err(error) if !error.is_retryable() => {
                tracing::warn!("what other nodes have learnt is learnt anew :: {error}");
                self.adopted = owned.shards;
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn take_up(&mut self, owned: &Ownership) -> Result<(), StoreError> {
        self.adopted = self.adopted.within(&owned.shards);
        let fresh = owned.shards.without(&self.adopted);
        if fresh.is_empty() {
            return Ok(());
        }
        let (begun, adaptive) = (Instant::now(), Arc::clone(&self.adaptive));
        let (mut states, mut hours, mut refused) = (adaptive.states.adoption(), 0, None);
        for shard in fresh.iter() {
            let mut newest = 0;
            let claimed = owned.token(shard).map(|token| self.store.claim(shard, &token));
            // Of one that has a later owner what is learnt now is thrown away with the pass.
            for name in claimed.transpose()?.flatten().unwrap_or_default() {
                // Those of a later version say nothing to this one.
                let Some(part) = SnapshotName::read(&name) else {
                    continue;
                };
                newest = newest.max(part.day().unwrap_or(0));
                // What this node has written it has on its own disk, and newer.
                if part.source().node == owned.node {
                    continue;
                }
                let Some(bytes) = self.store.read(shard, &name)? else {
                    continue;
                };
                match part {
                    SnapshotName::States(_) => refused = states.add(&bytes).err().or(refused),
                    SnapshotName::Hours { .. } => hours += adaptive.memory.adopt(&bytes),
                }
            }
            self.hours_from.set(shard, newest);
        }
        let states = adaptive.states.adopt(states).unwrap_or_else(|error| {
            refused = Some(error);
            0
        });
        if let Some(error) = refused {
            tracing::warn!("states of other nodes are not taken over, and learnt anew :: {error}");
        }
        self.adopted = owned.shards;
        if states > 0 || hours > 0 {
            tracing::info!(
                "states of {states} metrics, and hours, taken over from other nodes in {:.2} seconds",
                begun.elapsed().as_secs_f64()
            );
        }
        Ok(())
    }

    /// What is to be written after pass `number` at `now` (Unix seconds), with the channel that closes when all workers have handed
    /// theirs over; nothing if nothing is.
    pub(super) fn round(
        &self,
        owned: &Ownership,
        leaving: &ShardSet,
        number: u64,
        now: f64,
    ) -> Option<(SnapshotRound, Receiver<()>)> {
        let is_due = |shard: &VirtualShard| {
            let in_turn = shard.index() as u64 % self.passes == number % self.passes;
            leaving.contains(*shard) || (in_turn && !owned.is_alone())
        };
        let shards: ShardSet = owned.shards.iter().filter(is_due).collect();
        if shards.is_empty() {
            return None;
        }
        let (done, all_done) = bounded(0);
        let round = SnapshotRound {
            owned: owned.clone(),
            shards,
            at: (now * 1e3) as u64,
            hours_from: Arc::clone(&self.hours_from),
            writer: self.writer.clone(),
            _done: done,
        };
        Some((round, all_done))
    }

    /// Waits until the snapshots of a round are whole, and answers of which they are; not for long, and not after stop was said.
    pub(super) fn wait(&self, all_done: &Receiver<()>, stop: &Stop) -> ShardSet {
        let due = Instant::now() + PATIENCE;
        select! {
            // Nothing is ever sent: it closes.
            recv(all_done) -> _ => {}
            recv(stop.channel()) -> _ => return ShardSet::default(),
            default(PATIENCE) => return ShardSet::default(),
        }
        self.writer.whole(due)
    }
}

impl SnapshotRound {
    /// The shards.
    pub(super) fn shards(&self) -> &ShardSet {
        &self.shards
    }

    /// The day (UTC, since 1970) from which on the hours of a shard's metrics are to be written.
    pub(super) fn hours_from(&self, shard: VirtualShard) -> u32 {
        self.hours_from.of(shard)
    }

    /// Hands over what one worker knows of a shard; waits only if the store is far behind.
    pub(super) fn hand(&self, shard: VirtualShard, seat: (usize, usize), snapshot: ShardSnapshot) {
        let Some(token) = self.owned.token(shard) else {
            return;
        };
        let source = |part| SnapshotSource {
            node: self.owned.node.clone(),
            seat,
            at: self.at,
            part,
        };
        let states = snapshot.states.into_iter().enumerate();
        let mut parts: Vec<(SnapshotName, Vec<u8>)> = states
            .map(|(part, bytes)| (SnapshotName::States(source(part)), bytes))
            .collect();
        for (day, of_day) in snapshot.hours {
            parts.extend(of_day.into_iter().enumerate().map(|(part, bytes)| {
                let name = SnapshotName::Hours {
                    day,
                    source: source(part),
                };
                (name, bytes)
            }));
        }
        let names = parts.iter().map(|(name, _)| name.clone()).collect();
        for (name, bytes) in parts {
            let token = token.clone();
            self.writer.order(SnapshotOrder::Part {
                shard,
                token,
                name,
                bytes,
            });
        }
        self.writer.order(SnapshotOrder::Handed {
            shard,
            token,
            snapshot: self.at,
            names,
        });
    }
}
