//! The days points are kept by: one keyspace each, made with its first point, dropped whole.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use fjall::config::{BlockSizePolicy, CompressionPolicy};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions};

const DAY_SECONDS: f64 = 86_400.0;
const PREFIX: &str = "points-";
/// Memory for points of one day not yet in a file.
const MEMTABLE_BYTES: u64 = 16 << 20;
/// Points are read a series at a time, so larger blocks than a key-value store would like.
const BLOCK_BYTES: u32 = 16 << 10;
/// Most days with points, more than are ever kept: a bound on the files that points with wild times may cost.
const MOST_DAYS: usize = 800;

/// The day a time belongs to, counted from 1970.
pub(super) fn day_of(time: f64) -> i64 {
    (time / DAY_SECONDS).floor() as i64
}

/// DayKeyspaces in order of time.
pub(super) struct DayKeyspaces {
    database: Database,
    open: RwLock<BTreeMap<i64, Keyspace>>,
}

impl DayKeyspaces {
    pub(super) fn open(database: Database) -> fjall::Result<Self> {
        let mut open = BTreeMap::new();
        for name in database.list_keyspace_names() {
            if let Some(day) = name.strip_prefix(PREFIX).and_then(|day| day.parse().ok()) {
                open.insert(day, database.keyspace(&name, options)?);
            }
        }
        Ok(Self {
            database,
            open: RwLock::new(open),
        })
    }

    /// All days, oldest first.
    pub(super) fn all(&self) -> Vec<Keyspace> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.values().cloned().collect()
    }

    /// The keyspace of a day, made if need be; `None` if there are too many already.
    pub(super) fn get_or_make(&self, day: i64) -> fjall::Result<Option<Keyspace>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(keyspace) = open.get(&day) {
            return Ok(Some(keyspace.clone()));
        }
        drop(open);
        // Held while a folder is made: once a day.
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MOST_DAYS && !open.contains_key(&day) {
            return Ok(None);
        }
        let keyspace = self.database.keyspace(&format!("{PREFIX}{day}"), options)?;
        open.insert(day, keyspace.clone());
        Ok(Some(keyspace))
    }

    /// Drops the days that ended at or before `time` and says how many. A reader in the middle of
    /// one reads it to its end.
    pub(super) fn drop_before(&self, time: f64) -> fjall::Result<usize> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let kept = open.split_off(&day_of(time));
        let expired = std::mem::replace(&mut *open, kept);
        drop(open);
        let count = expired.len();
        for keyspace in expired.into_values() {
            self.database.delete_keyspace(keyspace)?;
        }
        Ok(count)
    }
}

fn options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
}
