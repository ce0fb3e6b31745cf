//! Which metric has which record: the same place in every day's file.
//!
//! A list in RAM, and a log of it on disk to which new metrics are appended; once a day it is written anew without those
//! that have not been touch of for as long as any hour reaches. Their places are given to others.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::days::KEPT_DAYS;
use super::losses::LossCounts;
use super::record::{checksum, replace};
use crate::hash::NameHashing;

/// What the log begins with, its version in the last byte but one.
const MAGIC: &[u8; 12] = b"skyw-names\x01\n";
/// Bytes of an entry before its name: checksum, slot, day, length of the name.
const ENTRY: usize = 14;
/// Places a handle takes at a time, so that its metrics lie side by side.
const RESERVED: u32 = 64;

#[derive(Debug, Clone, Copy)]
struct SlotEntry {
    slot: u32,
    /// The last day with an hour of it.
    day: u32,
}

/// The list.
pub(super) struct SlotTable {
    path: PathBuf,
    places: HashMap<Arc<str>, SlotEntry, NameHashing>,
    /// Places below `next` that nobody has.
    free: Vec<u32>,
    next: u32,
    log: Option<File>,
    /// Entries that are to be appended.
    fresh: Vec<u8>,
    /// The day the log was last written anew.
    written: Option<u32>,
}

impl SlotTable {
    pub(super) fn open(folder: &Path, is_read_only: bool, losses: &LossCounts) -> std::io::Result<Self> {
        let mut names = Self::empty(folder);
        let bytes = names.read(losses)?;
        let mut rest = &bytes[..];
        let (mut entries, mut is_whole) = (0, true);
        while !rest.is_empty() {
            let Some((name, place)) = entry(&mut rest) else {
                is_whole = false;
                // Where one entry ends nobody knows where the next begins.
                LossCounts::count(&losses.dropped);
                tracing::warn!(
                    "`{}` is cut off :: {} bytes dropped",
                    names.path.display(),
                    rest.len()
                );
                break;
            };
            entries += 1;
            names.next = names.next.max(place.slot + 1);
            names.places.insert(Arc::from(name), place);
        }
        names.find_free();
        // What was cut off must not stay in the middle of the log. A full disk is no reason not to watch.
        let goes_on = is_whole && entries > 0 && entries == names.places.len();
        let opened = match is_read_only {
            true => Ok(()),
            false if goes_on => crate::files::append(&names.path).map(|log| names.log = Some(log)),
            false => names.rewrite(),
        };
        if let Err(error) = opened {
            LossCounts::count(&losses.failed);
            tracing::warn!("`{}` not written :: {error}", names.path.display());
        }
        Ok(names)
    }

    /// The list as far as it is about one metric, read-only: a page that shows one does not wait for the names of all.
    pub(super) fn open_for(folder: &Path, metric: &str, losses: &LossCounts) -> std::io::Result<Self> {
        let mut names = Self::empty(folder);
        let bytes = names.read(losses)?;
        let mut rest = &bytes[..];
        while let Some(mut whole) = next_entry(&mut rest) {
            // The last one counts; a sum that is wrong elsewhere is for who reads all.
            if &whole[ENTRY..] == metric.as_bytes()
                && let Some((name, place)) = entry(&mut whole)
            {
                names.next = place.slot + 1;
                names.places.insert(Arc::from(name), place);
            }
        }
        Ok(names)
    }

    fn empty(folder: &Path) -> Self {
        Self {
            path: folder.join("names"),
            places: HashMap::default(),
            free: Vec::new(),
            next: 0,
            log: None,
            fresh: Vec::new(),
            written: None,
        }
    }

    /// The entries of the log; none of a file that is not there or of another version.
    fn read(&self, losses: &LossCounts) -> std::io::Result<Vec<u8>> {
        let mut bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        if bytes.starts_with(MAGIC) {
            bytes.drain(..MAGIC.len());
        } else if !bytes.is_empty() {
            LossCounts::count(&losses.dropped);
            tracing::warn!("`{}` is no list of names of this version", self.path.display());
            bytes.clear();
        }
        Ok(bytes)
    }

    fn find_free(&mut self) {
        let mut taken = vec![false; self.next as usize];
        for place in self.places.values() {
            taken[place.slot as usize] = true;
        }
        // The lowest is taken first, from the end.
        self.free = (0..self.next)
            .rev()
            .filter(|&slot| !taken[slot as usize])
            .collect();
    }

    pub(super) fn slot_of(&self, name: &str) -> Option<u32> {
        self.places.get(name).map(|place| place.slot)
    }

