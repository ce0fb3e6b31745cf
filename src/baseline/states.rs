//! The states of the adaptive profile on disk: taken up again after a restart as if there had been none.
//!
//! Workers hand over a part of their states each pass ([`StateSaver::save`]), so that no pass waits and all are saved every
//! half hour; a thread writes each part beside its place, forces it to the disk and renames it. A start reads where each
//! metric's latest state lies, and a worker takes it when it first looks at the metric: which worker that is, and how many
//! there are, need not be as before. Points that came after a state was saved are in the window, and are shown to it
//! then. A state of another version, or one that does not hold against its checksum, is counted and learnt anew.
//!
//! A metric that nobody watches any more may come back: a store that has lost its names gets them again. So what was learnt
//! of it is not thrown away with it but goes to a file of its own, for a week, and whoever watches the metric
//! next takes it from there. A start puts there, too, what it found and nobody took.

mod adoption;
pub(super) mod format;
mod index;
mod saver;
mod unclaimed;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;
use skywatch_algorithms::streaming::Adaptive;

use super::taught::TaughtStates;
pub use adoption::StateAdoption;
pub use format::{StateCounts, StatePart, StateReader};
use format::{UNCLAIMED, parse};
use index::{StateIndex, WalkedFile};
pub use saver::StateSaver;

/// States that an earlier run left.
pub struct States {
    folder: PathBuf,
    index: Mutex<StateIndex>,
    taught: TaughtStates,
}

impl States {
    /// Reads where the states in a folder lie; one that is not there holds none.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>()?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let paths: Vec<PathBuf> = entries
            .into_iter()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "states"))
            .collect();
        let mut index = StateIndex::default();
        // Of very many metrics it takes a while.
        let walked: Vec<_> = paths.par_iter().map(|path| WalkedFile::of(path)).collect();
        for (path, walked) in paths.into_iter().zip(walked) {
            let walked = walked?;
            let number = index.take_in(walked);
            if path.ends_with(UNCLAIMED) {
                index.unclaimed = number;
            } else {
                index.paths.insert(path);
            }
        }
        index.counts.states = index.places.len() as u64;
        Ok(Self {
            folder: folder.to_owned(),
            index: Mutex::new(index),
            taught: TaughtStates::open(folder),
        })
    }

    /// No states, whatever lies in the folder.
    #[must_use]
    pub fn empty(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            index: Mutex::default(),
            taught: TaughtStates::empty(folder),
        }
    }

    fn index(&self) -> MutexGuard<'_, StateIndex> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the start found, and what turned out to be damaged since.
    #[must_use]
    pub fn counts(&self) -> StateCounts {
        self.index().counts
    }

    /// The state of a metric, once, and what else was saved with it.
    pub fn take(&self, metric: &str) -> Option<(Adaptive, Vec<u8>)> {
        self.take_with(metric, &mut StateReader::default(), parse)
    }

    /// The same for who takes many: what `read` makes of the bytes, those of [`Adaptive::write`] and behind them what else was
    /// saved.
    pub fn take_with<R>(
        &self,
        metric: &str,
        reader: &mut StateReader,
        read: impl FnOnce(&[u8]) -> Option<R>,
    ) -> Option<R> {
        // Workers take states at the same time, and must not read one after the other.
        let found = self.index().claim(metric)?;
        let state = found.read(metric, reader, read);
        if state.is_none() {
            self.index().counts.damaged += 1;
        }
        state
    }

    /// Puts metrics in the order in which their states lie, so that reading one reads those that follow; those without one come
    /// last, in the order they had.
    pub fn sort(&self, metrics: &mut [impl AsRef<str>]) {
        let index = self.index();
        metrics.sort_by_cached_key(|name| index.order_of(name.as_ref()));
    }

    /// Begins to collect what another node has learnt.
    #[must_use]
    pub fn adoption(&self) -> StateAdoption {
        StateAdoption::new(&self.folder)
    }

    /// Takes over what was collected; of each metric the state that has learnt later stays. How many were taken over.
    ///
    /// # Errors
    /// The disk takes nothing.
    pub fn adopt(&self, adoption: StateAdoption) -> std::io::Result<u64> {
        let (file, damaged) = adoption.finish()?;
        let mut index = self.index();
        index.counts.damaged += damaged;
        file.map_or(Ok(0), |file| index.adopt(file))
    }

    /// Whether anything was saved of a metric, or learnt of it by a backfill, that nobody has taken.
    pub fn knows(&self, metric: &str) -> bool {
        self.index().knows(metric) || self.taught.knows(metric)
    }

    /// The same, which stays for whoever takes it.
    pub fn peek(&self, metric: &str) -> Option<(Adaptive, Vec<u8>)> {
        let found = self.index().find(metric)?;
        found.read(metric, &mut StateReader::default(), parse)
    }

    /// What a backfill has learnt of a metric since the last question, if it did. Costs next to nothing while nothing waits.
    pub fn taught(&self, metric: &str) -> Option<Adaptive> {
        self.taught.take(metric)
    }

    /// Whether a backfill has learnt something of a metric that nobody has taken.
    pub fn was_taught(&self, metric: &str) -> bool {
        self.taught.knows(metric)
    }

    /// What is done between passes: looks for states that a backfill has left. `now`: Unix seconds.
    pub fn tend(&self, now: f64) {
        self.taught.tend(now);
        self.index().close_used_up();
    }
}
