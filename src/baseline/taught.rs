//! States that a backfill has learnt, for the process that watches.
//!
//! As with the hours in the [`inbox`](super::inbox), two writers of the same files would need locks; so a backfill leaves
//! whole files, in the form in which states are saved, and the analyzer finds them between two passes. What it makes of
//! one is its own decision when it next looks at the metric: only a state that reaches further back than its own is
//! worth having, so that a file that is found twice changes nothing. A file stays until each of its metrics was asked
//! for and what came of it has been saved, since nothing else could teach that much again.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::hash::BuildHasherDefault;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use skywatch_algorithms::streaming::{Adaptive, REACH};

use super::record::replace;
use super::states::format::{StateCounts, StateLocation, StatePart, StateReader, parse, walk};
use crate::clock::unix_now;
use crate::files;
use crate::hash::{Hashed, hash};

/// The folder within that of the states.
const FOLDER: &str = "inbox";
/// Bytes after which a file is left and another begun.
const FILE_BYTES: usize = 16 << 20;
/// Seconds after which what was taken has been saved: each state is, every half hour.
const SAVED_AFTER: f64 = 5_400.0;
/// Seconds after which nobody needs what nobody asked for.
const FORGOTTEN_AFTER: f64 = REACH as f64 * 3_600.0;

/// Leaves states for the process that watches.
pub struct TaughtWriter {
    folder: PathBuf,
    part: StatePart,
    waiting: u64,
    left: u64,
}

impl TaughtWriter {
    /// For the states in `folder`, which need not be there yet.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(folder: &Path) -> std::io::Result<Self> {
        let folder = folder.join(FOLDER);
        files::folder(&folder)?;
        Ok(Self {
            folder,
            part: StatePart::new(FOLDER),
            waiting: 0,
            left: 0,
        })
    }

    /// Adds what is known of a metric; a state without a point is none.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, metric: &str, state: &Adaptive) -> std::io::Result<()> {
        let Some(since) = state.since() else {
            return Ok(());
        };
        self.part.add(metric, state, since, |_| {});
        self.waiting += 1;
        match self.part.length() >= FILE_BYTES {
            true => self.leave(),
            false => Ok(()),
        }
    }

    /// Leaves what is not left yet; how many states there were in all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> std::io::Result<u64> {
        self.leave()?;
        Ok(self.left)
    }

    fn leave(&mut self) -> std::io::Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        if self.waiting == 0 {
            return Ok(());
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{:.3}-{}-{number}.states", unix_now(), std::process::id());
        let part = std::mem::replace(&mut self.part, StatePart::new(FOLDER));
        replace(&self.folder.join(name), &part.finish())?;
        self.left += std::mem::take(&mut self.waiting);
        Ok(())
    }
}

/// What waits.
pub(super) struct TaughtStates {
    folder: PathBuf,
    /// Whether anything does: asked for each metric of each pass.
    is_any: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// Files that were read, by name.
    known: BTreeSet<PathBuf>,
    files: Vec<InboxFile>,
    places: HashMap<u64, StateLocation, BuildHasherDefault<Hashed>>,
}

/// A file.
struct InboxFile {
    path: PathBuf,
    /// States in it that nobody asked for yet.
    left: usize,
    /// When the last of them was taken, or the file found; Unix seconds.
    touched: f64,
}

impl TaughtStates {
    /// What waits in the folder of the states. One that cannot be read holds nothing, and is tried again.
    pub(super) fn open(folder: &Path) -> Self {
        let taught = Self::empty(folder);
        taught.find(unix_now());
        taught
    }

