//! States of metrics that nobody watches any more, for when they come back.
//!
//! They lie in a file of their own, with what a start found and nobody took, and go with the last of their metrics' points
//! being too old.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use skywatch_algorithms::streaming::Adaptive;

use super::super::record::replace;
use super::States;
use super::format::{END, ENTRY, StateLocation, StatePart, UNCLAIMED};
use super::index::{ReleasedState, StateIndex, WalkedFile};
use crate::hash::hash;

/// Seconds after a metric's last point for which a state that nobody takes is kept: a week, the longest that what recurs
/// takes to recur.
const UNCLAIMED_KEPT: f64 = 7.0 * 86_400.0;
/// Most of them; the newest stay. At 4 KiB a state, 4 GB of disk.
const MOST_UNCLAIMED: usize = 1_000_000;

impl States {
    /// Keeps the state of a metric that nobody watches any more, as of its last point (Unix seconds), for whoever watches it
    /// next. It goes to the disk with [`StateSaver::save_unclaimed`].
    pub fn release(&self, metric: &str, state: &Adaptive, last: f64, extra: impl FnOnce(&mut Vec<u8>)) {
        let mut part = StatePart::new(metric);
        let begin = part.bytes.len();
        part.add(metric, state, last, extra);
        let entry = part.bytes.split_off(begin);
        if entry.is_empty() {
            return;
        }
        let mut index = self.index();
        index.places.remove(&hash(metric));
        let released = ReleasedState {
            at: ENTRY + metric.len(),
            entry,
            time: last,
        };
        index.released.insert(hash(metric), released);
    }

    /// Writes what nobody watches to its file: what has just left and what lies there already; `all` adds what an earlier run
    /// left and nobody took. Takes nobody's time but the caller's: others take states meanwhile.
    pub(super) fn write_unclaimed(&self, all: bool) -> std::io::Result<()> {
        let path = self.folder.join(UNCLAIMED);
        let mut bytes = StatePart::new(UNCLAIMED).bytes;
        let written = {
            let mut index = self.index();
            let newest = index.released.values().map(|left| left.time);
            let newest = newest.chain(index.places.values().map(|place| place.time));
            let limit = newest.fold(f64::NEG_INFINITY, f64::max) - UNCLAIMED_KEPT;
            let is_meant = |place: &StateLocation| all || Some(place.file) == index.unclaimed;
            let mut meant: Vec<(u64, f64)> = index
                .places
                .iter()
                .filter(|(_, place)| is_meant(place))
                .map(|(key, place)| (*key, place.time))
                .chain(index.released.iter().map(|(key, left)| (*key, left.time)))
                .collect();
            meant.sort_by(|(_, a), (_, b)| b.total_cmp(a));
            let kept = meant
                .partition_point(|(_, time)| *time >= limit)
                .min(MOST_UNCLAIMED);
            let is_as_written = |(key, _): &(u64, f64)| {
                let place = index.places.get(key);
                place.is_some_and(|place| Some(place.file) == index.unclaimed)
                    && !index.released.contains_key(key)
            };
            if !meant.is_empty() && kept == meant.len() && meant.iter().all(is_as_written) {
                // What was taken meanwhile is still in the file; whoever reads it knows something later.
                return Ok(());
            }
            for (key, _) in meant.drain(kept..) {
                index.released.remove(&key);
                index.places.remove(&key);
            }
            if meant.is_empty() {
                if let Some(number) = index.unclaimed.take() {
                    index.files.remove(&number);
                }
                return match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                };
            }
            meant
        };
        for (key, _) in &written {
            let index = self.index();
            // Whoever has taken it meanwhile saves it.
            if let Some(left) = index.released.get(key) {
                bytes.extend(&left.entry);
            } else if let Some(place) = index.places.get(key) {
                let begin = bytes.len();
                let length = place.at + u64::from(place.length) - place.begin;
                bytes.resize(begin + length as usize, 0);
                let file = index.files.get(&place.file);
                let read = file.map(|file| file.read_exact_at(&mut bytes[begin..], place.begin));
                if !matches!(read, Some(Ok(()))) {
                    bytes.truncate(begin);
                }
            }
        }
        bytes.extend(END);
        replace(&path, &bytes)?;
        let mut index = self.index();
        let mut found = StateIndex::default();
        if let Some(number) = found.take_in(WalkedFile::of(&path)?) {
            let number = found.files.remove(&number).map(|file| index.keep(file));
            for (key, place) in found.places {
                // Only what was not taken meanwhile.
                let has_left = index
                    .released
                    .get(&key)
                    .is_some_and(|left| left.time <= place.time);
                if has_left {
                    index.released.remove(&key);
                }
                if let Some(number) = number
                    && (has_left || index.places.contains_key(&key))
                {
                    index.places.insert(key, place.in_file(number));
                }
            }
            let before = std::mem::replace(&mut index.unclaimed, number);
            if let Some(before) = before {
                index.files.remove(&before);
            }
        }
        Ok(())
    }

    /// Puts aside what nobody took, and removes the files that are not among `kept`: those of an earlier run with other
    /// workers.
    pub(super) fn drop_superseded(&self, kept: &BTreeSet<PathBuf>) -> std::io::Result<()> {
        self.write_unclaimed(true)?;
        let mut index = self.index();
        for path in index.paths.difference(kept) {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::debug!("`{}` stays :: {error}", path.display());
            }
        }
        index.paths.clear();
        let unclaimed = index.unclaimed;
        index.files.retain(|number, _| Some(*number) == unclaimed);
        index.places.retain(|_, place| Some(place.file) == unclaimed);
        Ok(())
    }
}