    /// Takes some places that nobody has, lowest first.
    pub(super) fn reserve(&mut self, into: &mut Vec<u32>) {
        if self.free.is_empty() {
            into.extend((self.next..self.next + RESERVED).rev());
            self.next += RESERVED;
        } else {
            let from = self.free.len().saturating_sub(RESERVED as usize);
            into.extend(self.free.drain(from..));
        }
    }

    /// Gives places back that were reserved and not used.
    pub(super) fn release_unused(&mut self, slots: &mut Vec<u32>) {
        self.free.append(slots);
        self.free.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// Gives a place to a metric that has none.
    pub(super) fn claim(&mut self, name: &Arc<str>, slot: u32, day: u32) {
        self.places.insert(Arc::clone(name), SlotEntry { slot, day });
        write_entry(&mut self.fresh, name, SlotEntry { slot, day });
    }

    /// Notes that a metric has an hour of that day; false if the place is not its own any more.
    pub(super) fn touch(&mut self, name: &str, slot: u32, day: u32) -> bool {
        let place = self.places.get_mut(name).filter(|place| place.slot == slot);
        match place {
            Some(place) => {
                place.day = place.day.max(day);
                true
            }
            None => false,
        }
    }

    /// Appends what is new to the log.
    pub(super) fn flush(&mut self, losses: &LossCounts) {
        if self.fresh.is_empty() {
            return;
        }
        let written = match &mut self.log {
            Some(log) => log.write_all(&self.fresh),
            None => Ok(()),
        };
        if written.is_err() {
            LossCounts::count(&losses.failed);
        }
        self.fresh.clear();
    }

    /// Once a day: writes the list anew, without metrics whose last hour lies before all files.
    pub(super) fn tend(&mut self, newest: Option<u32>, losses: &LossCounts) {
        let Some(newest) = newest else { return };
        if self.written == Some(newest) {
            return self.flush(losses);
        }
        let before = self.free.len();
        self.places.retain(|_, place| {
            let stays = place.day + KEPT_DAYS > newest;
            if !stays {
                self.free.push(place.slot);
            }
            stays
        });
        if self.free.len() > before {
            tracing::info!(
                "{} metrics dropped from the long memory",
                self.free.len() - before
            );
            self.free.sort_unstable_by(|a, b| b.cmp(a));
        }
        self.written = Some(newest);
        if let Err(error) = self.rewrite() {
            LossCounts::count(&losses.failed);
            tracing::warn!("`{}` not written :: {error}", self.path.display());
        }
    }

    /// Whether there is a file of it.
    pub(super) fn is_written(&self) -> bool {
        self.log.is_some()
    }

    pub(super) fn rewrite(&mut self) -> std::io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        for (name, place) in &self.places {
            write_entry(&mut bytes, name, *place);
        }
        replace(&self.path, &bytes)?;
        self.log = Some(crate::files::append(&self.path)?);
        self.fresh.clear();
        Ok(())
    }
}

fn write_entry(bytes: &mut Vec<u8>, name: &str, place: SlotEntry) {
    let begin = bytes.len();
    bytes.extend([0; 4]);
    bytes.extend(place.slot.to_le_bytes());
    bytes.extend(place.day.to_le_bytes());
    // Names are at most as long as the ingest takes them, far below this.
    bytes.extend((name.len().min(usize::from(u16::MAX)) as u16).to_le_bytes());
    bytes.extend(&name.as_bytes()[..name.len().min(usize::from(u16::MAX))]);
    let sum = checksum(&bytes[begin + 4..], 0);
    bytes[begin..begin + 4].copy_from_slice(&sum.to_le_bytes());
}

/// Takes the bytes of an entry off the front, whatever they say; `None` if it is cut off.
fn next_entry<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::from(u16::from_le_bytes(*bytes.get(12..)?.first_chunk()?));
    let (whole, rest) = bytes.split_at_checked(ENTRY + length)?;
    *bytes = rest;
    Some(whole)
}

/// Takes an entry off the front; `None` if it is none, and then nothing is taken.
fn entry<'b>(bytes: &mut &'b [u8]) -> Option<(&'b str, SlotEntry)> {
    let mut rest = *bytes;
    let whole = next_entry(&mut rest)?;
    let number = |at: usize| Some(u32::from_le_bytes(*whole[at..].first_chunk()?));
    if checksum(&whole[4..], 0) != number(0)? {
        return None;
    }
    let place = SlotEntry {
        slot: number(4)?,
        day: number(8)?,
    };
    let name = str::from_utf8(&whole[ENTRY..]).ok()?;
    *bytes = rest;
    Some((name, place))
}
