//! Bytes under names, wherever they lie.

use super::ModelError;

/// Keeps bytes under names like `family-0/latest`. Calls block on the disk or the network; any thread may call.
pub trait BlobStore: Send + Sync {
    /// What lies under `name`; `None` for nothing.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ModelError>;

    /// Puts bytes there, all of them or none: a reader sees what was there or what is there, never a part.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ModelError>;

    /// Removes what lies there; nothing to do for nothing.
    fn remove(&self, name: &str) -> Result<(), ModelError>;

    /// The next parts of all names that begin with `folder/`, in order, each once; of all names for an empty `folder`.
    fn list(&self, folder: &str) -> Result<Vec<String>, ModelError>;

    /// Where it is, for people; holds no secret.
    fn describe(&self) -> String;
}
