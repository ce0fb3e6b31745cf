//! The states of the adaptive profile on disk: taken up again after a restart as if there had been none.
//!
//! Workers hand over a part of their states each pass ([`Saver::save`]), so that no pass waits and all are saved every
//! few minutes; a thread writes each part beside its place, forces it to the disk and renames it. A start reads where each
//! metric's latest state lies, and a worker takes it when it first looks at the metric: which worker that is, and how many
//! there are, need not be as before. Points that came after a state was saved are in the window, and are shown to it
//! then. A state of another version, or one that does not hold against its checksum, is counted and learnt anew.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::hash::BuildHasherDefault;
use std::io::{BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};
use skywatch_algorithms::streaming::Adaptive;

use super::{checksum, replace};
use crate::hash::{Hashed, hash};

/// What a file begins with, the version of its form in the last byte but one; the version of the states follows.
const MAGIC: &[u8; 12] = b"skyw-minds\x02\n";
/// What a whole file ends with: one that was cut between two entries lacks it.
const END: &[u8; 8] = b"minds.\x00\n";
const HEADER: usize = MAGIC.len() + 4;
/// Bytes of an entry before its name: two checksums, lengths of name and state, time of the last point.
const ENTRY: usize = 22;
/// Parts that may wait for the disk.
const WAITING: usize = 4;

struct Place {
    file: usize,
    /// Where the state begins.
    at: u64,
    length: u32,
    sum: u32,
    /// Unix seconds of its last point.
    time: f64,
}

#[derive(Default)]
struct Index {
    files: Vec<File>,
    paths: BTreeSet<PathBuf>,
    places: HashMap<u64, Place, BuildHasherDefault<Hashed>>,
    counts: Found,
}

/// What a start found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
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
    index: Mutex<Index>,
}

impl States {
    /// Reads where the states in a folder lie; one that is not there holds none.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        let mut index = Index::default();
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>()?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "states") {
                index.read(&path)?;
                index.paths.insert(path);
            }
        }
        index.counts.states = index.places.len() as u64;
        Ok(Self {
            folder: folder.to_owned(),
            index: Mutex::new(index),
        })
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the start found, and what turned out to be damaged since.
    #[must_use]
    pub fn found(&self) -> Found {
        self.index().counts
    }

    /// The state of a metric, once, and what else was saved with it.
    pub fn take(&self, metric: &str) -> Option<(Adaptive, Vec<u8>)> {
        let mut index = self.index();
        let place = index.places.remove(&hash(metric))?;
        let mut bytes = vec![0; place.length as usize];
        let read = index.files[place.file].read_exact_at(&mut bytes, place.at);
        let state = (read.is_ok() && checksum(&bytes, hash(metric)) == place.sum)
            .then(|| {
                let mut rest = bytes.as_slice();
                let state = Adaptive::read(&mut rest)?;
                Some((state, rest.to_vec()))
            })
            .flatten();
        if state.is_none() {
            index.counts.damaged += 1;
        }
        state
    }

    /// Lets go of what nobody took, and removes the files that are not among `kept`: those of an earlier run with
    /// other workers.
    fn let_go(&self, kept: &BTreeSet<PathBuf>) {
        let mut index = self.index();
        for path in index.paths.difference(kept) {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::debug!("`{}` stays :: {error}", path.display());
            }
        }
        let counts = index.counts;
        *index = Index {
            counts,
            ..Index::default()
        };
    }

    /// Starts the thread that saves. `parts`: how many parts all workers have together; when each was saved once, what an
    /// earlier run left is let go.
    ///
    /// # Errors
    /// The folder cannot be made, or the thread not started.
    pub fn saver(self: &std::sync::Arc<Self>, parts: usize) -> std::io::Result<Saver> {
        crate::files::folder(&self.folder)?;
        let states = std::sync::Arc::clone(self);
        let (send, parts_to_save) = bounded::<Part>(WAITING);
        let thread = std::thread::Builder::new()
            .name("states".to_owned())
            .spawn(move || {
                let mut saved = BTreeSet::new();
                let mut is_failing = false;
                for part in parts_to_save {
                    let path = states.folder.join(part.name);
                    // Somebody may have deleted the folder.
                    let outcome =
                        crate::files::folder(&states.folder).and_then(|()| replace(&path, &part.bytes));
                    match &outcome {
                        Err(error) if !is_failing => {
                            tracing::warn!("states not saved to `{}` :: {error}", path.display());
                        }
                        Ok(()) if is_failing => tracing::info!("states saved again"),
                        _ => {}
                    }
                    is_failing = outcome.is_err();
                    if !is_failing && saved.len() < parts {
                        saved.insert(path);
                        if saved.len() == parts {
                            states.let_go(&saved);
                        }
                    }
                }
            })?;
        Ok(Saver {
            send: Some(send),
            thread: Some(thread),
        })
    }
}

impl Index {
    /// Notes where the states of a file lie. Damage ends the file: where an entry ends is not known without its head.
    fn read(&mut self, path: &Path) -> std::io::Result<()> {
        let file = File::open(path)?;
        let mut reader = BufReader::with_capacity(1 << 16, &file);
        let mut header = [0; HEADER];
        let is_whole = reader.read_exact(&mut header).is_ok();
        let (magic, version) = header.split_at(MAGIC.len());
        if !is_whole || magic != MAGIC {
            self.counts.damaged += 1;
            return Ok(());
        }
        if version != Adaptive::VERSION.to_le_bytes() {
            self.counts.other_versions += 1;
            return Ok(());
        }
        let mut length = file.metadata()?.len();
        let mut end = [0; END.len()];
        let before = length.saturating_sub(END.len() as u64);
        let mut is_damaged = file.read_exact_at(&mut end, before).is_err() || end != *END;
        if !is_damaged {
            length = before;
        }
        let number = self.files.len();
        let mut at = HEADER as u64;
        let mut name = Vec::new();
        while at < length {
            let mut head = [0; ENTRY];
            let Some((sum, entry)) = reader.read_exact(&mut head).ok().and_then(|()| Entry::of(&head)) else {
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
            at += (ENTRY + name.len()) as u64;
            let place = Place {
                file: number,
                at,
                length: entry.length,
                sum: entry.sum,
                time: entry.time,
            };
            let known = self
                .places
                .get(&hash(metric))
                .is_some_and(|known| known.time > place.time);
            if !known {
                self.places.insert(hash(metric), place);
            }
            at += u64::from(entry.length);
            reader.seek_relative(i64::from(entry.length))?;
        }
        self.counts.damaged += u64::from(is_damaged);
        self.files.push(file);
        Ok(())
    }
}

struct Entry {
    sum: u32,
    name: u16,
    length: u32,
    time: f64,
}

impl Entry {
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
pub struct Part {
    name: String,
    bytes: Vec<u8>,
}

impl Part {
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
pub struct Saver {
    send: Option<Sender<Part>>,
    thread: Option<JoinHandle<()>>,
}

impl Saver {
    /// Hands a part over; waits only if the disk is far behind.
    pub fn save(&self, mut part: Part) {
        part.bytes.extend(END);
        if let Some(send) = &self.send {
            // A thread that has died has said so.
            let _ = send.send(part);
        }
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.send = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
