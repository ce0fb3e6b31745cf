//! Where each metric's latest state lies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::hash::BuildHasherDefault;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use skywatch_algorithms::streaming::Adaptive;

use super::format::{StateCounts, StateLocation, parse, walk};
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
    /// The state and what else was saved with it, if it holds against its checksum.
    pub(super) fn read(&self, metric: &str) -> Option<(Adaptive, Vec<u8>)> {
        match self {
            Self::Released(bytes) => parse(bytes),
            Self::Saved(place, file) => place.read(file, metric),
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
        let place = self.places.get(&key)?;
        Some(FoundState::Saved(
            *place,
            Arc::clone(self.files.get(&place.file)?),
        ))
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

    /// Notes where the states of a file lie, and answers the number it has now.
    pub(super) fn read(&mut self, path: &Path) -> std::io::Result<Option<usize>> {
        let file = File::open(path)?;
        let number = self.next;
        let places = &mut self.places;
        let is_of_states = walk(&file, &mut self.counts, &mut |metric, place| {
            let known = places
                .get(&hash(metric))
                .is_some_and(|known| known.time > place.time);
            if !known {
                places.insert(hash(metric), place.in_file(number));
            }
        })?;
        Ok(is_of_states.then(|| self.keep(Arc::new(file))))
    }
}
