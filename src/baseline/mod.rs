//! What the adaptive profile remembers on this machine: hours of every metric, and the states of its detectors.
//!
//! The hours lie in a file a day ([`days`]), a record a metric: an hour of all metrics is written near together, and a day
//! that is out of reach is dropped by removing its file. Files over months with a metric's hours side by side would be
//! read in one go, but every hour of every metric would touch a page of its own: fourteen times the writes.
//! One process writes; what others have to add (`skywatch backfill`) waits for it in the [`inbox`].
//! ReleasedState out: anything that must not be lost. Hours and states can be learnt anew, so a record that does not hold
//! against its checksum is dropped and counted, and nothing waits for the disk.

mod days;
mod handle;
mod hourly;
mod inbox;
mod slots;
mod states;
mod taught;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use skywatch_algorithms::streaming::{Hour, REACH};

use crate::files;
use days::{DAY_HOURS, DayFiles};
pub use handle::{BaselineHandle, MetricHours, MetricSlot};
pub use hourly::HourlyAggregator;
pub use inbox::InboxWriter;
use slots::SlotTable;
pub use states::{StateCounts, StatePart, StateSaver, States};
pub use taught::TaughtWriter;

/// DayFiles of files kept: those the reach lies in, and one for the day that begins.
const KEPT_DAYS: u32 = REACH / DAY_HOURS + 1;

/// What went wrong on disk since the start; nobody waits for it, so it is counted.
#[derive(Debug, Default)]
pub struct LossCounts {
    /// Records that do not hold against their checksum, or are cut off.
    pub dropped: AtomicU64,
    /// Reads and writes that the system refused.
    pub failed: AtomicU64,
    /// Hours too far from all others to be kept.
    pub out_of_reach: AtomicU64,
}

impl LossCounts {
    fn count(of: &AtomicU64) {
        of.fetch_add(1, Ordering::Relaxed);
    }

    /// Dropped, failed, out of reach.
    #[must_use]
    pub fn counts(&self) -> [u64; 3] {
        [&self.dropped, &self.failed, &self.out_of_reach].map(|count| count.load(Ordering::Relaxed))
    }
}

/// The hours of all metrics. Cheap to clone; each thread that asks for metrics takes a [`BaselineHandle`].
#[derive(Clone)]
pub struct Baseline {
    shared: Arc<BaselineShared>,
}

struct BaselineShared {
    folder: PathBuf,
    days: RwLock<DayFiles>,
    names: Mutex<SlotTable>,
    /// Changes when records change under the handles.
    generation: AtomicU64,
    losses: LossCounts,
    /// Whether nothing is ever written: opened read-only.
    is_read_only: bool,
}

impl Baseline {
    /// Opens the baseline in a folder, making it if there is none. One process may have it open so.
    ///
    /// # Errors
    /// The folder or a file in it cannot be made or read.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        files::folder(&folder.join(inbox::FOLDER))?;
        Self::with(folder, false)
    }

    /// Opens the baseline of a process that may be running; writes nothing. One that is not there is empty.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open_read_only(folder: &Path) -> std::io::Result<Self> {
        Self::with(folder, true)
    }

    fn with(folder: &Path, is_read_only: bool) -> std::io::Result<Self> {
        let losses = LossCounts::default();
        let days = DayFiles::open(folder, is_read_only, &losses)?;
        let names = SlotTable::open(folder, is_read_only, &losses)?;
        Ok(Self {
            shared: Arc::new(BaselineShared {
                folder: folder.to_owned(),
                days: RwLock::new(days),
                names: Mutex::new(names),
                generation: AtomicU64::new(0),
                losses,
                is_read_only,
            }),
        })
    }

    /// A place for one thread to ask from.
    #[must_use]
    pub fn handle(&self) -> BaselineHandle {
        BaselineHandle::new(Arc::clone(&self.shared))
    }

    /// Puts metrics in the order in which their hours lie, so that reading one reads those that follow.
    pub fn sort(&self, metrics: &mut [Arc<str>]) {
        let names = self.shared.names();
        metrics.sort_by_cached_key(|name| names.slot_of(name).unwrap_or(u32::MAX));
    }

    /// What is done between passes, while no handle is in use: takes in what waits in the inbox, drops days and metrics that
    /// are out of reach. `now`: Unix seconds.
    pub fn tend(&self, now: f64) {
        let shared = &self.shared;
        if shared.is_read_only {
            return;
        }
        if self.was_deleted() {
            self.recreate();
        }
        let taken = inbox::take(&shared.folder, &mut self.handle(), &shared.losses);
        let dropped = shared.days_mut().drop_old(now, &shared.losses);
        if taken > 0 || dropped {
            shared.generation.fetch_add(1, Ordering::Relaxed);
        }
        if taken > 0 {
            tracing::info!("hours of {taken} metrics taken into the long memory");
        }
        let newest = shared.days().newest();
        shared.names().tend(newest, &shared.losses);
    }

    /// Whether the files that are open are not in their place any more.
    fn was_deleted(&self) -> bool {
        !self.shared.folder.join("names").exists() && self.shared.names().is_written()
    }

    /// Writes what is known again: files that were deleted can be read for as long as they are open.
    fn recreate(&self) {
        let shared = &self.shared;
        let outcome = files::folder(&shared.folder.join(inbox::FOLDER))
            .and_then(|()| shared.days_mut().recreate())
            .and_then(|()| shared.names().rewrite());
        shared.generation.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Ok(()) => tracing::error!(
                "the long memory in `{}` was deleted while in use :: written anew, nothing is lost",
                shared.folder.display()
            ),
            Err(error) => {
                LossCounts::count(&shared.losses.failed);
                tracing::error!(
                    "the long memory was deleted while in use, and is not written anew :: {error}"
                );
            }
        }
    }

    /// What went wrong so far.
    #[must_use]
    pub fn losses(&self) -> &LossCounts {
        &self.shared.losses
    }

    /// Hours of one metric, oldest first, for people and tests.
    #[must_use]
    pub fn hours_of(&self, metric: &str) -> Vec<Hour> {
        self.handle().hours_of(metric)
    }
}

impl BaselineShared {
    fn names(&self) -> MutexGuard<'_, SlotTable> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn days(&self) -> std::sync::RwLockReadGuard<'_, DayFiles> {
        self.days.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn days_mut(&self) -> std::sync::RwLockWriteGuard<'_, DayFiles> {
        self.days.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a file beside its place, makes sure that it is on the disk, and renames it.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    files::replace(path, bytes, files::Durability::Durable)
}

/// A checksum that is never 0, so that a hole in a file holds no record.
fn checksum(bytes: &[u8], seed: u64) -> u32 {
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, seed);
    (hash ^ (hash >> 32)) as u32 | 1
}

#[cfg(test)]
mod tests;
