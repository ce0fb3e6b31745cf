//! What was learnt of the metrics of a virtual shard, for the node that holds it next.

use super::lease_store::FencingToken;
use super::virtual_shard::VirtualShard;
use crate::store::StoreError;

/// Parts of bytes by name, for each virtual shard. One thread uses a handle; calls block on the network.
///
/// What changes something shows a token, and does nothing and answers `false` if that is not the shard's present owner's:
/// check and change are one step.
pub trait SnapshotStore: Send {
    /// Leaves a part, in place of one of the same name. Parts that nobody renews for a week are gone.
    ///
    /// # Errors
    /// The store's own.
    fn write(
        &mut self,
        shard: VirtualShard,
        token: &FencingToken,
        name: &str,
        bytes: &[u8],
    ) -> Result<bool, StoreError>;

    /// The names of all parts there are.
    ///
    /// # Errors
    /// The store's own.
    fn names(&mut self, shard: VirtualShard) -> Result<Vec<String>, StoreError>;

    /// A part, if it is still there.
    ///
    /// # Errors
    /// The store's own.
    fn read(&mut self, shard: VirtualShard, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes parts.
    ///
    /// # Errors
    /// The store's own.
    fn remove(
        &mut self,
        shard: VirtualShard,
        token: &FencingToken,
        names: &[String],
    ) -> Result<bool, StoreError>;
}

/// Makes handles.
pub type OpenSnapshots = Box<dyn Fn() -> Box<dyn SnapshotStore> + Send + Sync>;
