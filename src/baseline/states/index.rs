//! Where each metric's latest state lies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::hash::BuildHasherDefault;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::{StateCounts, StateLocation, StateReader, walk};
use crate::hash::{Hashed, hash};

/// A state whose metric has just left, on its way to the file.
pub(super) struct ReleasedState {
    /// The whole entry.
    pub(super) entry: Vec<u8>,
    /// Where in it the state begins.
    pub(super) at: usize,
    pub(super) time: f64,
}

/// A metric's state, to be read without the index.
pub(super) enum FoundState {
    /// Bytes of one whose metric has just left.
    Released(Vec<u8>),
    /// Where it lies in which file.
    Saved(StateLocation, Arc<File>),
}

impl FoundState {
    /// What `read` makes of the state's bytes and of what else was saved with it behind them, if they hold against their checksum.
    pub(super) fn read<R>(
        &self,
        metric: &str,
        reader: &mut StateReader,
        read: impl FnOnce(&[u8]) -> Option<R>,
    ) -> Option<R> {
        match self {
            Self::Released(bytes) => read(bytes),
            Self::Saved(place, file) => read(place.read(file, metric, reader)?),
        }
    }
}

#[derive(Default)]
pub(super) struct StateIndex {
    pub(super) files: BTreeMap<usize, Arc<File>>,
    /// The number the next file gets.
    pub(super) next: usize,
    /// The number of the file of those that nobody watches.
    pub(super) unclaimed: Option<usize>,
    pub(super) released: HashMap<u64, ReleasedState, BuildHasherDefault<Hashed>>,
    pub(super) paths: BTreeSet<PathBuf>,
    pub(super) places: HashMap<u64, StateLocation, BuildHasherDefault<Hashed>>,
    pub(super) counts: StateCounts,
    /// The numbers of files of adopted states.
    pub(super) adopted: BTreeSet<usize>,
}

impl StateIndex {
    /// Takes a file, and answers its number.
    pub(super) fn keep(&mut self, file: Arc<File>) -> usize {
        let number = self.next;
        self.next += 1;
        self.files.insert(number, file);
        number
    }

    /// Whether anything is known of a metric.
    pub(super) fn knows(&self, metric: &str) -> bool {
        let key = hash(metric);
        self.released.contains_key(&key) || self.places.contains_key(&key)
    }

    /// Where a metric's state is, if it is known.
    pub(super) fn find(&self, metric: &str) -> Option<FoundState> {
        let key = hash(metric);
        if let Some(left) = self.released.get(&key) {
            return Some(FoundState::Released(left.entry[left.at..].to_vec()));
        }
        self.saved(*self.places.get(&key)?)
    }

    fn saved(&self, place: StateLocation) -> Option<FoundState> {
        Some(FoundState::Saved(place, Arc::clone(self.files.get(&place.file)?)))
    }

    /// Where a metric's state comes in the order in which they are read fastest.
    pub(super) fn order_of(&self, metric: &str) -> (usize, u64) {
        let place = self.places.get(&hash(metric));
        place.map_or((usize::MAX, 0), |place| (place.file, place.begin))
    }

    /// Where a metric's state is, if it is known; from here on it is not.
    pub(super) fn claim(&mut self, metric: &str) -> Option<FoundState> {
        let key = hash(metric);
        let (released, place) = (self.released.remove(&key), self.places.remove(&key));
        match released {
            Some(mut left) => Some(FoundState::Released(left.entry.split_off(left.at))),
            None => self.saved(place?),
        }
    }

    /// Notes where states lie that another node has learnt, of metrics of which nothing later is known, and answers how many.
    pub(super) fn adopt(&mut self, file: File) -> std::io::Result<u64> {
        let number = self.next;
        let (places, released) = (&mut self.places, &mut self.released);
        let mut adopted = 0;
        walk(&file, &mut self.counts, &mut |metric, place| {
            let key = hash(metric);
            let is_later = |time: f64| place.time > time;
            if places.get(&key).is_none_or(|known| is_later(known.time))
                && released.get(&key).is_none_or(|left| is_later(left.time))
            {
                released.remove(&key);
                places.insert(key, place.in_file(number));
                adopted += 1;
            }
        })?;
        if adopted > 0 {
            let number = self.keep(Arc::new(file));
            self.adopted.insert(number);
        }
        Ok(adopted)
    }

    /// Lets go of files of adopted states none of which is left.
    pub(super) fn close_used_up(&mut self) {
        if !self.adopted.is_empty() {
            let used: BTreeSet<usize> = self.places.values().map(|place| place.file).collect();
            for number in self.adopted.difference(&used) {
                self.files.remove(number);
            }
            self.adopted = self.adopted.intersection(&used).copied().collect();
        }
    }

    /// Notes where the states of a file lie, and answers the number it has now; `None` if it is none of states that this version
    /// reads.
    pub(super) fn take_in(&mut self, walked: WalkedFile) -> Option<usize> {
        self.counts.damaged += walked.counts.damaged;
        self.counts.other_versions += walked.counts.other_versions;
        if !walked.is_of_states {
            return None;
        }
        let number = self.keep(Arc::new(walked.file));
        self.places.reserve(walked.states.len());
        for (key, place) in walked.states {
            let is_older = |known: &StateLocation| known.time <= place.time;
            if self.places.get(&key).is_none_or(is_older) {
                self.places.insert(key, place.in_file(number));
            }
        }
        Some(number)
    }
}

/// A file and where its states lie, each by the hash of its metric.
pub(super) struct WalkedFile {
    file: File,
    is_of_states: bool,
    states: Vec<(u64, StateLocation)>,
    counts: StateCounts,
}

impl WalkedFile {
    /// Walks over a file.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let (mut states, mut counts) = (Vec::new(), StateCounts::default());
        let is_of_states = walk(&file, &mut counts, &mut |metric, place| {
            states.push((hash(metric), place));
        })?;
        Ok(Self {
            file,
            is_of_states,
            states,
            counts,
        })
    }
}