    /// Nothing, as long as nobody looks.
    pub(super) fn empty(folder: &Path) -> Self {
        Self {
            folder: folder.join(FOLDER),
            is_any: AtomicBool::new(false),
            waiting: Mutex::default(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn knows(&self, metric: &str) -> bool {
        self.is_any.load(Ordering::Relaxed) && self.waiting().places.contains_key(&hash(metric))
    }

    pub(super) fn take(&self, metric: &str) -> Option<Adaptive> {
        if !self.is_any.load(Ordering::Relaxed) {
            return None;
        }
        let mut waiting = self.waiting();
        let place = waiting.places.remove(&hash(metric))?;
        if waiting.places.is_empty() {
            self.is_any.store(false, Ordering::Relaxed);
        }
        let letter = waiting.files.get_mut(place.file)?;
        letter.left = letter.left.saturating_sub(1);
        letter.touched = unix_now();
        let file = File::open(&letter.path).ok()?;
        let mut reader = StateReader::default();
        let state = place.read(&file, metric, &mut reader).and_then(parse);
        if state.is_none() {
            tracing::warn!("what a backfill learnt of `{metric}` does not hold against its checksum");
        }
        state.map(|(state, _)| state)
    }

    /// Finds new files, and removes those that nobody needs any more.
    pub(super) fn tend(&self, now: f64) {
        let found = self.find(now);
        if found > 0 {
            tracing::info!("a backfill has taught {found} metrics");
        }
        let mut waiting = self.waiting();
        let mut removed = Vec::new();
        for (number, letter) in waiting.files.iter().enumerate() {
            let age = now - letter.touched;
            let is_over = letter.left == 0 && age > SAVED_AFTER || age > FORGOTTEN_AFTER;
            if is_over && waiting.known.contains(&letter.path) {
                match std::fs::remove_file(&letter.path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        tracing::debug!("`{}` stays :: {error}", letter.path.display());
                    }
                    _ => removed.push((number, letter.path.clone())),
                }
            }
        }
        for (number, path) in removed {
            waiting.known.remove(&path);
            waiting.places.retain(|_, place| place.file != number);
        }
    }

    /// How many metrics new files are about.
    fn find(&self, now: f64) -> usize {
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return 0;
        };
        let mut waiting = self.waiting();
        let mut new: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "states"))
            .filter(|path| !waiting.known.contains(path))
            .collect();
        new.sort_unstable();
        let mut found = 0;
        for path in new {
            let Ok(file) = File::open(&path) else { continue };
            let mut counts = StateCounts::default();
            let number = waiting.files.len();
            let mut left = 0;
            let mut replaced = Vec::new();
            let places = &mut waiting.places;
            let walked = walk(&file, &mut counts, &mut |metric, mut place| {
                // Of two states of one metric the one that reaches further back is worth more.
                let known = places.get(&hash(metric));
                if known.is_some_and(|known| known.time <= place.time) {
                    return;
                }
                left += 1;
                place.file = number;
                replaced.extend(places.insert(hash(metric), place).map(|before| before.file));
            });
            if walked.is_err() || counts != StateCounts::default() {
                tracing::warn!(
                    "what a backfill has learnt is not all taken from `{}` :: damaged, or left by another version",
                    path.display()
                );
            }
            for number in replaced {
                if let Some(letter) = waiting.files.get_mut(number) {
                    letter.left = letter.left.saturating_sub(1);
                }
            }
            found += left;
            waiting.known.insert(path.clone());
            waiting.files.push(InboxFile {
                path,
                left,
                touched: now,
            });
        }
        self.is_any.store(!waiting.places.is_empty(), Ordering::Relaxed);
        found
    }
}

#[cfg(test)]
mod tests {
    use skywatch_algorithms::streaming::InMemoryHours;

    use super::*;

    fn state(from: f64, hours: u32) -> Adaptive {
        let mut state = Adaptive::default();
        let mut memory = InMemoryHours::default();
        for hour in 0..hours {
            state.observe(
                from + f64::from(hour) * 3_600.0,
                f64::from(hour % 24),
                &mut memory,
            );
        }
        state
    }

    fn leave(folder: &Path, states: &[(&str, &Adaptive)]) {
        let mut writer = TaughtWriter::new(folder).expect("a folder");
        for (metric, state) in states {
            writer.add(metric, state).expect("room");
        }
        assert_eq!(writer.finish().expect("room"), states.len() as u64);
    }

    fn files(folder: &Path) -> usize {
        std::fs::read_dir(folder.join(FOLDER)).map_or(0, Iterator::count)
    }

    #[test]
    fn a_state_is_handed_out_once_and_the_longest_wins() {
        let folder = tempfile::tempdir().expect("a folder");
        let (long, short) = (state(0.0, 700), state(600.0 * 3_600.0, 100));
        leave(folder.path(), &[("a", &long), ("b", &short)]);
        let taught = TaughtStates::open(folder.path());
        assert_eq!(taught.take("c"), None);
        leave(folder.path(), &[("a", &short), ("b", &long), ("c", &short)]);
        taught.tend(unix_now());
        assert_eq!(taught.take("a").as_ref(), Some(&long));
        assert_eq!(taught.take("a"), None);
        assert_eq!(taught.take("b").as_ref(), Some(&long));
        assert_eq!(taught.take("c").as_ref(), Some(&short));
        assert!(!taught.is_any.load(Ordering::Relaxed));
    }

    #[test]
    fn a_file_stays_until_what_was_taken_is_saved() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = state(0.0, 50);
        leave(folder.path(), &[("a", &one), ("b", &one)]);
        let taught = TaughtStates::open(folder.path());
        let now = unix_now();
        assert!(taught.take("a").is_some());
        taught.tend(now + SAVED_AFTER + 10.0);
        assert_eq!(files(folder.path()), 1, "nobody has asked for b");
        assert!(taught.take("b").is_some());
        taught.tend(now + 10.0);
        assert_eq!(files(folder.path()), 1, "nothing is saved yet");
        // A start in between finds all of it again.
        assert!(TaughtStates::open(folder.path()).take("a").is_some());
        taught.tend(now + SAVED_AFTER + 10.0);
        assert_eq!(files(folder.path()), 0);
        leave(folder.path(), &[("z", &one)]);
        taught.tend(now + 20.0);
        taught.tend(now + FORGOTTEN_AFTER + 30.0);
        assert_eq!(files(folder.path()), 0);
        assert_eq!(taught.take("z"), None);
    }

    #[test]
    fn damage_costs_only_itself() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = state(0.0, 50);
        leave(folder.path(), &[("a", &one), ("b", &one)]);
        let path = std::fs::read_dir(folder.path().join(FOLDER)).expect("it").next();
        let path = path.expect("a file").expect("it").path();
        let mut bytes = std::fs::read(&path).expect("it");
        let at = bytes.len() - 100;
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).expect("room");
        std::fs::write(folder.path().join(FOLDER).join("x.states"), "nonsense").expect("room");
        let taught = TaughtStates::open(folder.path());
        assert!(taught.take("a").is_some());
        assert_eq!(taught.take("b"), None);
    }
}
