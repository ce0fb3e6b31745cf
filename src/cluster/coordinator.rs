//! What the analyzer knows of other nodes.

use super::ownership::Ownership;
use super::virtual_shard::ShardSet;
use crate::store::StoreError;

/// Says which virtual shards this node may look at.
///
/// The supervisor asks at the beginning of each pass and, before it hands findings on, at its end: what is said of a shard that
/// has been another's between is thrown away. Calls come from one thread and may block on the network, for less than a lease
/// lasts. Between them an implementation keeps what is held by itself.
pub trait Coordinator: Send + Sync {
    /// What this node may look at now, asked anew.
    ///
    /// # Errors
    /// The store that all share does not answer.
    fn refresh(&self) -> Result<Ownership, StoreError>;

    /// Gives shards back, which nobody here looks at any more; whoever they belong to takes them with its next heartbeat.
    ///
    /// # Errors
    /// The store's own; they are given back later then, or run out.
    fn release(&self, shards: &ShardSet) -> Result<(), StoreError>;

    /// Gives everything back, at the end.
    fn leave(&self);
}

/// A node that is alone: over an embedded store, or by `cluster.enabled = false`. It owns everything, and asks nobody.
#[derive(Debug)]
pub struct LocalCoordinator(Ownership);

impl LocalCoordinator {
    /// A node of that name.
    #[must_use]
    pub fn new(node: &str) -> Self {
        Self(Ownership::of_all(node))
    }
}

impl Coordinator for LocalCoordinator {
    fn refresh(&self) -> Result<Ownership, StoreError> {
        Ok(self.0.clone())
    }

    fn release(&self, _: &ShardSet) -> Result<(), StoreError> {
        Ok(())
    }

    fn leave(&self) {}
}
