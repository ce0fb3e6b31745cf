//! What the handles of all threads share.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::days::DayFiles;
use super::losses::LossCounts;
use super::slots::SlotTable;

/// The files of hours and the list of metrics.
pub(super) struct BaselineShared {
    pub(super) folder: PathBuf,
    pub(super) days: RwLock<DayFiles>,
    pub(super) names: Mutex<SlotTable>,
    /// Changes when records change under the handles.
    pub(super) generation: AtomicU64,
    pub(super) losses: LossCounts,
    /// Whether nothing is ever written: opened read-only.
    pub(super) is_read_only: bool,
}

impl BaselineShared {
    pub(super) fn names(&self) -> MutexGuard<'_, SlotTable> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn days(&self) -> RwLockReadGuard<'_, DayFiles> {
        self.days.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn days_mut(&self) -> RwLockWriteGuard<'_, DayFiles> {
        self.days.write().unwrap_or_else(PoisonError::into_inner)
    }
}
