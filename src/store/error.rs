//! What can go wrong with a store, sorted by what the caller should do about it.

/// Why a store did not do what it was asked. `place` is its address without secrets.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Refused, cut, timed out or still loading: what was under way may or may not have happened.
    #[error("store `{place}` does not answer: {reason}")]
    Unavailable {
        /// Address of the store.
        place: String,
        /// What the system or the server said.
        reason: String,
    },
    /// The password is wrong or the user may not do this.
    #[error("store `{place}` denies user `{user}`: {reason}")]
    Denied {
        /// Address of the store.
        place: String,
        /// The user that was tried; `default` if none was named.
        user: String,
        /// What the server said.
        reason: String,
    },
    /// The disk of an embedded store is full.
    #[error("the disk of store `{place}` is full: {reason}")]
    DiskFull {
        /// The folder.
        place: String,
        /// What the system said.
        reason: String,
    },
    /// A write of an embedded store has failed; it is opened again.
    #[error("store `{place}` is being opened again, as a write has failed")]
    Reopening {
        /// The folder.
        place: String,
    },
    /// The memory of a Redis is full; writes are refused, reads still work.
    #[error("store `{place}` is out of memory: {reason}")]
    OutOfMemory {
        /// Address of the store.
        place: String,
        /// What the server said.
        reason: String,
    },
    /// A replica, or a server that cannot save and therefore refuses writes.
    #[error("store `{place}` is read-only: {reason}")]
    ReadOnly {
        /// Address of the store.
        place: String,
        /// What the server said.
        reason: String,
    },
    /// A node of a Redis Cluster, which has other keys than this one.
    #[error("store `{place}` is a node of a Redis Cluster, and another one has the key: {reason}")]
    Elsewhere {
        /// Address of the node.
        place: String,
        /// What it said.
        reason: String,
    },
    /// Some metrics cannot take points; everything else of the batch is stored.
    #[error("store `{place}` refuses {} metrics, first `{}`: {reason}",
        metrics.len(), metrics.first().map_or("", String::as_str))]
    Refused {
        /// Address of the store.
        place: String,
        /// The metrics whose samples are not stored.
        metrics: Vec<String>,
        /// Why, for the first of them.
        reason: String,
    },
    /// Another process has the folder open.
    #[error("store `{place}` is in use by another process")]
    InUse {
        /// The folder.
        place: String,
    },
    /// What is stored, or what came over the wire, breaks its own format.
    #[error("store `{place}` is corrupt: {reason}")]
    Corrupt {
        /// Address of the store.
        place: String,
        /// What was found.
        reason: String,
    },
    /// The options do not describe a store.
    #[error("store options: {reason}")]
    Options {
        /// Which option and why.
        reason: String,
    },
    /// Anything else the server or the system said.
    #[error("store `{place}`: {reason}")]
    Other {
        /// Address of the store.
        place: String,
        /// What was said.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without a change to this process.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::DiskFull { .. }
            | Self::Reopening { .. }
            | Self::OutOfMemory { .. }
            | Self::ReadOnly { .. } => true,
            Self::Denied { .. }
            | Self::Refused { .. }
            | Self::InUse { .. }
            | Self::Elsewhere { .. }
            | Self::Corrupt { .. }
            | Self::Options { .. }
            | Self::Other { .. } => false,
        }
    }

    /// Whether the store still answers and only takes nothing.
    #[must_use]
    pub fn is_of_writes_only(&self) -> bool {
        matches!(
            self,
            Self::DiskFull { .. } | Self::OutOfMemory { .. } | Self::ReadOnly { .. }
        )
    }

    /// What a person could do, where that is known; printed on a `hint:` line of its own.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unavailable { .. } => Some("is the server running, and is `store.url` its address?"),
            Self::Denied { .. } => Some(
                "check `store.username` and `store.password`; an ACL user needs `+@read +@write +@connection` \
                 on the namespace's keys, and to trim and to share metrics with other nodes `+eval +time`",
            ),
            Self::DiskFull { .. } | Self::Reopening { .. } => Some(
                "free space on the disk of `state_dir`; input is held meanwhile, and it goes on by itself",
            ),
            Self::OutOfMemory { .. } => {
                Some("free space, or raise `maxmemory` of the Redis; input is held meanwhile")
            }
            Self::ReadOnly { .. } => {
                Some("point `store.url` at the primary, or see why its last save failed")
            }
            Self::Refused { .. } => Some("something else is stored under these names"),
            Self::Elsewhere { .. } => Some("name some nodes of the cluster in `store.cluster`"),
            Self::InUse { .. } => Some("stop the other `skywatch`, or give this one another `state_dir`"),
            Self::Corrupt { .. } | Self::Options { .. } | Self::Other { .. } => None,
        }
    }
}
