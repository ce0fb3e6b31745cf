//! What a node holds, as of its last heartbeat.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lease_store::FencingToken;
use super::virtual_shard::{ShardSet, VIRTUAL_SHARDS, VirtualShard};

/// A node that lives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterNode {
    /// Its name.
    pub name: String,
    /// How many virtual shards it holds.
    pub shards: u64,
}

/// What a node holds, as of its last heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// The node.
    pub node: String,
    /// The shards it may look at.
    pub shards: ShardSet,
    /// Those of them that belong to another node, which waits for them.
    pub leaving: ShardSet,
    /// All nodes that live, by name.
    pub nodes: Vec<ClusterNode>,
    /// How often this run of the node has taken a shard.
    pub acquired: u64,
    /// How often it has given one back, or lost it.
    pub lost: u64,
    pub(super) session: Arc<str>,
    /// Under which epoch each is held; 0 where it is not.
    pub(super) epochs: Arc<[u64; VIRTUAL_SHARDS]>,
}

impl Default for Ownership {
    /// Nothing.
    fn default() -> Self {
        Self {
            shards: ShardSet::default(),
            nodes: Vec::new(),
            epochs: Arc::new([0; VIRTUAL_SHARDS]),
            ..Self::of_all("")
        }
    }
}

impl Ownership {
    /// Everything, for a node that is alone: nobody ever refuses what it writes.
    #[must_use]
    pub fn of_all(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            shards: ShardSet::FULL,
            leaving: ShardSet::default(),
            nodes: vec![ClusterNode {
                name: node.to_owned(),
                shards: VIRTUAL_SHARDS as u64,
            }],
            acquired: 0,
            lost: 0,
            session: Arc::from(node),
            epochs: Arc::new([1; VIRTUAL_SHARDS]),
        }
    }

    /// What a write for the shard has to show; `None` if it is not held.
    #[must_use]
    pub fn token(&self, shard: VirtualShard) -> Option<FencingToken> {
        self.shards.contains(shard).then(|| FencingToken {
            epoch: self.epochs[shard.index()],
            session: self.session.to_string(),
        })
    }

    /// The shards that were held before and are held now, without having been another's between: each who takes one adds one to
    /// its epoch, so one more is this node itself, after its lease had run out or the table was lost.
    #[must_use]
    pub fn kept_since(&self, before: &Self) -> ShardSet {
        let is_kept = |shard: &VirtualShard| {
            let (was, is) = (before.epochs[shard.index()], self.epochs[shard.index()]);
            before.shards.contains(*shard) && before.session == self.session && (was..=was + 1).contains(&is)
        };
        self.shards.iter().filter(is_kept).collect()
    }

    /// Whether no other node lives.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.nodes.iter().all(|node| node.name == self.node)
    }
}
