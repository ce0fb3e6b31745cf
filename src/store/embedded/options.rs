//! Where and how an embedded store lies.

use std::path::PathBuf;
use std::time::Duration;

/// Where and how an embedded store lies.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// The folder it has for itself; made if it is not there.
    pub folder: PathBuf,
    /// Memory for blocks read from disk.
    pub cache_bytes: u64,
    /// How often the journal is forced to the disk: what a power cut may cost.
    pub sync_every: Duration,
}

impl EmbeddedOptions {
    /// The usual options for a folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            cache_bytes: 32 << 20,
            sync_every: Duration::from_secs(1),
        }
    }
}
