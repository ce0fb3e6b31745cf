//! The hours of all metrics, opened and looked after between passes.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use skywatch_algorithms::streaming::Hour;

use super::days::DayFiles;
use super::handle::BaselineHandle;
use super::inbox;
use super::losses::LossCounts;
use super::shared::BaselineShared;
use super::slots::SlotTable;
use crate::files;

/// The hours of all metrics. Cheap to clone; each thread that asks for metrics takes a [`BaselineHandle`].
#[derive(Clone)]
pub struct Baseline {
    shared: Arc<BaselineShared>,
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

    /// The same for one metric: no other is in it. The time it takes hardly grows with how many there are.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open_for(folder: &Path, metric: &str) -> std::io::Result<Self> {
        Self::of(folder, true, |losses| SlotTable::open_for(folder, metric, losses))
    }

    fn with(folder: &Path, is_read_only: bool) -> std::io::Result<Self> {
        Self::of(folder, is_read_only, |losses| {
            SlotTable::open(folder, is_read_only, losses)
        })
    }

    fn of(
        folder: &Path,
        is_read_only: bool,
        names: impl FnOnce(&LossCounts) -> std::io::Result<SlotTable>,
    ) -> std::io::Result<Self> {
        let losses = LossCounts::default();
        let days = DayFiles::open(folder, is_read_only, &losses)?;
        let names = names(&losses)?;
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
    pub fn sort(&self, metrics: &mut [impl AsRef<str>]) {
        let names = self.shared.names();
        metrics.sort_by_cached_key(|name| names.slot_of(name.as_ref()).unwrap_or(u32::MAX));
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

    /// Takes over a [part](super::HoursPart) of hours that another node has; those that are kept already stay as they are. Of how many
    /// metrics there were any.
    pub fn adopt(&self, part: &[u8]) -> usize {
        inbox::take_in(part, &mut self.handle(), &self.shared.losses)
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
