//! The table of leases in memory, with a clock that is set: what the one in Redis is held against, and what schedules run on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use skywatch::cluster::{FencingToken, LeaseReply, LeaseRequest, LeaseStore, ShardLease, VirtualShard};
use skywatch::store::StoreError;

/// The table.
#[derive(Debug)]
pub(crate) struct LeaseTable {
    /// The table's own clock.
    pub(crate) now: Duration,
    pub(crate) sessions: BTreeMap<String, Duration>,
    pub(crate) runs: BTreeMap<String, String>,
    pub(crate) shards: Vec<ShardLease>,
    /// Broken on purpose: whoever takes a shard gets the epoch of the one before.
    pub(crate) keeps_epochs: bool,
}

impl Default for LeaseTable {
    fn default() -> Self {
        Self {
            now: Duration::ZERO,
            sessions: BTreeMap::new(),
            runs: BTreeMap::new(),
            shards: LeaseReply::empty_table(),
            keeps_epochs: false,
        }
    }
}

impl LeaseTable {
    pub(crate) fn exchange(&mut self, request: &LeaseRequest) -> LeaseReply {
        let (node, run) = (
            request.session.node().to_owned(),
            request.session.run().to_owned(),
        );
        let session = request.session.to_string();
        if let Some(known) = self.runs.get(&node).filter(|known| **known != run) {
            if !request.joins {
                return LeaseReply::Replaced;
            }
            self.sessions.remove(&format!("{node}/{known}"));
        }
        let now = self.now;
        self.sessions.retain(|_, ends| *ends > now);
        if request.leaves {
            self.sessions.remove(&session);
            self.runs.remove(&node);
        } else {
            self.runs.insert(node, run);
            self.sessions.insert(session.clone(), now + request.ttl);
        }
        for (shard, epoch) in &request.release {
            let lease = &mut self.shards[shard.index()];
            if lease.epoch == *epoch && lease.owner.as_ref() == Some(&session) {
                lease.owner = None;
            }
        }
        for (shard, least) in &request.acquire {
            let lease = &mut self.shards[shard.index()];
            if lease
                .owner
                .as_ref()
                .is_none_or(|owner| !self.sessions.contains_key(owner))
            {
                let step = u64::from(!self.keeps_epochs);
                *lease = ShardLease {
                    epoch: lease.epoch.max(*least) + step,
                    owner: Some(session.clone()),
                };
            }
        }
        LeaseReply::Table {
            sessions: self.sessions.keys().cloned().collect(),
            shards: self.shards.clone(),
        }
    }

    /// Whether a write that shows this token is taken.
    pub(crate) fn accepts(&self, shard: VirtualShard, token: &FencingToken) -> bool {
        let lease = &self.shards[shard.index()];
        lease.epoch == token.epoch && lease.owner.as_ref() == Some(&token.session)
    }
}

/// A handle of a table whose clock is this machine's.
pub(crate) struct MemoryLeases {
    pub(crate) table: Arc<Mutex<LeaseTable>>,
    pub(crate) begun: std::time::Instant,
}

impl LeaseStore for MemoryLeases {
    fn exchange(&mut self, request: &LeaseRequest) -> Result<LeaseReply, StoreError> {
        let mut table = self.table.lock().expect("no panic while it is held");
        table.now = self.begun.elapsed();
        Ok(table.exchange(request))
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}
