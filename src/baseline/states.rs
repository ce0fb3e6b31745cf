//! The states of the adaptive profile on disk: taken up again after a restart as if there had been none.
//!
//! Workers hand over a part of their states each pass ([`StateSaver::save`]), so that no pass waits and all are saved every
//! few minutes; a thread writes each part beside its place, forces it to the disk and renames it. A start reads where each
//! metric's latest state lies, and a worker takes it when it first looks at the metric: which worker that is, and how many
//! there are, need not be as before. Points that came after a state was saved are in the window, and are shown to it
//! then. A state of another version, or one that does not hold against its checksum, is counted and learnt anew.
//!
//! A metric that nobody watches any more may come back: a store that has lost its names gets them again. So what was learnt
//! of it is not thrown away with it but goes to a file of its own, for [`UNCLAIMED_KEPT`], and whoever watches the metric
//! next takes it from there. A start puts there, too, what it found and nobody took.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::hash::BuildHasherDefault;
use std::io::{BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};
use skywatch_algorithms::streaming::Adaptive;

use super::taught::TaughtStates;
use super::{checksum, replace};
use crate::files;
use crate::hash::{Hashed, hash};

/// What a file begins with, the version of its form in the last byte but one; the version of the states follows.
const MAGIC: &[u8; 12] = b"skyw-state\x03\n";
/// What files of an earlier form begin with.
const EARLIER: &[u8] = b"skyw-";
/// What a whole file ends with: one that was cut between two entries lacks it.
const END: &[u8; 8] = b"states\x00\n";
const HEADER: usize = MAGIC.len() + 4;
/// Bytes of an entry before its name: two checksums, lengths of name and state, time of the last point.
const ENTRY: usize = 22;
/// Parts that may wait for the disk.
const WAITING: usize = 4;
/// The file of states whose metrics nobody watches.
const UNCLAIMED: &str = "unclaimed.states";
/// Seconds after a metric's last point for which a state that nobody takes is kept.
const UNCLAIMED_KEPT: f64 = 7.0 * 86_400.0;
/// Most of them; the newest stay.
const MOST_UNCLAIMED: usize = 1_000_000;

/// Where a state lies.
#[derive(Clone, Copy)]
pub(super) struct StateLocation {
    /// The number of its file.
    pub(super) file: usize,
    /// Where the entry begins.
    begin: u64,
    /// Where the state begins.
    at: u64,
    length: u32,
    sum: u32,
    /// Unix seconds of its last point; of its first one for a state that was taught.
    pub(super) time: f64,
}

/// A state whose metric has just left, on its way to the file.
struct ReleasedState {
    /// The whole entry.
    entry: Vec<u8>,
    /// Where in it the state begins.
    at: usize,
    time: f64,
}

#[derive(Default)]
struct StateIndex {
    files: BTreeMap<usize, File>,
    /// The number the next file gets.
    next: usize,
    /// The number of the file of those that nobody watches.
    unclaimed: Option<usize>,
    released: HashMap<u64, ReleasedState, BuildHasherDefault<Hashed>>,
    paths: BTreeSet<PathBuf>,
    places: HashMap<u64, StateLocation, BuildHasherDefault<Hashed>>,
    counts: StateCounts,
}

