//! The table of leases that all nodes share, and what a node asks of it.

use std::fmt;
use std::time::Duration;

use super::virtual_shard::{VIRTUAL_SHARDS, VirtualShard};
use crate::store::StoreError;

/// One run of one node: the holder of leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    node: String,
    run: String,
}

impl Session {
    /// The run of that name of a node; neither holds a slash or a space.
    #[must_use]
    pub fn new(node: &str, run: &str) -> Self {
        let plain = |name: &str| name.replace(['/', ' '], "_");
        Self {
            node: plain(node),
            run: plain(run),
        }
    }

    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// What tells this run from others of the node.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The node of a session as it is written down.
    #[must_use]
    pub fn node_of(written: &str) -> &str {
        written.split_once('/').map_or(written, |(node, _)| node)
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.run)
    }
}

/// What a write shows to prove that it is of the shard's present owner: epoch and session. The epoch alone would do if no
/// store ever lost a write it had confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FencingToken {
    /// Grows each time the shard is taken.
    pub epoch: u64,
    /// Who has taken it then.
    pub session: String,
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.epoch, self.session)
    }
}

/// A heartbeat, and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    /// Who asks.
    pub session: Session,
    /// How long the session lives without another heartbeat.
    pub ttl: Duration,
    /// Whether it is the session's first: another run of the same node is over then.
    pub joins: bool,
    /// Whether it is the last: the session ends, and what it holds is free.
    pub leaves: bool,
    /// Shards that are given back, with the epochs under which they are held.
    pub release: Vec<(VirtualShard, u64)>,
    /// Shards to be taken if they are free, each under an epoch above this one.
    pub acquire: Vec<(VirtualShard, u64)>,
}

/// One row of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShardLease {
    /// Under which it was last taken; 0 if it never was.
    pub epoch: u64,
    /// The session that holds it; one that lives no more holds nothing. `None` if it was given back.
    pub owner: Option<String>,
}

/// The state after a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseReply {
    /// Another run of the same node has joined since: this one holds nothing, and nothing was done.
    Replaced,
    /// The heartbeat counts.
    Table {
        /// Sessions that live, this one among them unless it leaves.
        sessions: Vec<String>,
        /// All shards, by number.
        shards: Vec<ShardLease>,
    },
}

impl LeaseReply {
    /// A table in which nobody holds anything.
    #[must_use]
    pub fn empty_table() -> Vec<ShardLease> {
        vec![ShardLease::default(); VIRTUAL_SHARDS]
    }
}

/// The shared table. One thread uses a handle; calls block on the network, for less than a lease lasts.
///
/// [`exchange`](Self::exchange) is one step that nothing comes between: sessions without a heartbeat end, the one that asks is
/// kept for its ttl, what it gives back is free, what it asks for and is free (never taken, given back, or of a session that
/// has ended) is its own under a new epoch. Heartbeats of a session that was ended for its silence let it live again: what
/// nobody has taken meanwhile is still its own.
pub trait LeaseStore: Send {
    /// One heartbeat.
    ///
    /// # Errors
    /// The store's own. Whether the step was taken is not known after one that is retryable.
    fn exchange(&mut self, request: &LeaseRequest) -> Result<LeaseReply, StoreError>;

    /// Where the table is, for people; holds no secret.
    fn describe(&self) -> String;
}
