//! What was learnt of the metrics of a virtual shard, for the node that holds it next.

use super::lease_store::FencingToken;
use super::virtual_shard::VirtualShard;
use crate::store::StoreError;

/// Parts of bytes by name, for each virtual shard. One thread uses a handle; calls block on the network.
///
/// What changes something shows a token, and does nothing and answers `false` if a later owner of the shard has [claimed] its
/// snapshot or changed it: check and change are one step. So what a new owner has read stays as it is until that one changes it, and
/// an owner that does not know yet that it is none may write until then.
///
/// [claimed]: Self::claim
pub trait SnapshotStore: Send {
    /// The names of all parts there are, as of the moment from which on nothing is taken any more of owners before this one. `None` if a
    /// later one has been here. Who may not write is told the names all the same.
    ///
    /// # Errors
    /// The store's own.
    fn claim(&mut self, shard: VirtualShard, token: &FencingToken)
    -> Result<Option<Vec<String>>, StoreError>;

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