/// What a start found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateCounts {
    /// States there are.
    pub states: u64,
    /// States, or ends of files, that do not hold against their checksum.
    pub damaged: u64,
    /// Files whose states are of another version.
    pub other_versions: u64,
}

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
        let mut index = StateIndex::default();
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>()?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "states") {
                let number = index.read(&path)?;
                if path.ends_with(UNCLAIMED) {
                    index.unclaimed = number;
                } else {
                    index.paths.insert(path);
                }
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
        let mut index = self.index();
        let state = index.read_state(metric);
        index.released.remove(&hash(metric));
        if index.places.remove(&hash(metric)).is_some() && state.is_none() {
            index.counts.damaged += 1;
        }
        state
    }

    /// Whether anything was saved of a metric, or learnt of it by a backfill, that nobody has taken.
    pub fn knows(&self, metric: &str) -> bool {
        self.index().knows(metric) || self.taught.knows(metric)
    }

    /// The same, which stays for whoever takes it.
    pub fn peek(&self, metric: &str) -> Option<(Adaptive, Vec<u8>)> {
        self.index().read_state(metric)
    }

    /// What a backfill has learnt of a metric since the last question, if it did. Costs next to nothing while nothing waits.
    pub fn taught(&self, metric: &str) -> Option<Adaptive> {
        self.taught.take(metric)
    }

    /// What is done between passes: looks for states that a backfill has left. `now`: Unix seconds.
    pub fn tend(&self, now: f64) {
        self.taught.tend(now);
    }

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
    fn write_unclaimed(&self, all: bool) -> std::io::Result<()> {
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
        if let Some(number) = found.read(&path)? {
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
                    index.places.insert(
                        key,
                        StateLocation {
                            file: number,
                            ..place
                        },
                    );
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
    fn drop_superseded(&self, kept: &BTreeSet<PathBuf>) -> std::io::Result<()> {
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

    /// Starts the thread that saves. `parts`: how many parts all workers have together; when each was saved once, what an
    /// earlier run left is let go.
    ///
    /// # Errors
    /// The folder cannot be made, or the thread not started.
    pub fn saver(self: &std::sync::Arc<Self>, parts: usize) -> std::io::Result<StateSaver> {
        files::folder(&self.folder)?;
        let states = std::sync::Arc::clone(self);
        let (send, parts_to_save) = bounded::<Option<StatePart>>(WAITING);
        let thread = std::thread::Builder::new()
            .name("states".to_owned())
            .spawn(move || {
                let mut saved = BTreeSet::new();
                let mut is_failing = false;
                for part in parts_to_save {
                    let path = states
                        .folder
                        .join(part.as_ref().map_or(UNCLAIMED, |part| &part.name));
                    let is_of_watched = part.is_some();
                    // Somebody may have deleted the folder.
                    let outcome = files::folder(&states.folder).and_then(|()| match part {
                        Some(part) => replace(&path, &part.finish()),
                        None => states.write_unclaimed(false),
                    });
                    match &outcome {
                        Err(error) if !is_failing => {
                            tracing::warn!("states not saved to `{}` :: {error}", path.display());
                        }
                        Ok(()) if is_failing => tracing::info!("states saved again"),
                        _ => {}
                    }
                    is_failing = outcome.is_err();
                    if !is_failing && is_of_watched && saved.len() < parts {
                        saved.insert(path);
                        if saved.len() == parts
                            && let Err(error) = states.drop_superseded(&saved)
                        {
                            tracing::warn!(
                                "states of metrics that are not watched stay where they are :: {error}"
                            );
                        }
                    }
                }
            })?;
        Ok(StateSaver {
            send: Some(send),
            thread: Some(thread),
        })
    }
}

impl StateIndex {
    /// Takes a file, and answers its number.
    fn keep(&mut self, file: File) -> usize {
        let number = self.next;
        self.next += 1;
        self.files.insert(number, file);
        number
    }

    /// The state of a metric and what else was saved with it, if it is known and holds against its checksum.
    fn knows(&self, metric: &str) -> bool {
        let key = hash(metric);
        self.released.contains_key(&key) || self.places.contains_key(&key)
    }

    fn read_state(&self, metric: &str) -> Option<(Adaptive, Vec<u8>)> {
        let key = hash(metric);
        if let Some(left) = self.released.get(&key) {
            return parse(&left.entry[left.at..]);
        }
        let place = self.places.get(&key)?;
        place.read(self.files.get(&place.file)?, metric)
    }

    /// Notes where the states of a file lie, and answers the number it has now.
    fn read(&mut self, path: &Path) -> std::io::Result<Option<usize>> {
        let file = File::open(path)?;
        let number = self.next;
        let places = &mut self.places;
        let is_of_states = walk(&file, &mut self.counts, &mut |metric, place| {
            let known = places
                .get(&hash(metric))
                .is_some_and(|known| known.time > place.time);
            if !known {
                places.insert(
                    hash(metric),
                    StateLocation {
                        file: number,
                        ..place
                    },
                );
            }
        })?;
        Ok(is_of_states.then(|| self.keep(file)))
    }
}

/// Calls `each` with the metric and the place of every state in a file, and answers whether it is one of states that this
/// version reads. Damage ends the file: where an entry ends is not known without its head.
pub(super) fn walk(
    file: &File,
    counts: &mut StateCounts,
    each: &mut dyn FnMut(&str, StateLocation),
) -> std::io::Result<bool> {
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut header = [0; HEADER];
    let is_whole = reader.read_exact(&mut header).is_ok();
    let (magic, version) = header.split_at(MAGIC.len());
    if is_whole && magic != MAGIC && magic.starts_with(EARLIER) {
        counts.other_versions += 1;
        return Ok(false);
    }
    if !is_whole || magic != MAGIC {
        counts.damaged += 1;
        return Ok(false);
    }
    if version != Adaptive::VERSION.to_le_bytes() {
        counts.other_versions += 1;
        return Ok(false);
    }
    let mut length = file.metadata()?.len();
    let mut end = [0; END.len()];
    let before = length.saturating_sub(END.len() as u64);
    let mut is_damaged = file.read_exact_at(&mut end, before).is_err() || end != *END;
    if !is_damaged {
        length = before;
    }
    let mut at = HEADER as u64;
    let mut name = Vec::new();
    while at < length {
        let mut head = [0; ENTRY];
        let Some((sum, entry)) = reader
            .read_exact(&mut head)
            .ok()
            .and_then(|()| EntryHead::of(&head))
        else {
            is_damaged = true;
            break;
        };
        name.resize(usize::from(entry.name), 0);
        let is_whole = reader.read_exact(&mut name).is_ok()
            && checksum(&[&head[4..], &name].concat(), 0) == sum
            && at + (ENTRY + name.len()) as u64 + u64::from(entry.length) <= length;
        let Some(metric) = is_whole.then(|| str::from_utf8(&name).ok()).flatten() else {
            is_damaged = true;
            break;
        };
        let begin = at;
        at += (ENTRY + name.len()) as u64;
        let place = StateLocation {
            file: 0,
            begin,
            at,
            length: entry.length,
            sum: entry.sum,
            time: entry.time,
        };
        each(metric, place);
        at += u64::from(entry.length);
        reader.seek_relative(i64::from(entry.length))?;
    }
    counts.damaged += u64::from(is_damaged);
    Ok(true)
}

impl StateLocation {
    /// The state that lies here, and what else was saved with it; `None` if it does not hold against its checksum.
    pub(super) fn read(&self, file: &File, metric: &str) -> Option<(Adaptive, Vec<u8>)> {
        let mut bytes = vec![0; self.length as usize];
        file.read_exact_at(&mut bytes, self.at).ok()?;
        if checksum(&bytes, hash(metric)) != self.sum {
            return None;
        }
        parse(&bytes)
    }
}

/// A state, and the bytes behind it.
fn parse(mut bytes: &[u8]) -> Option<(Adaptive, Vec<u8>)> {
    let state = Adaptive::read(&mut bytes)?;
    Some((state, bytes.to_vec()))
}

struct EntryHead {
    sum: u32,
    name: u16,
    length: u32,
    time: f64,
}

impl EntryHead {
    /// The entry and the checksum over its head.
    fn of(head: &[u8; ENTRY]) -> Option<(u32, Self)> {
        let whole = u32::from_le_bytes(*head.first_chunk()?);
        let entry = Self {
            sum: u32::from_le_bytes(*head[4..].first_chunk()?),
            name: u16::from_le_bytes(*head[8..].first_chunk()?),
            length: u32::from_le_bytes(*head[10..].first_chunk()?),
            time: f64::from_le_bytes(*head[14..].first_chunk()?),
        };
        Some((whole, entry))
    }
}

/// Some metrics' states, on their way to a file of their own.
pub struct StatePart {
    name: String,
    bytes: Vec<u8>,
}

impl StatePart {
    /// Bytes by now.
    pub(super) fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of the whole part.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend(END);
        self.bytes
    }

    /// An empty part; `name` is the same each time the same metrics are saved.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(Adaptive::VERSION.to_le_bytes());
        Self {
            name: format!("{name}.states"),
            bytes,
        }
    }

    /// Adds a metric's state as of its last point (Unix seconds); `extra` writes what else is to be kept with it.
    pub fn add(&mut self, metric: &str, state: &Adaptive, last: f64, extra: impl FnOnce(&mut Vec<u8>)) {
        let Ok(length) = u16::try_from(metric.len()) else {
            return;
        };
        let begin = self.bytes.len();
        self.bytes.extend([0; 8]);
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend(last.to_le_bytes());
        self.bytes.extend(metric.as_bytes());
        let body = self.bytes.len();
        state.write(&mut self.bytes);
        extra(&mut self.bytes);
        let sum = checksum(&self.bytes[body..], hash(metric));
        let size = (self.bytes.len() - body) as u32;
        self.bytes[begin + 4..begin + 8].copy_from_slice(&sum.to_le_bytes());
        self.bytes[begin + 10..begin + 14].copy_from_slice(&size.to_le_bytes());
        let whole = checksum(&self.bytes[begin + 4..body], 0);
        self.bytes[begin..begin + 4].copy_from_slice(&whole.to_le_bytes());
    }
}

/// The thread that writes. Dropping it waits until all is written.
pub struct StateSaver {
    send: Option<Sender<Option<StatePart>>>,
    thread: Option<JoinHandle<()>>,
}

impl StateSaver {
    /// Hands a part over; waits only if the disk is far behind.
    pub fn save(&self, part: StatePart) {
        if let Some(send) = &self.send {
            // A thread that has died has said so.
            let _ = send.send(Some(part));
        }
    }

    /// Lets what was [released](States::release) be written; waits only if the disk is far behind.
    pub fn save_unclaimed(&self) {
        if let Some(send) = &self.send {
            let _ = send.send(None);
        }
    }
}

impl Drop for StateSaver {
    fn drop(&mut self) {
        self.send = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
