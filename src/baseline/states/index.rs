//! Where each metric's latest state lies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::hash::BuildHasherDefault;
use std::path::{Path, PathBuf};

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

#[derive(Default)]
pub(super) struct StateIndex {
    pub(super) files: BTreeMap<usize, File>,
    /// The number the next file gets.
    pub(super) next: usize,
    /// The number of the file of those that nobody watches.
    pub(super) unclaimed: Option<usize>,
    pub(super) released: HashMap<u64, ReleasedState, BuildHasherDefault<Hashed>>,
    pub(super) paths: BTreeSet<PathBuf>,
    pub(super) places: HashMap<u64, StateLocation, BuildHasherDefault<Hashed>>,
    pub(super) counts: StateCounts,
}

impl StateIndex {
    /// Takes a file, and answers its number.
    pub(super) fn keep(&mut self, file: File) -> usize {
        let number = self.next;
        self.next += 1;
        self.files.insert(number, file);
        number
    }

    /// The state of a metric and what else was saved with it, if it is known and holds against its checksum.
    pub(super) fn knows(&self, metric: &str) -> bool {
        let key = hash(metric);
        self.released.contains_key(&key) || self.places.contains_key(&key)
    }

    pub(super) fn read_state(&self, metric: &str) -> Option<(Adaptive, Vec<u8>)> {
        let key = hash(metric);
        if let Some(left) = self.released.get(&key) {
            return parse(&left.entry[left.at..]);
        }
        let place = self.places.get(&key)?;
        place.read(self.files.get(&place.file)?, metric)
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
        Ok(is_of_states.then(|| self.keep(file)))
    }
}
